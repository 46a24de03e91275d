/** Every promise of the module settles, whatever happens meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../web/robosignal/index.js";
import { SESSION, URL, driving, online } from "./client.js";
import { ALICE } from "./played.js";
import { FakeWorld, settled } from "./world.js";

const PUBLIC_KEY = { kty: "EC", crv: "P-256", x: "x", y: "y" };
/** Longer than any call may wait. */
const LONG_MS = 60_000;

/** Every call of the module's that returns a promise, by its name. */
const CALLS = {
  "signal.drive": ({ signal }) => signal.drive("other"),
  "signal.drive, of the robot that it drives": ({ signal }) => signal.drive("demo"),
  "signal.view": ({ signal }) => signal.view("other"),
  "signal.takeOver": ({ signal }) => signal.takeOver("other"),
  "signal.takeOver, of the robot that it drives": ({ signal }) => signal.takeOver("demo"),
  "signal.robots": ({ signal }) => signal.robots(),
  "signal.watch": ({ signal }) => signal.watch(),
  "signal.unwatch": ({ signal }) => signal.unwatch(),
  "signal.request": ({ signal }) =>
    signal.request({ type: "share", robotId: "demo", userId: "u-2" }),
  "signal.iceServers": ({ signal, world }) => ((world.time += 300_000), signal.iceServers()),
  "signal.enroll": ({ signal }) => signal.enroll({ robotId: "demo", publicKey: PUBLIC_KEY }),
  "signal.createCode": ({ signal }) => signal.createCode({ robotId: "demo" }),
  "signal.invite": ({ signal }) => signal.invite({ robotId: "demo" }),
  "signal.accept": ({ signal }) => signal.accept("ABCD-EFGH-IJKL-MNOP"),
  "signal.keys": ({ signal }) => signal.keys("demo"),
  "signal.approveKey": ({ signal }) => signal.approveKey("demo", "kid"),
  "signal.revokeKey": ({ signal }) => signal.revokeKey("demo", "kid"),
  "signal.revokeAllKeys": ({ signal }) => signal.revokeAllKeys("demo"),
  "signal.transfer": ({ signal }) => signal.transfer("demo", "u-2"),
  "signal.forget": ({ signal }) => signal.forget("demo"),
  "session.takeOver": ({ session }) => session.takeOver(),
  "session.release": ({ session }) => session.release(),
  "session.requestControl": ({ session }) => session.requestControl(),
  "session.grant": ({ session }) => session.grant("demo:other"),
  "session.deny": ({ session }) => session.deny("demo:other"),
  "session.ping": ({ session }) => session.ping(),
};

/** What may happen after a call. */
const MISHAPS = {
  "the server never answers": () => {},
  "the socket is lost, and no other is to be had": ({ world }) => world.socket.shut(1006),
  "a new sign-in is asked for, and no one signs in": ({ world }) =>
    world.socket.receive({ type: "error", code: "token_expired", message: "over" }),
  "the session is left": ({ session }) => session.leave(),
  "the robot's presence ends": ({ world }) =>
    world.socket.receive({
      type: "peer-left",
      robotId: "demo",
      sessionId: SESSION,
      reason: "unregistered",
    }),
  "access is withdrawn": ({ world }) =>
    world.socket.receive({
      type: "peer-left",
      robotId: "demo",
      sessionId: SESSION,
      reason: "evicted",
    }),
  "somebody takes the control": ({ world }) =>
    world.socket.receive({
      type: "control-lost",
      robotId: "demo",
      sessionId: SESSION,
      by: ALICE,
      epoch: 9,
    }),
  "the page closes the connection": ({ signal }) => signal.close(),
};

/** The outcome of a promise; not settled while it waits. */
function outcomeOf(promise) {
  const seen = { settled: false };
  promise.then(
    (value) => Object.assign(seen, { settled: true, value }),
    (error) => Object.assign(seen, { settled: true, error }),
  );
  return seen;
}

/** Let time pass in small steps, so that what promises do in between is done. */
async function passing(world, ms) {
  for (let passed = 0; passed < ms; passed += 500) {
    world.pass(500);
    await settled();
  }
}

