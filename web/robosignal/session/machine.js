/**
 * The session with one robot as a machine: a state and an event in, the next state and what is to be
 * done out. It has no clock, no timer and no socket.
 */

import {
  dropOldRequests,
  expireRequests,
  giveUpControl,
  removeRequest,
  setAsking,
  settleClaim,
} from "./control.js";
import {
  LEFT,
  handleFrame,
  handleListing,
  handleRefusedCommand,
  handleTakeover,
} from "./frames.js";
import { addPart, explainMissing, removePart } from "./media.js";
import { goOnline, migrate, renew } from "./migration.js";
import {
  RETRY_MS,
  beginOffer,
  endSession,
  relay,
  retryLater,
  sendCandidate,
  sendOffer,
  settleCall,
  updatePath,
} from "./offers.js";
import { whyNoPath } from "./paths.js";
import {
  CALL_MS,
  expireCall,
  giveBack,
  handleOfferError,
  handleReply,
  withdrawCall,
} from "./replies.js";
import { change } from "./state.js";
import { unreachable } from "../errors.js";

/** @import { Permissions } from "./paths.js" */
/** @import { Link, Moment, State } from "./state.js" */
/** @import { Ack, Description, ErrorFrame, Frame, OutFrame, Picture, Pong, Robot, Role } from "../types.js" */

/**
 * What a reply answers: `resume` after a loss, `migrate` without one, `repeat` for an offer that was
 * repeated, `relay-again` for what is relayed a second time.
 *
 * @typedef {"offer" | "resume" | "migrate" | "renew" | "repeat" | "relay" | "relay-again"} Request
 */
/**
 * What may happen. Of the application: `join`, `drive`, `withdraw` (a call no longer waits; `wanted` is
 * what the others ask for), `leave`, and what it asks about control. Of the connection: `online`,
 * `offline`, `socket-changed`, `migrate`, frames and replies (`sent` is what was asked, `asOf` the highest
 * epoch seen then). Of the peer connection: the events with a `pcId`.
 *
 * @typedef {{type: "join", role: Role} | {type: "drive"} | {type: "leave"}
 *   | {type: "withdraw", wanted: Role | null}
 *   | {type: "claim-sent"} | {type: "claim-settled"}
 *   | {type: "request-sent"} | {type: "request-failed"}
 *   | {type: "request-answered", sessionId: string}
 *   | {type: "taken-over", ack: Ack, asOf?: number}
 *   | {type: "released", ack: Ack} | {type: "granted", ack: Ack, sessionId: string}
 *   | {type: "online"} | {type: "offline"} | {type: "tick"}
 *   | {type: "socket-changed"} | {type: "migrate"}
 *   | {type: "frame", frame: Frame}
 *   | {type: "listing", robot: Robot, askedAt: number}
 *   | {type: "reply", to: Request, pcId: string | null, sent: OutFrame, asOf: number, frame: Ack | Pong | ErrorFrame}
 *   | {type: "local-offer", pcId: string, payload: Description}
 *   | {type: "renegotiated", pcId: string, payload: Description}
 *   | {type: "local-answer", pcId: string, payload: Description}
 *   | {type: "local-candidate", pcId: string, payload: RTCIceCandidateInit}
 *   | {type: "turn-refused", pcId: string}
 *   | {type: "ice", pcId: string, state: string}
 *   | {type: "channel-opened", pcId: string} | {type: "channel-closed", pcId: string}
 *   | {type: "picture", pcId: string} | {type: "pong", pcId: string}
 *   | {type: "refused", pcId: string, epoch: number}
 *   | {type: "link", pcId: string, link: Link, picture: Picture}
 *   | {type: "failed", pcId: string, message: string, code?: string}
 *   | {type: "permissions", permissions: Permissions}} SessionEvent
 */
/**
 * What is to be done: `open` or `close` the peer connection, give it the robot's description or a
 * candidate, `request` or `send` something of the server, `look-up` who drives, tell the
 * application, or settle the calls that wait.
 *
 * @typedef {{do: "open", pcId: string} | {do: "close"}
 *   | {do: "describe", payload: Description} | {do: "add-candidate", payload: RTCIceCandidateInit}
 *   | {do: "request", to: Request, pcId: string | null, frame: OutFrame}
 *   | {do: "send", frame: OutFrame} | {do: "look-up"}
 *   | {do: "announce", name: "control-requested" | "control-denied" | "control-unanswered", value: any}
 *   | {do: "settle", error: ErrorFrame | null}} Effect
 */
