/**
 * Control by consent, from both sides: a viewer asks, the driver hands over or keeps it. Pure. A
 * request is stored nowhere: it lives in the two pages, for 30 seconds.
 */

import { renew } from "./offers.js";
import { free } from "./standing.js";

/** @import { Engagement, Moment, Stepped } from "./machine.js" */
/** @import { Ack, ControlDenied, ControlRequest, ControlRequested } from "../types.js" */

const LAPSES_MS = 30_000;
/** More cannot watch a robot at once, by the server's default; the oldest give way. */
const REQUESTS = 10;

/**
 * @param {Engagement} state
 * @param {boolean} isAsking
 * @param {Moment} at
 * @returns {Engagement}
 */
export function asks(state, isAsking, at) {
  return { ...state, askingUntil: isAsking && state.role === "viewer" ? at.now + LAPSES_MS : null };
}

/**
 * @param {Engagement} state
 * @param {ControlDenied} frame
 * @returns {Stepped}
 */
export function denied(state, { by }) {
  if (state.askingUntil === null) return [state, []];
  return [
    { ...state, askingUntil: null },
    [{ do: "announce", name: "control-denied", value: { by } }],
  ];
}

/**
 * @param {Engagement} state
 * @param {ControlRequested} frame
 * @param {Moment} at
 * @returns {Stepped}
 */
export function requested(state, { sessionId, by }, at) {
  if (state.role !== "controller") return [state, []];
  const request = { sessionId, by, until: at.now + LAPSES_MS };
  const requests = [...answered(state, sessionId).requests, request].slice(-REQUESTS);
  return [{ ...state, requests }, [{ do: "announce", name: "control-requested", value: request }]];
}

/**
 * @param {Engagement} state
 * @param {string} sessionId
 * @returns {Engagement} without its request
 */
export function answered(state, sessionId) {
  return {
    ...state,
    requests: state.requests.filter((request) => request.sessionId !== sessionId),
  };
}

/**
 * We gave control up: to that session, or to nobody.
 *
 * @param {Engagement} state
 * @param {Ack} ack
 * @param {string | null} sessionId
 * @param {Moment} at
 * @returns {Stepped}
 */
export function gaveUp(state, { epoch }, sessionId, at) {
  // The reply came after a push of a later change.
  if (epoch !== undefined && epoch < state.epoch) return [state, []];
  const driver = state.requests.find((request) => request.sessionId === sessionId)?.by ?? null;
  const viewer = { ...free(state, at), epoch: epoch ?? state.epoch, driver, holder: sessionId };
  return [viewer, sessionId !== null && driver === null ? [{ do: "look" }] : []];
}

/**
 * Time passes for those who ask. An answer that has not come may have been lost: the server knows.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped} without what has lapsed
 */
export function lapse(state, at) {
  const isOver = state.askingUntil !== null && at.now >= state.askingUntil;
  const open = state.requests.filter(({ until }) => at.now < until);
  if (!isOver && open.length === state.requests.length) return [state, []];
  const next = { ...state, requests: open, askingUntil: isOver ? null : state.askingUntil };
  if (!isOver) return [next, []];
  // A session that moves is told how it stands by the reply to that.
  const [asked, ping] = state.moving ? [next, []] : renew(next, at);
  return [
    asked,
    [{ do: "announce", name: "control-unanswered", value: { by: state.driver } }, ...ping],
  ];
}

/**
 * Who does not drive is asked by nobody; and who asked a driver that drives no more asks nobody.
 *
 * @param {Engagement} before
 * @param {Engagement} after
 * @returns {Engagement}
 */
export function tidy(before, after) {
  const requests =
    after.role === "controller" || after.requests.length === 0 ? after.requests : NONE;
  const moved = before.driver !== null && before.driver.userId !== after.driver?.userId;
  const askingUntil = after.role === "viewer" && !moved ? after.askingUntil : null;
  const asIs = requests === after.requests && askingUntil === after.askingUntil;
  return asIs ? after : { ...after, requests, askingUntil };
}

/** @type {readonly ControlRequest[]} */
const NONE = Object.freeze([]);