/** A driver whose server says nothing from now on. */
async function drivingUnanswered() {
  const stage = await driving();
  stage.world.answersPings = false;
  return stage;
}

for (const [name, call] of Object.entries(CALLS)) {
  for (const [mishap, happen] of Object.entries(MISHAPS)) {
    test(`${name} settles when ${mishap}`, async () => {
      const stage = await drivingUnanswered();
      const outcome = outcomeOf(call(stage));
      await settled();
      happen(stage);
      await passing(stage.world, LONG_MS);

      assert.equal(outcome.settled, true);
    });
  }

  test(`${name} rejects at once with closed after close()`, async () => {
    const stage = await driving();
    stage.signal.close();
    const outcome = outcomeOf(call(stage));
    await settled();

    assert.equal(outcome.error?.code, "closed");
    assert.equal(stage.world.timers.size, 0);
  });
}

for (const name of Object.keys(CALLS).filter((name) => name.startsWith("session."))) {
  test(`${name} rejects at once with no_session after leave()`, async () => {
    const stage = await driving();
    stage.session.leave();
    const sent = stage.world.socket.frames.length;
    const outcome = outcomeOf(CALLS[name](stage));
    await settled();

    assert.deepEqual([outcome.error?.code, stage.world.socket.frames.length], ["no_session", sent]);
  });
}

for (const name of Object.keys(CALLS).filter(
  (name) => name.startsWith("signal.") && !name.includes("that it drives"),
)) {
  test(`${name} settles when there has never been a connection`, async () => {
    const world = new FakeWorld();
    const signal = connect({ url: URL, token: "t" }, world.parts);
    const outcome = outcomeOf(CALLS[name]({ signal, world }));
    await passing(world, LONG_MS);

    assert.equal(outcome.settled, true);
  });

  test(`${name} settles when no token is to be had`, async () => {
    const world = new FakeWorld();
    const signal = connect({ url: URL, token: () => new Promise(() => {}) }, world.parts);
    const outcome = outcomeOf(CALLS[name]({ signal, world }));
    await passing(world, LONG_MS);

    assert.equal(outcome.settled, true);
  });
}

test("driving a robot that this page drives resolves to its session at once", async () => {
  const { world, signal, session } = await driving();
  const sent = world.socket.frames.length;

  assert.equal(await signal.drive("demo"), session);
  assert.equal(world.socket.frames.length, sent);
});

test("two calls to drive are one offer, and both are told", async () => {
  const { world, signal } = await online();
  const both = [signal.drive("demo"), signal.drive("demo")];
  await settled();
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  const [one, other] = await Promise.all(both);

  assert.equal(one, other);
  assert.equal(world.socket.frames.filter(({ type }) => type === "offer").length, 1);
});

test("to watch and at once to drive: the one resolves, and the other offers after it", async () => {
  const { world, signal } = await online();
  const viewing = signal.view("demo");
  const driven = signal.drive("demo");
  await settled();
  const first = world.socket.last("offer").role;
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "viewer" });
  await viewing;
  await settled();
  const second = world.socket.last("offer").role;
  world.socket.reply("offer", {
    type: "error",
    code: "robot_busy",
    message: "busy",
    controlledBy: ALICE,
  });

  await assert.rejects(driven, { code: "robot_busy" });
  assert.deepEqual([first, second], ["viewer", "controller"]);
});

test("a robot that does not let us in within 30 seconds is given up, and says so", async () => {
  const world = new FakeWorld();
  const signal = connect({ url: URL, token: "t" }, world.parts);
  const outcome = outcomeOf(signal.drive("demo"));
  await passing(world, 29_500);
  const before = outcome.settled;
  await passing(world, 1_000);

  assert.equal(before, false);
  assert.deepEqual(
    [outcome.error.code, outcome.error.message],
    ["offline", "The server could not be reached within 30 seconds. Try again when it is back."],
  );
});

test("a call that waits when the page closes the connection is told so", async () => {
  const { signal } = await online();
  const asked = signal.robots();
  signal.close();

  await assert.rejects(asked, { code: "closed" });
});

test("a closed connection dials no more", async () => {
  const { world, signal } = await online();
  signal.close();
  signal.redial();
  await settled();

  assert.equal(world.sockets.length, 1);
});

