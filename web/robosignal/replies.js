/**
 * What the server's replies mean for an engagement: let in, refused, resumed. Pure.
 */

import { RETRY_MS, begin, end, flush, renewedAt, rest, sendOffer, settle, settled } from "./moves.js";
import { LEFT } from "./pushes.js";

/** @import { Effect, Engagement, Moment, Stepped, To } from "./engagement.js" */
/** @import { Ack, ErrorFrame, Pong } from "./words.js" */

/** Errors that another try may mend; all others end the engagement. */
const PASSING = new Set([
  "robot_offline", "peer_gone", "no_session", "too_many_viewers", "rate_limited", "try_again", "internal",
  "token_expired", "timeout", "offline",
]);

/** @param {Engagement} state @param {{to: To, frame: Ack | Pong | ErrorFrame}} reply @param {Moment} at @returns {Stepped} */
export function replied(state, { to, frame }, at) {
  if (to === "offer") {
    if (frame.type === "ack") return admitted(state, frame, at);
    return frame.type === "error" ? failed(state, frame, at) : [state, []];
  }
  if (frame.type === "error") return unrenewed(state, to, frame, at);
  return to !== "renew" && frame.type === "ack" ? resumed(state, to, frame, at) : [state, []];
}

/** @param {Engagement} state @param {To} to @param {ErrorFrame} error @param {Moment} at @returns {Stepped} */
function unrenewed(state, to, error, at) {
  // A refused resume that no other try mends means the same: the session is none of ours.
  const gone = error.code === "no_session" || (to !== "renew" && !PASSING.has(error.code));
  if (gone) return begin({ ...state, sessionId: null, moving: false }, at);
  if (to === "resume" && state.phase !== "linked") return begin({ ...state, moving: false }, at);
  // Any other failure is told apart by the next renewal, or the next try to move, which is soon.
  return [{ ...state, moving: state.moving && to === "move", renewAt: at.now + RETRY_MS }, []];
}

/** @param {Engagement} state @param {Ack} ack @param {Moment} at @returns {Stepped} */
function admitted(state, ack, at) {
  const open = { ...hold(state, ack, at), acked: true, joined: true };
  /** @type {Effect[]} */
  const effects = open.role === "viewer" ? [{ do: "look" }] : [];
  const [next, told] = settle(open, null, effects);
  const [flushed, sent] = flush(next);
  return [flushed, [...told, ...sent]];
}

/**
 * The session as the server's ack names it.
 *
 * @param {Engagement} state
 * @param {Ack} ack
 * @param {Moment} at
 * @returns {Engagement}
 */
function hold(state, ack, at) {
  const held = ack.role ?? state.want;
  return renewedAt({
    ...state,
    sessionId: ack.sessionId ?? state.sessionId,
    seq: ack.sessionId === state.sessionId ? state.seq : 0,
    epoch: ack.epoch ?? state.epoch,
    role: held,
    want: held,
    lostTo: held === "controller" ? null : state.lostTo,
  }, at);
}

/** @param {Engagement} state @param {"resume" | "move"} to @param {Ack} ack @param {Moment} at @returns {Stepped} */
function resumed(state, to, ack, at) {
  const held = hold(state, ack, at);
  // What was under way at a loss may be lost as well.
  if (to === "resume" && state.phase !== "linked") return begin({ ...held, moving: false }, at);
  const [next, effects] = settled(held, at);
  return [next, next.role === "viewer" ? [...effects, { do: "look" }] : effects];
}

/**
 * An offer was refused.
 *
 * @param {Engagement} state
 * @param {ErrorFrame} error
 * @param {Moment} at
 * @returns {Stepped}
 */
export function failed(state, error, at) {
  if (error.code === "robot_busy" && state.want === "controller" && state.joined) return watchInstead(state, error, at);
  const lost = error.code === "offline";
  if (!state.joined && !lost) return refuse(state, error);
  if (!PASSING.has(error.code)) return refuse(state, error);
  // Who asked to drive is told no: nobody should find themselves driving a minute later.
  const want = state.asked && !lost ? (state.role ?? "viewer") : state.want;
  const [settled, told] = lost ? [state, []] : settle({ ...state, want }, error);
  const away = error.code === "robot_offline" || error.code === "peer_gone";
  const [next, effects] = rest(settled, away ? LEFT.unregistered : error.message, at);
  return [next, [...told, ...effects]];
}

/** @param {Engagement} state @param {ErrorFrame} error @returns {Stepped} */
function refuse(state, error) {
  const [settled, told] = settle(state, error);
  const [next, effects] = end(settled, error.message);
  return [next, [...effects, ...told]];
}

/**
 * The lease that we had, or asked for, is another's: the same offer does for a viewer.
 *
 * @param {Engagement} state
 * @param {ErrorFrame} error
 * @param {Moment} at
 * @returns {Stepped}
 */
function watchInstead(state, error, at) {
  const driver = error.controlledBy ?? null;
  const lostTo = state.role === "controller" && !error.you ? driver : state.lostTo;
  const viewer = { ...state, want: /** @type {const} */ ("viewer"), role: /** @type {const} */ ("viewer"), driver, lostTo };
  const [settled, told] = settle(viewer, error);
  const [next, effects] = sendOffer(settled, at);
  return [next, [...told, ...effects]];
}
