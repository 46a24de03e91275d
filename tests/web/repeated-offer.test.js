/** A robot that has not heard that we drive is told again, and not too often. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, OFFER, SESSION, doings, frames, live } from "./played.js";

const refusedAt = (played, epoch) => played.tell({ type: "refused", pcId: played.pcId, epoch });
const ack = (epoch) => ({ type: "ack", sessionId: SESSION, role: "controller", epoch });

/** The times at which something was requested, of a key held for so long: 20 commands a second. */
function held(played, ms) {
  const times = [];
  for (const until = played.now + ms; played.now < until; played.now += 50) {
    played.pong();
    if (refusedAt(played, 2).length > 0) times.push(played.now);
  }
  return times;
}

test("a robot that has not heard of our epoch is offered the standing peer connection again, and we drive on", () => {
  const played = live("controller", 3);
  const { pcId } = played;
  const effects = refusedAt(played, 2);

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
    [played.view.role, played.view.state, played.pcId],
    ["controller", "live", pcId],
  );
});

test("its answer is not taken: the peer connection stays", () => {
  const played = live("controller", 3);
  refusedAt(played, 2);
  played.reply("repeat", ack(3));

  assert.deepEqual(played.answer(), []);
});

test("a key held for a minute asks six times, less and less often", () => {
  const played = live("controller", 3);

  assert.deepEqual(held(played, 60_500), [0, 2000, 6000, 14_000, 30_000, 60_000]);
});

test("a new epoch is told at once", () => {
  const played = live("controller", 3);
  held(played, 10_000);
  played.frame({ type: "control", epoch: 4, sessionId: SESSION });

  assert.deepEqual(doings(refusedAt(played, 3)), ["request"]);
});

test("nothing is asked while the server is out of reach, or the session moves", () => {
  const cut = live("controller", 3);
  cut.tell({ type: "offline" });
  const moving = live("controller", 3);
  moving.tell({ type: "socket-changed" });

  assert.deepEqual([refusedAt(cut, 2), refusedAt(moving, 2)], [[], []]);
});

test("a lease that was taken again by that is known by its epoch", () => {
  const played = live("controller", 3);
  refusedAt(played, 2);
  played.reply("repeat", ack(5));

  assert.deepEqual([played.view.role, played.view.epoch], ["controller", 5]);
});

test("who hears that somebody else drives has lost control, and asks for the session's role", () => {
  const played = live("controller", 3);
  refusedAt(played, 2);
  const effects = played.refuse("repeat", "robot_busy", { controlledBy: ALICE });

  assert.deepEqual(frames(effects), [{ type: "ping", sessionId: SESSION }]);
  assert.deepEqual(
    [played.view.role, played.view.driver, played.view.lostTo],
    ["viewer", ALICE, ALICE],
  );
});

test("who hears that there is no such session joins again", () => {
  const played = live("controller", 3);
  refusedAt(played, 2);

  assert.deepEqual(doings(played.refuse("repeat", "no_session")), ["open"]);
});
