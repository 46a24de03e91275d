/**
 * What the server's replies mean for an engagement: let in, refused, resumed. Pure.
 */

import {
  ASK_MS,
  RETRY_MS,
  begin,
  end,
  flush,
  relay,
  renew,
  renewedAt,
  rest,
  sendOffer,
  settle,
  settled,
} from "./offers.js";
import { LEFT } from "./frames.js";
import { free, isOvertaken, stand } from "./standing.js";
import { never } from "../errors.js";

/** @import { Effect, Engagement, Happening, Moment, Stepped } from "./machine.js" */
/** @import { Ack, ErrorFrame, OutFrame, Pong, Role } from "../types.js" */
/** @typedef {Extract<Happening, {type: "reply"}>} Replied */

/** Errors that another try may mend; all others end the engagement. */
const PASSING = new Set([
  "robot_offline",
  "peer_gone",
  "no_session",
  "too_many_viewers",
  "rate_limited",
  "try_again",
  "internal",
  "token_expired",
  "timeout",
  "offline",
]);
/** Errors that only say over which connection, or when, something was sent. */
const UNSENT = new Set(["no_session", "offline", "timeout", "try_again"]);
/** Errors that are made here: the server has told nothing. */
const UNHEARD = new Set(["offline", "timeout"]);

/**
 * @param {Engagement} state
 * @param {Replied} reply
 * @param {Moment} at
 * @returns {Stepped}
 */
export function replied(state, { to, sent, asOf = 0, frame }, at) {
  switch (to) {
    case "offer":
      if (frame.type === "ack") return admitted({ ...state, offered: false }, frame, asOf, at);
      return frame.type === "error"
        ? failed({ ...state, offered: false }, frame, asOf, at)
        : [state, []];
    case "resume":
    case "move":
      if (frame.type === "ack") return resumed(state, to, frame, asOf, at);
      return frame.type === "error" ? unmoved(state, to, sent, frame, at) : [state, []];
    case "renew":
      if (frame.type === "pong") return learn(state, frame, at);
      return frame.type === "error" ? unrenewed(state, sent, frame, at) : [state, []];
    case "cure":
      if (frame.type === "ack") return cured(state, frame, asOf, at);
      return frame.type === "error" ? uncured(state, sent, frame, at) : [state, []];
    case "relay":
      return frame.type === "error" && UNSENT.has(frame.code)
        ? relayAgain(state, sent)
        : [state, []];
    case "again":
      return [state, []];
    default:
      return never(to);
  }
}

/**
 * What is due once the engagement has ended: whoever was let in after they had left says goodbye,
 * lest they hold what nobody renews.
 *
 * @param {Happening} event
 * @returns {Effect[]}
 */
export function farewell(event) {
  const admits = event.type === "reply" && ["offer", "resume", "move"].includes(event.to);
  const frame = event.type === "took" ? event.ack : admits ? event.frame : null;
  if (frame?.type !== "ack" || frame.sessionId === undefined) return [];
  return [{ do: "send", frame: { type: "bye", sessionId: frame.sessionId } }];
}

/**
 * @param {Engagement} state
 * @param {OutFrame} sent
 * @returns {Stepped}
 */
function relayAgain(state, { type, sessionId, payload }) {
  return sessionId === state.sessionId
    ? relay(state, type, /** @type {object} */ (payload), "again")
    : [state, []];
}

/**
 * The session is none of ours any more.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
const gone = (state, at) => begin({ ...state, sessionId: null, moving: false }, at);

/**
 * @param {Engagement} state
 * @param {OutFrame} sent
 * @param {ErrorFrame} error
 * @param {Moment} at
 * @returns {Stepped}
 */
function unrenewed(state, { sessionId }, error, at) {
  if (sessionId !== state.sessionId) return [state, []];
  // Any other failure is told apart by the next renewal, which is soon.
  return error.code === "no_session"
    ? gone(state, at)
    : [{ ...state, renewAt: at.now + RETRY_MS }, []];
}

/**
 * @param {Engagement} state
 * @param {"resume" | "move"} to
 * @param {OutFrame} sent
 * @param {ErrorFrame} error
 * @param {Moment} at
 * @returns {Stepped}
 */
