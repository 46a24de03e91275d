/** Shares: making and ending them, and the offers that a list tells of. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { online } from "./client.js";
import { settled } from "./world.js";

const OFFER = { robotId: "rover", owner: { userId: "u-carol" }, role: "viewer", until: 1 };
const robots = (more = {}) => ({ type: "robots", robots: [], ...more });

test("a share says what is given, and tells of every share", async () => {
  const { world, signal } = await online();
  const sharing = signal.share("demo", { userId: "bob", role: "viewer", until: 9 });
  const said = { ...world.socket.last("share") };
  delete said.id;
  const shares = [{ userId: "bob", role: "viewer", until: 9, offered: true }];
  world.socket.reply("share", { type: "ack", operators: [], shares });

  assert.deepEqual(said, {
    type: "share",
    robotId: "demo",
    userId: "bob",
    role: "viewer",
    until: 9,
  });
  assert.deepEqual(await sharing, shares);
});

test("shares are listed", async () => {
  const { world, signal } = await online();
  const listing = signal.shares("demo");
  const said = { ...world.socket.last("shares") };
  delete said.id;
  const shares = [{ group: "crew", role: "operator" }];
  world.socket.reply("shares", { type: "shares", robotId: "demo", shares });

  assert.deepEqual(said, { type: "shares", robotId: "demo" });
  assert.deepEqual(await listing, shares);
});

test("a share with a group ends by the group's name", async () => {
  const { world, signal } = await online();
  const ending = signal.unshare("demo", { group: "crew" });
  const said = { ...world.socket.last("unshare") };
  delete said.id;
  world.socket.reply("unshare", { type: "ack", operators: [], shares: [] });

  assert.deepEqual(said, { type: "unshare", robotId: "demo", group: "crew" });
  assert.deepEqual(await ending, []);
});

test("a user accepts an offer, and leaves a share", async () => {
  const { world, signal } = await online();
  const accepting = signal.acceptShare("rover");
  world.socket.reply("accept-share", { type: "ack" });
  const leaving = signal.leaveShare("rover");
  world.socket.reply("leave-share", { type: "ack" });

  assert.deepEqual([await accepting, await leaving], [undefined, undefined]);
});

test("an invitation says its terms, and resolves to the code and its end", async () => {
  const { world, signal } = await online();
  const terms = { robotId: "demo", role: "viewer", until: 9, ttlSeconds: 60, uses: 2 };
  const inviting = signal.invite(terms);
  const said = { ...world.socket.last("invite") };
  delete said.id;
  world.socket.reply("invite", { type: "code", code: "ABCD-EFGH-IJKL-MNOP", expiresAt: 5 });

  assert.deepEqual(said, { type: "invite", ...terms });
  assert.deepEqual(await inviting, { code: "ABCD-EFGH-IJKL-MNOP", expiresAt: 5 });
});

test("who accepts an invitation learns of the robot and the role", async () => {
  const { world, signal } = await online();
  const accepting = signal.accept("ABCD-EFGH-IJKL-MNOP");
  const said = { ...world.socket.last("accept") };
  delete said.id;
  world.socket.reply("accept", { type: "ack", robotId: "demo", role: "operator" });

  assert.deepEqual(said, { type: "accept", code: "ABCD-EFGH-IJKL-MNOP" });
  assert.deepEqual(await accepting, { robotId: "demo", role: "operator" });
});

test("an invitation that is not valid says so", async () => {
  const { world, signal } = await online();
  const accepting = signal.accept("ABCD-EFGH-IJKL-MNOP");
  world.socket.reply("accept", { type: "error", code: "forbidden", message: "not valid" });

  await assert.rejects(accepting, { code: "forbidden" });
});

test("offers are told after a list, and again only when they have changed", async () => {
  const { world, signal } = await online();
  const told = [];
  signal.on("offers", (offers) => told.push(offers));
  for (const more of [{ offered: [OFFER] }, { offered: [OFFER] }, {}, {}]) {
    const listing = signal.robots();
    world.socket.reply("robots", robots(more));
    await listing;
  }
  const some = signal.robots({ robotIds: ["demo"] });
  world.socket.reply("robots", robots());
  await some;
  await settled();

  assert.deepEqual(told, [[OFFER], []]);
});

test("an invitation is made, and accepted by its code", async () => {
  const { world, signal } = await online();
  const inviting = signal.invite({ robotId: "demo", role: "viewer", until: 9, uses: 2 });
  const said = { ...world.socket.last("invite") };
  delete said.id;
  world.socket.reply("invite", { type: "code", code: "ABCD-EFGH", expiresAt: 7 });
  const made = await inviting;
  const accepting = signal.accept(made.code);
  const asked = world.socket.last("accept").code;
  world.socket.reply("accept", { type: "ack", robotId: "demo", role: "operator" });

  assert.deepEqual(said, { type: "invite", robotId: "demo", role: "viewer", until: 9, uses: 2 });
  assert.deepEqual(made, { code: "ABCD-EFGH", expiresAt: 7 });
  assert.equal(asked, "ABCD-EFGH");
  assert.deepEqual(await accepting, { robotId: "demo", role: "operator" });
});
