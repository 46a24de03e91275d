/** What is relayed to the robot arrives, through losses and redials. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SESSION, driving } from "./client.js";
import { frames, live } from "./played.js";
import { TODAY, WELCOME, found, settled } from "./world.js";

const CANDIDATE = { candidate: "candidate:1", sdpMid: "0" };
const ACK = { type: "ack", sessionId: SESSION, role: "controller", epoch: 3 };
const trickle = (played) =>
  played.tell({ type: "local-candidate", pcId: played.pcId, payload: CANDIDATE });
const relayed = (effects) =>
  frames(effects)
    .filter(({ type }) => type === "ice-candidate")
    .map(({ payload, sessionId }) => [payload.candidate, sessionId]);
const ONCE = [["candidate:1", SESSION]];

test("a session moves only after its candidates were answered, so that the move cannot overtake them", async () => {
  const { world } = await driving({ expiresAt: TODAY + 40_000 });
  world.peer.connectionState = "connected";
  world.peer.onconnectionstatechange();
  world.pass(36_000 - world.time);
  await settled();
  const [old, next] = world.sockets;
  world.peers[0].onicecandidate(found("candidate:1"));
  next.open();
  next.receive(WELCOME);
  await settled();
  const before = next.last("resume");
  old.reply("ice-candidate", { type: "ack", sessionId: SESSION });
  await settled();

  assert.equal(before, undefined);
  assert.equal(next.last("resume").sessionId, SESSION);
});

test("a candidate that was refused because the session had moved is sent again", () => {
  const played = live("controller");
  trickle(played);

  assert.deepEqual(relayed(played.refuse("relay", "no_session")), ONCE);
});

test("a candidate that was lost with its socket is sent again once the session is resumed", () => {
  const played = live("controller", 3);
  trickle(played);
  played.tell({ type: "offline" });
  const lost = played.refuse("relay", "offline");
  const back = played.tell({ type: "online" });
  const resumed = played.reply("resume", ACK);

  assert.deepEqual([relayed(lost), relayed(back), relayed(resumed)], [[], [], ONCE]);
});

test("it is sent again once, and no more", () => {
  const played = live("controller");
  trickle(played);
  played.refuse("relay", "no_session");

  assert.deepEqual(played.refuse("relay-again", "no_session"), []);
});

test("what a robot that is away did not get is not sent again", () => {
  const played = live("controller");
  trickle(played);

  assert.deepEqual(played.refuse("relay", "robot_offline"), []);
});

test("a candidate of a session that is no more is not sent in the next", () => {
  const played = live("controller", 3);
  trickle(played);
  played.tell({
    type: "taken-over",
    ack: { type: "ack", sessionId: "demo:next", epoch: 4 },
    asOf: 3,
  });

  assert.deepEqual(played.refuse("relay", "no_session"), []);
});

test("the end of candidates, of one section or of all, is not relayed: no robot needs it", async () => {
  const { world } = await driving();
  for (const event of [found("", "1"), found("candidate:1"), found("", "0"), { candidate: null }])
    world.peer.onicecandidate(event);
  await settled();

  assert.deepEqual(
    world.socket.frames
      .filter(({ type }) => type === "ice-candidate")
      .map(({ payload }) => payload),
    [CANDIDATE],
  );
});

test("the robot's end of candidates ends nothing, for those that it ends may come after it", async () => {
  const { world } = await driving();
  const { pcId } = world.socket.last("offer");
  for (const candidate of ["", null, "candidate:1", "", "candidate:2"]) {
    world.socket.receive({
      type: "ice-candidate",
      robotId: "demo",
      sessionId: SESSION,
      pcId,
      payload: { candidate, sdpMid: "0" },
    });
  }
  await settled();

  assert.deepEqual(
    world.peer.added.map(({ candidate }) => candidate),
    ["candidate:1", "candidate:2"],
  );
});
