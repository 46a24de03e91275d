/** Random walks over the session's machine: every state meets every event. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { step } from "../../web/robosignal/session/machine.js";
import { change, newState } from "../../web/robosignal/session/state.js";
import { viewOf } from "../../web/robosignal/session/view.js";
import { ALICE, ANSWER, OFFER, SESSION } from "./played.js";

const WALKS = 400;
const STEPS = 120;
const CODES = [
  "robot_busy",
  "robot_offline",
  "no_session",
  "forbidden",
  "try_again",
  "offline",
  "timeout",
  "too_many_viewers",
];

/** A small seeded generator (mulberry32), so that a failure can be walked again. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = (random, values) => values[Math.floor(random() * values.length)];

/** One of every event, with arguments that sometimes fit the state and sometimes do not. */
function anyEvent(random, state, now) {
  const pcId = pick(random, [state.peer.id ?? "pc-none", "pc-other"]);
  const sessionId = pick(random, [SESSION, state.session.id ?? SESSION, "demo:other"]);
  const epoch = Math.floor(random() * 6);
  const role = pick(random, ["controller", "viewer"]);
  const error = {
    type: "error",
    code: pick(random, CODES),
    message: "no",
    ...pick(random, [{}, { controlledBy: ALICE }, { you: true }]),
  };
  const ack = pick(random, [
    { type: "ack", sessionId, role, epoch },
    { type: "ack", sessionId, role },
    { type: "ack" },
  ]);
  const frame = pick(random, [
    { type: "offer", robotId: "demo", pcId, payload: OFFER },
    { type: "answer", robotId: "demo", pcId, payload: ANSWER },
    { type: "ice-candidate", robotId: "demo", pcId, payload: {} },
    { type: "control", robotId: "demo", epoch, sessionId },
    { type: "control", robotId: "demo", epoch, person: ALICE },
    { type: "control", robotId: "other", epoch },
    { type: "control-requested", robotId: "demo", sessionId: "demo:bob", by: ALICE },
    { type: "control-denied", robotId: "demo", by: ALICE },
    { type: "control-lost", robotId: "demo", sessionId, by: ALICE, epoch },
    {
      type: "peer-left",
      robotId: "demo",
      sessionId,
      epoch,
      reason: pick(random, ["bye", "restarted", "evicted", "unregistered", "revoked", "new"]),
    },
    { type: "pong" },
    { type: "robots", robots: [] },
    error,
  ]);
  const pong = pick(random, [{ type: "pong" }, { type: "pong", sessionId, role, epoch }]);
  const told = {
    frame: pick(random, [ack, error, pong]),
    asOf: Math.floor(random() * 6),
    sent: { type: "ice-candidate", sessionId, payload: {} },
  };
  return pick(random, [
    { type: "join", role },
    { type: "online" },
    { type: "offline" },
    { type: "tick" },
    { type: "drive" },
    { type: "withdraw", wanted: pick(random, [null, "viewer", "controller"]) },
    ...(random() < 0.02 ? [{ type: "leave" }] : []),
    { type: "taken-over", ack },
    { type: "released", ack },
    { type: "granted", ack, sessionId: "demo:bob" },
    { type: "claim-sent" },
    { type: "claim-settled" },
    { type: "request-sent" },
    { type: "request-failed" },
    { type: "request-answered", sessionId: "demo:bob" },
    { type: "socket-changed" },
    { type: "migrate" },
    { type: "reply", to: "migrate", pcId: null, ...told },
    { type: "frame", frame },
    { type: "frame", frame },
    { type: "frame", frame },
    {
      type: "listing",
      robot: {
        robotId: "demo",
        online: random() < 0.5,
        ...pick(random, [{}, { controlledBy: ALICE }]),
      },
      askedAt: now - random() * 1000,
    },
    { type: "reply", to: "offer", pcId: state.peer.id, ...told },
    { type: "reply", to: "offer", pcId: "pc-other", ...told },
    { type: "reply", to: "resume", pcId: null, ...told },
    { type: "reply", to: "renew", pcId: null, ...told },
    {
      type: "reply",
      to: pick(random, ["repeat", "relay", "relay-again"]),
      pcId: state.peer.id,
      ...told,
    },
    { type: "local-offer", pcId, payload: OFFER },
    { type: "local-candidate", pcId, payload: {} },
    { type: "local-answer", pcId, payload: ANSWER },
    {
      type: "ice",
      pcId,
      state: pick(random, ["connecting", "connected", "disconnected", "failed"]),
    },
    { type: "channel-closed", pcId },
    { type: "pong", pcId },
    { type: "refused", pcId, epoch },
    { type: "failed", pcId, message: "no" },
  ]);
}

/** Walk once, and hand each step to `check`. */
function walk(seed, check) {
  const random = seeded(seed);
  let state = newState("demo", random() < 0.5);
  for (let now = 0, n = 0; n < STEPS; n += 1) {
    now += Math.floor(random() ** 3 * 30_000);
    const event = anyEvent(random, state, now);
    const [next, effects] = step(state, event, { now, id: `pc-${n}` });
    check({ seed, before: state, event, next, effects, now });
    state = next;
  }
}

function everywhere(check) {
  for (let seed = 1; seed <= WALKS; seed += 1) walk(seed, check);
}

test("no event throws in any state, and every phase is met", () => {
  const met = new Set();
  everywhere(({ next }) => met.add(next.phase));

  assert.deepEqual([...met].sort(), ["ended", "idle", "linked", "offering", "waiting"]);
});

test("nothing is requested while signaling is down", () => {
  everywhere(({ seed, next, effects }) => {
    assert.ok(next.online || effects.every((effect) => effect.do !== "request"), `seed ${seed}`);
  });
});

