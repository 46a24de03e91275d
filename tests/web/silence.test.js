/** A socket that dies without a word: it is noticed, and followed by another. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SESSION, driving, online } from "./client.js";
import { WELCOME, settled } from "./world.js";

const ACK = { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 };

/** A driver with media, whose robot answers; the states that signaling goes through. */
async function drivingOn() {
  const { world, signal, session } = await driving();
  world.peer.connectionState = "connected";
  world.peer.onconnectionstatechange();
  const states = [];
  signal.on("state", (state) => states.push([state, world.time]));
  return { world, signal, session, states, old: world.socket };
}

/** Passes time second by second, while the robot's data channel answers. */
async function living(world, ms) {
  for (const until = world.time + ms; world.time < until;) {
    world.pass(1000);
    for (const { channel, closed } of world.peers) {
      const ping = channel.sent
        .map((text) => JSON.parse(text))
        .findLast(({ type }) => type === "ping");
      if (!closed && ping) channel.onmessage({ data: JSON.stringify({ type: "pong", n: ping.n }) });
    }
    await settled();
  }
}

/** The next socket opens, and is welcomed. */
function welcomed(world) {
  world.socket.open();
  world.socket.receive(WELCOME);
}

test("a renewal that is not answered within 5 seconds makes a driver dial at once", async () => {
  const { world, states } = await drivingOn();
  world.answersPings = false;
  await living(world, 24_000);
  const before = world.sockets.length;
  await living(world, 1000);

  assert.deepEqual([before, world.sockets.length], [1, 2]);
  assert.deepEqual(states, [["connecting", 25_000]]);
});

test("the session is resumed on the next socket, over the same peer connection, well within the lease", async () => {
  const { world, session, old } = await drivingOn();
  world.answersPings = false;
  await living(world, 26_000);
  const before = old.readyState;
  welcomed(world);
  await settled();
  world.socket.reply("resume", ACK);
  world.answersPings = true;
  await living(world, 60_000);

  assert.deepEqual([before, old.readyState, world.sockets.length], [1, 3, 2]);
  assert.deepEqual([session.view.role, session.view.state], ["controller", "live"]);
  assert.deepEqual(
    world.peers.map(({ closed }) => closed),
    [false],
  );
  assert.equal(world.socket.last("ping").sessionId, SESSION);
});

test("requests that the silent socket swallowed are refused once it is given up", async () => {
  const { world, signal } = await drivingOn();
  world.answersPings = false;
  await living(world, 24_000);
  const asked = signal.request({ type: "robots" });
  await living(world, 2000);
  welcomed(world);

  await assert.rejects(asked, { code: "offline" });
});

test("what a silent socket still says before the next one is welcomed is heard: the next is given up, and nothing is lost", async () => {
  const { world, signal, session, states, old } = await drivingOn();
  world.answersPings = false;
  await living(world, 25_000);
  old.receive({
    type: "control-lost",
    robotId: "demo",
    sessionId: SESSION,
    by: { userId: "a" },
    epoch: 2,
  });
  const { role } = session.view;
  const { state } = signal;

  assert.deepEqual(
    [role, state, old.readyState, world.socket.readyState],
    ["viewer", "online", 1, 3],
  );
  assert.deepEqual(
    states.map(([name]) => name),
    ["connecting", "online"],
  );
});

test("a page that drives nothing notices a silent socket within a heartbeat and 5 seconds", async () => {
  const { world, signal } = await online();
  world.pass(120_000);
  const before = signal.state;
  world.pass(5_000);
  await settled();

  assert.deepEqual([before, signal.state, world.sockets.length], ["online", "connecting", 2]);
});

test("a socket that answers is left alone for as long as it lasts", async () => {
  const { world, states } = await drivingOn();
  await living(world, 600_000);

  assert.deepEqual([states, world.sockets.length], [[], 1]);
});

