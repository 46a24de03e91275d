/**
 * Offers: when one goes out, when it's tried again, and what is relayed with it.
 */

import { clearReason } from "./media.js";
import { change, newPeer } from "./state.js";

/** @import { Effect, Step } from "./machine.js" */
/** @import { Moment, State } from "./state.js" */
/** @import { ErrorFrame } from "../types.js" */

export const RETRY_MS = 2_000;
export const PATH_MS = 15_000;
const LONGEST_RETRY_MS = 10_000;
const LONGEST_PATHLESS_MS = 60_000;
const ANSWER_MS = 10_000;
const OFFER_FRESH_MS = 30_000;
const FIRST_REPEAT_MS = 2_000;
const LONGEST_REPEAT_MS = 30_000;

/**
 * Offer with a new peer connection, now or as soon as signaling is up.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
export function beginOffer(state, at) {
  const { now, id } = at;
  const next = change(change(state, "call", { isWithdrawn: false }), "retry", { at: null });
  if (!state.online) {
    const peer = newPeer(null, { openedAt: now, answerAt: null });
    return [{ ...next, phase: "idle", peer }, [{ do: "close" }]];
  }
  const peer = newPeer(id, { openedAt: now, answerAt: now + PATH_MS });
  return [{ ...next, phase: "offering", peer }, [{ do: "open", pcId: id }]];
}

/**
 * Offer again in a moment. An offer that the server hasn't taken is kept for that while it's fresh.
 *
 * @param {State} state
 * @param {string} why
 * @param {Moment} at
 * @returns {Step}
 */
export function retryLater(state, why, at) {
  const { peer, retry } = state;
  const isKept = peer.offer !== null && !peer.isAcked && at.now - peer.openedAt < OFFER_FRESH_MS;
  // A robot may come back at any moment; a network without a path seldom changes.
  const longest = retry.isPathless ? LONGEST_PATHLESS_MS : LONGEST_RETRY_MS;
  const retryAt = at.now + Math.min(longest, RETRY_MS * 2 ** retry.tries);
  const waiting = change(state, "retry", { at: retryAt, tries: retry.tries + 1 });
  const next = { ...waiting, phase: /** @type {const} */ ("waiting"), why };
  const unsent = { isSent: false, answerAt: null, pathDueAt: null };
  if (isKept) return [change(next, "peer", unsent), []];
  return [change(next, "peer", { ...unsent, id: null, offer: null }), [{ do: "close" }]];
}

/**
 * @param {State} state
 * @param {string | null} why null if the application has left
 * @returns {Step}
 */
export function endSession(state, why) {
  const { id } = state.session;
  /** @type {Effect[]} */
  const bye = id === null ? [] : [{ do: "send", frame: { type: "bye", sessionId: id } }];
  const gone = change(state, "session", { id: null, role: null, isMigrating: false });
  const next = change(gone, "control", { lostTo: why === null ? null : state.control.lostTo });
  const peer = newPeer(null, { openedAt: state.peer.openedAt, answerAt: null });
  return [{ ...next, phase: "ended", why, peer }, [...bye, { do: "close" }]];
}

/**
 * Tell the calls that wait for the outcome.
 *
 * @param {State} state
 * @param {ErrorFrame | null} error null if they have what they asked for
 * @param {Effect[]} [effects] what comes before that
 * @returns {Step}
 */
export function settleCall(state, error, effects = []) {
  if (!state.call.isOpen) return [state, effects];
  return [change(state, "call", { isOpen: false }), [...effects, { do: "settle", error }]];
}

/**
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
export function sendOffer(state, at) {
  const { robotId, call, session, control, peer } = state;
  if (!state.online) {
    return retryLater(state, "The connection to the server is lost. Waiting for it.", at);
  }
  // Before the session has migrated, an offer would open a second one; before a takeover's reply, one
  // to view would release the control that is just being won.
  const isHeldBack = session.isMigrating || control.claims > 0;
  const answerAt = at.now + (isHeldBack ? PATH_MS : ANSWER_MS);
  const retrying = change(change(state, "peer", { answerAt }), "retry", { at: null });
  const offering = { ...retrying, phase: /** @type {const} */ ("offering") };
  if (isHeldBack) return [offering, []];
  const pcId = peer.id;
  const frame = { type: "offer", robotId, role: call.want, pcId, payload: peer.offer };
  return [
    change(offering, "peer", { isSent: true }),
    [{ do: "request", to: "offer", pcId, frame }],
  ];
}

