/**
 * What helps a robot that refuses our commands though we drive: it has not heard of that, and an
 * offer in our session tells it. Pure; it never knows who else drives.
 */

/** @import { Engagement, Moment, Stepped } from "./machine.js" */

const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Offer the peer connection that stands again: the robot is told of it with the epoch. Once an
 * epoch; should that not help, less and less often, however many commands are refused.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
export function cure(state, at) {
  const { robotId, sessionId, pcId, offer } = state;
  const last = state.cure?.epoch === state.epoch ? state.cure : null;
  const can =
    state.online &&
    !state.moving &&
    state.phase === "linked" &&
    sessionId !== null &&
    offer !== null;
  if (!can || (last !== null && at.now < last.againAt)) return [state, []];
  const waitMs = last === null ? FIRST_WAIT_MS : Math.min(LONGEST_WAIT_MS, 2 * last.waitMs);
  const frame = { type: "offer", robotId, sessionId, role: "controller", pcId, payload: offer };
  return [
    { ...state, cure: { epoch: state.epoch, againAt: at.now + waitMs, waitMs } },
    [{ do: "request", to: "cure", pcId, frame }],
  ];
}
