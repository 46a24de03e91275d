/**
 * What a robot declares in its description, a picture and a data channel, and what of it has come.
 * Pure; it never knows who drives, nor what is done about what is missing.
 */

/** @import { Engagement, Moment } from "./machine.js" */
/** @import { Description, Part } from "../types.js" */

/** @type {readonly Part[]} */
const PARTS = ["picture", "channel"];
const LATE_MS = 3_000;

const LATE = {
  picture:
    "The robot is connected, but no picture has come yet. If none comes, look after its camera.",
  channel: "The robot is connected, but its data channel is not open, so no command reaches it.",
  both: "The robot is connected, but neither its picture nor its data channel has come yet.",
};

/**
 * What a robot's answer, or its own offer, says that it will send (RFC 8829, section 5.3: a media
 * section with port 0 is refused; RFC 8866, section 6.7: without a direction it is `sendrecv`).
 *
 * @param {Description} description
 * @returns {readonly Part[]}
 */
export function partsDeclaredBy({ sdp }) {
  const [session = "", ...sections] = String(sdp ?? "").split(/^(?=m=)/m);
  const sends = (/** @type {string} */ section) =>
    /^a=(sendrecv|sendonly)\b/m.test(section) || !(hasDirection(section) || hasDirection(session));
  const isTaken = (/** @type {string} */ section) =>
    !/^m=\S+ 0 /.test(section) || /^a=bundle-only\b/m.test(section);
  const taken = sections.filter(isTaken);
  const hasPicture = taken.some((section) => section.startsWith("m=video ") && sends(section));
  const hasChannel = taken.some((section) => section.startsWith("m=application "));
  return PARTS.filter((part) => (part === "picture" ? hasPicture : hasChannel));
}

/**
 * @param {string} section
 */
const hasDirection = (section) => /^a=(sendrecv|sendonly|recvonly|inactive)\b/m.test(section);

/**
 * @param {Engagement} state whether a path to the robot is open
 */
const isOpen = ({ phase, linkAt }) => phase === "linked" && linkAt === null;

/**
 * @param {Engagement} state
 * @returns {readonly Part[]} what has not come over the path that is open, declared or not
 */
export const missingParts = (state) =>
  isOpen(state) ? PARTS.filter((part) => !state.arrived.includes(part)) : [];

/**
 * @param {Engagement} state whether all that the robot declared has come
 */
export const isWhole = (state) =>
  isOpen(state) && state.declared.every((part) => state.arrived.includes(part));

/**
 * @param {Engagement} state
 * @param {Part} part
 * @returns {Engagement}
 */
export function arrive(state, part) {
  if (state.arrived.includes(part)) return state;
  return settleMedia({ ...state, arrived: [...state.arrived, part] });
}

/**
 * @param {Engagement} state
 * @param {Part} part
 * @returns {Engagement}
 */
export const depart = (state, part) => ({
  ...state,
  arrived: state.arrived.filter((other) => other !== part),
});

/**
 * Once all has come, nothing is amiss any more.
 *
 * @param {Engagement} state
 * @returns {Engagement}
 */
export const settleMedia = (state) => (isWhole(state) ? { ...state, why: null } : state);

/**
 * Say what has not come, once it is late.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Engagement}
 */
export function explainLateness(state, { now }) {
  if (!isOpen(state) || isWhole(state) || state.pathAt === null || now - state.pathAt < LATE_MS)
    return state;
  const late = state.declared.filter((part) => !state.arrived.includes(part));
  const why = late.length > 1 ? LATE.both : LATE[/** @type {Part} */ (late[0])];
  return why === state.why ? state : { ...state, why };
}