/** @typedef {[State, Effect[]]} Step */

const SILENCE_MS = 3_000;
const LONG_SILENCE_MS = 10_000;
const CHANNEL_CLOSED_MS = 1_000;
const NO_PATH = "no path";

/**
 * One step. An event that doesn't fit the phase changes nothing, and nothing throws.
 *
 * @param {State} state
 * @param {SessionEvent} event
 * @param {Moment} at
 * @returns {Step}
 */
export function step(state, event, at) {
  if (state.phase === "ended") return [state, giveBack(event)];
  const isOld = "pcId" in event && event.pcId !== null && event.pcId !== state.peer.id;
  if (isOld) return [state, []];
  const [next, effects] = apply(state, event, at);
  return [dropOldRequests(state, next), effects];
}

/**
 * @param {State} state
 * @param {SessionEvent} event
 * @param {Moment} at
 * @returns {Step}
 */
function apply(state, event, at) {
  switch (event.type) {
    case "join":
      return beginOffer(openCall(state, event.role, at), at);
    case "drive":
      return drive(state, at);
    case "withdraw":
      return withdrawCall(state, event.wanted);
    case "leave":
      return endSession(state, null);
    case "claim-sent":
      return [change(state, "control", { claims: state.control.claims + 1 }), []];
    case "claim-settled":
      return settleClaim(state, at);
    case "request-sent":
    case "request-failed":
      return [setAsking(state, event.type === "request-sent", at), []];
    case "request-answered":
      return [removeRequest(state, event.sessionId), []];
    case "taken-over":
      return handleTakeover(state, event.ack, event.asOf ?? 0, at);
    case "released":
      return giveUpControl(state, event.ack, null, at);
    case "granted":
      return giveUpControl(state, event.ack, event.sessionId, at);
    case "online":
      // A socket that was only slow was never lost.
      return state.online ? [state, []] : goOnline(state, at);
    case "offline":
      return [goOffline(state), []];
    case "tick":
      return tick(state, at);
    case "socket-changed":
      // From here on only a migration that failed makes a renewal due.
      return [change(state, "session", { isMigrating: true, renewAt: null }), []];
    case "migrate":
      return migrate(state, at);
    case "frame":
      return handleFrame(state, event.frame, at);
    case "listing":
      return [handleListing(state, event.robot, event.askedAt, at), []];
    case "reply":
      return handleReply(state, event, at);
    case "renegotiated":
      if (event.pcId !== state.peer.id) return [state, []];
      return [change(state, "peer", { offer: event.payload }), []];
    case "local-offer":
      return sendOffer(change(state, "peer", { offer: event.payload }), at);
    case "local-answer":
      return relay(state, "answer", event.payload);
    case "local-candidate":
      return sendCandidate(state, event.payload);
    case "turn-refused":
      return [change(state, "peer", { isTurnRefused: true }), []];
    case "ice":
      return [updatePath(state, event.state, at), []];
    case "channel-opened":
      return [addPart(state, "channel"), []];
    case "channel-closed":
      return [closeChannel(state, at), []];
    case "picture":
      return [addPart(state, "picture"), []];
    case "pong":
      return [change(state, "peer", { pongAt: at.now }), []];
    case "refused":
      if (state.session.role !== "controller") return [state, []];
      return handleRefusedCommand(state, event.epoch, at);
    case "link":
      return [change(state, "peer", { link: event.link, picture: event.picture }), []];
    case "failed":
      return handleOfferError(state, errorOf(event), state.control.epoch, at);
    case "permissions":
      return [{ ...state, permissions: event.permissions }, []];
    default:
      return unreachable(event);
  }
}

/**
 * @param {{message: string, code?: string}} failure of the browser's peer connection
 * @returns {ErrorFrame}
 */
const errorOf = ({ code = "internal", message }) => ({ type: "error", code, message });

