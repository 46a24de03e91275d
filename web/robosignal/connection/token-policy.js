/**
 * Whether the server has refused a token. A browser doesn't tell a page why a handshake failed, so
 * this weighs the signs. The clock of this machine, which may be wrong, decides nothing alone.
 */

/** Failed handshakes in a row that are a sign: an overloaded server lets one of them through. */
const MANY_FAILURES = 3;
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/**
 * For a token that only signs refuse, and that hasn't expired: a proxy before a server that is away
 * gives the same signs.
 */
const LONGEST_UNSURE_PAUSE_MS = 60_000;

/**
 * @typedef {object} TokenState
 * @property {string} token the one that was dialled last
 * @property {number} failures failed handshakes with it in a row
 * @property {boolean} isRefused whether the server has refused it, as far as can be seen
 * @property {boolean} isExpired whether the server itself has said so
 * @property {number} pauseMs the next pause
 * @property {number} pausedUntil it isn't dialled before that, in ms
 */

/** @type {TokenState} */
export const ACCEPTED = Object.freeze({
  token: "",
  failures: 0,
  isRefused: false,
  isExpired: false,
  pauseMs: FIRST_PAUSE_MS,
  pausedUntil: -Infinity,
});

/**
 * Count a failed handshake. Two of three signs make a refusal: a plain request reaches the server, the
 * token has expired by the clock of this machine, and it's the third failure in a row. So a clock that
 * is wrong is outvoted by a server that is out of reach or overloaded, and a token that was refused for
 * another reason, or has expired by the server's clock, is found too.
 *
 * A refused token is still tried, more and more rarely: the server decides, and may have had a fault.
 *
 * @param {TokenState} state
 * @param {string} token
 * @param {{isReached: boolean, hasExpired: boolean, now: number}} signs `now` in ms
 * @returns {TokenState}
 */
export function countFailure(state, token, { isReached, hasExpired, now }) {
  const before = state.token === token ? state : { ...ACCEPTED, token };
  const failures = before.failures + 1;
  const signs = [isReached, hasExpired, failures >= MANY_FAILURES].filter(Boolean).length;
  if (!before.isRefused && signs < 2) return { ...before, failures };
  const isSure = hasExpired || before.isExpired;
  const pauseMs = Math.min(isSure ? LONGEST_PAUSE_MS : LONGEST_UNSURE_PAUSE_MS, before.pauseMs);
  return { ...before, failures, isRefused: true, pauseMs: 2 * pauseMs, pausedUntil: now + pauseMs };
}

/**
 * @param {string} token of which the server itself has said that it has expired
 * @returns {TokenState}
 */
export const markExpired = (token) => ({ ...ACCEPTED, token, isRefused: true, isExpired: true });

/**
 * @param {TokenState} state
 * @param {string} token
 * @param {number} now ms
 * @returns {boolean} whether the token waits for its next try
 */
export const isPaused = (state, token, now) => state.token === token && now < state.pausedUntil;

/**
 * @param {string} token
 * @param {number} nowMs epoch ms by the clock of this machine
 * @returns {boolean} whether a JWT has expired by that clock (RFC 7519, section 4.1.4); a token that
 *   can't be read counts as valid, since the server judges
 */
export function hasExpired(token, nowMs) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return Number.isFinite(claims.exp) && claims.exp * 1000 <= nowMs;
  } catch {
    return false;
  }
}