test("frames of any kind are answer enough: the socket lives", async () => {
  const { world, signal } = await online();
  signal.request({ type: "robots" }).catch(() => {});
  world.pass(4_000);
  world.socket.receive({
    type: "presence",
    robotId: "demo",
    rev: 1,
    online: true,
    validForSeconds: 60,
  });
  world.pass(4_000);

  assert.equal(signal.state, "online");
});

test("without a network the page is offline after 10 seconds more, and dials on", async () => {
  const { world, states, session } = await drivingOn();
  world.answersPings = false;
  await living(world, 60_000);

  assert.deepEqual(states.slice(0, 3), [
    ["connecting", 25_000],
    ["offline", 35_000],
    ["connecting", 35_500],
  ]);
  assert.equal(session.view.state, "live");
  assert.deepEqual(
    world.peers.map(({ closed }) => closed),
    [false],
  );
});

/** A server that answers each frame with an id, and each ping, so late; handshakes succeed at once. */
function answersAfter(world, ms) {
  const replies = {
    ready: WELCOME,
    ping: { type: "pong", sessionId: SESSION, role: "controller", epoch: 1 },
    resume: ACK,
    offer: ACK,
    robots: { type: "robots", robots: [] },
  };
  world.answer = (socket, { type, id }) => {
    if (replies[type])
      world.parts.setTimeout(
        () => socket.readyState === 1 && socket.receive({ ...replies[type], replyTo: id }),
        ms,
      );
  };
}

/** Passes time while each socket opens as soon as it is dialled. */
async function dialling(world, ms) {
  for (const until = world.time + ms; world.time < until;) {
    await living(world, 1000);
    for (const socket of world.sockets) if (socket.readyState === 0) socket.open();
  }
}

/** When each of the sockets was dialled, but the first. */
function dials(world) {
  const times = [];
  const { push } = world.sockets;
  world.sockets.push = (socket) => (times.push(world.time), push.call(world.sockets, socket));
  return times;
}

test("a server that answers after 6 seconds costs a socket now and then, and no resume", async () => {
  const { world, session } = await drivingOn();
  const times = dials(world);
  answersAfter(world, 6000);
  await dialling(world, 600_000);

  assert.ok(times.length <= 3, String(times));
  assert.equal(
    world.sockets.flatMap(({ frames }) => frames).filter(({ type }) => type === "resume").length,
    0,
  );
  assert.deepEqual([session.view.role, session.view.state], ["controller", "live"]);
});

test("a socket that falls silent again and again though others follow it is given 5, 10, 20 seconds, and no more", async () => {
  const { world } = await drivingOn();
  world.answersPings = false;
  const asked = [];
  const times = dials(world);
  const { answer } = world;
  world.answer = (socket, frame) => {
    if (frame.type === "ping") asked.push(world.time);
    if (frame.type === "ready") world.parts.setTimeout(() => socket.receive(WELCOME), 10);
    if (frame.type === "resume")
      world.parts.setTimeout(() => socket.receive({ ...ACK, replyTo: frame.id }), 20);
    answer.call(world, socket, frame);
  };
  await dialling(world, 200_000);
  const waits = times.map((time, n) => time - asked.find((at) => at >= (times[n - 1] ?? 0)));

  assert.deepEqual(waits.slice(0, 4), [5000, 10_000, 20_000, 20_000]);
});

test("after five minutes without silence, 5 seconds count as silence again", async () => {
  const { world } = await drivingOn();
  answersAfter(world, 6000);
  await dialling(world, 60_000);
  answersAfter(world, 100);
  await dialling(world, 300_000);
  const times = dials(world);
  answersAfter(world, 60_000);
  await dialling(world, 26_000);

  assert.equal(times.length, 1);
});

test("closing while a socket is silent stops every timer", async () => {
  const { world, signal } = await drivingOn();
  world.answersPings = false;
  await living(world, 22_000);
  signal.close();

  assert.equal(world.timers.size, 0);
});