function unmoved(state, to, { sessionId }, error, at) {
  if (sessionId !== state.sessionId) return settled(state, at);
  // A refusal that no other try mends means the same as that there is no such session.
  if (error.code === "no_session" || !PASSING.has(error.code)) return gone(state, at);
  if (to === "resume" && state.phase !== "linked") return begin({ ...state, moving: false }, at);
  return [{ ...state, moving: to === "move", renewAt: at.now + RETRY_MS }, []];
}

/**
 * How the session stands by a renewal's reply: a frame that said so before may have been lost.
 *
 * @param {Engagement} state
 * @param {Pong} pong
 * @param {Moment} at
 * @returns {Stepped}
 */
function learn(state, { sessionId, role, epoch }, at) {
  if (
    role === undefined ||
    epoch === undefined ||
    sessionId !== state.sessionId ||
    epoch < state.epoch
  )
    return [state, []];
  if (epoch === state.epoch && role === state.role && !state.stale) return [state, []];
  const next = stand(state, role, epoch, at);
  return [next, role === "viewer" ? [{ do: "look" }] : []];
}

/**
 * @param {Engagement} state
 * @param {Ack} ack
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Stepped}
 */
function admitted(state, ack, asOf, at) {
  // It tells of the session that control was lost with since.
  if (state.rejoins && (ack.epoch ?? 0) < state.epoch) return begin(state, at);
  if (state.withdrawn) return admittedLate({ ...state, withdrawn: false }, ack, asOf, at);
  const open = { ...hold(state, ack, asOf, at), acked: true, joined: true, rejoins: false };
  /** @type {Effect[]} */
  const effects = open.role === "viewer" ? [{ do: "look" }] : [];
  const [next, told] = settle(open, null, effects);
  const [flushed, sent] = flush(next);
  // A push of a higher epoch was of the robot's former life, or has overtaken this: the server knows.
  const [sure, asked] =
    open.epoch < state.epoch && state.former !== null ? renew(flushed, at) : [flushed, []];
  return [sure, [...told, ...sent, ...asked]];
}

/**
 * The server granted what the application has withdrawn meanwhile: control goes back, by the same offer as
 * a viewer's.
 *
 * @param {Engagement} state
 * @param {Ack} ack
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Stepped}
 */
function admittedLate(state, ack, asOf, at) {
  if (ack.role !== "controller" || state.role === "controller")
    return admitted(state, ack, asOf, at);
  const viewer = /** @type {const} */ ("viewer");
  return sendOffer({ ...hold(state, ack, asOf, at), role: viewer, want: viewer }, at);
}

/**
 * A call no longer waits for the outcome. If others do, they keep what they asked for, and no more than
 * that. Otherwise a session that never began ends; one that watches goes on watching.
 *
 * @param {Engagement} state
 * @param {Role | null} wanted what the calls that still wait ask for; null when none does
 * @returns {Stepped}
 */
export function withdraw(state, wanted) {
  if (!state.asked || wanted === "controller") return [state, []];
  if (wanted === "viewer")
    return [
      state.want === "viewer" ? state : { ...state, want: wanted, withdrawn: state.offered },
      [],
    ];
  if (!state.joined) return end({ ...state, asked: false }, null);
  return [{ ...state, asked: false, want: state.role ?? "viewer", withdrawn: state.offered }, []];
}

/**
 * The application has waited long enough: its call fails with `timeout` or `offline`, and its request is withdrawn.
 *
 * @param {Engagement} state
 * @returns {Stepped}
 */
export function expire(state) {
  const seconds = ASK_MS / 1000;
  /** @type {ErrorFrame} */
  const error = state.online
    ? {
        type: "error",
        code: "timeout",
        message: `The robot could not be joined within ${seconds} seconds. Try again.`,
      }
    : {
        type: "error",
        code: "offline",
        message: `The server could not be reached within ${seconds} seconds. Try again when it is back.`,
      };
  if (!state.joined) return refuse(state, error);
  const [told, effects] = settle(state, error);
  const [next] = withdraw({ ...told, asked: true }, null);
  return [next, effects];
}

/**
 * The session as the server's ack names it. Who drives by a push that has overtaken the ack drives
 * all the same.
 *
 * @param {Engagement} state
 * @param {Ack} ack
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Engagement}
 */