// What the browser lacks, or refuses.

test("without RTCPeerConnection drive rejects with a sentence, and the session has ended with it", async () => {
  const { world, signal } = await online();
  const parts = { ...world.parts, RTCPeerConnection: undefined };
  const without = connect({ url: URL, token: "t" }, parts);
  await settled();
  world.socket.open();
  world.socket.receive({ type: "welcome", connectionId: "c=", userId: "u-me", iceServers: [] });
  const outcome = outcomeOf(without.drive("demo"));
  await settled();

  assert.equal(outcome.error?.code, "unsupported");
  assert.match(
    outcome.error.message,
    /^This browser cannot show or drive a robot: it has no WebRTC/,
  );
  signal.close();
});

test("without RTCPeerConnection nothing is taken over", async () => {
  const world = new FakeWorld();
  const signal = connect(
    { url: URL, token: "t" },
    { ...world.parts, RTCPeerConnection: undefined },
  );
  await settled();
  world.socket.open();
  world.socket.receive({ type: "welcome", connectionId: "c=", userId: "u-me", iceServers: [] });

  await assert.rejects(signal.takeOver("demo"), { code: "unsupported" });
  assert.equal(world.socket.last("takeover"), undefined);
});

test("a constructor that throws whatever it is given is a sentence", async () => {
  const { world, signal } = await online();
  world.refusesPeers = true;

  await assert.rejects(signal.drive("demo"), {
    code: "unsupported",
    message: /refuses to make a peer connection \(Failed to construct/,
  });
});

test("a session whose next peer connection cannot be made ends with the sentence", async () => {
  const { world, session } = await driving();
  world.refusesPeers = true;
  world.socket.receive({
    type: "peer-left",
    robotId: "demo",
    sessionId: SESSION,
    reason: "restarted",
  });
  await settled();

  assert.equal(session.view.state, "ended");
  assert.match(session.view.why, /^This browser cannot show or drive a robot/);
});

const GOOD = { urls: "stun:good.example" };
const LEFT_OUT = [
  ["a server beside a good one", [{ urls: "turn:bad" }, GOOD], [GOOD]],
  [
    "a URL beside a good one",
    [{ urls: ["stun:bad", "stun:good.example"], username: "u" }],
    [{ urls: "stun:good.example", username: "u" }],
  ],
  ["a server without URLs", [{}, GOOD], [GOOD]],
  ["the only server", [{ urls: "turn:bad" }], []],
];

for (const [name, iceServers, kept] of LEFT_OUT) {
  test(`what the browser refuses is left out and reported once: ${name}`, async () => {
    const { world, signal } = await online("t", { iceServers });
    const errors = [];
    signal.on("error", ({ code }) => errors.push(code));
    for (const robotId of ["demo", "other"]) {
      const joining = signal.drive(robotId);
      await settled();
      world.socket.reply("offer", {
        type: "ack",
        sessionId: `${robotId}:A`,
        role: "controller",
        epoch: 1,
      });
      await joining;
    }

    assert.deepEqual(world.peer.iceServers, kept);
    assert.deepEqual(errors, ["bad_ice_server"]);
    assert.equal(world.peers.filter(({ closed }) => !closed).length, 2);
  });
}

// Aborted calls.

/** An AbortSignal, and how it is aborted. */
function aborting() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

for (const method of ["drive", "view", "takeOver"]) {
  test(`${method} with a signal that is aborted already asks for nothing`, async () => {
    const { world, signal } = await online();
    const sent = world.socket.frames.length;

    await assert.rejects(signal[method]("demo", { signal: AbortSignal.abort() }), {
      name: "AbortError",
    });
    assert.equal(world.socket.frames.length, sent);
  });
}

for (const method of ["drive", "view"]) {
  test(`${method} that is aborted rejects at once, and gives back what is granted later`, async () => {
    const { world, signal } = await online();
    const { signal: abortSignal, abort } = aborting();
    const joining = signal[method]("demo", { signal: abortSignal });
    await settled();
    abort();
    await assert.rejects(joining, { name: "AbortError" });
    world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
    await settled();

    assert.equal(world.socket.last("bye").sessionId, SESSION);
    assert.equal(world.peer.closed, true);
  });
}

test("a viewer's drive that is aborted stays a viewer, and control that is granted later goes back", async () => {
  const { world, signal } = await online();
  const viewing = signal.view("demo");
  await settled();
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "viewer" });
  const session = await viewing;
  const { signal: abortSignal, abort } = aborting();
  const driven = signal.drive("demo", { signal: abortSignal });
  await settled();
  abort();
  await assert.rejects(driven, { name: "AbortError" });
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 2 });
  await settled();
  const back = world.socket.last("offer").role;
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "viewer", epoch: 3 });
  await settled();

  assert.deepEqual([back, session.view.role], ["viewer", "viewer"]);
});

