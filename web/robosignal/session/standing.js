/**
 * How our session stands: who drives, as of which epoch, by whoever told it last. Pure; it never
 * knows by which frame it was told.
 */

import { renewedAt } from "./offers.js";

/** @import { Engagement, Moment } from "./machine.js" */
/** @import { Person, Role } from "../types.js" */

/** @type {Person} a driver of whom only the epoch is known */
export const SOMEBODY = Object.freeze({ userId: "", name: "somebody else" });

/**
 * We drive.
 *
 * @param {Engagement} state
 * @param {number} epoch
 * @param {Moment} at
 * @returns {Engagement}
 */
export function lead(state, epoch, at) {
  return renewedAt(
    {
      ...state,
      epoch,
      role: "controller",
      want: "controller",
      holder: state.sessionId,
      driver: null,
      driverAt: at.now,
      lostTo: null,
      stale: false,
    },
    at,
  );
}

/**
 * Nobody drives, as far as we know, and we watch.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Engagement}
 */
export function free(state, at) {
  const viewer = {
    ...state,
    want: /** @type {const} */ ("viewer"),
    holder: null,
    driver: null,
    driverAt: at.now,
    lostTo: null,
    stale: false,
  };
  return state.role === null ? { ...viewer, want: state.want } : { ...viewer, role: "viewer" };
}

/**
 * Our session is a viewer's by now. If it was the driver's, somebody has taken the control, and
 * only the list says who.
 *
 * @param {Engagement} state
 * @param {number} epoch
 * @param {Moment} at
 * @returns {Engagement}
 */
export function watch(state, epoch, at) {
  const viewer = {
    ...state,
    epoch,
    role: /** @type {const} */ ("viewer"),
    want: /** @type {const} */ ("viewer"),
    holder: null,
    stale: false,
  };
  if (state.role === "controller")
    return { ...viewer, driver: SOMEBODY, driverAt: at.now, lostTo: SOMEBODY };
  return epoch > state.epoch
    ? { ...viewer, driverAt: at.now }
    : { ...viewer, holder: state.holder };
}

/**
 * Our session's role as the server told it at an epoch that is not lower than the highest seen.
 *
 * @param {Engagement} state
 * @param {Role} role
 * @param {number} epoch
 * @param {Moment} at
 * @returns {Engagement}
 */
export function stand(state, role, epoch, at) {
  return role === "controller" ? lead(state, epoch, at) : watch(state, epoch, at);
}

/**
 * Whether an epoch that a reply bears was overtaken by a push: it is lower than the highest seen,
 * and that has risen since the server was asked. Any other lower epoch is that of a robot that was
 * forgotten, and counts anew. After an eviction a push may be of the robot's former life: nothing is
 * judged by it.
 *
 * @param {Engagement} state
 * @param {number | undefined} epoch
 * @param {number} asOf the highest seen when the server was asked
 */
export function isOvertaken(state, epoch, asOf) {
  return epoch !== undefined && state.former === null && asOf <= epoch && epoch < state.epoch;
}
