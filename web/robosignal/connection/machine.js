/**
 * The connection to the server as a machine: when to dial, when to dial the next socket and migrate to
 * it, and when to give a silent one up. It's the same as the robot's, and both run the vectors
 * `connection` and `silence`. `websocket.js` carries out what it decides, and `session/migration.js`
 * takes the sessions along.
 */

import { unreachable } from "../errors.js";

/** @import { ConnectionState, OutFrame } from "../types.js" */

const HANDSHAKE_MS = 10_000;
const HEARTBEAT_SECONDS = 120;
/** API Gateway ends every connection after two hours; ten minutes before leave room for failures. */
const LIFETIME_MS = 110 * 60_000;
const LONGEST_MARGIN_MS = 60_000;
const SOONEST_REDIAL_MS = 10_000;
/** How long the old socket may still answer after the next one has taken its place. */
const DRAIN_MS = 10_000;
const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const REPLY_MS = 5_000;
/** A driver asks every 20 s and holds a lease of 60 s, which outlasts this and a handshake. */
const LONGEST_REPLY_MS = 20_000;
/** After so long without a silence, a reply may take `REPLY_MS` again. */
const QUIET_MS = 5 * 60_000;

/** @typedef {"next" | "old"} Other the sockets beside the current one: before a migration, and after it */
/**
 * The current socket.
 *
 * @typedef {object} Current
 * @property {"idle" | "dialing" | "greeting" | "online" | "waiting"} phase `waiting`: for the next dial
 * @property {number | null} dueAt when the handshake or the wait is over, in ms
 * @property {number} openedAt ms
 * @property {number} failures dials in a row that have failed
 * @property {boolean} isSilent whether it's online and hasn't answered a request in time
 */
/**
 * The socket that is to follow the current one.
 *
 * @typedef {object} Next
 * @property {"dialing" | "greeting" | "waiting"} phase
 * @property {number | null} dueAt when the handshake or the wait is over, in ms; null while it waits
 *   for a new token
 * @property {number} openedAt ms
 * @property {number} failures dials in a row that have failed
 */
/**
 * @typedef {object} State
 * @property {Current} current
 * @property {Next | null} next null when none is needed
 * @property {number | null} oldUntil when the old socket is closed at the latest, in ms
 * @property {Schedule} schedule of the current socket, while it's online
 * @property {ReplyTimeout} replyTimeout
 */
/** @typedef {{heartbeatMs: number, heartbeatAt: number, redialAt: number}} Schedule times in ms */
/** @typedef {{ms: number, since: number}} ReplyTimeout how long a reply may take; longer after a silence */
/**
 * What may happen. `moved`: nothing of the application is left on the old socket; `silent`: the
 * current one hasn't answered in time; `refused`: the server refuses the token.
 *
 * @typedef {{type: "start"} | {type: "tick"} | {type: "stop"} | {type: "moved"} | {type: "silent"}
 *   | {type: "opened", socket?: Other} | {type: "closed", code?: number, socket?: Other}
 *   | {type: "refused", status: number, socket?: Other}
 *   | {type: "frame", frame: {type: string, [field: string]: any}, socket?: Other}} ConnectionEvent
 */
/**
 * What is to be done. `swap`: next becomes current, and current becomes old; `adopt`: next becomes
 * current, which is lost.
 *
 * @typedef {{do: "dial", socket?: "next"} | {do: "close", socket?: Other} | {do: "swap"}
 *   | {do: "adopt"} | {do: "sign-in"} | {do: "send", socket?: Other, frame: OutFrame}
 *   | {do: "wake", at: number} | {do: "state", state: ConnectionState}} Output
 */
/** @typedef {[State, Output[]]} Step */

/** @type {State} */
export const IDLE = Object.freeze({
  current: newCurrent("idle", null),
  next: null,
  oldUntil: null,
  schedule: { heartbeatMs: 0, heartbeatAt: 0, redialAt: 0 },
  replyTimeout: { ms: REPLY_MS, since: 0 },
});

const READY = { type: "ready", protocol: 1 };

