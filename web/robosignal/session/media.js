/**
 * What a robot declares in its description, a picture and a data channel, and what of it has arrived.
 */

import { change } from "./state.js";

/** @import { Moment, State } from "./state.js" */
/** @import { Description, Part } from "../types.js" */

/** @type {readonly Part[]} */
const PARTS = ["picture", "channel"];
const LATE_MS = 3_000;

const LATE = {
  picture: "The robot is connected, but no picture has come yet. If none comes, check its camera.",
  channel: "The robot is connected, but its data channel is not open, so no command reaches it.",
  both: "The robot is connected, but neither its picture nor its data channel has come yet.",
};

/**
 * What a robot says that it sends, in its answer or its own offer (RFC 8829, section 5.3: a media
 * section with port 0 is refused; RFC 8866, section 6.7: without a direction it is `sendrecv`).
 *
 * @param {Description} description
 * @returns {readonly Part[]}
 */
export function declaredParts({ sdp }) {
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
 * @param {State} state
 * @returns {boolean} whether a path to the robot is open
 */
const isPathOpen = ({ phase, peer }) => phase === "linked" && peer.pathDueAt === null;

/**
 * @param {State} state
 * @returns {readonly Part[]} what hasn't arrived over the open path, whether declared or not
 */
export const missingParts = (state) =>
  isPathOpen(state) ? PARTS.filter((part) => !state.peer.arrived.includes(part)) : [];

/**
 * @param {State} state
 * @returns {boolean} whether everything that the robot declared has arrived
 */
export const hasAllParts = (state) =>
  isPathOpen(state) && state.peer.declared.every((part) => state.peer.arrived.includes(part));

/**
 * @param {State} state
 * @param {Part} part
 * @returns {State}
 */
export function addPart(state, part) {
  const { arrived } = state.peer;
  if (arrived.includes(part)) return state;
  return clearReason(change(state, "peer", { arrived: [...arrived, part] }));
}

/**
 * @param {State} state
 * @param {Part} part
 * @returns {State}
 */
export const removePart = (state, part) =>
  change(state, "peer", { arrived: state.peer.arrived.filter((other) => other !== part) });

/**
 * Once everything has arrived, nothing is wrong any more.
 *
 * @param {State} state
 * @returns {State}
 */
export const clearReason = (state) => (hasAllParts(state) ? { ...state, why: null } : state);

/**
 * Say what hasn't arrived, once it's late.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {State}
 */
export function explainMissing(state, { now }) {
  const { declared, arrived, pathAt } = state.peer;
  if (!isPathOpen(state) || hasAllParts(state)) return state;
  if (pathAt === null || now - pathAt < LATE_MS) return state;
  const late = declared.filter((part) => !arrived.includes(part));
  const why = late.length > 1 ? LATE.both : LATE[/** @type {Part} */ (late[0])];
  return why === state.why ? state : { ...state, why };
}
