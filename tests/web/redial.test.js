/** A redial before the connection's end: nothing is lost, and the user sees nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../web/robosignal/index.js";
import { SESSION, URL, driving, online } from "./client.js";
import { frames, live, offerIn } from "./played.js";
import { FakeWorld, TODAY, WELCOME, found, settled } from "./world.js";

const SHORT = { expiresAt: TODAY + 40_000 };
const ACK = { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 };

/** Lets the time for a redial come; the second socket has opened, and waits for its welcome. */
async function due(world) {
  world.pass(36_000 - world.time);
  await settled();
  world.socket.open();
  return { old: world.sockets[0], next: world.sockets[1] };
}

/** A driver with media, whose token is about to end: the second socket waits for its welcome. */
async function drivingOn() {
  const { world, signal, session } = await driving(SHORT);
  world.peer.connectionState = "connected";
  world.peer.onconnectionstatechange();
  const states = [];
  signal.on("state", (state) => states.push(state));
  const { old, next } = await due(world);
  old.texts.length = 0;
  return { world, signal, session, states, old, next };
}

const types = (socket) => socket.frames.map(({ type }) => type);

test("a second socket is greeted while the first one carries everything", async () => {
  const { world, signal, next, old } = await drivingOn();
  signal.send({ type: "ping" });

  assert.deepEqual(types(next), ["ready"]);
  assert.deepEqual(types(old), ["ping"]);
  assert.equal(world.sockets.length, 2);
});

test("after the second welcome the session is resumed there, and then the first socket is closed", async () => {
  const { next, old, states, session } = await drivingOn();
  next.receive(WELCOME);
  const before = old.readyState;
  next.reply("resume", ACK);
  await settled();

  assert.deepEqual(types(next), ["ready", "resume"]);
  assert.deepEqual([before, old.readyState], [1, 3]);
  assert.deepEqual(states, []);
  assert.deepEqual([session.view.role, session.view.state], ["controller", "live"]);
});

test("the peer connection outlives the redial", async () => {
  const { world, next } = await drivingOn();
  next.receive(WELCOME);
  next.reply("resume", ACK);
  await settled();

  assert.deepEqual(
    world.peers.map(({ closed }) => closed),
    [false],
  );
});

test("what the first socket still says is heard", async () => {
  const { next, old, session } = await drivingOn();
  next.receive(WELCOME);
  old.receive({
    type: "control-requested",
    robotId: "demo",
    sessionId: "demo:bob",
    by: { userId: "bob" },
  });

  assert.deepEqual(
    session.view.requests.map(({ by }) => by.userId),
    ["bob"],
  );
});

test("a request in flight is answered where it was asked, and the first socket waits for that", async () => {
  const { next, old, signal } = await drivingOn();
  const asked = signal.request({ type: "ice-servers" });
  next.receive(WELCOME);
  next.reply("resume", ACK);
  await settled();
  const before = old.readyState;
  old.reply("ice-servers", { type: "ice-servers", iceServers: [], ttlSeconds: 60 });
  await settled();

  assert.equal((await asked).type, "ice-servers");
  assert.deepEqual([before, old.readyState], [1, 3]);
});

test("a session moves only when its own request is answered, for the server knows it where it asked", async () => {
  const { next, old, session } = await drivingOn();
  const released = session.release();
  await settled();
  next.receive(WELCOME);
  const before = next.last("resume");
  old.reply("release-control", { type: "ack", epoch: 2 });
  await released;
  await settled();

  assert.equal(before, undefined);
  assert.equal(next.last("resume").sessionId, SESSION);
});

test("what is asked while the session moves is asked after it has", async () => {
  const { next, session } = await drivingOn();
  next.receive(WELCOME);
  const released = session.release();
  await settled();
  const before = next.last("release-control");
  next.reply("resume", ACK);
  await settled();
  next.reply("release-control", { type: "ack", epoch: 2 });
  await released;

  assert.equal(before, undefined);
  assert.equal(session.view.role, "viewer");
});

test("candidates that are found while the session moves are sent after it has", async () => {
  const { world, next } = await drivingOn();
  next.receive(WELCOME);
  world.peer.onicecandidate(found("candidate:1"));
  const before = types(next);
  next.reply("resume", ACK);
  await settled();

  assert.deepEqual(before, ["ready", "resume"]);
  assert.deepEqual(types(next), ["ready", "resume", "ice-candidate"]);
});

