/** Watching the robots: the list, the pushes, and asking again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SESSION, driving, online } from "./client.js";
import { TODAY, WELCOME, settled } from "./world.js";

const ALICE = { userId: "u-alice", name: "Alice" };
const row = (robotId, more = {}) => ({
  robotId,
  online: true,
  rev: 5,
  validForSeconds: 60,
  relation: "owner",
  ...more,
});
const presence = (more = {}) => ({
  type: "presence",
  robotId: "demo",
  rev: 6,
  online: true,
  validForSeconds: 60,
  ...more,
});
const sent = (world, type) => world.socket.frames.filter((frame) => frame.type === type);

/** A client that watches the demo robot, and what it was told since. */
async function watching(which, rows = [row("demo")]) {
  const { world, signal } = await online();
  const beginning = signal.watch(which);
  world.socket.reply("watch", { type: "robots", robots: rows });
  const robots = await beginning;
  const told = [];
  signal.on("presence", (now) => told.push(now));
  return { world, signal, robots, told };
}

/** Five seconds after it began to watch it lists once more. */
async function lookedAgain(world) {
  world.pass(5_000);
  world.socket.reply("robots", { type: "robots", robots: [row("demo")] });
  await settled();
}

/** The connection is lost, and comes back. */
async function reconnected(world, welcome = {}) {
  world.socket.shut(1006);
  world.pass(1000);
  await settled();
  world.socket.open();
  world.socket.receive({ ...WELCOME, ...welcome });
}

test("watching tells how the robots stand, and of each change", async () => {
  const { world, robots, told } = await watching();
  world.socket.receive(presence({ controlledBy: ALICE }));

  assert.deepEqual(
    robots.map(({ robotId, stale }) => [robotId, stale]),
    [["demo", false]],
  );
  assert.deepEqual(
    told.map(([demo]) => demo.controlledBy),
    [ALICE],
  );
});

test("a push of an older rev is not told", async () => {
  const { world, told } = await watching();
  world.socket.receive(presence({ rev: 4, online: false }));

  assert.deepEqual(told, []);
});

test("an admin's page may watch all", async () => {
  const { world } = await watching({ all: true });

  assert.equal(sent(world, "watch")[0].all, true);
});

test("a list of several pages is read to its end", async () => {
  const { world, signal } = await online();
  const beginning = signal.watch({ all: true });
  world.socket.reply("watch", { type: "robots", robots: [row("a")], cursor: "more" });
  await settled();
  const { all, cursor } = world.socket.last("robots");
  world.socket.reply("robots", { type: "robots", robots: [row("b")] });

  assert.deepEqual([all, cursor], [true, "more"]);
  assert.equal((await beginning).length, 2);
});

test("a push for a robot that is new here is looked up, for only a list says whose it is", async () => {
  const { world, told } = await watching();
  world.socket.receive(presence({ robotId: "new" }));
  const { robotIds } = world.socket.last("robots");
  world.socket.reply("robots", { type: "robots", robots: [row("new", { relation: "operator" })] });
  await settled();

  assert.deepEqual(robotIds, ["new"]);
  assert.deepEqual(
    told.at(-1).map(({ robotId }) => robotId),
    ["demo", "new"],
  );
});

test("what runs out is asked for once, a little before", async () => {
  const { world } = await watching();
  await lookedAgain(world);
  world.pass(54_000);
  const before = sent(world, "robots").length;
  world.pass(1_000);

  assert.deepEqual(
    [before, sent(world, "robots").map(({ robotIds }) => robotIds)],
    [1, [undefined, ["demo"]]],
  );
});

test("what has run out without an answer is told as stale", async () => {
  const { world, told } = await watching();
  world.pass(60_000);

  assert.deepEqual(
    told.at(-1).map(({ stale }) => stale),
    [true],
  );
});

test("after a loss the new connection is asked to tell of changes too", async () => {
  const { world } = await watching();
  await reconnected(world);

  assert.equal(sent(world, "watch").length, 1);
});

test("a redial before the end takes the watching along before the old socket is closed", async () => {
  const { world, signal } = await online("t", { expiresAt: TODAY + 40_000 });
  const beginning = signal.watch();
  world.socket.reply("watch", { type: "robots", robots: [row("demo")] });
  await beginning;
  await lookedAgain(world);
  world.pass(31_000);
  await settled();
  world.socket.open();
  world.socket.receive(WELCOME);
  await settled();
  const before = world.sockets[0].readyState;
  world.socket.reply("watch", { type: "robots", robots: [row("demo")] });
  await settled();

  assert.deepEqual([before, world.sockets[0].readyState], [1, 3]);
});

test("a watch that fails after a redial is tried again", async () => {
  const { world } = await watching();
  await reconnected(world);
  world.socket.reply("watch", { type: "error", code: "try_again", message: "busy" });
  await settled();
  world.pass(5000);

  assert.equal(sent(world, "watch").length, 2);
});