/**
 * @param {Current["phase"]} phase
 * @param {number | null} dueAt ms
 * @param {{openedAt?: number, failures?: number}} [more]
 * @returns {Current}
 */
function newCurrent(phase, dueAt, { openedAt = 0, failures = 0 } = {}) {
  return { phase, dueAt, openedAt, failures, isSilent: false };
}

/**
 * One step. An event that the phase doesn't expect, such as a late timer, changes nothing.
 *
 * @param {State} state
 * @param {ConnectionEvent} event
 * @param {number} now ms of any clock that never goes back; a welcome's `expiresAt` is by the same one
 * @param {number} random in [0, 1)
 * @returns {Step}
 */
export function step(state, event, now, random) {
  const [next, outputs] = apply(state, event, now, random);
  const at = nextTick(next);
  const asks = at !== null && (event.type === "tick" || at !== nextTick(state));
  return [next, asks ? [...outputs, { do: "wake", at }] : outputs];
}

/**
 * @param {State} state
 * @param {number} now ms
 * @returns {number} how long the server may take for a reply, in ms
 */
export function replyTimeoutMs({ replyTimeout }, now) {
  return now - replyTimeout.since < QUIET_MS ? replyTimeout.ms : REPLY_MS;
}

/**
 * @param {State} state
 * @param {ConnectionEvent} event
 * @param {number} now
 * @param {number} random
 * @returns {Step}
 */
function apply(state, event, now, random) {
  switch (event.type) {
    case "start":
      return start(state, now);
    case "tick":
      return tick(state, now, random);
    case "stop":
      return [IDLE, closeAll(state)];
    case "moved":
      return closeOld(state);
    case "silent":
      return handleSilence(state, now);
    case "opened":
      return event.socket === "next" ? greetNext(state, now) : greet(state, now);
    case "closed":
      return handleClose(state, event.socket, now, random);
    case "refused":
      return event.status === 401
        ? handleRefusal(state, event.socket, false)
        : handleClose(state, event.socket, now, random);
    case "frame":
      return handleFrame(state, event.frame, event.socket, now);
    default:
      return unreachable(event);
  }
}

/**
 * @param {State} state
 * @returns {number | null} when a tick is due, in ms
 */
function nextTick({ current, next, oldUntil, schedule }) {
  const isAlone = next === null && oldUntil === null;
  const online = [schedule.heartbeatAt, ...(isAlone ? [schedule.redialAt] : [])];
  const times = [
    current.dueAt,
    next?.dueAt ?? null,
    oldUntil,
    ...(current.phase === "online" ? online : []),
  ].filter((at) => at !== null);
  return times.length ? Math.min(...times) : null;
}

/**
 * @param {State} state
 * @param {number} now
 * @param {number} random
 * @returns {Step} everything that is due, in one order
 */
function tick(state, now, random) {
  /** @type {Output[]} */
  const outputs = [];
  for (const part of [endDrain, endWait, sendHeartbeat, dialNextIfDue, endNextWait]) {
    const [next, told] = part(state, now, random);
    state = next;
    outputs.push(...told);
  }
  return [state, outputs];
}

// Dialling.

/**
 * @param {State} state
 * @param {number} now
 * @returns {Step}
 */
function start(state, now) {
  if (isDown(state)) return dial(state, now);
  return state.next?.phase === "waiting" ? dialNext(state, now) : [state, []];
}

/**
 * @param {State} state
 * @returns {boolean} whether there is no current socket
 */
const isDown = ({ current: { phase } }) => phase === "idle" || phase === "waiting";

/**
 * @param {State} state
 * @param {number} now
 * @returns {Step}
 */
function dial(state, now) {
  const { failures } = state.current;
  const current = newCurrent("dialing", now + HANDSHAKE_MS, { failures });
  return [{ ...state, current }, [{ do: "state", state: "connecting" }, { do: "dial" }]];
}

/**
 * @param {State} state
 * @param {number} now
 * @returns {Step}
 */
