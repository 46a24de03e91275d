/**
 * What the server's replies mean: let in, refused, resumed, renewed.
 */

import { adoptRole, clearDriver, isOlderThanPush } from "./control.js";
import { LEFT } from "./frames.js";
import { finishMigration, renew, scheduleRenewal } from "./migration.js";
import {
  RETRY_MS,
  beginOffer,
  endSession,
  flushOutbox,
  relay,
  retryLater,
  sendOffer,
  settleCall,
} from "./offers.js";
import { change } from "./state.js";
import { unreachable } from "../errors.js";

/** @import { Effect, SessionEvent, Step } from "./machine.js" */
/** @import { Moment, State } from "./state.js" */
/** @import { Ack, ErrorFrame, OutFrame, Pong, Role } from "../types.js" */
/** @typedef {Extract<SessionEvent, {type: "reply"}>} ReplyEvent */

/** How long a call waits for a session, in ms: a redial, ICE servers and an offer fit into it. */
export const CALL_MS = 30_000;

/** Errors after which another try may succeed; all others end the session. */
const TRANSIENT = new Set([
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
/** Errors that concern only the socket on which, or the time at which, something was sent. */
const UNSENT = new Set(["no_session", "offline", "timeout", "try_again"]);
/** Errors that are made here: the server has said nothing. */
const LOCAL = new Set(["offline", "timeout"]);
/** Said when the server no longer lets a session in that it let in before. */
const RIGHT_GONE =
  "Your right to this robot has ended, or no longer covers this. Ask its owner, or an admin.";

/**
 * @param {State} state
 * @param {ReplyEvent} reply
 * @param {Moment} at
 * @returns {Step}
 */
export function handleReply(state, { to, sent, asOf = 0, frame }, at) {
  const isAck = frame.type === "ack";
  const isError = frame.type === "error";
  switch (to) {
    case "offer": {
      const replied = isAck || isError ? change(state, "peer", { isSent: false }) : state;
      if (isAck) return handleOfferAck(replied, frame, asOf, at);
      return isError ? handleOfferError(replied, frame, asOf, at) : [state, []];
    }
    case "resume":
    case "migrate":
      if (isAck) return handleResumeAck(state, to, frame, asOf, at);
      return isError ? handleResumeError(state, to, sent, frame, at) : [state, []];
    case "renew":
      if (frame.type === "pong") return handlePong(state, frame, at);
      return isError ? handleRenewalError(state, sent, frame, at) : [state, []];
    case "repeat":
      if (isAck) return [adoptRepeatAck(state, frame, asOf, at), []];
      return isError ? handleRepeatError(state, sent, frame, at) : [state, []];
    case "relay":
      return isError && UNSENT.has(frame.code) ? relayAgain(state, sent) : [state, []];
    case "relay-again":
      return [state, []];
    default:
      return unreachable(to);
  }
}

/**
 * What is due after the end: a session that the server let in after it was left says goodbye, or it
 * would hold a lease that no one renews.
 *
 * @param {SessionEvent} event
 * @returns {Effect[]}
 */
export function giveBack(event) {
  const letsIn = event.type === "reply" && ["offer", "resume", "migrate"].includes(event.to);
  const frame = event.type === "taken-over" ? event.ack : letsIn ? event.frame : null;
  if (frame?.type !== "ack" || frame.sessionId === undefined) return [];
  return [{ do: "send", frame: { type: "bye", sessionId: frame.sessionId } }];
}

/**
 * @param {State} state
 * @param {OutFrame} sent
 * @returns {Step}
 */
function relayAgain(state, { type, sessionId, payload }) {
  if (sessionId !== state.session.id) return [state, []];
  return relay(state, type, /** @type {object} */ (payload), "relay-again");
}

/**
 * The server no longer has this session.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
const rejoin = (state, at) =>
  beginOffer(change(state, "session", { id: null, isMigrating: false }), at);

/**
 * @param {State} state
 * @param {OutFrame} sent
 * @param {ErrorFrame} error
 * @param {Moment} at
 * @returns {Step}
 */
function handleRenewalError(state, { sessionId }, error, at) {
  if (sessionId !== state.session.id) return [state, []];
  // Any other failure shows at the next renewal, which is soon.
  if (error.code === "no_session") return rejoin(state, at);
  return [change(state, "session", { renewAt: at.now + RETRY_MS }), []];
}

/**
 * @param {State} state
 * @param {"resume" | "migrate"} to
 * @param {OutFrame} sent
 * @param {ErrorFrame} error
 * @param {Moment} at
 * @returns {Step}
 */
function handleResumeError(state, to, { sessionId }, error, at) {
  if (sessionId !== state.session.id) return finishMigration(state, at);
  // A permanent refusal means the same as that there is no such session.
  if (error.code === "no_session" || !TRANSIENT.has(error.code)) return rejoin(state, at);
  if (to === "resume" && state.phase !== "linked") {
    return beginOffer(change(state, "session", { isMigrating: false }), at);
  }
  const isMigrating = to === "migrate";
  return [change(state, "session", { isMigrating, renewAt: at.now + RETRY_MS }), []];
}

/**
 * The role by the reply to a renewal: a frame that said so before may have been lost.
 *
 * @param {State} state
 * @param {Pong} pong
 * @param {Moment} at
 * @returns {Step}
 */
function handlePong(state, { sessionId, role, epoch }, at) {
  const { session, control } = state;
  if (role === undefined || epoch === undefined) return [state, []];
  if (sessionId !== session.id || epoch < control.epoch) return [state, []];
  if (epoch === control.epoch && role === session.role && !control.isStale) return [state, []];
  const next = adoptRole(state, role, epoch, at);
  return [next, role === "viewer" ? [{ do: "look-up" }] : []];
}

/**
 * @param {State} state
 * @param {Ack} ack
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Step}
 */
function handleOfferAck(state, ack, asOf, at) {
  // It's the ack of a session that has lost control since.
  if (state.peer.isRejoining && (ack.epoch ?? 0) < state.control.epoch) {
    return beginOffer(state, at);
  }
  if (state.call.isWithdrawn) {
    return handleWithdrawnAck(change(state, "call", { isWithdrawn: false }), ack, asOf, at);
  }
  const joined = change(adoptAck(state, ack, asOf, at), "session", { hasJoined: true });
  const open = change(joined, "peer", { isAcked: true, isRejoining: false });
  /** @type {Effect[]} */
  const effects = open.session.role === "viewer" ? [{ do: "look-up" }] : [];
  const [settled, told] = settleCall(open, null, effects);
  const [next, sent] = flushOutbox(settled);
  // A push of a higher epoch was of the robot's former life, or has overtaken this: the server knows.
  const isUnsure = open.control.epoch < state.control.epoch && state.session.evictedId !== null;
  const [sure, asked] = isUnsure ? renew(next, at) : [next, []];
  return [sure, [...told, ...sent, ...asked]];
}

/**
 * The server granted what no call wants any more: control goes back, by the same offer as a viewer's.
 *
 * @param {State} state
 * @param {Ack} ack
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Step}
 */
function handleWithdrawnAck(state, ack, asOf, at) {
  if (ack.role !== "controller" || state.session.role === "controller") {
    return handleOfferAck(state, ack, asOf, at);
  }
  const held = adoptAck(state, ack, asOf, at);
  const viewing = change(change(held, "session", { role: "viewer" }), "call", { want: "viewer" });
  return sendOffer(viewing, at);
}

/**
 * A call no longer waits for the outcome. If others do, they keep what they asked for, and no more
 * than that. Otherwise a session that never began ends, and one that views goes on viewing.
 *
 * @param {State} state
 * @param {Role | null} wanted what the calls that still wait ask for; null when none does
 * @returns {Step}
 */
export function withdrawCall(state, wanted) {
  const { call, session, peer } = state;
  if (!call.isOpen || wanted === "controller") return [state, []];
  if (wanted === "viewer") {
    if (call.want === "viewer") return [state, []];
    return [change(state, "call", { want: "viewer", isWithdrawn: peer.isSent }), []];
  }
  if (!session.hasJoined) return endSession(change(state, "call", { isOpen: false }), null);
  const want = session.role ?? "viewer";
  return [change(state, "call", { isOpen: false, want, isWithdrawn: peer.isSent }), []];
}

/**
 * The calls have waited long enough: they fail with `timeout` or `offline`, and what they asked for is
 * withdrawn.
 *
 * @param {State} state
 * @returns {Step}
 */
export function expireCall(state) {
  const seconds = CALL_MS / 1000;
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
  if (!state.session.hasJoined) return refuse(state, error);
  const [settled, effects] = settleCall(state, error);
  const [next] = withdrawCall(change(settled, "call", { isOpen: true }), null);
  return [next, effects];
}

/**
 * Take over what an ack says of the session. If a push has overtaken the ack, who drives is by that
 * push.
 *
 * @param {State} state
 * @param {Ack} ack
 * @param {number} asOf the highest epoch seen when the server was asked
 * @param {Moment} at
 * @returns {State}
 */
function adoptAck(state, ack, asOf, at) {
  const { session, control, call } = state;
  const id = ack.sessionId ?? session.id;
  const seq = id === session.id ? session.seq : 0;
  const isLate = isOlderThanPush(state, ack.epoch, asOf);
  const epoch = isLate ? control.epoch : (ack.epoch ?? control.epoch);
  const role = isLate ? roleByPush(state, id) : (ack.role ?? call.want);
  const known = change(state, "session", { id, seq, evictedId: null });
  return scheduleRenewal(adoptRole(known, role, epoch, at), at);
}

/**
 * @param {State} state
 * @param {string | null} sessionId
 * @returns {Role} by the last push
 */
const roleByPush = ({ control: { driverId } }, sessionId) =>
  driverId !== null && driverId === sessionId ? "controller" : "viewer";

/**
 * @param {State} state
 * @param {"resume" | "migrate"} to
 * @param {Ack} ack
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Step}
 */
function handleResumeAck(state, to, ack, asOf, at) {
  // The session has ended since: the ack says nothing of the present one.
  if (ack.sessionId !== undefined && ack.sessionId !== state.session.id) {
    return finishMigration(state, at);
  }
  const adopted = adoptAck(state, ack, asOf, at);
  // What was on its way at a loss may be lost as well.
  if (to === "resume" && state.phase !== "linked") {
    return beginOffer(change(adopted, "session", { isMigrating: false }), at);
  }
  const [next, effects] = finishMigration(adopted, at);
  return [next, next.session.role === "viewer" ? [...effects, { do: "look-up" }] : effects];
}

/**
 * @param {State} state
 * @param {Ack} ack of the repeated offer
 * @param {number} asOf
 * @param {Moment} at
 * @returns {State}
 */
function adoptRepeatAck(state, ack, asOf, at) {
  const driving = change(state, "call", { want: "controller" });
  return adoptAck(driving, { ...ack, sessionId: undefined }, asOf, at);
}

/**
 * @param {State} state
 * @param {OutFrame} sent
 * @param {ErrorFrame} error
 * @param {Moment} at
 * @returns {Step}
 */
function handleRepeatError(state, sent, error, at) {
  if (error.code === "no_session") return handleRenewalError(state, sent, error, at);
  if (error.code !== "robot_busy" || state.session.role !== "controller") return [state, []];
  const driver = error.controlledBy ?? null;
  const lostTo = error.you ? null : driver;
  return renew(change(clearDriver(state, at), "control", { driver, lostTo }), at);
}

/**
 * An offer was refused.
 *
 * @param {State} state
 * @param {ErrorFrame} error
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Step}
 */
export function handleOfferError(state, error, asOf, at) {
  const { call, session, control, peer } = state;
  const isBusy = error.code === "robot_busy";
  const isAsked = call.want === "controller" || peer.isRejoining || call.isWithdrawn;
  const next = change(change(state, "peer", { isRejoining: false }), "call", {
    isWithdrawn: false,
  });
  // Only the call that wanted control was refused, and it waits no longer; the others only view.
  if (isBusy && call.isWithdrawn && call.isOpen) {
    const heard = { driver: error.controlledBy ?? null, heardAt: at.now };
    return sendOffer(change(next, "control", heard), at);
  }
  if (isBusy && isAsked && session.hasJoined) {
    // Control was given to this session since the offer went out: the refusal is older than that.
    const isOld = control.epoch > asOf && roleByPush(next, session.id) === "controller";
    return isOld ? sendOffer(next, at) : viewInstead(next, error, at);
  }
  const isLost = error.code === "offline";
  if (!session.hasJoined && !isLost) return refuse(next, error);
  if (!TRANSIENT.has(error.code)) return refuse(next, error);
  return retryAfter(next, error, at);
}

/**
 * @param {State} state
 * @param {ErrorFrame} error after which another try may succeed
 * @param {Moment} at
 * @returns {Step}
 */
function retryAfter(state, error, at) {
  const { call, session, control } = state;
  const isLost = error.code === "offline";
  const isAway = error.code === "robot_offline" || error.code === "peer_gone";
  // That the robot is away is no news of one whose key was revoked.
  const away = state.why === LEFT.revoked ? LEFT.revoked : LEFT.unregistered;
  const why = isAway ? away : error.message;
  if (isLost) return retryLater(state, why, at);
  // A call to drive was told no: it must not turn out to drive a minute later.
  const want = call.isOpen ? (session.role ?? "viewer") : call.want;
  const isStale = control.isStale && LOCAL.has(error.code);
  const told = change(change(state, "call", { want }), "control", { isStale });
  const [settled, effects] = settleCall(told, error);
  const [next, sent] = retryLater(settled, why, at);
  return [next, [...effects, ...sent]];
}

/**
 * @param {State} state
 * @param {ErrorFrame} error a permanent one
 * @returns {Step}
 */
function refuse(state, error) {
  const { call, session } = state;
  // The server let this session in before, and no call of the application has asked for more.
  const isRightGone = error.code === "forbidden" && session.hasJoined && !call.isOpen;
  const [settled, told] = settleCall(state, error);
  const [next, effects] = endSession(settled, isRightGone ? RIGHT_GONE : error.message);
  return [next, [...effects, ...told]];
}

/**
 * Another session has the control that this one had, or asked for: the same offer does for a viewer.
 *
 * @param {State} state
 * @param {ErrorFrame} error
 * @param {Moment} at
 * @returns {Step}
 */
function viewInstead(state, error, at) {
  const driver = error.controlledBy ?? null;
  const isTaken = state.session.role === "controller" && !error.you;
  const lostTo = isTaken ? driver : state.control.lostTo;
  const viewing = change(change(state, "session", { role: "viewer" }), "control", {
    driver,
    heardAt: at.now,
    lostTo,
    isStale: false,
  });
  const [settled, told] = settleCall(change(viewing, "call", { want: "viewer" }), error);
  const [next, effects] = sendOffer(settled, at);
  return [next, [...told, ...effects]];
}