/** Abort a call that waits, then answer the goodbye; return the name of its error before that. */
async function abortBeforeGoodbye(world, outcome, abort) {
  await settled();
  abort();
  await settled();
  const name = outcome.error?.name;
  world.socket.reply("bye", { type: "ack" });
  await settled();
  return name;
}

test("a drive that is aborted while it waits for the goodbye of before rejects at once", async () => {
  const { world, signal, session } = await driving();
  const offers = () => world.socket.frames.filter(({ type }) => type === "offer").length;
  session.leave();
  const before = offers();
  const { signal: abortSignal, abort } = aborting();
  const outcome = outcomeOf(signal.drive("demo", { signal: abortSignal }));
  const name = await abortBeforeGoodbye(world, outcome, abort);

  assert.deepEqual([name, offers()], ["AbortError", before]);
});

test("a takeover that is aborted while it waits for the goodbye of before rejects at once, and takes nothing", async () => {
  const { world, signal, session } = await driving();
  session.leave();
  const { signal: abortSignal, abort } = aborting();
  const outcome = outcomeOf(signal.takeOver("demo", { signal: abortSignal }));
  const name = await abortBeforeGoodbye(world, outcome, abort);

  assert.deepEqual([name, world.socket.last("takeover")], ["AbortError", undefined]);
});

test("an abort after the call has resolved changes nothing", async () => {
  const { world, signal } = await online();
  const { signal: abortSignal, abort } = aborting();
  const joining = signal.drive("demo", { signal: abortSignal });
  await settled();
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  const session = await joining;
  abort();
  await settled();

  assert.deepEqual([session.view.role, world.socket.last("bye")], ["controller", undefined]);
});

test("one of two calls that is aborted leaves the other its robot", async () => {
  const { world, signal } = await online();
  const { signal: abortSignal, abort } = aborting();
  const aborted = signal.drive("demo", { signal: abortSignal });
  const other = signal.drive("demo");
  await settled();
  abort();
  await assert.rejects(aborted, { name: "AbortError" });
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });

  assert.equal((await other).view.role, "controller");
});

/** Calls that share an offer to drive, of which that to drive is aborted; what the server sees and says from then on. */
async function watchingAfterAbort(method = "drive") {
  const { world, signal } = await online();
  const { signal: abortSignal, abort } = aborting();
  const aborted = outcomeOf(signal[method]("demo", { signal: abortSignal }));
  if (method === "takeOver") {
    await settled();
    world.socket.reply("takeover", { type: "ack", sessionId: SESSION, epoch: 1 });
    await settled();
  }
  const viewed = signal.view("demo");
  await settled();
  abort();
  await settled();
  assert.equal(aborted.error?.name, "AbortError");
  const answer = async (reply) => {
    world.socket.reply("offer", reply);
    await settled();
  };
  const offers = () =>
    world.socket.frames.filter(({ type }) => type === "offer").map(({ role }) => role);
  return { world, signal, viewed, answer, offers };
}

