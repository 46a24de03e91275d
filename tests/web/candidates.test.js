/** The page takes a robot's candidates in every shape that the protocol allows. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { candidateOf, firstSectionOf } from "../../web/robosignal/frames.js";
import { SESSION, driving } from "./client.js";
import { settled } from "./world.js";

const SHAPES = JSON.parse(
  readFileSync(new URL("../../spec/vectors/candidates.json", import.meta.url), "utf8"),
);

for (const { name, payload, means } of SHAPES) {
  test(`a candidate is read in each shape: ${name}`, () => {
    const { candidate, sdpMid = null, sdpMLineIndex = null } = candidateOf(payload);

    assert.deepEqual({ candidate, sdpMid, sdpMLineIndex }, means);
  });
}

test("the username fragment is kept, by which ICE tells a restart", () => {
  assert.equal(
    candidateOf({ candidate: { candidate: "candidate:1", usernameFragment: "u" } })
      .usernameFragment,
    "u",
  );
});

for (const payload of [{ candidate: 7 }, { candidate: [] }, { candidate: { candidate: {} } }]) {
  test(`what holds no candidate is none: ${JSON.stringify(payload)}`, () => {
    assert.throws(() => candidateOf(payload), TypeError);
  });
}

test("a candidate of no section is for the one that carries all", () => {
  assert.deepEqual(firstSectionOf("v=0\r\na=group:BUNDLE video0 data\r\nm=video 9\r\n"), {
    sdpMid: "video0",
  });
  assert.deepEqual(firstSectionOf("v=0\r\na=group:LS a b\r\na=group:BUNDLE 1 0\r\n"), {
    sdpMid: "1",
  });
  assert.deepEqual(firstSectionOf("v=0\r\nm=video 9\r\n"), { sdpMLineIndex: 0 });
});

for (const { name, payload, means } of SHAPES.filter(({ means }) => means.candidate !== "")) {
  test(`a robot's candidate reaches the browser in its section: ${name}`, async () => {
    const { world } = await driving();
    world.socket.receive({
      type: "ice-candidate",
      robotId: "demo",
      sessionId: SESSION,
      pcId: world.socket.last("offer").pcId,
      payload,
    });
    await settled();
    const [{ candidate, sdpMid = null, sdpMLineIndex = null }] = world.peer.added;

    assert.deepEqual(
      [candidate, sdpMid, sdpMLineIndex],
      [means.candidate, means.sdpMLineIndex === null ? "0" : means.sdpMid, means.sdpMLineIndex],
    );
  });
}

test("what holds no candidate is counted as one that cannot be used", async () => {
  const { world, session } = await driving();
  const told = [];
  session.on("candidate-unusable", (one) => told.push(one));
  world.socket.receive({ type: "ice-candidate", robotId: "demo", payload: { candidate: 7 } });
  await settled();

  assert.deepEqual(told, [{ count: 1, message: "the frame holds no candidate" }]);
});
