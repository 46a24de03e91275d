/**
 * What the frames mean that the server pushes: the robot's, changes of control, listings. A push with
 * an epoch below the highest seen changes nothing.
 */

import {
  acceptControl,
  becomeDriver,
  clearDriver,
  handleControlDenied,
  handleControlRequested,
  keepIfDriver,
} from "./control.js";
import { declaredParts } from "./media.js";
import { renew } from "./migration.js";
import {
  PATH_MS,
  beginOffer,
  confirmPath,
  hasUnsentOffer,
  repeatOffer,
  retryLater,
} from "./offers.js";
import { addNetworks } from "./paths.js";
import { UNKNOWN_DRIVER, change } from "./state.js";

/** @import { Effect, Step } from "./machine.js" */
/** @import { Moment, State } from "./state.js" */
/** @import { Ack, ControlFrame, ControlLost, Description, Frame, PeerFrame, PeerLeft, Robot } from "../types.js" */

const MAX_PENDING_CANDIDATES = 32;
const REPORT_MS = 5_000;
const REASON_CHARACTERS = 300;

/** Why a session has ended, by the reason that the server gives. */
export const LEFT = {
  evicted: "Your access to the robot has changed. Joining again.",
  restarted: "The robot has restarted. Joining again.",
  revoked: "The robot's key was revoked. Waiting for it to come back with another one.",
  unregistered: "The robot went away. Waiting for it to come back.",
  bye: "The robot ended the session. Joining again.",
};

/**
 * @param {State} state
 * @param {Frame} frame
 * @param {Moment} at
 * @returns {Step}
 */
export function handleFrame(state, frame, at) {
  if (!("robotId" in frame) || frame.robotId !== state.robotId) return [state, []];
  switch (frame.type) {
    case "offer":
    case "answer":
    case "ice-candidate":
      return handlePeerFrame(state, frame, at);
    case "control":
      return handleControl(state, frame, at);
    case "control-lost":
      return handleControlLost(state, frame, at);
    case "control-requested":
      return handleControlRequested(state, frame, at);
    case "control-denied":
      return handleControlDenied(state, frame);
    case "peer-left":
      return handlePeerLeft(state, frame, at);
    default:
      return [state, []];
  }
}

/**
 * @param {State} state
 * @param {PeerFrame} frame
 * @param {Moment} at
 * @returns {Step}
 */
function handlePeerFrame(state, { type, pcId, payload }, at) {
  // A seed robot names no peer connection; it has only one.
  if (state.peer.id === null || (pcId !== undefined && pcId !== state.peer.id)) return [state, []];
  if (type === "ice-candidate") return handleCandidate(state, payload);
  if (payload.type === "error") return handleOfferRefusal(state, payload, at);
  // A robot may leave the description's type to the frame's.
  const description = { ...payload, type: payload.type ?? type };
  // The robot is the impolite peer: its offer rolls ours back.
  if (state.phase === "offering") return link(state, description, at);
  if (type !== "offer" || state.phase !== "linked") return [state, []];
  return [
    change(state, "peer", { declared: declaredParts(description) }),
    [{ do: "describe", payload: description }],
  ];
}

/**
 * @param {State} state
 * @param {PeerFrame["payload"]} payload
 * @returns {Step}
 */
function handleCandidate(state, payload) {
  const next = addNetworks(state, payload?.candidate?.candidate ?? payload?.candidate);
  if (state.phase === "linked") return [next, [{ do: "add-candidate", payload }]];
  const pending = [...state.peer.pendingCandidates, payload].slice(-MAX_PENDING_CANDIDATES);
  return [change(next, "peer", { pendingCandidates: pending }), []];
}

/**
 * The robot can't take our offer, or gives up a connection that was never established, and says why.
 * Session and control go on.
 *
 * @param {State} state
 * @param {{message?: unknown}} refusal
 * @param {Moment} at
 * @returns {Step}
 */
function handleOfferRefusal(state, { message }, at) {
  const isConnecting = state.phase === "linked" && state.peer.pathDueAt !== null;
  if (state.phase !== "offering" && !isConnecting) return [state, []];
  const reason =
    typeof message === "string" ? message.slice(0, REASON_CHARACTERS) : "it does not say why";
  const what = isConnecting
    ? "The robot has given the connection up"
    : "The robot refuses the offer";
  // The robot has the offer, whether or not the server's reply is here: the next one is a new one.
  const taken = change(state, "peer", { isAcked: true });
  const next = change(taken, "retry", { isPathless: isConnecting });
  return retryLater(next, `${what}: ${reason}.`, at);
}

/**
 * @param {State} state
 * @param {Description} payload the robot's
 * @param {Moment} at
 * @returns {Step}
 */
function link(state, payload, at) {
  const { ice, pendingCandidates } = state.peer;
  const linked = change(addNetworks(state, payload.sdp), "peer", {
    pendingCandidates: [],
    answerAt: null,
    pathDueAt: ice === "connected" ? null : at.now + PATH_MS,
    declared: declaredParts(payload),
  });
  const next = { ...linked, phase: /** @type {const} */ ("linked") };
  /** @type {Effect[]} */
  const candidates = pendingCandidates.map((candidate) => ({
    do: "add-candidate",
    payload: candidate,
  }));
  return [
    ice === "connected" ? confirmPath(next) : next,
    [{ do: "describe", payload }, ...candidates],
  ];
}

