/**
 * What an application sees of a session.
 */

import { hasAllParts, missingParts } from "./media.js";

/** @import { State } from "./state.js" */
/** @import { View } from "../types.js" */

const OFFLINE = "The server cannot be reached. Waiting for it.";
const DEAD = "Neither the server nor the robot can be reached. Waiting for the server.";

/**
 * @param {State} state
 * @returns {View} what an application sees
 */
export function viewOf(state) {
  const { robotId, phase, control, handover } = state;
  const { role } = state.session;
  const why = whyOf(state);
  const trying = why === null ? "connecting" : "waiting";
  const isLive = hasAllParts(state) && !state.peer.isDead;
  const shown = isLive ? "live" : phase === "ended" ? "ended" : trying;
  return {
    robotId,
    state: shown,
    why,
    role,
    driver: role === "controller" ? null : control.driver,
    stale: control.isStale && !(role === "controller" && isLive),
    lostTo: control.lostTo,
    epoch: control.epoch,
    requests: handover.requests,
    asking: handover.askingUntil !== null,
    missing: missingParts(state),
    ...describeLink(state),
    picture: state.peer.picture,
  };
}

/**
 * @param {State} state
 * @returns {Pick<View, "commands" | "blocked" | "stopped">}
 */
function describeLink({ session, peer: { link } }) {
  const { commands, blocked, stoppedBy } = link;
  return {
    commands,
    blocked: session.role !== "controller" ? null : commands === null ? "undeclared" : blocked,
    stopped: stoppedBy === null ? null : { by: stoppedBy },
  };
}

/**
 * @param {State} state
 */
function whyOf({ phase, online, peer, why }) {
  if (peer.isDead && phase === "linked") return DEAD;
  return phase === "linked" || phase === "ended" || online ? why : OFFLINE;
}

/**
 * Keep what has not changed, so that a page can compare by identity (React's
 * `useSyncExternalStore` does).
 *
 * @param {View} before
 * @param {View} after
 * @returns {View} `before` if no field has changed; else a frozen one, whose unchanged fields are the
 *   same objects as before
 */
export function keepUnchanged(before, after) {
  const fields = /** @type {(keyof View)[]} */ (Object.keys(after));
  const kept = fields.filter((field) => isEqual(before[field], after[field]));
  if (kept.length === fields.length) return before;
  return Object.freeze({
    ...after,
    ...Object.fromEntries(kept.map((field) => [field, before[field]])),
  });
}

/**
 * @param {any} one
 * @param {any} other
 * @returns {boolean} whether they are equal, field by field
 */
function isEqual(one, other) {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => isEqual(one[name], other[name]))
  );
}
