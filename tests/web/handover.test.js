/** Control by consent, from both sides. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, SESSION, frames, live } from "./played.js";

const BOB = { userId: "u-bob", name: "Bob" };
const BOBS = "demo:BBBBBBBBBBBBBBBBBBBBBB";
const REQUESTED = { type: "control-requested", sessionId: BOBS, by: BOB };

/** Passes time without ticks that would find the data channel silent. */
function after(engaged, ms) {
  engaged.now += ms;
  engaged.pong();
  return engaged.tell({ type: "tick" });
}

/** A viewer of what Alice drives. */
function viewing() {
  const engaged = live("viewer");
  engaged.frame({ type: "control", epoch: 4, sessionId: "demo:alice", person: ALICE });
  return engaged;
}

/** A viewer who has asked Alice for control. */
function asking() {
  const engaged = viewing();
  engaged.tell({ type: "request-sent" });
  return engaged;
}

test("a driver who is asked is told by whom", () => {
  const engaged = live("controller");
  const effects = engaged.frame(REQUESTED);

  assert.deepEqual(engaged.view.requests, [{ sessionId: BOBS, by: BOB, until: 30_000 }]);
  assert.deepEqual(effects, [
    { do: "announce", name: "control-requested", value: engaged.view.requests[0] },
  ]);
});

test("who asks twice stands once in the list, and lapses later", () => {
  const engaged = live("controller");
  engaged.frame(REQUESTED);
  after(engaged, 10_000);
  engaged.frame(REQUESTED);

  assert.deepEqual(
    engaged.view.requests.map(({ until }) => until),
    [40_000],
  );
});

test("a request lapses after 30 seconds", () => {
  const engaged = live("controller");
  engaged.frame(REQUESTED);
  after(engaged, 29_999);
  const before = engaged.view.requests.length;
  after(engaged, 1);

  assert.deepEqual([before, engaged.view.requests.length], [1, 0]);
});

test("a flood of requests keeps the last ten", () => {
  const engaged = live("controller");
  for (let n = 0; n < 30; n += 1) engaged.frame({ ...REQUESTED, sessionId: `demo:${n}` });

  assert.deepEqual(engaged.view.requests.map(({ sessionId }) => sessionId).slice(0, 2), [
    "demo:20",
    "demo:21",
  ]);
  assert.equal(engaged.view.requests.length, 10);
});

test("who does not drive is asked by nobody", () => {
  const engaged = viewing();

  assert.deepEqual(engaged.frame(REQUESTED), []);
  assert.deepEqual(engaged.view.requests, []);
});

test("who grants watches on over the same peer connection, and knows who drives", () => {
  const engaged = live("controller", 3);
  engaged.frame(REQUESTED);
  const effects = engaged.tell({
    type: "granted",
    sessionId: BOBS,
    ack: { type: "ack", epoch: 4 },
  });

  assert.deepEqual(effects, []);
  assert.deepEqual(
    [engaged.view.role, engaged.view.state, engaged.view.epoch],
    ["viewer", "live", 4],
  );
  assert.deepEqual(engaged.view.driver, BOB);
  assert.equal(engaged.view.lostTo, null);
});

test("who grants to a viewer that did not ask looks up who drives", () => {
  const engaged = live("controller", 3);

  assert.deepEqual(
    engaged.tell({ type: "granted", sessionId: BOBS, ack: { type: "ack", epoch: 4 } }),
    [{ do: "look-up" }],
  );
});

test("the answer to a grant that comes after a later change tells nothing new", () => {
  const engaged = live("controller", 3);
  engaged.frame(REQUESTED);
  engaged.frame({ type: "control", epoch: 5, sessionId: "demo:alice", person: ALICE });
  engaged.tell({ type: "granted", sessionId: BOBS, ack: { type: "ack", epoch: 4 } });

  assert.deepEqual(engaged.view.driver, ALICE);
  assert.equal(engaged.view.epoch, 5);
});

