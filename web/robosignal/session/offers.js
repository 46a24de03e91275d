/**
 * What an engagement does of its own: offer, wait, relay, renew, end. Pure; it never knows why.
 */

import { settleMedia } from "./media.js";

/** @import { Effect, Engagement, Moment, Stepped } from "./machine.js" */
/** @import { ErrorFrame } from "../types.js" */

export const RETRY_MS = 2_000;
export const LINK_MS = 15_000;
/** So long at most an application awaits whether it may drive or watch: a redial, ICE servers and an offer fit into it. */
export const ASK_MS = 30_000;
const LONGEST_RETRY_MS = 10_000;
const LONGEST_PATHLESS_MS = 60_000;
const ANSWER_MS = 10_000;
const OFFER_FRESH_MS = 30_000;
const HOLDER_RENEWS_MS = 20_000;
const VIEWER_RENEWS_MS = 120_000;

/**
 * Offer with a new peer connection, now or as soon as there is a connection to offer on.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
export function begin(state, at) {
  const anew = {
    ...state,
    pcId: at.id,
    openedAt: at.now,
    acked: false,
    offered: false,
    rejoins: false,
    withdrawn: false,
    offer: null,
    held: [],
    early: [],
    ice: "new",
    iceLostAt: null,
    pongAt: null,
    channelClosedAt: null,
    isCut: false,
    absent: false,
    answerAt: at.now + LINK_MS,
    linkAt: null,
    pathAt: null,
    declared: [],
    arrived: [],
    networks: [],
    retryAt: null,
  };
  if (!state.online)
    return [{ ...anew, phase: "idle", pcId: null, answerAt: null }, [{ do: "close" }]];
  return [{ ...anew, phase: "offering" }, [{ do: "open", pcId: at.id }]];
}

/**
 * @param {Engagement} state
 * @param {string | null} why
 * @returns {Stepped}
 */
export function end(state, why) {
  const bye = state.sessionId
    ? [{ do: /** @type {const} */ ("send"), frame: { type: "bye", sessionId: state.sessionId } }]
    : [];
  return [
    {
      ...state,
      phase: "ended",
      why,
      sessionId: null,
      role: null,
      lostTo: why === null ? null : state.lostTo,
      pcId: null,
      moving: false,
      isCut: false,
    },
    [...bye, { do: "close" }],
  ];
}

/**
 * Try again in a moment. An offer that was never taken is kept for that while it is fresh.
 *
 * @param {Engagement} state
 * @param {string} why
 * @param {Moment} at
 * @returns {Stepped}
 */
export function rest(state, why, at) {
  const kept = state.offer !== null && !state.acked && at.now - state.openedAt < OFFER_FRESH_MS;
  // A robot may come back at any moment; a network without a path seldom changes.
  const longest = state.pathless ? LONGEST_PATHLESS_MS : LONGEST_RETRY_MS;
  const retryAt = at.now + Math.min(longest, RETRY_MS * 2 ** state.tries);
  const phase = /** @type {const} */ ("waiting");
  const next = {
    ...state,
    phase,
    why,
    retryAt,
    tries: state.tries + 1,
    answerAt: null,
    linkAt: null,
    offered: false,
  };
  return kept ? [next, []] : [{ ...next, offer: null, pcId: null }, [{ do: "close" }]];
}

/**
 * @param {Engagement} state
 * @param {ErrorFrame | null} error
 * @param {Effect[]} [effects]
 * @returns {Stepped}
 */
export function settle(state, error, effects = []) {
  if (!state.asked) return [state, effects];
  return [{ ...state, asked: false }, [...effects, { do: "settle", error }]];
}

/**
 * Take the session up again after a loss, or begin.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
export function cameOnline(state, at) {
  return state.sessionId === null ? begin(state, at) : resume(state, "resume");
}

/**
 * Take the session along to another connection; nothing was lost, so nothing begins anew.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
export function move(state, at) {
  if (!state.moving || !state.online) return [state, []];
  return state.sessionId === null ? settled(state, at) : resume(state, "move");
}

/**
 * @param {Engagement} state
 * @param {"resume" | "move"} to
 * @returns {Stepped}
 */
function resume(state, to) {
  const frame = { type: "resume", sessionId: state.sessionId };
  return [{ ...state, moving: true, renewAt: null }, [{ do: "request", to, pcId: null, frame }]];
}