test("a session that has ended stays ended and does nothing, but to say goodbye if it is let in", () => {
  everywhere(({ seed, before, next, effects }) => {
    const sent = effects.map(({ frame }) => frame?.type);
    assert.ok(
      before.phase !== "ended" || (next === before && sent.every((type) => type === "bye")),
      `seed ${seed}`,
    );
  });
});

test("a push never lowers the epoch, unless access was withdrawn", () => {
  everywhere(({ seed, before, event, next }) => {
    const push = event.type === "frame" && event.frame.reason !== "evicted";
    assert.ok(!push || next.control.epoch >= before.control.epoch, `seed ${seed}`);
  });
});

test("a session that has not ended is never stuck: something is due, awaited, or alive", () => {
  everywhere(({ seed, next, event }) => {
    const { phase, online, peer, retry, session, call } = next;
    const awaited =
      phase === "offering"
        ? peer.answerAt !== null
        : phase === "waiting"
          ? retry.at !== null
          : true;
    // Without a connection, its coming back begins again; so does the reply to a resume.
    const idle = phase !== "idle" || !online || session.id !== null || !call.isOpen;
    assert.ok(awaited && idle, `seed ${seed} ${event.type}`);
  });
});

test("who drives is shown only to those who do not, and a driver has lost nothing", () => {
  everywhere(({ seed, next }) => {
    const { role, driver, lostTo } = viewOf(next);
    assert.ok(role !== "controller" || (driver === null && lostTo === null), `seed ${seed}`);
  });
});

test("no reply that a push has overtaken makes a driver whom the push did not name", () => {
  everywhere(({ seed, before, event, next }) => {
    const { frame, asOf } = event.type === "reply" ? event : {};
    // After an eviction a push may be of the robot's former life, and overtakes nothing.
    const isLate =
      before.session.evictedId === null &&
      frame?.epoch !== undefined &&
      asOf <= frame.epoch &&
      frame.epoch < before.control.epoch;
    const drove =
      before.session.role === "controller" ||
      before.control.driverId === (frame?.sessionId ?? before.session.id);
    assert.ok(!isLate || drove || next.session.role !== "controller", `seed ${seed} ${event.to}`);
  });
});

test("who does not know says so: after a loss nothing is claimed before the server has said so again", () => {
  everywhere(({ seed, before, event, next }) => {
    const { stale, role, state } = viewOf(next);
    assert.ok(
      event.type !== "offline" ||
        before.phase === "ended" ||
        stale ||
        (role === "controller" && state === "live"),
      `seed ${seed}`,
    );
  });
});

test("a robot that refuses command after command causes few requests", () => {
  const random = seeded(7);
  let state = { ...newState("demo", true), phase: "linked" };
  state = change(state, "session", { role: "controller", id: SESSION });
  state = change(state, "call", { want: "controller" });
  state = change(state, "control", { epoch: 5 });
  state = change(state, "peer", { id: "pc", offer: OFFER });
  let requests = 0;
  for (let now = 0; now < 600_000; now += 50) {
    const [next, effects] = step(
      state,
      { type: "refused", pcId: "pc", epoch: Math.floor(random() * 6) },
      { now, id: "pc-x" },
    );
    requests += effects.filter((effect) => effect.do === "request").length;
    state = next;
  }

  assert.ok(requests > 10 && requests < 30, String(requests));
});

test("while a takeover has no reply, nothing is offered but to a robot that must be told who drives", () => {
  everywhere(({ seed, next, effects }) => {
    const offers = effects.filter(({ to, frame }) => to === "offer" && frame.type === "offer");
    assert.ok(next.control.claims === 0 || offers.length === 0, `seed ${seed}`);
  });
});

test("only a driver is asked for control, and only a viewer asks", () => {
  everywhere(({ seed, next }) => {
    const { role, requests, asking } = viewOf(next);
    assert.ok(
      (role === "controller" || requests.length === 0) && (role === "viewer" || !asking),
      `seed ${seed}`,
    );
  });
});

test("while a session moves nothing is sent in it but what moves it, and goodbye", () => {
  everywhere(({ seed, next, effects }) => {
    const sent = effects.filter(({ frame }) => frame).map(({ frame }) => frame.type);
    assert.ok(
      !next.session.isMigrating || sent.every((type) => type === "resume" || type === "bye"),
      `seed ${seed} ${sent}`,
    );
  });
});

test("who awaits an outcome is told it once, and at the latest when all ends", () => {
  everywhere(({ seed, before, event, effects, next }) => {
    const settled = effects.filter((effect) => effect.do === "settle").length;
    const asks = event.type === "join" || event.type === "drive";
    assert.ok(settled <= (before.call.isOpen || asks ? 1 : 0), `seed ${seed}`);
    const isWithdrawn = event.type === "withdraw" && event.wanted === null;
    assert.ok(
      next.call.isOpen ||
        !before.call.isOpen ||
        settled === 1 ||
        isWithdrawn ||
        event.type === "leave" ||
        next.phase === "ended",
      `seed ${seed}`,
    );
  });
});

test("no call waits for longer than 30 seconds and a tick", () => {
  everywhere(({ seed, event, next, now }) => {
    assert.ok(
      !next.call.isOpen || next.phase === "ended" || event.type !== "tick" || now < next.call.until,
      `seed ${seed}`,
    );
  });
});

test("an offer that was withdrawn makes no driver, whatever its reply", () => {
  everywhere(({ seed, before, event, next }) => {
    const isReply = event.type === "reply" && event.to === "offer" && event.pcId === before.peer.id;
    assert.ok(
      !isReply ||
        !before.call.isWithdrawn ||
        before.session.role === "controller" ||
        next.session.role !== "controller",
      `seed ${seed}`,
    );
  });
});
