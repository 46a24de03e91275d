/**
 * How one socket follows another: the next one, dialled before the current one ends or because it
 * is silent, and the first one after a loss. Pure; it never knows how a socket is greeted.
 */

/** @import { Dialed, DialOutput, Dialing, Next } from "./dialing.js" */

export const HANDSHAKE_MS = 10_000;
const SHORTEST_REST_MS = 500;
const LONGEST_REST_MS = 30_000;
/** So long may a server take for a reply, to begin with. */
const SILENCE_MS = 5_000;
/** A driver asks every 20 s and holds a lease of 60 s: with a handshake after that it still stands. */
const LONGEST_SILENCE_MS = 20_000;
const QUIET_MS = 5 * 60_000;

/** @typedef {{ms: number, since: number}} Patience with a server that has been slow */

/** @type {Patience} */
export const PATIENCE = Object.freeze({ ms: SILENCE_MS, since: 0 });

/** @param {Dialing} state @param {number} now @returns {number} for so many ms may the server owe an answer */
export function patienceAt({ patience }, now) {
  return now - patience.since < QUIET_MS ? patience.ms : SILENCE_MS;
}

/**
 * What was taken for silence may have been slowness, and another socket is no faster: the next
 * silence must last longer to count.
 *
 * @param {Dialing} state
 * @param {number} now
 * @returns {Dialing}
 */
export function morePatient(state, now) {
  return { ...state, patience: { ms: Math.min(LONGEST_SILENCE_MS, 2 * patienceAt(state, now)), since: now } };
}

/** @param {Dialing} state @param {number} now @returns {Dialed} */
export function dialNext(state, now) {
  return [{ ...state, next: { phase: "dialing", due: now + HANDSHAKE_MS, openedAt: 0 } }, [{ do: "dial", role: "next" }]];
}

/** @param {Dialing} state @param {number} now @returns {Dialed} */
export function redial(state, now) {
  const due = state.phase === "online" && state.next === null && state.oldUntil === null && now >= state.redialAt;
  return due ? dialNext(state, now) : [state, []];
}

/**
 * The current socket has not answered. It may be dead without a word, so the next one is dialled at
 * once; until that stands, or cannot be had, it is listened to: it may only have been slow.
 *
 * @param {Dialing} state
 * @param {number} now
 * @returns {Dialed}
 */
export function doubt(state, now) {
  if (state.phase !== "online" || state.silent) return [state, []];
  const [quiet, closes] = drained({ ...state, silent: true }, [{ do: "close", socket: "old" }]);
  /** @type {DialOutput[]} */
  const outputs = [...closes, { do: "state", state: "connecting" }];
  if (quiet.next !== null && quiet.next.phase !== "resting") return [quiet, outputs];
  const [next, dials] = dialNext(quiet, now);
  return [next, [...outputs, ...dials]];
}

/**
 * The current socket was only slow: a next one that was dialled for its silence alone is not needed.
 *
 * @param {Dialing} state
 * @param {number} now
 * @returns {Dialed}
 */
export function trust(state, now) {
  const heard = morePatient({ ...state, silent: false }, now);
  if (state.next === null || now >= state.redialAt) return [heard, [{ do: "state", state: "online" }]];
  return [{ ...heard, next: null, nextAttempt: 0 }, [{ do: "close", socket: "next" }, { do: "state", state: "online" }]];
}

/** @param {Dialing} state @param {number} now @param {number} random @returns {Dialed} */
export function endNextsWait(state, now, random) {
  const { next } = state;
  if (next === null || next.due === null || now < next.due) return [state, []];
  if (next.phase === "resting") return dialNext(state, now);
  const [after, outputs] = failNext(state, now, random);
  return [after, [{ do: "close", socket: "next" }, ...outputs]];
}

/**
 * The next socket cannot be had: with a current one that is silent, that is a loss.
 *
 * @param {Dialing} state
 * @param {number} now
 * @param {number} random
 * @returns {Dialed}
 */
export function failNext(state, now, random) {
  if (state.silent) {
    const [next, outputs] = lost({ ...state, next: null }, now, random);
    return [next, [{ do: "close" }, ...outputs]];
  }
  const nextAttempt = state.nextAttempt + 1;
  return [{ ...state, nextAttempt, next: { phase: "resting", due: now + rest(nextAttempt, random), openedAt: 0 } }, []];
}

/** @param {Dialing} state @param {number} now @param {number} random @returns {Dialed} the current socket is gone */
export function lost(state, now, random) {
  if (state.phase === "idle" || state.phase === "resting") return [state, []];
  if (state.next !== null && state.next.phase !== "resting") return adopt(state, state.next);
  const attempt = state.attempt + 1;
  return [
    { ...state, phase: "resting", attempt, due: now + rest(attempt, random), next: null, nextAttempt: 0, silent: false },
    [{ do: "state", state: "offline" }],
  ];
}

/** @param {Dialing} state @param {Next} next @returns {Dialed} */
export function adopt(state, { phase, due, openedAt }) {
  return [
    { ...state, phase, due, openedAt, attempt: 0, next: null, nextAttempt: 0, silent: false },
    [{ do: "adopt" }, { do: "state", state: "offline" }, { do: "state", state: "connecting" }],
  ];
}

/** @param {Dialing} state @param {number} now @returns {Dialed} */
export function endDrain(state, now) {
  return state.oldUntil !== null && now >= state.oldUntil ? drained(state, [{ do: "close", socket: "old" }]) : [state, []];
}

/** @param {Dialing} state @param {DialOutput[]} outputs @returns {Dialed} */
export function drained(state, outputs) {
  return state.oldUntil === null ? [state, []] : [{ ...state, oldUntil: null }, outputs];
}

/** @param {number} attempt @param {number} random @returns {number} full jitter, whole ms */
function rest(attempt, random) {
  const longest = Math.min(LONGEST_REST_MS, SHORTEST_REST_MS * 2 ** attempt);
  return Math.floor(SHORTEST_REST_MS + random * (longest - SHORTEST_REST_MS));
}