/**
 * The server knows the session on this connection: what waited for that goes out.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
export function settled(state, at) {
  const [next, effects] = flush({ ...state, moving: false });
  const [after, sent] = sendUnsent(next, at);
  return [after, [...effects, ...sent]];
}

/**
 * A takeover, or a request for control, has its reply: the offer that waited for it goes out.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
export function claimed(state, at) {
  return sendUnsent({ ...state, claims: Math.max(0, state.claims - 1) }, at);
}

/**
 * @param {Engagement} state whether a peer connection was opened, and its offer has yet to go out
 */
export const isUnsent = ({ phase, acked, offered }) => phase === "offering" && !acked && !offered;

/**
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
function sendUnsent(state, at) {
  return isUnsent(state) && state.offer !== null ? sendOffer(state, at) : [state, []];
}

/**
 * @param {Engagement} state
 * @returns {Stepped}
 */
export function flush(state) {
  if (!state.acked) return [state, []];
  let [next, effects] = /** @type {Stepped} */ ([{ ...state, held: [] }, []]);
  for (const { to, type, payload } of state.held) {
    const [after, sent] = relay(next, type, payload, to);
    [next, effects] = [after, [...effects, ...sent]];
  }
  return [next, effects];
}

/**
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
export function sendOffer(state, at) {
  const { robotId, want, pcId, offer } = state;
  if (!state.online)
    return rest(state, "The connection to the server is lost. Waiting for it.", at);
  const frame = { type: "offer", robotId, role: want, pcId, payload: offer };
  const isHeld = state.moving || state.claims > 0;
  const answerAt = at.now + (isHeld ? LINK_MS : ANSWER_MS);
  const offering = { ...state, phase: /** @type {const} */ ("offering"), answerAt, retryAt: null };
  // Before the session has moved, an offer would open a second one; before a takeover's reply, one
  // to watch would release the control that is just being won.
  if (isHeld) return [offering, []];
  return [{ ...offering, offered: true }, [{ do: "request", to: "offer", pcId, frame }]];
}

/**
 * @param {Engagement} state
 * @param {RTCIceCandidateInit} payload
 * @returns {Stepped}
 */
export function sendCandidate(state, payload) {
  // Before the ack there is no session, and a relay needs one.
  return state.acked
    ? relay(state, "ice-candidate", payload)
    : [hold(state, "relay", "ice-candidate", payload), []];
}

/**
 * A reply is awaited: a session moves to another connection only after it, lest the move overtakes
 * what is relayed; and what is lost with a connection is relayed once more on the next.
 *
 * @param {Engagement} state
 * @param {string} type
 * @param {object} payload
 * @param {"relay" | "again"} [to]
 * @returns {Stepped}
 */
export function relay(state, type, payload, to = "relay") {
  const { robotId, sessionId, pcId } = state;
  if (sessionId === null) return [state, []];
  if (!state.online || state.moving) return [hold(state, to, type, payload), []];
  const seq = state.seq + 1;
  return [
    { ...state, seq },
    [{ do: "request", to, pcId, frame: { type, robotId, sessionId, pcId, seq, payload } }],
  ];
}

/**
 * @param {Engagement} state
 * @param {"relay" | "again"} to
 * @param {string} type
 * @param {object} payload
 * @returns {Engagement}
 */
function hold(state, to, type, payload) {
  return { ...state, held: [...state.held, { to, type, payload }] };
}

/**
 * @param {Engagement} state
 * @param {string} ice
 * @param {Moment} at
 * @returns {Engagement}
 */
export function pathChanged(state, ice, at) {
  if (ice === "connected") {
    const open = { ...state, ice, iceLostAt: null, linkAt: null, pathAt: state.pathAt ?? at.now };
    return state.phase === "linked" ? flowing(open) : open;
  }
  const lost = ice === "disconnected" || ice === "failed" || ice === "closed";
  return { ...state, ice, iceLostAt: lost ? (state.iceLostAt ?? at.now) : state.iceLostAt };
}

/**
 * @param {Engagement} state
 * @returns {Engagement} there is a path
 */
export const flowing = (state) => settleMedia({ ...state, tries: 0, pathless: false });

/**
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Engagement}
 */
export function renewedAt(state, at) {
  return {
    ...state,
    renewAt: at.now + (state.role === "controller" ? HOLDER_RENEWS_MS : VIEWER_RENEWS_MS),
  };
}

/**
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
export function renew(state, at) {
  if (state.sessionId === null || !state.online) return [state, []];
  if (state.moving) return move(state, at);
  const frame = { type: "ping", sessionId: state.sessionId };
  return [renewedAt(state, at), [{ do: "request", to: "renew", pcId: null, frame }]];
}
