/** Tokens that the server refuses, which a browser is not told, and clocks that are wrong. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../web/robosignal/index.js";
import {
  ACCEPTED,
  countFailure,
  isPaused,
  markExpired,
} from "../../web/robosignal/connection/token-policy.js";
import { URL, online } from "./client.js";
import { FakeWorld, TODAY, WELCOME, settled } from "./world.js";

const DAY_MS = 86_400_000;

/** What looks like a JWT that ends so many ms after the world begins. */
const ending = (ms, jti = "") =>
  `e30.${btoa(JSON.stringify({ exp: (TODAY + ms) / 1000, jti })).replaceAll("=", "")}.c2ln`;

/** A client that dials, what it is told, and how often it asked to sign in. */
function dialing(token, world = new FakeWorld()) {
  const seen = { world, signIns: 0, states: [], errors: [] };
  seen.signal = connect({ url: URL, token }, world.parts);
  seen.signal.on("sign-in", () => (seen.signIns += 1));
  seen.signal.on("state", (state) => seen.states.push(state));
  seen.signal.on("error", (error) => seen.errors.push(error));
  return seen;
}

/** Time passes; each dial's handshake fails, while `fails` says so. */
async function failing(world, ms, fails = () => true) {
  for (let passed = 0; passed < ms; passed += 500) {
    await settled();
    const { socket } = world;
    if (socket?.readyState === 0 && fails()) socket.shut(1006);
    await settled();
    world.pass(500);
  }
  await settled();
}

// What is weighed: pure.

for (const isReached of [false, true]) {
  for (const hasExpired of [false, true]) {
    for (const count of [1, 2, 3]) {
      const signs = Number(isReached) + Number(hasExpired) + Number(count === 3);
      test(`${count} failures, ${isReached ? "" : "not "}reached, ${hasExpired ? "" : "not "}ended: ${signs >= 2 ? "refused" : "not known"}`, () => {
        let state = ACCEPTED;
        for (let n = 1; n < count; n += 1)
          state = countFailure(state, "t", { isReached: false, hasExpired: false, now: 0 });

        assert.equal(
          countFailure(state, "t", { isReached, hasExpired, now: 0 }).isRefused,
          signs >= 2,
        );
      });
    }
  }
}

test("a refused token is tried again after 30 s, then after pauses that double, to 5 minutes at most", () => {
  let state = markExpired("t");
  const pauses = [];
  for (let n = 0; n < 6; n += 1) {
    state = countFailure(state, "t", { isReached: false, hasExpired: false, now: 1000 });
    pauses.push((state.pausedUntil - 1000) / 1000);
  }

  assert.deepEqual(pauses, [30, 60, 120, 240, 300, 300]);
  assert.deepEqual(
    [isPaused(state, "t", 300_999), isPaused(state, "t", 301_000), isPaused(state, "other", 0)],
    [true, false, false],
  );
});

test("a token that has not ended pauses a minute at most, unless the server itself has said that it is over", () => {
  let state = ACCEPTED;
  const pauses = [];
  for (let n = 0; n < 6; n += 1) {
    state = countFailure(state, "t", { isReached: true, hasExpired: false, now: 1000 });
    pauses.push((state.pausedUntil - 1000) / 1000);
  }

  assert.deepEqual(pauses, [-Infinity, -Infinity, 30, 60, 60, 60]);
});

test("a token that ends while it is in doubt is tried more rarely from then on", () => {
  let state = ACCEPTED;
  const pauses = [];
  for (let n = 0; n < 7; n += 1) {
    state = countFailure(state, "t", { isReached: true, hasExpired: n > 4, now: 0 });
    pauses.push(state.pausedUntil / 1000);
  }

  assert.deepEqual(pauses.slice(2), [30, 60, 60, 120, 240]);
});

test("another token begins with no suspicion", () => {
  const state = countFailure(markExpired("t"), "other", {
    isReached: true,
    hasExpired: false,
    now: 0,
  });

  assert.deepEqual([state.isRefused, state.failures], [false, 1]);
});

// The clock of this machine is wrong.

for (const [name, ms] of [
  ["ahead by a day", DAY_MS],
  ["behind by a day", -DAY_MS],
]) {
  test(`with a clock that is ${name}, a good token is dialled and accepted`, async () => {
    const world = new FakeWorld();
    world.clockIsAheadMs = ms;
    const seen = dialing(ending(3_600_000), world);
    await settled();
    world.socket.open();
    world.socket.receive({ ...WELCOME, expiresAt: TODAY + 3_600_000 });
    await failing(world, 60_000);

    assert.deepEqual([seen.signIns, seen.signal.state, world.sockets.length], [0, "online", 1]);
  });

  test(`with a clock that is ${name}, a server that is away for a moment costs no sign-in`, async () => {
    const world = new FakeWorld();
    world.clockIsAheadMs = ms;
    world.isReached = false;
    const seen = dialing(ending(3_600_000), world);
    await settled();
    world.socket.shut(1006);
    await settled();
    world.pass(1000);
    await settled();
    world.socket.open();
    world.socket.receive(WELCOME);

    assert.deepEqual([seen.signIns, seen.signal.state], [0, "online"]);
  });
}

test("with a clock that is ahead, a server that is away for long is still found when it is back", async () => {
  const world = new FakeWorld();
  Object.assign(world, { clockIsAheadMs: DAY_MS, isReached: false });
  const seen = dialing(ending(3_600_000), world);
  await failing(world, 20 * 60_000);
  const before = world.sockets.length;
  await failing(world, 5 * 60_000 + 30_000, () => false);
  world.socket.open();
  world.socket.receive(WELCOME);

  assert.ok(world.sockets.length > before);
  assert.equal(seen.signal.state, "online");
});