test("a watch that is refused rejects, and nothing is watched", async () => {
  const { world, signal } = await online();
  const told = [];
  signal.on("presence", (robots) => told.push(robots));
  const beginning = signal.watch({ all: true });
  world.socket.reply("watch", {
    type: "error",
    code: "forbidden",
    message: "only an admin watches every robot",
  });
  await assert.rejects(beginning, { code: "forbidden" });
  world.socket.receive(presence());
  await reconnected(world);

  assert.deepEqual([told, sent(world, "watch")], [[], []]);
});

test("a list that the application asks for is learnt from", async () => {
  const { world, signal, told } = await watching();
  const asking = signal.robots();
  world.socket.reply("robots", { type: "robots", robots: [row("demo", { controlledBy: ALICE })] });
  await asking;

  assert.deepEqual(
    told.at(-1).map(({ controlledBy }) => controlledBy),
    [ALICE],
  );
});

test("an admin's own list says nothing of the others that are watched", async () => {
  const { world, signal, told } = await watching({ all: true }, [
    row("demo"),
    row("theirs", { relation: "admin" }),
  ]);
  const asking = signal.robots();
  world.socket.reply("robots", { type: "robots", robots: [row("demo")] });
  await asking;

  assert.deepEqual(
    told.at(-1).map(({ robotId }) => robotId),
    ["demo", "theirs"],
  );
});

test("after unwatch nothing is told or asked for any more", async () => {
  const { world, signal, told } = await watching();
  const ending = signal.unwatch();
  world.socket.reply("unwatch", { type: "ack" });
  await ending;
  world.socket.receive(presence());
  world.pass(60_000);

  assert.deepEqual([told, sent(world, "robots")], [[], []]);
});

test("a push tells a viewer who drives", async () => {
  const { world, signal, session } = await driving();
  const beginning = signal.watch();
  world.socket.reply("watch", { type: "robots", robots: [row("demo")] });
  await beginning;
  world.socket.receive({ type: "control", robotId: "demo", epoch: 2 });
  world.socket.receive(presence({ controlledBy: ALICE }));

  assert.deepEqual(session.view.driver, ALICE);
});

test("watching one robot by its name is a mistake, and says what to call", async () => {
  const { signal } = await online();

  await assert.rejects(signal.watch("demo"), /view\(robotId\)/);
});

test("asking, granting and denying are requests with their own words", async () => {
  const { world, session } = await driving();
  const granting = session.grant("demo:bob");
  await settled();
  const grant = world.socket.last("grant-control");
  world.socket.reply("grant-control", { type: "ack", epoch: 2 });
  await granting;
  const asking = session.requestControl();
  await settled();
  const isAsking = session.view.asking;
  world.socket.reply("request-control", { type: "ack", epoch: 3 });
  await asking;
  const denying = session.deny("demo:bob");
  await settled();
  world.socket.reply("deny-control", { type: "ack" });
  await denying;

  assert.deepEqual([grant.robotId, grant.sessionId], ["demo", "demo:bob"]);
  assert.deepEqual(
    [isAsking, session.view.asking, session.view.role, session.view.epoch],
    [true, false, "controller", 3],
  );
  assert.equal(world.socket.last("deny-control").sessionId, "demo:bob");
});

test("a request that is refused rejects, and nothing is waited for", async () => {
  const { world, session } = await driving();
  world.socket.receive({
    type: "control",
    robotId: "demo",
    epoch: 2,
    sessionId: "demo:alice",
    person: ALICE,
  });
  const asking = session.requestControl();
  await settled();
  world.socket.reply("request-control", { type: "error", code: "peer_gone", message: "gone" });

  await assert.rejects(asking, { code: "peer_gone" });
  assert.equal(session.view.asking, false);
});

test("an answer to somebody who has left takes the request away, and rejects", async () => {
  const { world, session } = await driving();
  world.socket.receive({
    type: "control-requested",
    robotId: "demo",
    sessionId: "demo:bob",
    by: { userId: "bob" },
  });
  const granting = session.grant("demo:bob");
  await settled();
  world.socket.reply("grant-control", { type: "error", code: "no_session", message: "gone" });

  await assert.rejects(granting, { code: "no_session" });
  assert.deepEqual(session.view.requests, []);
});

test("who is asked for control hears by whom, and who is denied by whom", async () => {
  const { world, session } = await driving();
  const heard = [];
  session.on("control-requested", ({ by, sessionId }) => heard.push([by.userId, sessionId]));
  session.on("control-denied", ({ by }) => heard.push(by.userId));
  world.socket.receive({
    type: "control-requested",
    robotId: "demo",
    sessionId: "demo:bob",
    by: { userId: "bob" },
  });
  world.socket.receive({
    type: "control",
    robotId: "demo",
    epoch: 2,
    sessionId: "demo:alice",
    person: ALICE,
  });
  const asking = session.requestControl();
  await settled();
  world.socket.reply("request-control", { type: "ack" });
  await asking;
  world.socket.receive({ type: "control-denied", robotId: "demo", by: ALICE });

  assert.deepEqual(heard, [["bob", "demo:bob"], "u-alice"]);
  assert.equal(world.socket.last("request-control").robotId, SESSION.split(":")[0]);
});

