/** What the page makes of a description without a type, and of a candidate that it cannot use. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { driving } from "./client.js";
import { Engaged, SESSION, live } from "./played.js";
import { settled } from "./world.js";

const INIT = { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0 };

for (const type of ["answer", "offer"]) {
  test(`a description without a type has its frame's: ${type}`, () => {
    const engaged = new Engaged();
    engaged.tell({ type: "join", role: "controller" });
    engaged.offered();

    const [remote] = engaged.frame({ type, pcId: engaged.pcId, payload: { sdp: "v=0" } });

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

/** An engagement whose offer is under way. */
function offering(acked = true) {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  if (acked)
    engaged.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 3 });
  return engaged;
}

test("an offer that the robot refuses is told as why, and is followed by another peer connection's", () => {
  const engaged = offering();
  const effects = engaged.frame({
    type: "answer",
    sessionId: SESSION,
    pcId: engaged.pcId,
    payload: REFUSED,
  });

  assert.deepEqual(effects, [{ do: "close" }]);
  assert.deepEqual(
    [engaged.view.state, engaged.view.why],
    ["waiting", "The robot refuses the offer: the offer is too long."],
  );
  assert.deepEqual(
    [engaged.view.role, engaged.view.epoch, engaged.state.session.id],
    ["controller", 3, SESSION],
  );

  const opens = engaged.wait(5_000).find((effect) => effect.do === "open");
  assert.notEqual(opens.pcId, "pc-1");
});

test("a refusal that overtakes the reply of its offer ends that peer connection all the same", () => {
  const engaged = offering(false);
  const first = engaged.pcId;
  engaged.frame({ type: "answer", pcId: first, payload: REFUSED });
  engaged.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 3 });

  assert.notEqual(engaged.wait(5_000).find((effect) => effect.do === "open").pcId, first);
  engaged.link("controller", 3);
  assert.deepEqual(
    [engaged.view.state, engaged.view.why, engaged.state.session.id],
    ["live", null, SESSION],
  );
});

for (const message of [undefined, 7, "x".repeat(10_000)]) {
  test(`a refusal is shown in a few words whatever it says: ${typeof message}`, () => {
    const engaged = offering();
    engaged.frame({
      type: "answer",
      sessionId: SESSION,
      pcId: engaged.pcId,
      payload: { type: "error", message },
    });

    assert.ok(engaged.view.why.length < 400);
    assert.equal(engaged.view.state, "waiting");
  });
}

test("a refusal of another peer connection, or of one that has its answer, changes nothing", () => {
  const engaged = live("controller");
  for (const pcId of [engaged.pcId, "pc-other"]) {
    assert.deepEqual(
      engaged.frame({ type: "answer", sessionId: SESSION, pcId, payload: REFUSED }),
      [],
    );
  }
});

test("a connection that the robot gives up before media flows is followed by another, and control stays", () => {
  const engaged = offering();
  engaged.answer();
  const given = { type: "error", code: "not_connected", message: "no path was found" };
  const effects = engaged.frame({
    type: "answer",
    sessionId: SESSION,
    pcId: engaged.pcId,
    payload: given,
  });

  assert.deepEqual(effects, [{ do: "close" }]);
  assert.deepEqual(
    [engaged.view.state, engaged.view.why],
    ["waiting", "The robot has given the connection up: no path was found."],
  );
  assert.deepEqual([engaged.view.role, engaged.state.session.id], ["controller", SESSION]);
  assert.notEqual(engaged.wait(5_000).find((effect) => effect.do === "open").pcId, "pc-1");
});
