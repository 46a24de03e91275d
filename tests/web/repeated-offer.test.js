/** A robot that has not heard that we drive is told again, and not too often. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, OFFER, SESSION, doings, frames, live } from "./played.js";

const refusedAt = (engaged, epoch) => engaged.tell({ type: "refused", pcId: engaged.pcId, epoch });
const ack = (epoch) => ({ type: "ack", sessionId: SESSION, role: "controller", epoch });

/** The times at which something was requested, of a key held for so long: 20 commands a second. */
function held(engaged, ms) {
  const times = [];
  for (const until = engaged.now + ms; engaged.now < until; engaged.now += 50) {
    engaged.pong();
    if (refusedAt(engaged, 2).length > 0) times.push(engaged.now);
  }
  return times;
}

test("a robot that has not heard of our epoch is offered the standing peer connection again, and we drive on", () => {
  const engaged = live("controller", 3);
  const { pcId } = engaged;
  const effects = refusedAt(engaged, 2);

  assert.deepEqual(frames(effects), [
    {
      type: "offer",
      robotId: "demo",
      sessionId: SESSION,
      role: "controller",
      pcId,
      payload: OFFER,
    },
  ]);
  assert.deepEqual(
    [engaged.view.role, engaged.view.state, engaged.pcId],
    ["controller", "live", pcId],
  );
});

test("its answer is not taken: the peer connection stands", () => {
  const engaged = live("controller", 3);
  refusedAt(engaged, 2);
  engaged.reply("repeat", ack(3));

  assert.deepEqual(engaged.answer(), []);
});

test("a key held for a minute asks six times, less and less often", () => {
  const engaged = live("controller", 3);

  assert.deepEqual(held(engaged, 60_500), [0, 2000, 6000, 14_000, 30_000, 60_000]);
});

test("a new epoch is told at once", () => {
  const engaged = live("controller", 3);
  held(engaged, 10_000);
  engaged.frame({ type: "control", epoch: 4, sessionId: SESSION });

  assert.deepEqual(doings(refusedAt(engaged, 3)), ["request"]);
});

test("nothing is asked while the server is out of reach, or the session moves", () => {
  const cut = live("controller", 3);
  cut.tell({ type: "offline" });
  const moving = live("controller", 3);
  moving.tell({ type: "socket-changed" });

  assert.deepEqual([refusedAt(cut, 2), refusedAt(moving, 2)], [[], []]);
});

test("a lease that was taken anew by that is known by its epoch", () => {
  const engaged = live("controller", 3);
  refusedAt(engaged, 2);
  engaged.reply("repeat", ack(5));

  assert.deepEqual([engaged.view.role, engaged.view.epoch], ["controller", 5]);
});

test("who hears that somebody else drives has lost control, and asks how the session stands", () => {
  const engaged = live("controller", 3);
  refusedAt(engaged, 2);
  const effects = engaged.refuse("repeat", "robot_busy", { controlledBy: ALICE });

  assert.deepEqual(frames(effects), [{ type: "ping", sessionId: SESSION }]);
  assert.deepEqual(
    [engaged.view.role, engaged.view.driver, engaged.view.lostTo],
    ["viewer", ALICE, ALICE],
  );
});

test("who hears that there is no such session joins anew", () => {
  const engaged = live("controller", 3);
  refusedAt(engaged, 2);

  assert.deepEqual(doings(engaged.refuse("repeat", "no_session")), ["open"]);
});