function hold(state, ack, asOf, at) {
  const sessionId = ack.sessionId ?? state.sessionId;
  const seq = sessionId === state.sessionId ? state.seq : 0;
  const isLate = isOvertaken(state, ack.epoch, asOf);
  const epoch = isLate ? state.epoch : (ack.epoch ?? state.epoch);
  const role = isLate ? roleOf(state, sessionId) : (ack.role ?? state.want);
  return renewedAt(stand({ ...state, sessionId, seq, former: null }, role, epoch, at), at);
}

/**
 * @param {Engagement} state
 * @param {string | null} sessionId
 * @returns {Role} by the last push
 */
const roleOf = ({ holder }, sessionId) =>
  holder !== null && holder === sessionId ? "controller" : "viewer";

/**
 * @param {Engagement} state
 * @param {"resume" | "move"} to
 * @param {Ack} ack
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Stepped}
 */
function resumed(state, to, ack, asOf, at) {
  // The session has ended since: whatever is said of it says nothing of ours.
  if (ack.sessionId !== undefined && ack.sessionId !== state.sessionId) return settled(state, at);
  const held = hold(state, ack, asOf, at);
  // What was under way at a loss may be lost as well.
  if (to === "resume" && state.phase !== "linked") return begin({ ...held, moving: false }, at);
  const [next, effects] = settled(held, at);
  return [next, next.role === "viewer" ? [...effects, { do: "look" }] : effects];
}

/**
 * @param {Engagement} state
 * @param {Ack} ack
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Stepped}
 */
function cured(state, ack, asOf, at) {
  return [hold({ ...state, want: "controller" }, { ...ack, sessionId: undefined }, asOf, at), []];
}

/**
 * @param {Engagement} state
 * @param {OutFrame} sent
 * @param {ErrorFrame} error
 * @param {Moment} at
 * @returns {Stepped}
 */
function uncured(state, sent, error, at) {
  if (error.code === "no_session") return unrenewed(state, sent, error, at);
  if (error.code !== "robot_busy" || state.role !== "controller") return [state, []];
  const driver = error.controlledBy ?? null;
  return renew({ ...free(state, at), driver, lostTo: error.you ? null : driver }, at);
}

/**
 * An offer was refused.
 *
 * @param {Engagement} state
 * @param {ErrorFrame} error
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Stepped}
 */
export function failed(state, error, asOf, at) {
  // Only the call that wanted control was refused, and it waits no longer; the others only watch.
  const isWatched = error.code === "robot_busy" && state.withdrawn && state.asked;
  const isBusy =
    error.code === "robot_busy" &&
    (state.want === "controller" || state.rejoins || state.withdrawn) &&
    state.joined;
  state = { ...state, rejoins: false, withdrawn: false };
  if (isWatched)
    return sendOffer({ ...state, driver: error.controlledBy ?? null, driverAt: at.now }, at);
  // It was given to us since we asked: that we are refused is old news.
  if (isBusy && state.epoch > asOf && roleOf(state, state.sessionId) === "controller")
    return sendOffer(state, at);
  if (isBusy) return watchInstead(state, error, at);
  const lost = error.code === "offline";
  if (!state.joined && !lost) return refuse(state, error);
  if (!PASSING.has(error.code)) return refuse(state, error);
  // Who asked to drive is told no: nobody should find themselves driving a minute later.
  const want = state.asked && !lost ? (state.role ?? "viewer") : state.want;
  const stale = state.stale && UNHEARD.has(error.code);
  const [settled, told] = lost ? [state, []] : settle({ ...state, want, stale }, error);
  const away = error.code === "robot_offline" || error.code === "peer_gone";
  const [next, effects] = rest(settled, away ? LEFT.unregistered : error.message, at);
  return [next, [...told, ...effects]];
}

/**
 * @param {Engagement} state
 * @param {ErrorFrame} error
 * @returns {Stepped}
 */
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
  const viewer = {
    ...state,
    want: /** @type {const} */ ("viewer"),
    role: /** @type {const} */ ("viewer"),
    driver,
    driverAt: at.now,
    lostTo,
    stale: false,
  };
  const [settled, told] = settle(viewer, error);
  const [next, effects] = sendOffer(settled, at);
  return [next, [...told, ...effects]];
}