/**
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
function drive(state, at) {
  const next = openCall(state, "controller", at);
  if (state.session.role === "controller") return settleCall(next, null);
  // Another call asks for the same already: both share one offer.
  const isShared = state.call.isOpen && state.call.want === "controller";
  return isShared ? [state, []] : beginOffer(next, at);
}

/**
 * @param {State} state
 * @param {Role} want
 * @param {Moment} at
 * @returns {State}
 */
const openCall = (state, want, at) =>
  change(state, "call", { want, isOpen: true, until: at.now + CALL_MS, isWithdrawn: false });

/**
 * @param {State} state
 * @returns {State}
 */
function goOffline(state) {
  const next = change(state, "session", { isMigrating: false });
  return change({ ...next, online: false }, "control", { isStale: true });
}

/**
 * @param {State} state
 * @param {Moment} at
 * @returns {State}
 */
function closeChannel(state, at) {
  const { declared, arrived, pongAt } = state.peer;
  // A channel that the robot has refused was never open.
  const wasOpen = declared.includes("channel") || arrived.includes("channel") || pongAt !== null;
  if (!wasOpen) return state;
  return removePart(change(state, "peer", { channelClosedAt: at.now }), "channel");
}

/**
 * Do what is due.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
function tick(state, at) {
  const [fresh, told] = expireRequests(state, at);
  const isLate = fresh.call.isOpen && at.now >= fresh.call.until;
  const [next, effects] = isLate ? expireCall(fresh) : checkHealth(explainMissing(fresh, at), at);
  return [next, [...told, ...effects]];
}

/**
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
function checkHealth(state, at) {
  const { phase, online, peer, retry, session } = state;
  const isDue = (/** @type {number | null} */ time) => time !== null && at.now >= time;
  // Nothing can be offered, but a dead path isn't shown as a live one.
  const isDead = !online && phase === "linked" && troubleOf(state, at) !== null;
  if (isDead !== peer.isDead) return checkHealth(change(state, "peer", { isDead }), at);
  if (!online) return [state, []];
  if (phase === "waiting" && isDue(retry.at)) {
    return peer.offer === null ? beginOffer(state, at) : sendOffer(state, at);
  }
  if (phase === "offering" && isDue(peer.answerAt)) {
    return retryLater(state, "The robot does not respond. Trying again.", at);
  }
  if (phase === "linked") {
    const trouble = troubleOf(state, at);
    if (trouble === NO_PATH) return retryWithoutPath(state, at);
    if (trouble !== null) return beginOffer({ ...state, why: trouble }, at);
    // A dead path shows only after seconds; the server often knows sooner.
    if (isSilent(state, at) && isDue(peer.lookUpAt)) {
      return [change(state, "peer", { lookUpAt: at.now + RETRY_MS }), [{ do: "look-up" }]];
    }
  }
  return isDue(session.renewAt) ? renew(state, at) : [state, []];
}

/**
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
function retryWithoutPath(state, at) {
  const answered = change(state, "peer", { isAcked: true });
  return retryLater(change(answered, "retry", { isPathless: true }), whyNoPath(state), at);
}

/**
 * @param {State} state
 * @param {{now: number}} at
 * @returns {boolean} whether a data channel that used to answer doesn't
 */
const isSilent = ({ peer: { pongAt } }, { now }) => pongAt !== null && now - pongAt >= SILENCE_MS;

/**
 * @param {State} state
 * @param {Moment} at
 * @returns {string | null} a sentence for a peer connection that is dead, `NO_PATH` for one that never
 *   had a path, or null
 */
function troubleOf(state, { now }) {
  const { ice, iceLostAt, pongAt, channelClosedAt, pathDueAt, isRobotOffline } = state.peer;
  const isPast = (/** @type {number | null} */ time, /** @type {number} */ ms) =>
    time !== null && now - time >= ms;
  const silent = isSilent(state, { now });
  const isLost = isPast(iceLostAt, SILENCE_MS) && (silent || pongAt === null);
  const isDead = ice === "failed" || isLost || (silent && isRobotOffline);
  if (pathDueAt !== null && (isDead || now >= pathDueAt)) return NO_PATH;
  const isOver = isPast(pongAt, LONG_SILENCE_MS) || isPast(channelClosedAt, CHANNEL_CLOSED_MS);
  return isDead || isOver ? LEFT.unregistered : null;
}
