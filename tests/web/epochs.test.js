/** Whose epochs count: the server's, of the robot's life of today; not a robot's word, nor its former life's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, SESSION, doings, frames, live } from "./played.js";

const NEW = "demo:NNNNNNNNNNNNNNNNNNNNNN";
const pong = (role, epoch, sessionId = SESSION) => ({ type: "pong", sessionId, role, epoch });
const refusedAt = (played, epoch) => played.tell({ type: "refused", pcId: played.pcId, epoch });

/** A driver whose session was evicted, and whose next offer has no reply yet. */
function evicted() {
  const played = live("controller", 8);
  played.frame({ type: "peer-left", sessionId: SESSION, epoch: 8, reason: "evicted" });
  played.wait(2000);
  played.offered();
  return played;
}

test("a push of a forgotten robot's former life does not overtake the ack of the next, and the server is asked", () => {
  const played = evicted();
  played.frame({ type: "control", epoch: 8, sessionId: "demo:alice", person: ALICE });
  const effects = played.reply("offer", {
    type: "ack",
    sessionId: NEW,
    role: "controller",
    epoch: 2,
  });

  assert.deepEqual([played.view.role, played.view.epoch], ["controller", 2]);
  assert.deepEqual(frames(effects), [{ type: "ping", sessionId: NEW }]);
});

test("a push that has overtaken the ack after an eviction is learnt by that ping", () => {
  const played = evicted();
  played.frame({ type: "control", epoch: 3, sessionId: "demo:alice", person: ALICE });
  played.reply("offer", { type: "ack", sessionId: NEW, role: "controller", epoch: 2 });
  played.reply("renew", pong("viewer", 3, NEW));

  assert.deepEqual([played.view.role, played.view.epoch], ["viewer", 3]);
});

test("that the evicted session lost control says nothing of the next", () => {
  const played = evicted();
  const effects = played.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 9 });
  played.reply("offer", { type: "ack", sessionId: NEW, role: "controller", epoch: 2 });

  assert.deepEqual(effects, []);
  assert.deepEqual([played.view.role, played.view.lostTo], ["controller", null]);
});

test("once let in, a push of a higher epoch overtakes replies as ever", () => {
  const played = evicted();
  played.reply("offer", { type: "ack", sessionId: NEW, role: "controller", epoch: 2 });
  played.frame({ type: "control", epoch: 3, sessionId: "demo:alice", person: ALICE });
  played.tell({ type: "taken-over", ack: { type: "ack", sessionId: NEW, epoch: 2 }, asOf: 2 });

  assert.deepEqual([played.view.role, played.view.epoch], ["viewer", 3]);
});

test("a robot's word of a higher epoch is asked about, and does not judge what the server says", () => {
  const played = live("controller", 2);
  refusedAt(played, 9);
  const doubtful = played.view;
  played.reply("renew", pong("controller", 2));
  const sure = played.view;
  played.frame({ type: "control", epoch: 3, sessionId: "demo:alice", person: ALICE });

  assert.deepEqual([doubtful.role, doubtful.epoch], ["viewer", 2]);
  assert.deepEqual([sure.role, sure.lostTo], ["controller", null]);
  assert.deepEqual([played.view.role, played.view.driver, played.view.epoch], ["viewer", ALICE, 3]);
});

test("a robot that is wrong about its epoch is told who drives, not asked about at each command", () => {
  const played = live("controller", 2);
  const first = refusedAt(played, 9);
  played.reply("renew", pong("controller", 2));
  played.now += 6000;
  const again = Array.from({ length: 20 }, () => refusedAt(played, 9)).flat();

  assert.deepEqual(
    frames(first).map(({ type }) => type),
    ["ping"],
  );
  assert.deepEqual(
    frames(again).map(({ type }) => type),
    ["offer"],
  );
});

test("a robot whose epoch rises with each refusal is asked about every 5 seconds at most", () => {
  const played = live("controller", 2);
  let looks = 0;
  for (let n = 0; n < 600; n += 1, played.now += 50) {
    looks += doings(refusedAt(played, 10 + n)).filter((what) => what === "look-up").length;
    played.reply("renew", pong("controller", 2));
  }

  assert.equal(looks, 6);
});
