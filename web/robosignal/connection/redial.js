/**
 * How one socket follows another: the next one, dialled before the current one ends or because it
 * is silent, and the first one after a loss. Pure; it never knows how a socket is greeted.
 */

/** @import { Connection, DialOutput, Next, Stepped } from "./machine.js" */

export const HANDSHAKE_MS = 10_000;
const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** So long may a server take for a reply, to begin with. */
const SILENCE_MS = 5_000;
/** A driver asks every 20 s and holds a lease of 60 s: with a handshake after that it still stands. */
const LONGEST_SILENCE_MS = 20_000;
const QUIET_MS = 5 * 60_000;

/** @typedef {{ms: number, since: number}} Patience with a server that has been slow */

/** @type {Patience} */
export const PATIENCE = Object.freeze({ ms: SILENCE_MS, since: 0 });

/**
 * @param {Connection} state
 * @param {number} now
 * @returns {number} for so many ms may the server owe an answer
 */
export function patienceAt({ patience }, now) {
  return now - patience.since < QUIET_MS ? patience.ms : SILENCE_MS;
}

/**
 * What was taken for silence may have been slowness, and another socket is no faster: the next
 * silence must last longer to count.
 *
 * @param {Connection} state
 * @param {number} now
 * @returns {Connection}
 */
export function morePatient(state, now) {
  return {
    ...state,
    patience: { ms: Math.min(LONGEST_SILENCE_MS, 2 * patienceAt(state, now)), since: now },
  };
}

/**
 * @param {Connection} state
 * @param {number} now
 * @returns {Stepped}
 */
export function dialNext(state, now) {
  return [
    { ...state, next: { phase: "dialing", due: now + HANDSHAKE_MS, openedAt: 0 } },
    [{ do: "dial", socket: "next" }],
  ];
}

/**
 * @param {Connection} state
 * @param {number} now
 * @returns {Stepped}
 */
export function redial(state, now) {
  const due =
    state.phase === "online" &&
    state.next === null &&
    state.oldUntil === null &&
    now >= state.redialAt;
  return due ? dialNext(state, now) : [state, []];
}

/**
 * The current socket has not answered. It may be dead without a word, so the next one is dialled at
 * once; until that stands, or cannot be had, it is listened to: it may only have been slow.
 *
 * @param {Connection} state
 * @param {number} now
 * @returns {Stepped}
 */
export function doubt(state, now) {
  if (state.phase !== "online" || state.silent) return [state, []];
  const [quiet, closes] = drained({ ...state, silent: true }, [{ do: "close", socket: "old" }]);
  /** @type {DialOutput[]} */
  const outputs = [...closes, { do: "state", state: "connecting" }];
  if (quiet.next !== null && quiet.next.phase !== "waiting") return [quiet, outputs];
  const [next, dials] = dialNext(quiet, now);
  return [next, [...outputs, ...dials]];
}

/**
 * The current socket was only slow: a next one that was dialled for its silence alone is not needed.
 *
 * @param {Connection} state
 * @param {number} now
 * @returns {Stepped}
 */
export function trust(state, now) {
  const heard = morePatient({ ...state, silent: false }, now);
  if (state.next === null || now >= state.redialAt)
    return [heard, [{ do: "state", state: "online" }]];
  return [
    { ...heard, next: null, nextFailures: 0 },
    [
      { do: "close", socket: "next" },
      { do: "state", state: "online" },
    ],
  ];
}

/**
 * @param {Connection} state
 * @param {number} now
 * @param {number} random
 * @returns {Stepped}
 */
export function endNextsWait(state, now, random) {
  const { next } = state;
  if (next === null || next.due === null || now < next.due) return [state, []];
  if (next.phase === "waiting") return dialNext(state, now);
  const [after, outputs] = failNext(state, now, random);
  return [after, [{ do: "close", socket: "next" }, ...outputs]];
}

/**
 * The next socket cannot be had: with a current one that is silent, that is a loss.
 *
 * @param {Connection} state
 * @param {number} now
 * @param {number} random
 * @returns {Stepped}
 */
export function failNext(state, now, random) {
  if (state.silent) {
    const [next, outputs] = lost({ ...state, next: null }, now, random);
    return [next, [{ do: "close" }, ...outputs]];
  }
  const nextFailures = state.nextFailures + 1;
  return [
    {
      ...state,
      nextFailures,
      next: { phase: "waiting", due: now + waitMs(nextFailures, random), openedAt: 0 },
    },
    [],
  ];
}

/**
 * @param {Connection} state
 * @param {number} now
 * @param {number} random
 * @returns {Stepped} the current socket is gone
 */
export function lost(state, now, random) {
  if (state.phase === "idle" || state.phase === "waiting") return [state, []];
  if (state.next !== null && state.next.phase !== "waiting") return adopt(state, state.next);
  const failures = state.failures + 1;
  return [
    {
      ...state,
      phase: "waiting",
      failures,
      due: now + waitMs(failures, random),
      next: null,
      nextFailures: 0,
      silent: false,
    },
    [{ do: "state", state: "offline" }],
  ];
}

/**
 * @param {Connection} state
 * @param {Next} next
 * @returns {Stepped}
 */
export function adopt(state, { phase, due, openedAt }) {
  return [
    { ...state, phase, due, openedAt, failures: 0, next: null, nextFailures: 0, silent: false },
    [{ do: "adopt" }, { do: "state", state: "offline" }, { do: "state", state: "connecting" }],
  ];
}

/**
 * @param {Connection} state
 * @param {number} now
 * @returns {Stepped}
 */
export function endDrain(state, now) {
  return state.oldUntil !== null && now >= state.oldUntil
    ? drained(state, [{ do: "close", socket: "old" }])
    : [state, []];
}

/**
 * @param {Connection} state
 * @param {DialOutput[]} outputs
 * @returns {Stepped}
 */
export function drained(state, outputs) {
  return state.oldUntil === null ? [state, []] : [{ ...state, oldUntil: null }, outputs];
}

/**
 * @param {number} failures
 * @param {number} random
 * @returns {number} full jitter, whole ms
 */
function waitMs(failures, random) {
  const longest = Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** failures);
  return Math.floor(SHORTEST_WAIT_MS + random * (longest - SHORTEST_WAIT_MS));
}
