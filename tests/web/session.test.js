/** The engagement with one robot: joining, its negotiation, and leaving. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, ANSWER, Engaged, OFFER, SESSION, doings, frames, live, offerIn } from "./played.js";

const CANDIDATE = { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0 };

test("joining opens a peer connection and offers in the role that was asked for", () => {
  const engaged = new Engaged();
  const opened = engaged.tell({ type: "join", role: "controller" });
  const offered = engaged.offered();

  assert.deepEqual(opened, [{ do: "open", pcId: "pc-1" }]);
  assert.deepEqual(offerIn(offered), {
    type: "offer",
    robotId: "demo",
    role: "controller",
    pcId: "pc-1",
    payload: OFFER,
  });
});

test("joining while signaling is down offers as soon as it is up", () => {
  const engaged = new Engaged(false);
  const before = engaged.tell({ type: "join", role: "viewer" });
  const after = engaged.tell({ type: "online" });

  assert.deepEqual(doings(before), ["close"]);
  assert.deepEqual(doings(after), ["open"]);
});

test("candidates are held until the offer's ack, then sent in order with rising seq", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  const early = engaged.tell({ type: "local-candidate", pcId: engaged.pcId, payload: CANDIDATE });
  engaged.tell({ type: "local-candidate", pcId: engaged.pcId, payload: { candidate: "" } });
  const acked = engaged.reply("offer", {
    type: "ack",
    sessionId: SESSION,
    role: "controller",
    epoch: 1,
  });

  assert.deepEqual(early, []);
  assert.deepEqual(
    frames(acked).map(({ type, seq, payload, sessionId }) => [
      type,
      seq,
      payload.candidate,
      sessionId,
    ]),
    [
      ["ice-candidate", 1, "candidate:1", SESSION],
      ["ice-candidate", 2, "", SESSION],
    ],
  );
});

test("the robot's candidates wait for its answer", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  const early = engaged.frame({ type: "ice-candidate", pcId: engaged.pcId, payload: CANDIDATE });
  const answered = engaged.answer();

  assert.deepEqual(early, []);
  assert.deepEqual(answered, [
    { do: "describe", payload: ANSWER },
    { do: "add-candidate", payload: CANDIDATE },
  ]);
});

test("an answer for another peer connection is not taken", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();

  assert.deepEqual(engaged.frame({ type: "answer", pcId: "pc-of-before", payload: ANSWER }), []);
});

test("an answer that names no peer connection is taken: a seed robot has but one", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();

  assert.deepEqual(doings(engaged.frame({ type: "answer", payload: ANSWER })), ["describe"]);
});

test("an offer of the robot's is obeyed, ours rolled back", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  const theirs = engaged.frame({ type: "offer", pcId: engaged.pcId, payload: OFFER });

  assert.deepEqual(theirs, [{ do: "describe", payload: OFFER }]);
  assert.equal(engaged.state.phase, "linked");
});

test("a first offer that finds the robot busy ends the engagement and tells who drives", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  const effects = engaged.refuse("offer", "robot_busy", { controlledBy: ALICE });

  assert.deepEqual(effects.at(-1).error.controlledBy, ALICE);
  assert.equal(engaged.view.state, "ended");
});

test("leaving says bye and closes", () => {
  const engaged = live("controller");
  const effects = engaged.tell({ type: "leave" });

  assert.deepEqual(frames(effects), [{ type: "bye", sessionId: SESSION }]);
  assert.equal(doings(effects).at(-1), "close");
});

test("access that is withdrawn ends the engagement with the server's sentence", () => {
  const engaged = live("viewer");
  engaged.frame({ type: "peer-left", sessionId: SESSION, reason: "evicted" });
  engaged.wait(2000);
  engaged.offered();
  engaged.refuse("offer", "forbidden");

  assert.equal(engaged.view.state, "ended");
  assert.equal(engaged.view.why, "refused: forbidden");
});

test("what another peer connection of before reports is not heard", () => {
  const engaged = live("controller", 3);

  assert.deepEqual(engaged.tell({ type: "ice", pcId: "pc-of-before", state: "failed" }), []);
  assert.deepEqual(engaged.wait(1000), []);
});