test("a good token is dialled within 90 s once an outage behind a proxy is over", async () => {
  const seen = dialing(ending(3_600_000));
  await failing(seen.world, 10 * 60_000);
  await failing(seen.world, 90_000, () => false);
  assert.equal(seen.world.socket?.readyState, 0);
  seen.world.socket.open();
  seen.world.socket.receive(WELCOME);

  assert.equal(seen.signal.state, "online");
});

test("with a clock that is behind, a token that has ended is found out by its third refusal", async () => {
  const world = new FakeWorld();
  world.clockIsAheadMs = -DAY_MS;
  const seen = dialing(ending(-1000), world);
  await failing(world, 60_000);

  assert.equal(seen.signIns, 1);
  assert.deepEqual(world.reached.slice(0, 1), ["https://signal.example/prod"]);
});

// Tokens that are over, or refused for another reason.

test("a token that has ended is dialled once, and asks to sign in", async () => {
  const seen = dialing(ending(-1000));
  await settled();
  seen.world.socket.shut(1006);
  await settled();

  assert.deepEqual([seen.world.sockets.length, seen.signIns, seen.signal.state], [1, 1, "offline"]);
});

test("a refused token asks to sign in once, and is dialled ever more rarely", async () => {
  const seen = dialing(ending(-1000));
  await failing(seen.world, 3_600_000);

  assert.equal(seen.signIns, 1);
  assert.ok(
    seen.world.sockets.length >= 10 && seen.world.sockets.length <= 20,
    String(seen.world.sockets.length),
  );
});

test("redial dials a refused token at once", async () => {
  const seen = dialing(ending(-1000));
  await failing(seen.world, 10_000);
  const before = seen.world.sockets.length;
  seen.signal.redial();
  await settled();

  assert.equal(seen.world.sockets.length, before + 1);
});

test("a token function is told what was refused, and another token is dialled at once", async () => {
  const asked = [];
  const [old, fresh] = [ending(-1000, "old"), ending(3_600_000, "fresh")];
  const seen = dialing((refused) => {
    asked.push(refused);
    return refused === old ? fresh : old;
  });
  await settled();
  seen.world.socket.shut(1006);
  await settled();

  assert.deepEqual(asked.slice(0, 2), [undefined, old]);
  assert.equal(seen.world.socket.protocols[1], `bearer.${fresh}`);
  assert.equal(seen.signIns, 0);
});

test("a token that the server says is over is followed by another one at once", async () => {
  let given = "one";
  const { world, signal } = await online(() => given);
  let signIns = 0;
  signal.on("sign-in", () => (signIns += 1));
  given = "two";
  world.socket.receive({ type: "error", code: "token_expired", message: "over" });
  await settled();

  assert.deepEqual([world.socket.protocols[1], signIns], ["bearer.two", 0]);
});

test("a token that the server says is over, and no other, asks to sign in", async () => {
  const { world, signal } = await online("one");
  let signIns = 0;
  signal.on("sign-in", () => (signIns += 1));
  world.socket.receive({ type: "error", code: "token_expired", message: "over" });
  await settled();

  assert.deepEqual([world.sockets.length, signIns, signal.state], [1, 1, "offline"]);
});

test("tokens that are all over as soon as they are welcomed make no loop", async () => {
  let n = 0;
  const { world, signal } = await online(() => `t${(n += 1)}`);
  let signIns = 0;
  signal.on("sign-in", () => (signIns += 1));
  for (let round = 0; round < 5 && signIns === 0; round += 1) {
    if (world.socket.readyState === 0) {
      world.socket.open();
      world.socket.receive(WELCOME);
    }
    world.socket.receive({ type: "error", code: "token_expired", message: "over" });
    await settled();
  }

  assert.deepEqual([world.sockets.length, signIns], [2, 1]);
});

test("a token function that fails just now does not ask to sign in, and is asked again", async () => {
  let fails = false;
  const { world, signal } = await online(() => {
    if (fails) throw new Error("the sign-in server is away");
    return "one";
  });
  let signIns = 0;
  signal.on("sign-in", () => (signIns += 1));
  fails = true;
  world.socket.receive({ type: "error", code: "token_expired", message: "over" });
  await settled();
  fails = false;
  world.pass(1000);
  await settled();

  assert.deepEqual([world.sockets.length, signIns], [2, 0]);
});

test("what was reached after the page has closed the connection asks for nothing", async () => {
  const seen = dialing(ending(-1000));
  await settled();
  seen.world.socket.shut(1006);
  seen.signal.close();
  await settled();

  assert.equal(seen.signIns, 0);
});

test("a browser that makes no socket at all is a sentence, and no matter of the token", async () => {
  const world = new FakeWorld();
  const refuse = function () {
    throw Object.assign(new Error("insecure from a page over HTTPS"), { name: "SecurityError" });
  };
  const errors = [];
  let signIns = 0;
  const signal = connect({ url: URL, token: "t" }, { ...world.parts, WebSocket: refuse });
  signal.on("error", ({ code, message }) => errors.push([code, message]));
  signal.on("sign-in", () => (signIns += 1));
  await settled();
  world.pass(1000);
  await settled();

  assert.deepEqual(errors, [
    [
      "unsupported",
      `The browser opens no WebSocket to ${URL}: insecure from a page over HTTPS. A page that came by HTTPS needs an address that begins with wss://.`,
    ],
  ]);
  assert.equal(signIns, 0);
});
