/**
 * Whether the server has refused a token. A browser does not tell a page why a handshake failed,
 * so this weighs the signs. Pure; this machine's clock alone decides nothing.
 */

/** Handshakes in a row that fail: an overloaded server lets one of them through. */
const MANY = 3;
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** For a token that is refused by signs alone, and has not ended: a proxy before a server that is away gives the same. */
const LONGEST_DOUBT_MS = 60_000;

/**
 * @typedef {object} Suspicion
 * @property {string} token the one that was dialled last
 * @property {number} failures handshakes with it that failed, since one succeeded
 * @property {boolean} isRefused whether the server has refused it, as far as can be seen
 * @property {boolean} isOver whether the server itself has said so
 * @property {number} pauseMs
 * @property {number} pausedUntil it is dialled no more before that, ms
 */

/** @type {Suspicion} */
export const TRUSTED = Object.freeze({
  token: "",
  failures: 0,
  isRefused: false,
  isOver: false,
  pauseMs: FIRST_PAUSE_MS,
  pausedUntil: -Infinity,
});

/**
 * A handshake has failed. Two of three make a refusal: a plain request reaches the server
 * (`isReached`), the token has ended by the clock of this machine (`hasEnded`), and it is the third
 * failure in a row. A clock that is wrong is outvoted by a server that is out of reach or overloaded,
 * and a token that was refused for another reason, or has ended by the server's clock, is found too.
 *
 * A refused token is still tried, more and more rarely: the server decides, and may have had a fault.
 * One that has not ended may be good, while a proxy answers for a server that is away: its pause
 * is a minute at most.
 *
 * @param {Suspicion} state
 * @param {string} token
 * @param {{isReached: boolean, hasEnded: boolean, now: number}} seen `now` in ms
 * @returns {Suspicion}
 */
export function failedWith(state, token, { isReached, hasEnded, now }) {
  const before = state.token === token ? state : { ...TRUSTED, token };
  const failures = before.failures + 1;
  const signs = [isReached, hasEnded, failures >= MANY].filter(Boolean).length;
  if (!before.isRefused && signs < 2) return { ...before, failures };
  const longest = hasEnded || before.isOver ? LONGEST_PAUSE_MS : LONGEST_DOUBT_MS;
  const pauseMs = Math.min(longest, before.pauseMs);
  return { ...before, failures, isRefused: true, pauseMs: 2 * pauseMs, pausedUntil: now + pauseMs };
}

/**
 * The server itself has said that a token is over.
 *
 * @param {string} token
 * @returns {Suspicion}
 */
export const refusedBy = (token) => ({ ...TRUSTED, token, isRefused: true, isOver: true });

/**
 * Whether a token waits for its next try.
 *
 * @param {Suspicion} state
 * @param {string} token
 * @param {number} now ms
 */
export const isPaused = (state, token, now) => state.token === token && now < state.pausedUntil;
