/**
 * Who drives, as far as this session knows, and control by consent: a viewer asks, and the driver
 * hands over or keeps control.
 */

import { renew, scheduleRenewal } from "./migration.js";
import { sendUnsentOffer } from "./offers.js";
import { UNKNOWN_DRIVER, change } from "./state.js";

/** @import { Step } from "./machine.js" */
/** @import { Moment, State } from "./state.js" */
/** @import { Ack, ControlDenied, ControlRequest, ControlRequested, Person, Role } from "../types.js" */

const REQUEST_MS = 30_000;
/** By the server's default no more sessions can view a robot; the oldest requests give way. */
const MAX_REQUESTS = 10;

/**
 * @param {State} state
 * @param {number} epoch
 * @param {Moment} at
 * @returns {State} this session drives
 */
export function becomeDriver(state, epoch, at) {
  const driving = change(change(state, "session", { role: "controller" }), "control", {
    epoch,
    driver: null,
    driverId: state.session.id,
    heardAt: at.now,
    isStale: false,
    lostTo: null,
  });
  return scheduleRenewal(change(driving, "call", { want: "controller" }), at);
}

/**
 * @param {State} state
 * @param {Moment} at
 * @returns {State} no one drives, as far as we know, and this session views if it has joined
 */
export function clearDriver(state, at) {
  const free = change(state, "control", {
    driver: null,
    driverId: null,
    heardAt: at.now,
    isStale: false,
    lostTo: null,
  });
  if (state.session.role === null) return free;
  return change(change(free, "session", { role: "viewer" }), "call", { want: "viewer" });
}

/**
 * This session only views. If it drove, another session has taken control, and only a listing says
 * which.
 *
 * @param {State} state
 * @param {number} epoch
 * @param {Moment} at
 * @returns {State}
 */
function becomeViewer(state, epoch, at) {
  const wasDriver = state.session.role === "controller";
  const isNews = epoch > state.control.epoch;
  const lost = { driver: UNKNOWN_DRIVER, lostTo: UNKNOWN_DRIVER };
  const viewing = change(change(state, "session", { role: "viewer" }), "control", {
    epoch,
    isStale: false,
    ...(wasDriver || isNews ? { driverId: null, heardAt: at.now } : {}),
    ...(wasDriver ? lost : {}),
  });
  return change(viewing, "call", { want: "viewer" });
}

/**
 * Take over the role that the server named at an epoch that isn't lower than the highest seen.
 *
 * @param {State} state
 * @param {Role} role
 * @param {number} epoch
 * @param {Moment} at
 * @returns {State}
 */
export function adoptRole(state, role, epoch, at) {
  return role === "controller" ? becomeDriver(state, epoch, at) : becomeViewer(state, epoch, at);
}

/**
 * Whether a push has overtaken a reply: the reply's epoch is lower than the highest seen, and that has
 * risen since the server was asked. Any other lower epoch is that of a robot that was forgotten and
 * counts from 1 again. After an eviction nothing is judged by it: a push may be of the robot's former
 * life.
 *
 * @param {State} state
 * @param {number | undefined} epoch the reply's
 * @param {number} asOf the highest seen when the server was asked
 */
export function isOlderThanPush({ session, control }, epoch, asOf) {
  return (
    epoch !== undefined && session.evictedId === null && asOf <= epoch && epoch < control.epoch
  );
}

/**
 * @param {Person | null} lostTo
 * @param {Person | null} driver
 * @returns {Person | null} `lostTo` while they still drive
 */
export function keepIfDriver(lostTo, driver) {
  return lostTo && driver && lostTo.userId === driver.userId ? lostTo : null;
}

/**
 * The server has granted a takeover, or a request for free control.
 *
 * @param {State} state
 * @param {Ack} ack
 * @param {number} asOf the highest epoch seen when it was asked
 * @param {Moment} at
 * @returns {State}
 */
export function acceptControl(state, ack, asOf, at) {
  if (isOlderThanPush(state, ack.epoch, asOf)) return state;
  const id = ack.sessionId ?? state.session.id;
  const own = change(state, "session", { id, evictedId: null });
  return becomeDriver(own, ack.epoch ?? state.control.epoch, at);
}