/**
 * @param {State} state
 * @param {ControlFrame} frame
 * @param {Moment} at
 * @returns {Step}
 */
function handleControl(state, { epoch, sessionId, person }, at) {
  if (epoch < state.control.epoch) return [state, []];
  if (sessionId !== undefined && sessionId === state.session.id) {
    return [becomeDriver(state, epoch, at), []];
  }
  const driver = person ?? null;
  const isTaken = state.session.role === "controller" && driver !== null;
  const lostTo = isTaken ? driver : keepIfDriver(state.control.lostTo, driver);
  const driverId = sessionId ?? null;
  return [change(clearDriver(state, at), "control", { epoch, driver, driverId, lostTo }), []];
}

/**
 * The robot has refused a command, because it obeys another epoch than ours: a later one may have a
 * driver whom we don't know yet, and an earlier one means that it hasn't heard of us. The server is
 * asked about a later one, once; what it says isn't judged by the robot's word, which may be wrong.
 *
 * @param {State} state
 * @param {number} epoch
 * @param {Moment} at
 * @returns {Step}
 */
export function handleRefusedCommand(state, epoch, at) {
  const { control } = state;
  const isAsked = epoch <= control.report.epoch || at.now - control.report.at < REPORT_MS;
  if (epoch <= control.epoch || isAsked) return repeatOffer(state, at);
  const doubtful = change(clearDriver(state, at), "control", {
    report: { epoch, at: at.now },
    driver: UNKNOWN_DRIVER,
    lostTo: UNKNOWN_DRIVER,
  });
  const [next, effects] = renew(doubtful, at);
  return [next, [...effects, { do: "look-up" }]];
}

/**
 * @param {State} state
 * @param {ControlLost} frame
 * @param {Moment} at
 * @returns {Step}
 */
function handleControlLost(state, { epoch, sessionId, by }, at) {
  const { session } = state;
  if (epoch < state.control.epoch) return [state, []];
  if (sessionId !== undefined) {
    if (session.id !== null && sessionId !== session.id) return [state, []];
    if (sessionId === session.evictedId) return [state, []];
  }
  const left = change(state, "session", { role: "viewer", id: null });
  const lost = change(change(left, "call", { want: "viewer" }), "control", {
    epoch,
    driver: by,
    driverId: null,
    heardAt: at.now,
    isStale: false,
    lostTo: by,
  });
  // An offer without a reply may have reached the server after the loss: its reply decides.
  if (state.peer.isSent) return [change(lost, "peer", { isRejoining: true }), []];
  return beginOffer(lost, at);
}

/**
 * @param {State} state
 * @param {PeerLeft} frame
 * @param {Moment} at
 * @returns {Step}
 */
function handlePeerLeft(state, { sessionId, epoch, reason }, at) {
  const { session, control } = state;
  if (sessionId !== session.id) return [state, []];
  const why = Object.hasOwn(LEFT, reason)
    ? LEFT[/** @type {keyof typeof LEFT} */ (reason)]
    : LEFT.bye;
  const isEvicted = reason === "evicted";
  const evictedId = isEvicted ? sessionId : session.evictedId;
  const left = change(change(state, "session", { evictedId, id: null, role: null }), "control", {
    // A robot that was forgotten counts its epochs from 1 again.
    epoch: isEvicted ? 0 : Math.max(control.epoch, epoch ?? 0),
    driver: null,
    driverId: null,
    heardAt: at.now,
    isStale: false,
  });
  if (reason === "restarted") return beginOffer({ ...left, why }, at);
  return retryLater(change(left, "peer", { isAcked: true }), why, at);
}

/**
 * A listing, or the event of the robot's presence.
 *
 * @param {State} state
 * @param {Robot} row
 * @param {number} askedAt ms
 * @param {Moment} at
 * @returns {State}
 */
export function handleListing(state, row, askedAt, at) {
  const { session, control, retry } = state;
  // The robot being online doesn't help if the last attempt found no path for media.
  const isBack = state.phase === "waiting" && row.online && !retry.isPathless;
  const soon = isBack ? Math.min(retry.at ?? at.now, at.now) : retry.at;
  const seen = change(state, "peer", { isRobotOffline: !row.online });
  const next = change(seen, "retry", { at: soon });
  // A listing that was asked for before the last push may name the driver before.
  if (session.role !== "viewer" || askedAt < control.heardAt) return next;
  const driver = row.controlledBy ?? null;
  const isUnknown = control.lostTo === UNKNOWN_DRIVER;
  const lostTo = isUnknown ? driver : keepIfDriver(control.lostTo, driver);
  return change(next, "control", { driver, isStale: control.isStale && !state.online, lostTo });
}

/**
 * The server has granted a takeover, or a request for free control. If that is another session, its
 * peer connection is a new one.
 *
 * @param {State} state
 * @param {Ack} ack
 * @param {number} asOf the highest epoch seen when it was asked
 * @param {Moment} at
 * @returns {Step}
 */
export function handleTakeover(state, ack, asOf, at) {
  const next = acceptControl(state, ack, asOf, at);
  const isOther = next.session.id !== state.session.id;
  return isOther && !hasUnsentOffer(state) ? beginOffer(next, at) : [next, []];
}