test("a drive that is aborted leaves a call that only watches without control", async () => {
  const { world, viewed, answer, offers } = await watchingAfterAbort();
  await answer({ type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  await answer({ type: "ack", sessionId: SESSION, role: "viewer", epoch: 2 });

  assert.deepEqual(
    [(await viewed).view.role, offers(), world.socket.last("bye")],
    ["viewer", ["controller", "viewer"], undefined],
  );
});

test("a drive that is aborted before its offer goes out leaves an offer to watch", async () => {
  const { world, signal } = await online();
  const { signal: abortSignal, abort } = aborting();
  const aborted = outcomeOf(signal.drive("demo", { signal: abortSignal }));
  const viewed = signal.view("demo");
  abort();
  await settled();
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "viewer" });

  assert.equal((await viewed).view.role, "viewer");
  const offers = world.socket.frames.filter(({ type }) => type === "offer").map(({ role }) => role);
  assert.deepEqual([aborted.error.name, offers], ["AbortError", ["viewer"]]);
});

test("a drive that is aborted and then refused leaves a call that only watches its robot", async () => {
  const { viewed, answer, offers } = await watchingAfterAbort();
  await answer({
    type: "error",
    code: "robot_busy",
    message: "busy",
    controlledBy: { userId: "bob", name: "Bob" },
  });
  await answer({ type: "ack", sessionId: SESSION, role: "viewer", epoch: 2 });

  assert.deepEqual([(await viewed).view.role, offers()], ["viewer", ["controller", "viewer"]]);
});

test("a drive after one that was aborted has control, whatever is given back between", async () => {
  const { signal, answer } = await watchingAfterAbort();
  const driven = signal.drive("demo");
  await settled();
  await answer({ type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  await answer({ type: "ack", sessionId: SESSION, role: "viewer", epoch: 2 });
  await answer({ type: "ack", sessionId: SESSION, role: "controller", epoch: 3 });

  assert.equal((await driven).view.role, "controller");
});

test("a takeover that is aborted leaves a call that only watches its session, without control", async () => {
  const { world, viewed, answer } = await watchingAfterAbort("takeOver");
  world.socket.reply("release-control", { type: "ack", epoch: 2 });
  await answer({ type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  await answer({ type: "ack", sessionId: SESSION, role: "viewer", epoch: 2 });

  const session = await viewed;
  assert.deepEqual(
    [session.view.role, session.view.state !== "ended", world.socket.last("bye")],
    ["viewer", true, undefined],
  );
});

test("a takeover that is aborted gives back the control that it wins", async () => {
  const { world, signal } = await online();
  const { signal: abortSignal, abort } = aborting();
  const taking = signal.takeOver("demo", { signal: abortSignal });
  await settled();
  abort();
  await assert.rejects(taking, { name: "AbortError" });
  world.socket.reply("takeover", { type: "ack", sessionId: SESSION, epoch: 2 });
  await settled();

  assert.deepEqual(
    [world.socket.last("bye").sessionId, world.socket.last("offer")],
    [SESSION, undefined],
  );
});

test("a takeover whose offer is aborted gives back the control that it has won", async () => {
  const { world, signal } = await online();
  const { signal: abortSignal, abort } = aborting();
  const taking = signal.takeOver("demo", { signal: abortSignal });
  await settled();
  world.socket.reply("takeover", { type: "ack", sessionId: SESSION, epoch: 2 });
  await settled();
  abort();

  await assert.rejects(taking, { name: "AbortError" });
  assert.equal(world.socket.last("bye").sessionId, SESSION);
});

test("a takeover whose offer fails gives back the control that it has won", async () => {
  const { world, signal } = await online();
  const taking = signal.takeOver("demo");
  await settled();
  world.socket.reply("takeover", { type: "ack", sessionId: SESSION, epoch: 2 });
  await settled();
  world.socket.reply("offer", { type: "error", code: "robot_offline", message: "offline" });

  await assert.rejects(taking, { code: "robot_offline" });
  assert.equal(world.socket.last("bye").sessionId, SESSION);
});

test("a viewer's takeover that is aborted releases the control that it wins", async () => {
  const { world, signal } = await online();
  const viewing = signal.view("demo");
  await settled();
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "viewer" });
  await viewing;
  const { signal: abortSignal, abort } = aborting();
  const taking = signal.takeOver("demo", { signal: abortSignal });
  await settled();
  abort();
  await assert.rejects(taking, { name: "AbortError" });
  world.socket.reply("takeover", { type: "ack", sessionId: SESSION, epoch: 2 });
  await settled();

  assert.equal(world.socket.last("release-control")?.robotId, "demo");
});
