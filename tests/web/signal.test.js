/** The shell around the pure parts: sockets, requests, peer connections, timers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SignalingError, connect } from "../../web/robosignal/index.js";
import { SESSION, URL, driving, drivingOld, online } from "./client.js";
import { FakeWorld, WELCOME, settled } from "./world.js";

for (const missing of [
  { token: "t" },
  { url: URL },
  { url: "https://signal.example", token: "t" },
  { url: "ws://h:99999/", token: "t" },
  { url: "ws://h/#a", token: "t" },
]) {
  test(`options that lack something throw at once: ${JSON.stringify(missing)}`, () => {
    assert.throws(() => connect(missing), TypeError);
  });
}

test("the token goes into the subprotocols, and nowhere else", async () => {
  const { world } = await online("abc");

  assert.deepEqual(
    [world.socket.url, world.socket.protocols],
    [URL, ["robosignal.v1", "bearer.abc"]],
  );
  assert.equal(
    world.socket.texts.some((text) => text.includes("abc")),
    false,
  );
});

test("each dial asks for the token again", async () => {
  let asked = 0;
  const { world } = await online(async () => `token-${(asked += 1)}`);
  world.socket.shut(1001);
  world.pass(1000);
  await settled();

  assert.deepEqual(world.socket.protocols[1], "bearer.token-2");
});

test("no token asks to sign in, and redial dials with the new one", async () => {
  const world = new FakeWorld();
  let token = "";
  const signal = connect({ url: URL, token: () => token }, world.parts);
  let asked = 0;
  signal.on("sign-in", () => (asked += 1));
  await settled();
  const before = world.sockets.length;
  token = "new";
  signal.redial();
  await settled();

  assert.deepEqual([asked, before, world.sockets.length], [1, 0, 1]);
});

test("a token that cannot stand in a header asks to sign in", async () => {
  const world = new FakeWorld();
  let asked = 0;
  const signal = connect({ url: URL, token: "two words" }, world.parts);
  signal.on("sign-in", () => (asked += 1));
  await settled();

  assert.equal(asked, 1);
});

test("replies are matched by replyTo, in whatever order they come", async () => {
  const { world, signal } = await online();
  const [first, second] = [
    signal.request({ type: "ping" }),
    signal.request({ type: "ice-servers" }),
  ];
  const [ping, ice] = world.socket.frames.slice(-2);
  world.socket.receive({ type: "ice-servers", replyTo: ice.id, iceServers: [], ttlSeconds: 60 });
  world.socket.receive({ type: "pong", replyTo: ping.id });

  assert.deepEqual([(await first).type, (await second).type], ["pong", "ice-servers"]);
});

test("a refused request rejects with the server's code, sentence, robot and driver", async () => {
  const { world, signal } = await online();
  const refused = signal.request({ type: "takeover", robotId: "demo" });
  world.socket.reply("takeover", {
    type: "error",
    code: "robot_busy",
    message: "Alice drives",
    robotId: "demo",
    controlledBy: { userId: "a" },
  });

  await assert.rejects(
    refused,
    (error) =>
      error instanceof SignalingError &&
      error.code === "robot_busy" &&
      error.controlledBy?.userId === "a",
  );
});

test("a request without a reply rejects after 10 seconds with a sentence", async () => {
  const { world, signal } = await online();
  const request = signal.request({ type: "ping" });
  world.pass(10_000);

  await assert.rejects(request, /has not answered ping within 10 seconds/);
});

test("a request made while the connection is down waits for it", async () => {
  const world = new FakeWorld();
  const signal = connect({ url: URL, token: "t" }, world.parts);
  await settled();
  const request = signal.robots();
  world.socket.open();
  const before = world.socket.last("robots");
  world.socket.receive(WELCOME);
  world.socket.reply("robots", { type: "robots", robots: [{ robotId: "demo", online: true }] });

  assert.equal(before, undefined);
  assert.deepEqual(await request, [{ robotId: "demo", online: true }]);
});

test("a request whose connection is lost rejects at once", async () => {
  const { world, signal } = await online();
  const request = signal.request({ type: "ping" });
  world.socket.shut(1006);

  await assert.rejects(request, { code: "offline" });
});

test("a request that waits is sent once, and outlives a dial that fails", async () => {
  const world = new FakeWorld();
  const signal = connect({ url: URL, token: "t" }, world.parts);
  await settled();
  const waiting = signal.request({ type: "ice-servers" });
  world.socket.shut(1006);
  world.pass(1000);
  await settled();
  world.socket.open();
  world.socket.receive(WELCOME);
  signal.request({ type: "ping" });
  const sent = world.socket.frames.filter(({ type }) => type === "ice-servers");
  world.socket.reply("ice-servers", { type: "ice-servers", iceServers: [], ttlSeconds: 1 });

  assert.equal(sent.length, 1);
  assert.equal((await waiting).type, "ice-servers");
});

test("a request over 32 KiB rejects before it is sent", async () => {
  const { world, signal } = await online();
  const sent = world.socket.texts.length;

  await assert.rejects(signal.request({ type: "offer", sdp: "x".repeat(33_000) }), {
    code: "too_large",
  });
  assert.equal(world.socket.texts.length, sent);
});

test("robots are read page by page", async () => {
  const { world, signal } = await online();
  const listing = signal.robots();
  world.socket.reply("robots", {
    type: "robots",
    robots: [{ robotId: "a", online: true }],
    cursor: "next",
  });
  await settled();
  world.socket.reply("robots", { type: "robots", robots: [{ robotId: "b", online: true }] });

  assert.deepEqual(
    (await listing).map(({ robotId }) => robotId),
    ["a", "b"],
  );
  assert.equal(world.socket.last("robots").cursor, "next");
});

test("a failure that no request caused is told as an error", async () => {
  const { world, signal } = await online();
  const codes = [];
  signal.on("error", ({ code }) => codes.push(code));
  world.socket.receive({ message: "Internal server error", connectionId: "c=" });

  assert.deepEqual(codes, ["internal"]);
});

test("a listener that throws stops nothing else", async () => {
  const { world, signal } = await online();
  const states = [];
  signal.on("state", () => {
    throw new Error("the application's own");
  });
  signal.on("state", (state) => states.push(state));
  world.socket.shut(1006);

  assert.deepEqual(
    world.reported.map(({ message }) => message),
    ["the application's own"],
  );
  assert.deepEqual(states, ["offline"]);
});

test("a socket that was given up is not heard any more", async () => {
  const { world, signal } = await online();
  const old = world.socket;
  signal.close();
  old.receive({ ...WELCOME, userId: "somebody else" });

  assert.equal(signal.me?.userId, WELCOME.userId);
});

test("driving offers one receiving video, an ordered channel, and one that never repeats", async () => {
  const { world } = await driving();

  assert.deepEqual(world.peer.made, [
    ["channel", "control", { ordered: true }],
    ["channel", "drive", { ordered: false, maxRetransmits: 0 }],
    ["video", { direction: "recvonly" }],
  ]);
});

test("a driver's commands are kept within their bounds", async () => {
  const { world, session } = await drivingOld();
  const sent = session.drive({ x: -7, y: 0.5 });

  assert.equal(sent, true);
  assert.deepEqual(JSON.parse(world.peer.channel.sent.at(-1)).drive, { x: -1, y: 0.5 });
});

test("a command that is no number throws", async () => {
  const { session } = await driving();

  assert.throws(() => session.drive({ x: NaN, y: 0 }), TypeError);
});

test("a command is not queued behind a stalled channel", async () => {
  const { world, session } = await drivingOld();
  world.peer.channel.bufferedAmount = 100_000;

  assert.equal(session.drive({ x: 0, y: 1 }), false);
});

test("a stop follows the commands that wait in a stalled channel, but not without end", async () => {
  const { world, session } = await drivingOld();
  const { channel } = world.peer;
  channel.send = (text) => void (channel.bufferedAmount += text.length);
  const sent = (drive) =>
    Array.from({ length: 1_000 }, () => session.drive(drive)).filter(Boolean).length;
  const [commands, stops, more] = [
    sent({ x: 0, y: 1 }),
    sent({ x: 0, y: 0 }),
    sent({ x: 0, y: 1 }),
  ];

  assert.ok(commands < 200 && stops > 0 && stops < 200, `${commands}, ${stops}`);
  assert.equal(more, 0);
});

test("a command that is none throws, and says what it must be", async () => {
  const { session } = await driving();

  for (const drive of [undefined, null, {}, { x: 0 }, { x: "0", y: 0 }, 1])
    assert.throws(() => session.drive(drive), { name: "TypeError", message: /x and y/ });
});

for (const [what, sctp, limit] of [
  ["the robot's limit", { maxMessageSize: 1_000 }, 1_000],
  ["64 KiB, without a limit of the robot's", undefined, 65_536],
]) {
  test(`a message above ${what} is refused with both sizes, and nothing is sent`, async () => {
    const { world, session } = await driving();
    world.peer.sctp = sctp;
    const before = world.peer.channel.sent.length;

    assert.throws(() => session.send("é".repeat(limit / 2) + "x"), {
      name: "SignalingError",
      code: "too_large",
      message: new RegExp(`${limit + 1} bytes.*${limit} at most`),
    });
    assert.equal(world.peer.channel.sent.length, before);
    assert.equal(session.send("é".repeat(limit / 2)), true);
  });
}

test("what is no text is not sent", async () => {
  const { session } = await driving();

  for (const message of [undefined, null, {}, new Uint8Array(4)])
    assert.throws(() => session.send(message), { name: "TypeError", message: /string/ });
});

for (const [why, name] of [
  ["has closed meanwhile", "InvalidStateError"],
  ["is full", "OperationError"],
]) {
  test(`a channel that ${why} makes no call throw: it was not sent`, async () => {
    const { world, session } = await driving();
    world.peer.channel.send = () => {
      throw new DOMException("cannot send", name);
    };

    assert.deepEqual([session.send("hello"), session.drive({ x: 0, y: 1 })], [false, false]);
    await assert.rejects(session.ping(), { name: "SignalingError", code: "timeout" });
  });
}

test("after the end nothing is sent, and nothing throws", async () => {
  const { session } = await driving();
  session.leave();

  assert.deepEqual([session.send("hello"), session.drive({ x: 0, y: 1 })], [false, false]);
  await assert.rejects(session.ping(), { name: "SignalingError" });
});

test("who does not drive sends no command", async () => {
  const { world, session } = await driving();
  world.socket.receive({ type: "control", robotId: "demo", epoch: 2, person: { userId: "a" } });

  assert.equal(session.drive({ x: 0, y: 1 }), false);
});

test("the round trip is what passes between ping and pong", async () => {
  const { world, session } = await driving();
  const trip = session.ping();
  const { n } = JSON.parse(world.peer.channel.sent.at(-1));
  world.pass(12);
  world.peer.channel.onmessage({ data: JSON.stringify({ type: "pong", n }) });

  assert.equal(await trip, 12);
});

test("a ping without a pong rejects after 3 seconds", async () => {
  const { world, session } = await driving();
  const trip = session.ping();
  world.pass(3000);

  await assert.rejects(trip, { code: "timeout" });
});

test("what else the robot says reaches the application as it came", async () => {
  const { world, session } = await driving();
  const heard = [];
  session.on("message", (message) => heard.push(message));
  world.peer.channel.onmessage({ data: "hello" });
  world.peer.channel.onmessage({ data: '{"type":"done","n":1}' });

  assert.deepEqual(heard, ["hello"]);
});

test("a lost socket closes no peer connection, and the session is resumed on the next", async () => {
  const { world, session } = await driving();
  world.peer.connectionState = "connected";
  world.peer.onconnectionstatechange();
  world.socket.shut(1006);
  world.pass(1000);
  await settled();
  world.socket.open();
  world.socket.receive(WELCOME);

  assert.equal(world.peer.closed, false);
  assert.equal(session.view.state, "live");
  assert.equal(world.socket.last("resume").sessionId, SESSION);
});

test("a driver who loses control hears it, and offers again to watch", async () => {
  const { world, session } = await driving();
  const told = [];
  session.on("control", ({ role, lostTo }) => told.push([role, lostTo?.name]));
  world.socket.receive({
    type: "control-lost",
    robotId: "demo",
    sessionId: SESSION,
    by: { userId: "a", name: "Alice" },
    epoch: 2,
  });
  await settled();

  assert.deepEqual(told, [["viewer", "Alice"]]);
  assert.equal(world.socket.last("offer").role, "viewer");
  assert.deepEqual(
    world.peers.map(({ closed }) => closed),
    [true, false],
  );
});

test("leaving says bye, closes the peer connection and stops the timers", async () => {
  const { world, signal, session } = await driving();
  session.leave();
  const bye = world.socket.last("bye");
  signal.close();

  assert.equal(bye.sessionId, SESSION);
  assert.equal(world.peer.closed, true);
  assert.equal(world.timers.size, 0);
});

test("a drive that waits when the page closes the connection rejects", async () => {
  const { signal } = await online();
  const joining = signal.drive("demo");
  signal.close();

  await assert.rejects(joining, { code: "closed" });
});

test("a peer connection that cannot be made refuses the drive with a sentence", async () => {
  const { world, signal } = await online();
  world.refusePeers = true;

  await assert.rejects(signal.drive("demo"), /The video connection failed/);
});
