/** The session with one robot: joining, its negotiation, and leaving. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ALICE,
  ANSWER,
  PlayedSession,
  OFFER,
  SESSION,
  doings,
  frames,
  live,
  offerIn,
} from "./played.js";

const CANDIDATE = { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0 };

test("joining opens a peer connection and offers in the role that was asked for", () => {
  const played = new PlayedSession();
  const opened = played.tell({ type: "join", role: "controller" });
  const offered = played.offered();

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
  const played = new PlayedSession(false);
  const before = played.tell({ type: "join", role: "viewer" });
  const after = played.tell({ type: "online" });

  assert.deepEqual(doings(before), ["close"]);
  assert.deepEqual(doings(after), ["open"]);
});

test("candidates are held until the offer's ack, then sent in order with rising seq", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();
  const early = played.tell({ type: "local-candidate", pcId: played.pcId, payload: CANDIDATE });
  played.tell({ type: "local-candidate", pcId: played.pcId, payload: { candidate: "" } });
  const acked = played.reply("offer", {
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
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();
  const early = played.frame({ type: "ice-candidate", pcId: played.pcId, payload: CANDIDATE });
  const answered = played.answer();

  assert.deepEqual(early, []);
  assert.deepEqual(answered, [
    { do: "describe", payload: ANSWER },
    { do: "add-candidate", payload: CANDIDATE },
  ]);
});

test("an answer for another peer connection is not taken", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();

  assert.deepEqual(played.frame({ type: "answer", pcId: "pc-of-before", payload: ANSWER }), []);
});

test("an answer that names no peer connection is taken: a seed robot has but one", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();

  assert.deepEqual(doings(played.frame({ type: "answer", payload: ANSWER })), ["describe"]);
});

test("an offer of the robot's is obeyed, ours rolled back", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();
  const theirs = played.frame({ type: "offer", pcId: played.pcId, payload: OFFER });

  assert.deepEqual(theirs, [{ do: "describe", payload: OFFER }]);
  assert.equal(played.state.phase, "linked");
});

test("a first offer that finds the robot busy ends the session and tells who drives", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();
  const effects = played.refuse("offer", "robot_busy", { controlledBy: ALICE });

  assert.deepEqual(effects.at(-1).error.controlledBy, ALICE);
  assert.equal(played.view.state, "ended");
});

test("leaving says bye and closes", () => {
  const played = live("controller");
  const effects = played.tell({ type: "leave" });

  assert.deepEqual(frames(effects), [{ type: "bye", sessionId: SESSION }]);
  assert.equal(doings(effects).at(-1), "close");
});

test("a session that may not come back says that the right has ended", () => {
  const played = live("viewer");
  played.frame({ type: "peer-left", sessionId: SESSION, reason: "evicted" });
  played.wait(2000);
  played.offered();
  played.refuse("offer", "forbidden");

  assert.equal(played.view.state, "ended");
  assert.match(played.view.why, /right to this robot has ended/);
});

test("what another peer connection of before reports is not heard", () => {
  const played = live("controller", 3);

  assert.deepEqual(played.tell({ type: "ice", pcId: "pc-of-before", state: "failed" }), []);
  assert.deepEqual(played.wait(1000), []);
});