function greet(state, now) {
  const { phase, failures } = state.current;
  if (phase !== "dialing") return [state, []];
  const current = newCurrent("greeting", now + HANDSHAKE_MS, { openedAt: now, failures });
  return [{ ...state, current }, [{ do: "send", frame: READY }]];
}

/**
 * @param {State} state
 * @param {number} now
 * @param {number} random
 * @returns {Step}
 */
function endWait(state, now, random) {
  const { phase, dueAt } = state.current;
  if (dueAt === null || now < dueAt) return [state, []];
  if (phase === "waiting") return dial(state, now);
  const [next, outputs] = loseCurrent(state, now, random);
  return [next, [{ do: "close" }, ...outputs]];
}

/**
 * The current socket is gone: the next one takes its place, or another one is dialled after a wait.
 *
 * @param {State} state
 * @param {number} now
 * @param {number} random
 * @returns {Step}
 */
function loseCurrent(state, now, random) {
  if (isDown(state)) return [state, []];
  if (state.next !== null && state.next.phase !== "waiting") return adoptNext(state, state.next);
  const failures = state.current.failures + 1;
  const current = newCurrent("waiting", now + waitMs(failures, random), { failures });
  return [{ ...state, current, next: null }, [{ do: "state", state: "offline" }]];
}

/**
 * @param {number} failures
 * @param {number} random
 * @returns {number} full jitter, in whole ms
 */
function waitMs(failures, random) {
  const longest = Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** failures);
  return Math.floor(SHORTEST_WAIT_MS + random * (longest - SHORTEST_WAIT_MS));
}

// The next socket.

/**
 * @param {State} state
 * @param {number} now
 * @returns {Step}
 */
function dialNextIfDue(state, now) {
  const { current, next, oldUntil, schedule } = state;
  const isAlone = next === null && oldUntil === null;
  const isDue = current.phase === "online" && isAlone && now >= schedule.redialAt;
  return isDue ? dialNext(state, now) : [state, []];
}

/**
 * @param {State} state
 * @param {number} now
 * @returns {Step}
 */
function dialNext(state, now) {
  const failures = state.next?.failures ?? 0;
  /** @type {Next} */
  const next = { phase: "dialing", dueAt: now + HANDSHAKE_MS, openedAt: 0, failures };
  return [{ ...state, next }, [{ do: "dial", socket: "next" }]];
}

/**
 * @param {State} state
 * @param {number} now
 * @returns {Step}
 */
function greetNext(state, now) {
  if (state.next?.phase !== "dialing") return [state, []];
  const { failures } = state.next;
  /** @type {Next} */
  const next = { phase: "greeting", dueAt: now + HANDSHAKE_MS, openedAt: now, failures };
  return [{ ...state, next }, [{ do: "send", socket: "next", frame: READY }]];
}

/**
 * @param {State} state
 * @param {number} now
 * @param {number} random
 * @returns {Step}
 */
function endNextWait(state, now, random) {
  const { next } = state;
  if (next === null || next.dueAt === null || now < next.dueAt) return [state, []];
  if (next.phase === "waiting") return dialNext(state, now);
  const [after, outputs] = failNext(state, next, now, random);
  return [after, [{ do: "close", socket: "next" }, ...outputs]];
}

/**
 * The next socket can't be had. If the current one is silent, that is a loss.
 *
 * @param {State} state
 * @param {Next} next
 * @param {number} now
 * @param {number} random
 * @returns {Step}
 */
function failNext(state, next, now, random) {
  if (state.current.isSilent) {
    const [after, outputs] = loseCurrent({ ...state, next: null }, now, random);
    return [after, [{ do: "close" }, ...outputs]];
  }
  const failures = next.failures + 1;
  const dueAt = now + waitMs(failures, random);
  return [{ ...state, next: { phase: "waiting", dueAt, openedAt: 0, failures } }, []];
}

/**
 * @param {State} state
 * @param {Next} next which becomes the current one, in the phase that it has
 * @returns {Step}
 */
function adoptNext(state, { phase, dueAt, openedAt }) {
  const current = newCurrent(phase, dueAt, { openedAt });
  return [
    { ...state, current, next: null },
    [{ do: "adopt" }, { do: "state", state: "offline" }, { do: "state", state: "connecting" }],
  ];
}

