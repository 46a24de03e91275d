/**
 * Frames as text: how they are written, and which are believed.
 */

import { SignalingError } from "./errors.js";

/** @import { Frame, OutFrame } from "./types.js" */

/** API Gateway's frame quota. A browser cannot split a frame, so a longer one is never sent. */
export const FRAME_BYTES = 32 * 1024;

/** @typedef {(value: any) => boolean} Check */
/** @type {Check} */
const text = (value) => typeof value === "string";
/** @type {Check} */
const number = (value) => Number.isFinite(value);
/** @type {Check} */
const record = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** @type {Check} */
const person = (value) => record(value) && text(value.userId) && maybe(text)(value.name);
/** @type {Check} */
const role = (value) => value === "controller" || value === "viewer";
/**
 * Of a session, or of the share that `accept` gives.
 *
 * @type {Check}
 */
const anyRole = (value) => role(value) || value === "operator";
/** @type {(check: Check) => Check} */
const maybe = (check) => (value) => value === undefined || check(value);
/** @type {(check: Check) => Check} */
const every = (check) => (value) => Array.isArray(value) && value.every(check);
/** @type {Check} */
const flag = (value) => typeof value === "boolean";
/** @type {Check} */
const robot = (value) =>
  record(value) &&
  text(value.robotId) &&
  flag(value.online) &&
  maybe(person)(value.controlledBy) &&
  maybe(person)(value.notRenewed) &&
  maybe(number)(value.rev) &&
  maybe(number)(value.validForSeconds);

/** @type {Check} */
const interval = (value) =>
  record(value) &&
  person(value.person) &&
  role(value.role) &&
  text(value.sessionId) &&
  number(value.since) &&
  maybe(number)(value.until) &&
  maybe(number)(value.lapsesAt) &&
  maybe(text)(value.reason) &&
  maybe(text)(value.by);
/** @type {Check} */
const gap = (value) => record(value) && number(value.since) && number(value.until);

/** @type {Check} */
const key = (value) =>
  record(value) &&
  text(value.kid) &&
  text(value.fingerprint) &&
  number(value.addedAt) &&
  maybe(text)(value.addedBy) &&
  maybe(number)(value.lastUsedAt) &&
  maybe(number)(value.notAfter) &&
  maybe(flag)(value.pending);

/** @type {Check} */
const share = (value) =>
  record(value) &&
  maybe(text)(value.userId) &&
  maybe(text)(value.group) &&
  (value.role === "operator" || value.role === "viewer") &&
  maybe(number)(value.until) &&
  maybe(flag)(value.offered);

const PEER = { robotId: text, sessionId: maybe(text), pcId: maybe(text), payload: record };

/** What a frame must bear to be believed; a type that is not listed is ignored. */
/** @type {Record<string, Record<string, Check>>} */
const SHAPES = {
  ack: { sessionId: maybe(text), role: maybe(anyRole), epoch: maybe(number) },
  pong: { sessionId: maybe(text), role: maybe(role), epoch: maybe(number) },
  error: { code: text, message: text, robotId: maybe(text), controlledBy: maybe(person) },
  welcome: {
    userId: text,
    name: maybe(text),
    iceServers: maybe(every(record)),
    turn: maybe(flag),
    heartbeatSeconds: maybe(number),
  },
  "ice-servers": { iceServers: every(record), ttlSeconds: number, turn: maybe(flag) },
  robots: { robots: every(robot), cursor: maybe(text) },
  history: {
    robotId: text,
    intervals: every(interval),
    gaps: maybe(every(gap)),
    keptSince: number,
    cursor: maybe(text),
  },
  code: { code: text, expiresAt: number },
  keys: { robotId: text, keys: every(key) },
  shares: { robotId: text, shares: every(share) },
  offer: PEER,
  answer: PEER,
  "ice-candidate": PEER,
  control: { robotId: text, epoch: number, sessionId: maybe(text), person: maybe(person) },
  "control-lost": { robotId: text, sessionId: maybe(text), by: person, epoch: number },
  "control-requested": { robotId: text, sessionId: text, by: person },
  "control-denied": { robotId: text, by: person },
  presence: {
    robotId: text,
    rev: number,
    online: flag,
    validForSeconds: number,
    controlledBy: maybe(person),
    notRenewed: maybe(person),
  },
  "peer-left": { robotId: text, sessionId: text, epoch: maybe(number), reason: text },
};

/**
 * Read a frame.
 *
 * API Gateway's own frames bear a `message` and no `type`: each becomes an `internal` error.
 *
 * @param {unknown} data
 * @returns {Frame | null}
 */
export function parseFrame(data) {
  if (typeof data !== "string") return null;
  let frame;
  try {
    frame = JSON.parse(data);
  } catch {
    return null;
  }
  if (!record(frame)) return null;
  if (frame.type === undefined && text(frame.message)) {
    return {
      type: "error",
      code: "internal",
      message: `The service failed: ${frame.message}. Try again.`,
    };
  }
  const shape = Object.hasOwn(SHAPES, frame.type) ? SHAPES[frame.type] : undefined;
  if (!shape || !maybe(text)(frame.replyTo)) return null;
  return Object.entries(shape).every(([field, check]) => check(frame[field])) ? frame : null;
}

/**
 * Write a frame.
 *
 * @param {OutFrame} frame
 * @throws {SignalingError} `too_large`, when a server would cut the connection for it
 */
export function encodeFrame(frame) {
  const encoded = JSON.stringify(frame);
  const bytes = new TextEncoder().encode(encoded).length;
  if (bytes > FRAME_BYTES) {
    throw new SignalingError({
      code: "too_large",
      message: `This ${frame.type} has ${bytes} bytes, and a frame may have ${FRAME_BYTES}: offer fewer tracks or codecs.`,
    });
  }
  return encoded;
}

/**
 * @param {any} payload
 */
const init = (payload) =>
  record(payload.candidate) ? { ...payload, candidate: "", ...payload.candidate } : payload;

/**
 * The candidate that a payload holds, in each shape that the protocol allows: the string of an
 * RTCIceCandidateInit, the whole object as payload or within it; `null` and "" end the candidates.
 * `spec/vectors/candidates.json` lists them for every client.
 *
 * @param {object} payload
 * @returns {RTCIceCandidateInit} an empty `candidate` ends them
 * @throws {TypeError} when `candidate` is anything else
 */
export function candidateOf(payload) {
  const { candidate, sdpMid, sdpMLineIndex, usernameFragment } = init(payload);
  if (!maybe(text)(candidate ?? undefined)) throw new TypeError("the frame holds no candidate");
  return {
    candidate: candidate ?? "",
    ...(text(sdpMid) ? { sdpMid } : {}),
    ...(Number.isInteger(sdpMLineIndex) ? { sdpMLineIndex } : {}),
    ...(text(usernameFragment) ? { usernameFragment } : {}),
  };
}

/**
 * The media section that carries everything: the first of the first bundle (RFC 9143, section 7.2),
 * else the first of all.
 *
 * @param {string} sdp
 * @returns {{sdpMid: string} | {sdpMLineIndex: number}}
 */
export function firstSectionOf(sdp) {
  const mid = /^a=group:BUNDLE (\S+)/m.exec(sdp)?.[1];
  return mid === undefined ? { sdpMLineIndex: 0 } : { sdpMid: mid };
}