test("a join that is under way at the redial is taken along", async () => {
  const { world, signal } = await online("t", SHORT);
  const { old, next } = await due(world);
  const joining = signal.drive("demo");
  await settled();
  next.receive(WELCOME);
  old.reply("offer", ACK);
  await joining;
  await settled();
  const before = old.readyState;
  next.reply("resume", ACK);
  await settled();

  assert.deepEqual([before, old.readyState], [1, 3]);
  assert.equal(world.peers.length, 1);
});

test("a session that has ended meanwhile is opened again", async () => {
  const { world, next } = await drivingOn();
  next.receive(WELCOME);
  next.reply("resume", { type: "error", code: "no_session", message: "gone" });
  await settled();

  assert.equal(world.peers.length, 2);
  assert.equal(next.last("offer").role, "controller");
});

test("a move that fails for the moment is tried again", async () => {
  const { world, next } = await drivingOn();
  next.receive(WELCOME);
  next.reply("resume", { type: "error", code: "try_again", message: "busy" });
  await settled();
  world.pass(2_500);

  assert.equal(types(next).filter((type) => type === "resume").length, 2);
});

test("the first socket is closed after 10 seconds, whatever is still awaited", async () => {
  const { world, next, old, signal } = await drivingOn();
  const asked = signal.request({ type: "ice-servers" });
  asked.catch(() => {});
  next.receive(WELCOME);
  next.reply("resume", ACK);
  world.pass(9_999);
  const before = old.readyState;
  world.pass(1);

  assert.deepEqual([before, old.readyState], [1, 3]);
});

test("the loss of the first socket during the redial makes the second one the dial in progress", async () => {
  const { old, next, states } = await drivingOn();
  old.shut(1001);
  next.receive(WELCOME);

  assert.deepEqual(states, ["offline", "connecting", "online"]);
  assert.equal(next.last("resume").sessionId, SESSION);
});

test("a request in flight on a first socket that is lost is refused; one on the second goes on", async () => {
  const { next, old, signal } = await drivingOn();
  const before = signal.request({ type: "ice-servers" });
  next.receive(WELCOME);
  const after = signal.request({ type: "robots" });
  old.shut(1006);
  next.reply("robots", { type: "robots", robots: [] });

  await assert.rejects(before, { code: "offline" });
  assert.equal((await after).type, "robots");
});

test("each dial asks for the token: the second socket has the fresh one", async () => {
  let asked = 0;
  const { world } = await online(async () => `token-${(asked += 1)}`, SHORT);
  const { next } = await due(world);

  assert.equal(next.protocols[1], "bearer.token-2");
});

test("each connection is replaced in its turn, by its own token's end", async () => {
  const { world } = await online("t", SHORT);
  const { next } = await due(world);
  next.receive({ ...WELCOME, expiresAt: TODAY + 76_000 });
  world.pass(35_999);
  await settled();
  const before = world.sockets.length;
  world.pass(1);
  await settled();

  assert.deepEqual([before, world.sockets.length], [2, 3]);
});

test("a new peer connection is offered only after the session has moved, for an offer would open a second one", () => {
  const played = live("controller");
  played.tell({ type: "socket-changed" });
  played.tell({ type: "migrate" });
  played.tell({ type: "channel-closed", pcId: played.pcId });
  played.wait(1000);
  const before = played.offered();
  const after = played.reply("migrate", { ...ACK, epoch: 3 });

  assert.deepEqual(frames(before), []);
  assert.equal(offerIn(after).pcId, played.pcId);
});

test("a token that cannot be had just now is asked for again after a while", async () => {
  const world = new FakeWorld();
  let asked = 0;
  let signIns = 0;
  const signal = connect(
    {
      url: URL,
      token: async () => {
        if ((asked += 1) === 1) throw new Error("no network");
        return "t";
      },
    },
    world.parts,
  );
  signal.on("sign-in", () => (signIns += 1));
  await settled();
  world.pass(1_000);
  await settled();

  assert.deepEqual([signIns, asked, world.sockets.length], [0, 2, 1]);
});

test("leaving and closing during a redial closes both sockets and stops the timers", async () => {
  const { world, signal, next, old } = await drivingOn();
  next.receive(WELCOME);
  signal.close();
  await settled();

  assert.deepEqual([old.readyState, next.readyState, world.timers.size], [3, 3, 0]);
});