// The old socket.

/**
 * @param {State} state
 * @param {number} now
 * @returns {Step}
 */
function endDrain(state, now) {
  return state.oldUntil !== null && now >= state.oldUntil ? closeOld(state) : [state, []];
}

/**
 * @param {State} state
 * @returns {Step}
 */
function closeOld(state) {
  if (state.oldUntil === null) return [state, []];
  return [{ ...state, oldUntil: null }, [{ do: "close", socket: "old" }]];
}

// Silence.

/**
 * The current socket hasn't answered. It may be dead without a word, so the next one is dialled at
 * once; until that is welcomed, or can't be had, the silent one is listened to: it may only be slow.
 *
 * @param {State} state
 * @param {number} now
 * @returns {Step}
 */
function handleSilence(state, now) {
  const { current, next } = state;
  if (current.phase !== "online" || current.isSilent) return [state, []];
  const [silent, closes] = closeOld({ ...state, current: { ...current, isSilent: true } });
  /** @type {Output[]} */
  const outputs = [...closes, { do: "state", state: "connecting" }];
  if (next !== null && next.phase !== "waiting") return [silent, outputs];
  const [after, dials] = dialNext(silent, now);
  return [after, [...outputs, ...dials]];
}

/**
 * The current socket was only slow: a next one that was dialled for its silence alone isn't needed.
 *
 * @param {State} state
 * @param {number} now
 * @returns {Step}
 */
function endSilence(state, now) {
  const { current, next, schedule } = state;
  const heard = doubleReplyTimeout({ ...state, current: { ...current, isSilent: false } }, now);
  if (next === null || now >= schedule.redialAt) return [heard, [{ do: "state", state: "online" }]];
  return [
    { ...heard, next: null },
    [
      { do: "close", socket: "next" },
      { do: "state", state: "online" },
    ],
  ];
}

/**
 * A silence may have been slowness, and another socket is no faster: the next silence must last longer
 * to count.
 *
 * @param {State} state
 * @param {number} now
 * @returns {State}
 */
function doubleReplyTimeout(state, now) {
  const ms = Math.min(LONGEST_REPLY_MS, 2 * replyTimeoutMs(state, now));
  return { ...state, replyTimeout: { ms, since: now } };
}

/**
 * @param {State} state
 * @param {number} now
 * @returns {Step}
 */
function sendHeartbeat(state, now) {
  const { current, schedule } = state;
  if (current.phase !== "online" || now < schedule.heartbeatAt) return [state, []];
  const heartbeatAt = now + schedule.heartbeatMs;
  return [
    { ...state, schedule: { ...schedule, heartbeatAt } },
    [{ do: "send", frame: { type: "ping" } }],
  ];
}

// What the server says.

/**
 * @param {State} state
 * @param {{type: string, [field: string]: any}} frame
 * @param {Other | undefined} socket on which it came; the current one without
 * @param {number} now
 * @returns {Step}
 */
function handleFrame(state, frame, socket, now) {
  const { current, next } = state;
  const isCurrent = socket === undefined;
  if (isCurrent && current.isSilent) {
    const [heard, told] = endSilence(state, now);
    const [after, outputs] = handleFrame(heard, frame, undefined, now);
    return [after, [...told, ...outputs]];
  }
  if (frame.type === "error" && frame.code === "token_expired") {
    return handleRefusal(state, socket, true);
  }
  if (frame.type !== "welcome") return [state, []];
  if (isCurrent && current.phase === "greeting") {
    const online = welcome(state, frame, current.openedAt, now);
    return [online, [{ do: "state", state: "online" }]];
  }
  if (socket !== "next" || next?.phase !== "greeting") return [state, []];
  return handleNextWelcome(state, welcome(state, frame, next.openedAt, now), now);
}

/**
 * @param {State} before
 * @param {State} online with the next socket as the current one
 * @param {number} now
 * @returns {Step}
 */
