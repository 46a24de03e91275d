/** Declared controls, telemetry and the application's own channels, as a page has them. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { encodeValues, nameValues } from "../../web/robosignal/controls.js";
import { readMessage } from "../../web/robosignal/messages.js";
import { drivingFresh, drivingOld } from "./client.js";

const VECTORS = JSON.parse(
  readFileSync(new URL("../../spec/vectors/controls.json", import.meta.url), "utf8"),
);
const { controls } = VECTORS;
const AHEAD = { x: 0, y: 1 };
const STILL = { x: 0, y: 0 };

for (const { name, given, values } of VECTORS.commands)
  test(`a command's values: ${name}`, () =>
    assert.deepEqual(encodeValues(controls, given), values));

for (const { name, given } of VECTORS.refused)
  test(`a command's values: ${name}`, () =>
    assert.throws(() => encodeValues(controls, given), TypeError));

const last = (robot) => robot.commands.at(-1);

test("values go with the drive that is in force, each as long as it is", async () => {
  const { session, robot } = await drivingFresh({ controls });
  session.drive(AHEAD);
  session.command({ belt: 1 });
  const both = last(robot);
  robot.pass(450);
  session.drive(AHEAD);
  robot.pass(50, { films: true });
  session.drive(AHEAD);
  const later = last(robot);
  session.drive(STILL);

  assert.deepEqual([both.drive, both.values], [AHEAD, [null, 1]]);
  assert.deepEqual([later.drive, later.values], [AHEAD, undefined]);
  assert.deepEqual([last(robot).drive, last(robot).values], [STILL, undefined]);
});

test("after an interruption no control moves until everything was let go", async () => {
  const { session, robot } = await drivingFresh({ controls });
  const first = session.command({ belt: 1 });
  robot.beat({ armed: false });
  const blocked = session.command({ belt: 1 });
  robot.beat({ armed: true });
  const held = session.command({ belt: 1 });
  const rest = session.command({});
  const again = session.command({ belt: 1 });

  assert.deepEqual([first, blocked, held, rest, again], [true, false, false, true, true]);
});

test("a robot that declares nothing takes no values, old ones neither", async () => {
  for (const driven of [await drivingFresh(), await drivingOld()]) {
    assert.equal(driven.session.command({ belt: 1 }), false);
    assert.equal(driven.session.declaration, null);
    assert.deepEqual(driven.world.peer.more, {});
  }
});

test("telemetry is by name: the newest counts, and what is reliable is told in any case", async () => {
  const telemetry = [
    { name: "battery", unit: "V" },
    { name: "state", unit: "" },
  ];
  const { session, robot, world } = await drivingFresh({ telemetry });
  const heard = [];
  session.on("telemetry", (values) => heard.push(values));
  const channel = world.peer.more.telemetry;
  robot.tell({ type: "telemetry", n: 2, values: [12, null] }, channel);
  robot.tell({ type: "telemetry", n: 1, values: [null, "late"] });
  robot.tell({ type: "telemetry", n: 3, values: [null, "done"] });

  assert.deepEqual(heard, [{ battery: 12 }, { state: "late" }, { state: "done" }]);
  assert.deepEqual(session.telemetry, { battery: 12, state: "done" });
});

test("what holds is by name, and told when it changes", async () => {
  const { session, robot } = await drivingFresh({ controls });
  const told = [];
  session.on("held", (held) => told.push(held));
  for (const pan of [1, 1, 2]) robot.beat({ held: [pan, null, null, "fast"] });

  assert.deepEqual(told, [
    { pan: 1, gear: "fast" },
    { pan: 2, gear: "fast" },
  ]);
  assert.equal(session.held, told[1]);
});

test("a channel of the application's own is opened once it is declared", async () => {
  const channels = [{ name: "chat", viewersRead: true, viewersWrite: false }];
  const { session, robot, world } = await drivingFresh({ channels });
  const heard = [];
  session.channel("chat").on("message", (data) => heard.push(data));
  session.channel("chat").on("refused", (epoch) => heard.push(epoch));
  world.peer.more["app:chat"].onmessage({ data: "hello" });
  robot.tell({ type: "refused", what: "app:chat", epoch: 3 });

  assert.equal(session.publish("chat", "hi"), true);
  assert.equal(session.channel("other").publish("hi"), false);
  assert.throws(() => session.publish("chat", 1), TypeError);
  assert.deepEqual(world.peer.more["app:chat"].sent, ["hi"]);
  assert.deepEqual(heard, ["hello", 3]);
});

test("further cameras and sound are offered on control, and an old robot is offered none", async () => {
  const { robot, world } = await drivingFresh({ cameras: ["front", "rear"], audio: true });
  await new Promise((resolve) => setImmediate(resolve));
  const offers = (peer) => peer.channel.sent.filter((text) => text.includes('"offer"'));
  const kinds = world.peer.made.map(([kind]) => kind).filter((kind) => kind !== "channel");
  const plain = await drivingFresh({ cameras: ["front"] });

  assert.deepEqual(kinds, ["video", "audio", "video"]);
  assert.equal(offers(robot.world.peer).length, 1);
  assert.equal(offers(plain.world.peer).length, 0);
});

test("a declaration that is none counts as none, and an unknown control is left alone", () => {
  const told = { type: "capabilities", version: 2, freshMs: 1, watchdogMs: 1, video: null };
  const read = (more) => readMessage(JSON.stringify({ ...told, ...more }));

  assert.equal(read({ controls: [{ type: "axis", name: "a" }] }), null);
  assert.equal(read({ telemetry: [{ name: 1, unit: "" }] }), null);
  assert.notEqual(read({ controls: [{ type: "wheel", name: "a" }] }), null);
  assert.deepEqual(encodeValues([{ type: "wheel", name: "a" }], { a: 1 }), []);
  assert.deepEqual(nameValues([{ type: "button", name: "a" }], [null]), {});
});
