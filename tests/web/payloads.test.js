/** What the page makes of a description without a type, and of a candidate that it cannot use. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { driving } from "./client.js";
import { PlayedSession, SESSION, live } from "./played.js";
import { settled } from "./world.js";

const INIT = { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0 };

for (const type of ["answer", "offer"]) {
  test(`a description without a type has its frame's: ${type}`, () => {
    const played = new PlayedSession();
    played.tell({ type: "join", role: "controller" });
    played.offered();

    const [remote] = played.frame({ type, pcId: played.pcId, payload: { sdp: "v=0" } });

    assert.deepEqual(remote, { do: "describe", payload: { type, sdp: "v=0" } });
  });
}

test("candidates that the browser cannot use are counted and told, and end nothing", async () => {
  const { world, session } = await driving();
  const told = [];
  session.on("candidate-unusable", (one) => told.push(one));
  world.peer.addIceCandidate = async () => {
    throw new Error("no such section");
  };
  for (const candidate of ["candidate:1", "candidate:2"]) {
    world.socket.receive({ type: "ice-candidate", robotId: "demo", payload: { candidate } });
  }
  await settled();

  assert.deepEqual(told, [
    { count: 1, message: "no such section" },
    { count: 2, message: "no such section" },
  ]);
  assert.equal(world.peer.closed, false);
});

test("a candidate that comes as the peer connection closes is no candidate that it cannot use", async () => {
  const { world, session } = await driving();
  const told = [];
  session.on("candidate-unusable", (one) => told.push(one));
  Object.assign(world.peer, {
    signalingState: "closed",
    addIceCandidate: async () => {
      throw new Error("closed");
    },
  });
  world.socket.receive({ type: "ice-candidate", robotId: "demo", payload: INIT });
  await settled();

  assert.deepEqual(told, []);
});

const REFUSED = { type: "error", code: "too_large", message: "the offer is too long" };

/** A session whose offer is under way. */
function offering(acked = true) {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();
  if (acked)
    played.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 3 });
  return played;
}

test("an offer that the robot refuses is told as why, and is followed by another peer connection's", () => {
  const played = offering();
  const effects = played.frame({
    type: "answer",
    sessionId: SESSION,
    pcId: played.pcId,
    payload: REFUSED,
  });

  assert.deepEqual(effects, [{ do: "close" }]);
  assert.deepEqual(
    [played.view.state, played.view.why],
    ["waiting", "The robot refuses the offer: the offer is too long."],
  );
  assert.deepEqual(
    [played.view.role, played.view.epoch, played.state.session.id],
    ["controller", 3, SESSION],
  );

  const opens = played.wait(5_000).find((effect) => effect.do === "open");
  assert.notEqual(opens.pcId, "pc-1");
});

test("a refusal that overtakes the reply of its offer ends that peer connection all the same", () => {
  const played = offering(false);
  const first = played.pcId;
  played.frame({ type: "answer", pcId: first, payload: REFUSED });
  played.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 3 });

  assert.notEqual(played.wait(5_000).find((effect) => effect.do === "open").pcId, first);
  played.link("controller", 3);
  assert.deepEqual(
    [played.view.state, played.view.why, played.state.session.id],
    ["live", null, SESSION],
  );
});

for (const message of [undefined, 7, "x".repeat(10_000)]) {
  test(`a refusal is shown in a few words whatever it says: ${typeof message}`, () => {
    const played = offering();
    played.frame({
      type: "answer",
      sessionId: SESSION,
      pcId: played.pcId,
      payload: { type: "error", message },
    });

    assert.ok(played.view.why.length < 400);
    assert.equal(played.view.state, "waiting");
  });
}

test("a refusal of another peer connection, or of one that has its answer, changes nothing", () => {
  const played = live("controller");
  for (const pcId of [played.pcId, "pc-other"]) {
    assert.deepEqual(
      played.frame({ type: "answer", sessionId: SESSION, pcId, payload: REFUSED }),
      [],
    );
  }
});

test("a connection that the robot gives up before media flows is followed by another, and control stays", () => {
  const played = offering();
  played.answer();
  const given = { type: "error", code: "not_connected", message: "no path was found" };
  const effects = played.frame({
    type: "answer",
    sessionId: SESSION,
    pcId: played.pcId,
    payload: given,
  });

  assert.deepEqual(effects, [{ do: "close" }]);
  assert.deepEqual(
    [played.view.state, played.view.why],
    ["waiting", "The robot has given the connection up: no path was found."],
  );
  assert.deepEqual([played.view.role, played.state.session.id], ["controller", SESSION]);
  assert.notEqual(played.wait(5_000).find((effect) => effect.do === "open").pcId, "pc-1");
});
