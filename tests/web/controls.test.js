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

const TOLD = { type: "capabilities", version: 2, freshMs: 1, watchdogMs: 1, video: null };
const read = (more) => readMessage(JSON.stringify({ ...TOLD, ...more }));
const names = (count) => Array.from({ length: count }, (_, n) => `n${n}`);

test("of a declaration beyond every limit a page takes what it can carry", () => {
  const told = read({
    commandHz: 1e9,
    controls: names(500).map((name) => ({ type: "button", name })),
    telemetry: names(500).map((name) => ({ name, unit: "" })),
    cameras: names(5_000),
    channels: names(5_000).map((name) => ({ name })),
  });

  assert.deepEqual(
    [told.controls, told.telemetry, told.cameras, told.channels].map(({ length }) => length),
    [32, 64, 4, 8],
  );
  assert.equal(told.commandHz, 100);
  assert.equal(read({ commandHz: 0 }).commandHz, 1);
});

test("a declaration with what is no number, or without end, counts as none", () => {
  const axis = { type: "axis", name: "a", unit: "", least: 0, most: 1, rest: 0, rate: null };
  const many = { type: "choice", name: "a", options: names(33) };
  const text = JSON.stringify(TOLD);

  assert.notEqual(read({ controls: [axis] }), null);
  assert.equal(read({ controls: [{ ...axis, unit: undefined }] }), null);
  assert.equal(read({ controls: [{ ...axis, most: "1" }] }), null);
  assert.equal(read({ controls: [many] }), null);
  assert.equal(read({ commandHz: "20" }), null);
  assert.equal(read({ watchdogMs: [5] }), null);
  assert.equal(readMessage(text.replace('"freshMs":1', '"freshMs":1e400')), null);
});

test("names that every object has are names like any other", async () => {
  const named = ["constructor", "toString", "__proto__"];
  const switches = named.map((name) => ({ type: "button", name }));

  assert.deepEqual(encodeValues(switches, {}), []);
  assert.deepEqual(encodeValues(switches, { toString: true }), [null, true]);
  assert.equal(Object.getPrototypeOf(nameValues(switches, [1, 2, 3])), Object.prototype);
  const { session } = await drivingFresh({ controls: switches });
  assert.equal(session.command({}), true);
});

test("a robot that declares itself again and again gets no more channels", async () => {
  const { session, robot, world } = await drivingFresh({ channels: [{ name: "chat" }] });
  for (let round = 0; round < 20; round += 1)
    robot.tell({ ...TOLD, channels: [{ name: `r${round}` }] });
  let refusals = 0;
  session.channel("none").on("refused", () => (refusals += 1));
  robot.tell({ type: "refused", what: "app:none", epoch: 1 });

  assert.equal(Object.keys(world.peer.more).length, 8);
  assert.equal(refusals, 0);
});

test("a heartbeat that overtakes the declaration tells where the controls are", async () => {
  const { session, robot } = await drivingFresh();
  robot.beat({ held: [30, null, null, "fast"] });
  robot.tell({ ...TOLD, freshMs: 1_000, watchdogMs: 500, controls });

  assert.deepEqual(session.held, { pan: 30, gear: "fast" });
});
