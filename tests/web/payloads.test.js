/** What the page makes of a description without a type, and of a candidate that it cannot use. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { driving } from "./client.js";
import { Engaged } from "./engagement.js";
import { settled } from "./world.js";

const INIT = { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0 };

for (const type of ["answer", "offer"]) {
  test(`a description without a type has its frame's: ${type}`, () => {
    const engaged = new Engaged();
    engaged.tell({ type: "join", role: "controller" });
    engaged.offered();

    const [remote] = engaged.frame({ type, pcId: engaged.pcId, payload: { sdp: "v=0" } });

    assert.deepEqual(remote, { do: "remote", payload: { type, sdp: "v=0" } });
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

  assert.deepEqual(told, [{ count: 1, message: "no such section" }, { count: 2, message: "no such section" }]);
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
