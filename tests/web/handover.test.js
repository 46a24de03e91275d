/** Control by consent, from both sides. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, SESSION, frames, live } from "./played.js";

const BOB = { userId: "u-bob", name: "Bob" };
const BOBS = "demo:BBBBBBBBBBBBBBBBBBBBBB";
const REQUESTED = { type: "control-requested", sessionId: BOBS, by: BOB };

/** Passes time without ticks that would find the data channel silent. */
function after(played, ms) {
  played.now += ms;
  played.pong();
  return played.tell({ type: "tick" });
}

/** A viewer of what Alice drives. */
function viewing() {
  const played = live("viewer");
  played.frame({ type: "control", epoch: 4, sessionId: "demo:alice", person: ALICE });
  return played;
}

/** A viewer who has asked Alice for control. */
function asking() {
  const played = viewing();
  played.tell({ type: "request-sent" });
  return played;
}

test("a driver who is asked is told by whom", () => {
  const played = live("controller");
  const effects = played.frame(REQUESTED);

  assert.deepEqual(played.view.requests, [{ sessionId: BOBS, by: BOB, until: 30_000 }]);
  assert.deepEqual(effects, [
    { do: "announce", name: "control-requested", value: played.view.requests[0] },
  ]);
});

test("who asks twice is once in the list, and lapses later", () => {
  const played = live("controller");
  played.frame(REQUESTED);
  after(played, 10_000);
  played.frame(REQUESTED);

  assert.deepEqual(
    played.view.requests.map(({ until }) => until),
    [40_000],
  );
});

test("a request lapses after 30 seconds", () => {
  const played = live("controller");
  played.frame(REQUESTED);
  after(played, 29_999);
  const before = played.view.requests.length;
  after(played, 1);

  assert.deepEqual([before, played.view.requests.length], [1, 0]);
});

test("a flood of requests keeps the last ten", () => {
  const played = live("controller");
  for (let n = 0; n < 30; n += 1) played.frame({ ...REQUESTED, sessionId: `demo:${n}` });

  assert.deepEqual(played.view.requests.map(({ sessionId }) => sessionId).slice(0, 2), [
    "demo:20",
    "demo:21",
  ]);
  assert.equal(played.view.requests.length, 10);
});

test("a session that does not drive has no requests", () => {
  const played = viewing();

  assert.deepEqual(played.frame(REQUESTED), []);
  assert.deepEqual(played.view.requests, []);
});

test("who grants watches on over the same peer connection, and knows who drives", () => {
  const played = live("controller", 3);
  played.frame(REQUESTED);
  const effects = played.tell({
    type: "granted",
    sessionId: BOBS,
    ack: { type: "ack", epoch: 4 },
  });

  assert.deepEqual(effects, []);
  assert.deepEqual([played.view.role, played.view.state, played.view.epoch], ["viewer", "live", 4]);
  assert.deepEqual(played.view.driver, BOB);
  assert.equal(played.view.lostTo, null);
});

test("who grants to a viewer that did not ask looks up who drives", () => {
  const played = live("controller", 3);

  assert.deepEqual(
    played.tell({ type: "granted", sessionId: BOBS, ack: { type: "ack", epoch: 4 } }),
    [{ do: "look-up" }],
  );
});

test("the answer to a grant that comes after a later change tells nothing new", () => {
  const played = live("controller", 3);
  played.frame(REQUESTED);
  played.frame({ type: "control", epoch: 5, sessionId: "demo:alice", person: ALICE });
  played.tell({ type: "granted", sessionId: BOBS, ack: { type: "ack", epoch: 4 } });

  assert.deepEqual(played.view.driver, ALICE);
  assert.equal(played.view.epoch, 5);
});

test("the answer to a takeover that comes after losing control does not make a driver", () => {
  const played = viewing();
  played.frame({ type: "control", epoch: 9, sessionId: "demo:alice", person: ALICE });
  played.tell({ type: "taken-over", ack: { type: "ack", sessionId: SESSION, epoch: 8 } });

  assert.equal(played.view.role, "viewer");
});

test("a request that is answered is gone, the others stay", () => {
  const played = live("controller");
  played.frame(REQUESTED);
  played.frame({ ...REQUESTED, sessionId: "demo:carol" });
  played.tell({ type: "request-answered", sessionId: BOBS });

  assert.deepEqual(
    played.view.requests.map(({ sessionId }) => sessionId),
    ["demo:carol"],
  );
});

test("who loses control has no requests to answer", () => {
  const played = live("controller", 3);
  played.frame(REQUESTED);
  played.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 });

  assert.deepEqual(played.view.requests, []);
});

test("a viewer that asks is asking until the control is its own", () => {
  const played = asking();
  const before = played.view.asking;
  const effects = played.frame({
    type: "control",
    epoch: 5,
    sessionId: SESSION,
    person: { userId: "u-me" },
  });

  assert.deepEqual([before, played.view.asking, played.view.role], [true, false, "controller"]);
  assert.deepEqual(frames(effects), []);
  assert.equal(played.pcId, "pc-1");
});

test("a denial ends the asking, and says who denied", () => {
  const played = asking();
  const effects = played.frame({ type: "control-denied", by: ALICE });

  assert.deepEqual(effects, [{ do: "announce", name: "control-denied", value: { by: ALICE } }]);
  assert.equal(played.view.asking, false);
});

test("a denial of what was not asked is not told", () => {
  assert.deepEqual(viewing().frame({ type: "control-denied", by: ALICE }), []);
});

test("no answer within 30 seconds ends the asking, is told once, and the server is asked: the grant may be lost", () => {
  const played = asking();
  const early = after(played, 29_999);
  const due = after(played, 1);
  const later = after(played, 500);

  assert.deepEqual(early, []);
  assert.deepEqual(due[0], { do: "announce", name: "control-unanswered", value: { by: ALICE } });
  assert.deepEqual(frames(due), [{ type: "ping", sessionId: SESSION }]);
  assert.deepEqual([played.view.asking, later], [false, []]);
});

test("a grant that was lost is learnt once the request has lapsed", () => {
  const played = asking();
  after(played, 30_000);
  played.reply("renew", { type: "pong", sessionId: SESSION, role: "controller", epoch: 5 });

  assert.deepEqual([played.view.role, played.view.epoch], ["controller", 5]);
});

test("a request that lapses while the session moves asks nothing: the move's reply tells", () => {
  const played = asking();
  played.tell({ type: "socket-changed" });

  assert.deepEqual(frames(after(played, 30_000)), []);
});

test("asking ends as well while signaling is down", () => {
  const played = asking();
  played.tell({ type: "offline" });
  after(played, 30_000);

  assert.equal(played.view.asking, false);
});

for (const [what, person] of [
  ["free", undefined],
  ["another's", BOB],
]) {
  test(`the asking ends when the control is ${what}: the driver who was asked drives no more`, () => {
    const played = asking();
    played.frame({ type: "control", epoch: 5, ...(person && { person, sessionId: BOBS }) });

    assert.equal(played.view.asking, false);
  });
}

test("a request that the server refused is not waited for", () => {
  const played = asking();
  played.tell({ type: "request-failed" });

  assert.equal(played.view.asking, false);
});

test("a driver asks no one", () => {
  const played = live("controller");
  played.tell({ type: "request-sent" });

  assert.equal(played.view.asking, false);
});