/**
 * This session gave control up: to that session, or to no one.
 *
 * @param {State} state
 * @param {Ack} ack
 * @param {string | null} sessionId
 * @param {Moment} at
 * @returns {Step}
 */
export function giveUpControl(state, { epoch }, sessionId, at) {
  // The reply came after a push of a later change.
  if (epoch !== undefined && epoch < state.control.epoch) return [state, []];
  const { requests } = state.handover;
  const driver = requests.find((request) => request.sessionId === sessionId)?.by ?? null;
  const viewer = change(clearDriver(state, at), "control", {
    epoch: epoch ?? state.control.epoch,
    driver,
    driverId: sessionId,
  });
  return [viewer, sessionId !== null && driver === null ? [{ do: "look-up" }] : []];
}

/**
 * A takeover or a request for control has its reply: send the offer that was held back.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
export function settleClaim(state, at) {
  const claims = Math.max(0, state.control.claims - 1);
  return sendUnsentOffer(change(state, "control", { claims }), at);
}

/**
 * @param {State} state
 * @param {boolean} isAsking
 * @param {Moment} at
 * @returns {State}
 */
export function setAsking(state, isAsking, at) {
  const isOpen = isAsking && state.session.role === "viewer";
  return change(state, "handover", { askingUntil: isOpen ? at.now + REQUEST_MS : null });
}

/**
 * @param {State} state
 * @param {ControlDenied} frame
 * @returns {Step}
 */
export function handleControlDenied(state, { by }) {
  if (state.handover.askingUntil === null) return [state, []];
  return [
    change(state, "handover", { askingUntil: null }),
    [{ do: "announce", name: "control-denied", value: { by } }],
  ];
}

/**
 * @param {State} state
 * @param {ControlRequested} frame
 * @param {Moment} at
 * @returns {Step}
 */
export function handleControlRequested(state, { sessionId, by }, at) {
  if (state.session.role !== "controller") return [state, []];
  const request = { sessionId, by, until: at.now + REQUEST_MS };
  const others = removeRequest(state, sessionId).handover.requests;
  const requests = [...others, request].slice(-MAX_REQUESTS);
  return [
    change(state, "handover", { requests }),
    [{ do: "announce", name: "control-requested", value: request }],
  ];
}

/**
 * @param {State} state
 * @param {string} sessionId
 * @returns {State}
 */
export function removeRequest(state, sessionId) {
  const requests = state.handover.requests.filter((request) => request.sessionId !== sessionId);
  return change(state, "handover", { requests });
}

/**
 * Drop the requests whose time is over. An answer to our own request may have been lost: ask the
 * server.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
export function expireRequests(state, at) {
  const { requests, askingUntil } = state.handover;
  const isOver = askingUntil !== null && at.now >= askingUntil;
  const open = requests.filter(({ until }) => at.now < until);
  if (!isOver && open.length === requests.length) return [state, []];
  const next = change(state, "handover", {
    requests: open,
    askingUntil: isOver ? null : askingUntil,
  });
  if (!isOver) return [next, []];
  // A session that migrates learns its role from the reply to that.
  const [asked, ping] = state.session.isMigrating ? [next, []] : renew(next, at);
  const value = { by: state.control.driver };
  return [asked, [{ do: "announce", name: "control-unanswered", value }, ...ping]];
}

/**
 * Drop what no longer applies: requests to a session that doesn't drive, and our own request to a
 * driver who no longer does.
 *
 * @param {State} before
 * @param {State} after
 * @returns {State}
 */
export function dropOldRequests(before, after) {
  const { role } = after.session;
  const { driver } = before.control;
  const requests = role === "controller" ? after.handover.requests : none(after.handover.requests);
  const hasChanged = driver !== null && driver.userId !== after.control.driver?.userId;
  const askingUntil = role === "viewer" && !hasChanged ? after.handover.askingUntil : null;
  const isSame = requests === after.handover.requests && askingUntil === after.handover.askingUntil;
  return isSame ? after : change(after, "handover", { requests, askingUntil });
}

/** @type {readonly ControlRequest[]} */
const NONE = Object.freeze([]);

/**
 * @param {readonly ControlRequest[]} requests
 * @returns {readonly ControlRequest[]} empty, and the same if it was empty already
 */
const none = (requests) => (requests.length === 0 ? requests : NONE);