/**
 * @param {State} state
 * @returns {boolean} whether a peer connection was opened, and its offer has yet to go out
 */
export const hasUnsentOffer = ({ phase, peer }) =>
  phase === "offering" && !peer.isAcked && !peer.isSent;

/**
 * Send the offer that was held back, if there is one.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
export function sendUnsentOffer(state, at) {
  return hasUnsentOffer(state) && state.peer.offer !== null ? sendOffer(state, at) : [state, []];
}

/**
 * Repeat the offer of the linked peer connection to a robot that refuses our commands though we
 * drive: it hasn't heard of that, and the offer has the epoch. Once an epoch; if that doesn't help,
 * less and less often, however many commands are refused.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
export function repeatOffer(state, at) {
  const { robotId, session, control, peer } = state;
  const pcId = peer.id;
  const last = control.repeat?.epoch === control.epoch ? control.repeat : null;
  const isPossible =
    state.online &&
    !session.isMigrating &&
    state.phase === "linked" &&
    session.id !== null &&
    peer.offer !== null;
  if (!isPossible || (last !== null && at.now < last.againAt)) return [state, []];
  const waitMs = last === null ? FIRST_REPEAT_MS : Math.min(LONGEST_REPEAT_MS, 2 * last.waitMs);
  const frame = {
    type: "offer",
    robotId,
    sessionId: session.id,
    role: "controller",
    pcId,
    payload: peer.offer,
  };
  return [
    change(state, "control", {
      repeat: { epoch: control.epoch, againAt: at.now + waitMs, waitMs },
    }),
    [{ do: "request", to: "repeat", pcId, frame }],
  ];
}

/**
 * @param {State} state
 * @param {RTCIceCandidateInit} payload
 * @returns {Step}
 */
export function sendCandidate(state, payload) {
  // Before the ack there is no session, and a relay needs one.
  if (state.peer.isAcked) return relay(state, "ice-candidate", payload);
  return [queue(state, "relay", "ice-candidate", payload), []];
}

/**
 * Relay a frame to the robot. The session migrates to another socket only after the reply, so that it
 * can't overtake what is relayed; and what is lost with a socket is relayed once more on the next.
 *
 * @param {State} state
 * @param {string} type
 * @param {object} payload
 * @param {"relay" | "relay-again"} [to]
 * @returns {Step}
 */
export function relay(state, type, payload, to = "relay") {
  const { robotId, session, peer } = state;
  if (session.id === null) return [state, []];
  if (!state.online || session.isMigrating) return [queue(state, to, type, payload), []];
  const pcId = peer.id;
  const seq = session.seq + 1;
  const frame = { type, robotId, sessionId: session.id, pcId, seq, payload };
  return [change(state, "session", { seq }), [{ do: "request", to, pcId, frame }]];
}

/**
 * @param {State} state
 * @param {"relay" | "relay-again"} to
 * @param {string} type
 * @param {object} payload
 * @returns {State}
 */
function queue(state, to, type, payload) {
  return change(state, "peer", { outbox: [...state.peer.outbox, { to, type, payload }] });
}

/**
 * Relay what has waited for the server's ack, or for a socket.
 *
 * @param {State} state
 * @returns {Step}
 */
export function flushOutbox(state) {
  if (!state.peer.isAcked) return [state, []];
  let [next, effects] = /** @type {Step} */ ([change(state, "peer", { outbox: [] }), []]);
  for (const { to, type, payload } of state.peer.outbox) {
    const [after, sent] = relay(next, type, payload, to);
    [next, effects] = [after, [...effects, ...sent]];
  }
  return [next, effects];
}

/**
 * @param {State} state
 * @param {string} ice the browser's `connectionState`
 * @param {Moment} at
 * @returns {State}
 */
export function updatePath(state, ice, at) {
  const { iceLostAt, pathAt } = state.peer;
  if (ice !== "connected") {
    const isLost = ice === "disconnected" || ice === "failed" || ice === "closed";
    return change(state, "peer", { ice, iceLostAt: isLost ? (iceLostAt ?? at.now) : iceLostAt });
  }
  const open = { ice, iceLostAt: null, pathDueAt: null, pathAt: pathAt ?? at.now };
  const next = change(state, "peer", open);
  return state.phase === "linked" ? confirmPath(next) : next;
}

/**
 * There is a path: the next loss begins with short waits again.
 *
 * @param {State} state
 * @returns {State}
 */
export const confirmPath = (state) =>
  clearReason(change(state, "retry", { tries: 0, isPathless: false }));