function handleNextWelcome(before, online, now) {
  if (!before.current.isSilent) return [{ ...online, oldUntil: now + DRAIN_MS }, [{ do: "swap" }]];
  // What was sent over a silent socket, or was to come over it, may be lost: nothing is migrated.
  return [
    doubleReplyTimeout(online, now),
    [{ do: "adopt" }, { do: "state", state: "offline" }, { do: "state", state: "online" }],
  ];
}

/**
 * @param {State} state
 * @param {{[field: string]: any}} frame the welcome
 * @param {number} openedAt when its socket was opened
 * @param {number} now
 * @returns {State} with that socket as the current one, online
 */
function welcome(state, { heartbeatSeconds = HEARTBEAT_SECONDS, expiresAt }, openedAt, now) {
  const heartbeatMs = heartbeatSeconds * 1000;
  const left = expiresAt - now;
  // An end that is over already comes from a wrong clock, here or there: the lifetime is left.
  const isKnown = Number.isInteger(expiresAt) && left > 0;
  const end = isKnown ? expiresAt - Math.min(LONGEST_MARGIN_MS, Math.floor(left / 10)) : Infinity;
  const redialAt = Math.max(openedAt + SOONEST_REDIAL_MS, Math.min(openedAt + LIFETIME_MS, end));
  return {
    ...state,
    current: newCurrent("online", null, { openedAt }),
    next: null,
    schedule: { heartbeatMs, heartbeatAt: now + heartbeatMs, redialAt },
  };
}

/**
 * @param {State} state
 * @param {Other | undefined} socket
 * @param {number} now
 * @param {number} random
 * @returns {Step}
 */
function handleClose(state, socket, now, random) {
  const { next } = state;
  if (socket === "old") return [{ ...state, oldUntil: null }, []];
  if (socket === undefined) return loseCurrent(state, now, random);
  return next === null || next.phase === "waiting"
    ? [state, []]
    : failNext(state, next, now, random);
}

/**
 * @param {State} state
 * @returns {Output[]}
 */
function closeAll({ current, next, oldUntil }) {
  const isUp = current.phase !== "idle" && current.phase !== "waiting";
  /** @type {Output[]} */
  const outputs = [];
  if (isUp) outputs.push({ do: "close" });
  if (next !== null && next.phase !== "waiting") outputs.push({ do: "close", socket: "next" });
  if (oldUntil !== null) outputs.push({ do: "close", socket: "old" });
  if (isUp) outputs.push({ do: "state", state: "offline" });
  return outputs;
}

/**
 * The token of a socket is refused or has expired.
 *
 * @param {State} state
 * @param {Other | undefined} socket
 * @param {boolean} isOpen whether that socket is still open
 * @returns {Step}
 */
function handleRefusal(state, socket, isOpen) {
  const { next } = state;
  if (socket === "old") return [state, []];
  if (socket === "next") return handleNextRefusal(state, isOpen);
  if (isDown(state)) return [state, []];
  if (next !== null && next.phase !== "waiting") {
    const [adopted, outputs] = adoptNext(state, next);
    return [adopted, [{ do: "close" }, ...outputs]];
  }
  const isNeeded = (/** @type {Output} */ output) =>
    isOpen || output.do !== "close" || output.socket !== undefined;
  return [IDLE, [...closeAll(state).filter(isNeeded), { do: "sign-in" }]];
}

/**
 * @param {State} state
 * @param {boolean} isOpen
 * @returns {Step}
 */
function handleNextRefusal(state, isOpen) {
  const { current, next } = state;
  if (next === null || next.phase === "waiting") return [state, []];
  if (current.isSilent) {
    const open = isOpen ? state : { ...state, next: null };
    return [IDLE, [...closeAll(open), { do: "sign-in" }]];
  }
  /** @type {Output[]} */
  const closes = isOpen ? [{ do: "close", socket: "next" }] : [];
  const { failures } = next;
  const waiting = /** @type {const} */ ({ phase: "waiting", dueAt: null, openedAt: 0, failures });
  return [{ ...state, next: waiting }, [...closes, { do: "sign-in" }]];
}
