/** Leaving ends everything, also what the server has yet to give. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SESSION, driving } from "./client.js";
import { PlayedSession, frames, live } from "./played.js";
import { WELCOME, settled } from "./world.js";

const ACK = { type: "ack", sessionId: SESSION, role: "controller", epoch: 2 };
const BYE = { type: "bye", sessionId: SESSION };

test("an offer that is taken after leaving is answered with goodbye: its lease would not be renewed", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();
  const left = played.tell({ type: "leave" });
  const acked = played.reply("offer", ACK);

  assert.deepEqual([frames(left), frames(acked)], [[], [BYE]]);
  assert.equal(played.view.state, "ended");
});

test("a takeover that succeeds after leaving is answered with goodbye", () => {
  const played = live("viewer");
  played.tell({ type: "leave" });

  assert.deepEqual(frames(played.tell({ type: "taken-over", ack: ACK, asOf: 0 })), [BYE]);
});

test("a session that has moved after leaving is answered with goodbye where it is now", () => {
  const played = live("controller");
  played.tell({ type: "socket-changed" });
  played.tell({ type: "migrate" });
  played.tell({ type: "leave" });

  assert.deepEqual(frames(played.reply("migrate", ACK)), [BYE]);
});

test("what else comes after leaving is not answered", () => {
  const played = live("controller");
  played.tell({ type: "leave" });
  const events = [
    played.refuse("offer", "robot_busy"),
    played.reply("renew", { type: "pong" }),
    played.reply("relay", ACK),
    played.answer(),
  ];

  assert.deepEqual(events.flat(), []);
});

test("a page that leaves while it joins again says goodbye as soon as it was let in", async () => {
  const { world, session } = await driving();
  world.socket.receive({
    type: "peer-left",
    robotId: "demo",
    sessionId: SESSION,
    reason: "restarted",
    epoch: 2,
  });
  await settled();
  session.leave();
  const before = world.socket.last("bye");
  world.socket.reply("offer", { ...ACK, epoch: 3 });
  await settled();

  assert.equal(before, undefined);
  assert.equal(world.socket.last("bye").sessionId, SESSION);
});

for (const call of ["drive", "view", "takeOver"]) {
  test(`who leaves and calls ${call} at once asks once the goodbye is answered, for that would end it`, async () => {
    const { world, signal, session } = await driving();
    session.leave();
    const count = world.socket.frames.length;
    signal[call]("demo").catch(() => {});
    signal.view("another").catch(() => {});
    await settled();
    const before = world.socket.frames.slice(count).map(({ robotId }) => robotId);
    world.socket.reply("bye", { type: "ack" });
    await settled();

    assert.deepEqual(before, ["another"]);
    assert.deepEqual(
      world.socket.frames.slice(count).map(({ robotId }) => robotId),
      ["another", "demo"],
    );
  });
}

test("a goodbye that is not answered is waited for no longer than two seconds", async () => {
  const { world, signal, session } = await driving();
  session.leave();
  const count = world.socket.frames.length;
  signal.drive("demo").catch(() => {});
  await settled();
  world.pass(2_000);
  await settled();

  assert.equal(
    world.socket.frames.slice(count).find(({ type }) => type === "offer").robotId,
    "demo",
  );
});

test("a goodbye whose connection is lost is not waited for", async () => {
  const { world, signal, session } = await driving();
  session.leave();
  world.socket.shut(1006);
  signal.drive("demo").catch(() => {});
  world.pass(1_000);
  await settled();
  world.socket.open();
  world.socket.receive(WELCOME);
  await settled();

  assert.equal(world.socket.last("offer").robotId, "demo");
});
