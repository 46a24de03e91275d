/** Whose epochs count: the server's, of the robot's life of today; not a robot's word, nor its former life's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, SESSION, doings, frames, live } from "./played.js";

const NEW = "demo:NNNNNNNNNNNNNNNNNNNNNN";
const pong = (role, epoch, sessionId = SESSION) => ({ type: "pong", sessionId, role, epoch });
const refusedAt = (engaged, epoch) => engaged.tell({ type: "refused", pcId: engaged.pcId, epoch });

/** A driver whose session was evicted, and whose next offer has no reply yet. */
function evicted() {
  const engaged = live("controller", 8);
  engaged.frame({ type: "peer-left", sessionId: SESSION, epoch: 8, reason: "evicted" });
  engaged.wait(2000);
  engaged.offered();
  return engaged;
}

test("a push of a forgotten robot's former life does not overtake the ack of the next, and the server is asked", () => {
  const engaged = evicted();
  engaged.frame({ type: "control", epoch: 8, sessionId: "demo:alice", person: ALICE });
  const effects = engaged.reply("offer", {
    type: "ack",
    sessionId: NEW,
    role: "controller",
    epoch: 2,
  });

  assert.deepEqual([engaged.view.role, engaged.view.epoch], ["controller", 2]);
  assert.deepEqual(frames(effects), [{ type: "ping", sessionId: NEW }]);
});

test("a push that has overtaken the ack after an eviction is learnt by that ping", () => {
  const engaged = evicted();
  engaged.frame({ type: "control", epoch: 3, sessionId: "demo:alice", person: ALICE });
  engaged.reply("offer", { type: "ack", sessionId: NEW, role: "controller", epoch: 2 });
  engaged.reply("renew", pong("viewer", 3, NEW));

  assert.deepEqual([engaged.view.role, engaged.view.epoch], ["viewer", 3]);
});

test("that the evicted session lost control says nothing of the next", () => {
  const engaged = evicted();
  const effects = engaged.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 9 });
  engaged.reply("offer", { type: "ack", sessionId: NEW, role: "controller", epoch: 2 });

  assert.deepEqual(effects, []);
  assert.deepEqual([engaged.view.role, engaged.view.lostTo], ["controller", null]);
});

test("once let in, a push of a higher epoch overtakes replies as ever", () => {
  const engaged = evicted();
  engaged.reply("offer", { type: "ack", sessionId: NEW, role: "controller", epoch: 2 });
  engaged.frame({ type: "control", epoch: 3, sessionId: "demo:alice", person: ALICE });
  engaged.tell({ type: "taken-over", ack: { type: "ack", sessionId: NEW, epoch: 2 }, asOf: 2 });

  assert.deepEqual([engaged.view.role, engaged.view.epoch], ["viewer", 3]);
});

test("a robot's word of a higher epoch is asked about, and does not judge what the server says", () => {
  const engaged = live("controller", 2);
  refusedAt(engaged, 9);
  const doubtful = engaged.view;
  engaged.reply("renew", pong("controller", 2));
  const sure = engaged.view;
  engaged.frame({ type: "control", epoch: 3, sessionId: "demo:alice", person: ALICE });

  assert.deepEqual([doubtful.role, doubtful.epoch], ["viewer", 2]);
  assert.deepEqual([sure.role, sure.lostTo], ["controller", null]);
  assert.deepEqual(
    [engaged.view.role, engaged.view.driver, engaged.view.epoch],
    ["viewer", ALICE, 3],
  );
});

test("a robot that is wrong about its epoch is told who drives, not asked about at each command", () => {
  const engaged = live("controller", 2);
  const first = refusedAt(engaged, 9);
  engaged.reply("renew", pong("controller", 2));
  engaged.now += 6000;
  const again = Array.from({ length: 20 }, () => refusedAt(engaged, 9)).flat();

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
  const engaged = live("controller", 2);
  let looks = 0;
  for (let n = 0; n < 600; n += 1, engaged.now += 50) {
    looks += doings(refusedAt(engaged, 10 + n)).filter((what) => what === "look-up").length;
    engaged.reply("renew", pong("controller", 2));
  }

  assert.equal(looks, 6);
});