test("the answer to a takeover that comes after losing control does not make a driver", () => {
  const engaged = viewing();
  engaged.frame({ type: "control", epoch: 9, sessionId: "demo:alice", person: ALICE });
  engaged.tell({ type: "taken-over", ack: { type: "ack", sessionId: SESSION, epoch: 8 } });

  assert.equal(engaged.view.role, "viewer");
});

test("a request that is answered is gone, the others stay", () => {
  const engaged = live("controller");
  engaged.frame(REQUESTED);
  engaged.frame({ ...REQUESTED, sessionId: "demo:carol" });
  engaged.tell({ type: "request-answered", sessionId: BOBS });

  assert.deepEqual(
    engaged.view.requests.map(({ sessionId }) => sessionId),
    ["demo:carol"],
  );
});

test("who loses control has no requests to answer", () => {
  const engaged = live("controller", 3);
  engaged.frame(REQUESTED);
  engaged.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 });

  assert.deepEqual(engaged.view.requests, []);
});

test("a viewer that asks is asking until the control is its own", () => {
  const engaged = asking();
  const before = engaged.view.asking;
  const effects = engaged.frame({
    type: "control",
    epoch: 5,
    sessionId: SESSION,
    person: { userId: "u-me" },
  });

  assert.deepEqual([before, engaged.view.asking, engaged.view.role], [true, false, "controller"]);
  assert.deepEqual(frames(effects), []);
  assert.equal(engaged.pcId, "pc-1");
});

test("a denial ends the asking, and says who denied", () => {
  const engaged = asking();
  const effects = engaged.frame({ type: "control-denied", by: ALICE });

  assert.deepEqual(effects, [{ do: "announce", name: "control-denied", value: { by: ALICE } }]);
  assert.equal(engaged.view.asking, false);
});

test("a denial of what nobody asked is not told", () => {
  assert.deepEqual(viewing().frame({ type: "control-denied", by: ALICE }), []);
});

test("no answer within 30 seconds ends the asking, is told once, and the server is asked: the grant may be lost", () => {
  const engaged = asking();
  const early = after(engaged, 29_999);
  const due = after(engaged, 1);
  const later = after(engaged, 500);

  assert.deepEqual(early, []);
  assert.deepEqual(due[0], { do: "announce", name: "control-unanswered", value: { by: ALICE } });
  assert.deepEqual(frames(due), [{ type: "ping", sessionId: SESSION }]);
  assert.deepEqual([engaged.view.asking, later], [false, []]);
});

test("a grant that was lost is learnt once the request has lapsed", () => {
  const engaged = asking();
  after(engaged, 30_000);
  engaged.reply("renew", { type: "pong", sessionId: SESSION, role: "controller", epoch: 5 });

  assert.deepEqual([engaged.view.role, engaged.view.epoch], ["controller", 5]);
});

test("a request that lapses while the session moves asks nothing: the move's reply tells", () => {
  const engaged = asking();
  engaged.tell({ type: "socket-changed" });

  assert.deepEqual(frames(after(engaged, 30_000)), []);
});

test("asking ends as well while signaling is down", () => {
  const engaged = asking();
  engaged.tell({ type: "offline" });
  after(engaged, 30_000);

  assert.equal(engaged.view.asking, false);
});

for (const [what, person] of [
  ["free", undefined],
  ["another's", BOB],
]) {
  test(`the asking ends when the control is ${what}: the driver who was asked drives no more`, () => {
    const engaged = asking();
    engaged.frame({ type: "control", epoch: 5, ...(person && { person, sessionId: BOBS }) });

    assert.equal(engaged.view.asking, false);
  });
}

test("a request that the server refused is not waited for", () => {
  const engaged = asking();
  engaged.tell({ type: "request-failed" });

  assert.equal(engaged.view.asking, false);
});

test("who drives asks nobody", () => {
  const engaged = live("controller");
  engaged.tell({ type: "request-sent" });

  assert.equal(engaged.view.asking, false);
});
