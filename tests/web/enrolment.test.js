/** Robots' own keys: what is asked of the server, what it says, and what a page does at a revocation. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { online } from "./client.js";
import { SESSION, doings, live } from "./played.js";
import { settled } from "./world.js";

const PUBLIC_KEY = { kty: "EC", crv: "P-256", x: "x", y: "y" };
const KEY = { kid: "k", fingerprint: "9f1c:0d2e:77ab:41c3:5e90", addedAt: 1, addedBy: "alice" };
const ACK = { type: "ack", robotId: "rover-1", kid: "k" };

const CALLS = [
  [
    "enroll",
    [{ robotId: "rover-1", publicKey: PUBLIC_KEY, ownerUserId: "bob" }],
    { type: "enroll", robotId: "rover-1", publicKey: PUBLIC_KEY, ownerUserId: "bob" },
    ACK,
    { robotId: "rover-1", kid: "k" },
  ],
  [
    "createCode",
    [{ pattern: "rover-*", uses: 40, ttlSeconds: 3600, approve: true, ownerUserId: "bob" }],
    {
      type: "create-code",
      pattern: "rover-*",
      uses: 40,
      ttlSeconds: 3600,
      approve: true,
      ownerUserId: "bob",
    },
    { type: "code", code: "ABCD-EFGH-IJKL-MNOP", expiresAt: 5 },
    { code: "ABCD-EFGH-IJKL-MNOP", expiresAt: 5 },
  ],
  [
    "createCode",
    [{ robotId: "rover-1" }],
    { type: "create-code", robotId: "rover-1" },
    { type: "code", code: "ABCD-EFGH-IJKL-MNOP", expiresAt: 5 },
    { code: "ABCD-EFGH-IJKL-MNOP", expiresAt: 5 },
  ],
  [
    "keys",
    ["rover-1"],
    { type: "keys", robotId: "rover-1" },
    { type: "keys", robotId: "rover-1", keys: [KEY, { ...KEY, pending: true }] },
    [KEY, { ...KEY, pending: true }],
  ],
  [
    "approveKey",
    ["rover-1", "k"],
    { type: "approve-key", robotId: "rover-1", kid: "k" },
    ACK,
    undefined,
  ],
  [
    "revokeKey",
    ["rover-1", "k"],
    { type: "revoke-key", robotId: "rover-1", kid: "k" },
    ACK,
    undefined,
  ],
  [
    "revokeAllKeys",
    ["rover-1"],
    { type: "revoke-key", robotId: "rover-1", all: true },
    ACK,
    undefined,
  ],
  [
    "transfer",
    ["rover-1", "bob"],
    { type: "transfer", robotId: "rover-1", userId: "bob" },
    { type: "ack", robotTold: false },
    { robotTold: false },
  ],
  [
    "forget",
    ["rover-1"],
    { type: "forget", robotId: "rover-1" },
    { type: "ack" },
    { robotTold: true },
  ],
];

for (const [name, args, asked, reply, outcome] of CALLS)
  test(`signal.${name} asks with ${Object.keys(asked).join(", ")}, and resolves to what is of use`, async () => {
    const { world, signal } = await online();
    const call = signal[name](...args);
    const { id, ...frame } = world.socket.last(asked.type);
    world.socket.reply(asked.type, reply);

    assert.deepEqual(JSON.parse(JSON.stringify(frame)), asked);
    assert.equal(typeof id, "string");
    assert.deepEqual(await call, outcome);
  });

test("a refusal is the server's sentence", async () => {
  const { world, signal } = await online();
  const call = signal.createCode({ robotId: "rover-1" });
  world.socket.reply("create-code", { type: "error", code: "forbidden", message: "only admins" });

  await assert.rejects(call, { code: "forbidden", message: "only admins" });
});

test("keys that are no keys are not believed", async () => {
  const { world, signal } = await online();
  const call = assert.rejects(signal.keys("rover-1"), { code: "timeout" });
  world.socket.reply("keys", { type: "keys", robotId: "rover-1", keys: [{ kid: "k" }] });
  await settled();
  world.pass(10_000);

  await call;
});

for (const role of ["controller", "viewer"])
  test(`a ${role} of a robot whose key was revoked closes its peer connection at once, and reads why until the robot is back`, () => {
    const played = live(role);
    const effects = played.frame({
      type: "peer-left",
      sessionId: SESSION,
      epoch: 4,
      reason: "revoked",
    });
    const first = [played.view.state, played.view.role, played.view.why];
    played.wait(2000);
    played.offered();
    played.refuse("offer", "robot_offline");
    const later = played.view.why;
    played.wait(4000);
    played.link(role, 5);

    assert.deepEqual(doings(effects), ["close"]);
    assert.deepEqual(first.slice(0, 2), ["waiting", null]);
    assert.match(first[2], /key was revoked/);
    assert.equal(later, first[2]);
    assert.deepEqual([played.view.state, played.view.why], ["live", null]);
  });
