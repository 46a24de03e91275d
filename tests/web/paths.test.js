/** Why no path opens: a TURN server that is missing, or a browser that keeps a page from the operator's network. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { networkOf, networksOf } from "../../web/robosignal/session/paths.js";
import { driving } from "./client.js";
import { PlayedSession, SESSION } from "./played.js";
import { settled } from "./world.js";

const host = (address) => `candidate:1 1 udp 2130706431 ${address} 50000 typ host`;

const NETWORKS = [
  [
    [
      "10.0.0.7",
      "172.16.0.1",
      "172.31.9.9",
      "192.168.1.5",
      "169.254.3.3",
      "100.64.0.1",
      "100.127.9.9",
      "fd12:3456::1",
      "fe80::1",
      "[fd00::1]",
      "rover.local",
    ],
    "local",
  ],
  [["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"], "loopback"],
  [
    [
      "8.8.8.8",
      "172.15.0.1",
      "172.32.0.1",
      "100.63.0.1",
      "100.128.0.1",
      "110.0.0.1",
      "2a00:1450::1",
      "drive.example",
      "local.example",
    ],
    null,
  ],
];

for (const [addresses, network] of NETWORKS) {
  for (const address of addresses) {
    test(`${address} is ${network === null ? "of the internet" : `a ${network} address`}`, () => {
      assert.equal(networkOf(address), network);
    });
  }
}

test("only host candidates say where a robot is", () => {
  const relayed = "candidate:3 1 udp 1 10.0.0.9 50000 typ relay raddr 0.0.0.0 rport 0";
  const sdp = [
    "v=0",
    `a=${host("8.8.8.8")}`,
    `a=${relayed}`,
    `a=${host("192.168.1.5")}`,
    `a=${host("10.0.0.7")}`,
  ].join("\r\n");

  assert.deepEqual(
    [networksOf(sdp), networksOf(relayed), networksOf(""), networksOf(undefined)],
    [["local"], [], [], []],
  );
});

/** The sentence of a driver whose robot answers from an address, and whose browser has such permissions. */
function blocked(address, permissions, trickled = null) {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.tell({ type: "permissions", permissions });
  played.offered();
  played.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  const sdp = trickled ? "v=0" : `v=0\r\na=${host(address)}\r\n`;
  if (trickled)
    played.frame({
      type: "ice-candidate",
      sessionId: SESSION,
      pcId: played.pcId,
      payload: trickled,
    });
  played.frame({
    type: "answer",
    sessionId: SESSION,
    pcId: played.pcId,
    payload: { type: "answer", sdp },
  });
  played.ice("failed");
  played.wait(500);
  return played.view.why;
}

const SENTENCES = [
  [
    "denied, for a robot on that network",
    "192.168.1.5",
    { local: "denied" },
    /keeps this page from devices on your own network.*“Local network access”/,
  ],
  [
    "not given yet, for a robot on that network",
    "192.168.1.5",
    { local: "prompt" },
    /only if you allow it: when it asks/,
  ],
  [
    "denied, for a robot on this computer",
    "127.0.0.1",
    { local: "prompt", loopback: "denied" },
    /programs on this computer/,
  ],
  ["granted", "192.168.1.5", { local: "granted" }, /TURN/],
  ["denied, for a robot elsewhere", "8.8.8.8", { local: "denied", loopback: "denied" }, /TURN/],
  ["unknown to the browser", "192.168.1.5", {}, /TURN/],
];

for (const [what, address, permissions, words] of SENTENCES) {
  test(`no path, with a permission that is ${what}, is explained so`, () => {
    assert.match(blocked(address, permissions), words);
    assert.match(blocked(address, permissions, { candidate: host(address), sdpMid: "0" }), words);
    assert.match(
      blocked(address, permissions, { candidate: { candidate: host(address), sdpMid: "0" } }),
      words,
    );
  });
}

test("each try asks the browser again: the operator may have answered meanwhile", async () => {
  const { world, session } = await driving();
  const fail = () => {
    world.peer.connectionState = "failed";
    world.peer.onconnectionstatechange();
    world.pass(500);
    return session.view.why;
  };
  const before = fail();
  world.lets = { local: "denied" };
  world.pass(2_000);
  await settled();
  const { pcId } = world.socket.last("offer");
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  world.socket.receive({
    type: "answer",
    robotId: "demo",
    sessionId: SESSION,
    pcId,
    payload: { type: "answer", sdp: `a=${host("10.0.0.7")}` },
  });

  assert.match(before, /TURN/);
  assert.match(fail(), /Local network access/);
});