test("where there are TURN servers, a session asks for its robot's before it gathers", async () => {
  const { world, signal } = await online("t", { turn: true, iceServers: [{ urls: "stun:a" }] });
  signal.drive("demo");
  await settled();
  const before = [world.peers.length, sent(world, "ice-servers").map(({ robotId }) => robotId)];
  world.socket.reply("ice-servers", {
    type: "ice-servers",
    iceServers: [{ urls: "stun:a" }, { urls: "turn:b" }],
    ttlSeconds: 3600,
  });
  await settled();

  assert.deepEqual(before, [0, ["demo"]]);
  assert.deepEqual(world.peer.iceServers, [{ urls: "stun:a" }, { urls: "turn:b" }]);
});

test("a TURN password is used again while it serves, also after a redial's welcome", async () => {
  const { world, signal } = await online("t", { turn: true });
  const first = signal.iceServers("demo");
  world.socket.reply("ice-servers", {
    type: "ice-servers",
    iceServers: [{ urls: "turn:b" }],
    ttlSeconds: 3600,
  });
  await first;
  const second = await signal.iceServers("demo");
  await reconnected(world, { turn: true });

  assert.deepEqual(
    [second, await signal.iceServers("demo")],
    [[{ urls: "turn:b" }], [{ urls: "turn:b" }]],
  );
  assert.equal(sent(world, "ice-servers").length, 0);
});

test("who was given no TURN servers asks again for the next robot", async () => {
  const { world, signal } = await online("t", { turn: true });
  for (const robotId of ["a", "b"]) {
    const asking = signal.iceServers(robotId);
    world.socket.reply("ice-servers", {
      type: "ice-servers",
      iceServers: [],
      ttlSeconds: 3600,
      turn: true,
    });
    await asking;
  }

  assert.deepEqual(
    sent(world, "ice-servers").map(({ robotId }) => robotId),
    ["a", "b"],
  );
});

test("credentials from a reply serve for half of their time", async () => {
  const { world, signal } = await online();
  world.answersPings = true;
  world.pass(240_001);
  const first = signal.iceServers();
  world.socket.reply("ice-servers", {
    type: "ice-servers",
    iceServers: [{ urls: "stun:a" }],
    ttlSeconds: 1000,
  });
  await first;
  world.pass(500_000);
  const kept = await signal.iceServers();
  world.pass(1);
  const again = signal.iceServers();
  world.socket.reply("ice-servers", { type: "ice-servers", iceServers: [], ttlSeconds: 1000 });

  assert.deepEqual([kept, await again], [[{ urls: "stun:a" }], []]);
  assert.equal(sent(world, "ice-servers").length, 2);
});

test("five seconds after it began to watch it lists all once more, for the server's index may have lagged", async () => {
  const { world, robots, told } = await watching({ all: true }, [
    row("demo", { online: false, validForSeconds: 0 }),
  ]);
  world.pass(4_999);
  const before = sent(world, "robots").length;
  world.pass(1);
  const { robotIds, all } = world.socket.last("robots");
  world.socket.reply("robots", { type: "robots", robots: [row("demo", { rev: 6 }), row("new")] });
  await settled();
  world.pass(20_000);

  assert.deepEqual([robots[0].online, before, robotIds, all], [false, 0, undefined, true]);
  assert.deepEqual(
    told.at(-1).map(({ robotId, online }) => [robotId, online]),
    [
      ["demo", true],
      ["new", true],
    ],
  );
  assert.equal(sent(world, "robots").length, 1);
});

test("a second look that is refused is tried again", async () => {
  const { world } = await watching();
  world.pass(5_000);
  world.socket.reply("robots", { type: "error", code: "try_again", message: "busy" });
  await settled();
  world.pass(5_000);

  assert.deepEqual(
    sent(world, "robots").map(({ robotIds }) => robotIds),
    [undefined, undefined],
  );
});

test("who watches no more does not look again", async () => {
  const { world, signal } = await watching();
  const ending = signal.unwatch();
  world.socket.reply("unwatch", { type: "ack" });
  await ending;
  world.pass(20_000);

  assert.equal(sent(world, "robots").length, 0);
});

test("a connection that comes back is asked a second time as well", async () => {
  const { world } = await watching();
  world.pass(3_000);
  await reconnected(world);
  await settled();
  world.socket.reply("watch", { type: "robots", robots: [row("demo")] });
  await settled();
  world.pass(5_000);

  assert.equal(sent(world, "robots").length, 1);
});
