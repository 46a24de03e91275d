/**
 * What others do to an engagement: the robot's frames, changes of control, the list. Pure; a push of
 * an epoch before the highest seen changes nothing.
 */

import { cure } from "./cure.js";
import { denied, requested } from "./control.js";
import { partsDeclaredBy } from "./media.js";
import { LINK_MS, begin, flowing, isUnsent, renew, rest } from "./offers.js";
import { placed } from "./paths.js";
import { SOMEBODY, free, isOvertaken, lead } from "./standing.js";

/** @import { Effect, Engagement, Moment, Stepped } from "./machine.js" */
/** @import { Ack, ControlFrame, ControlLost, Description, Frame, PeerFrame, PeerLeft, Person, Robot } from "../types.js" */

const EARLY_CANDIDATES = 32;
const DOUBTED_MS = 5_000;
const REASON_LETTERS = 300;

/** Why a session ended, by the server's word for it. */
export const LEFT = {
  evicted: "Your access to the robot has changed. Joining again.",
  restarted: "The robot has restarted. Joining again.",
  unregistered: "The robot went away. Waiting for it to come back.",
  bye: "The robot ended the session. Joining again.",
};

/**
 * @param {Engagement} state
 * @param {Frame} frame
 * @param {Moment} at
 * @returns {Stepped}
 */
export function heard(state, frame, at) {
  if (!("robotId" in frame) || frame.robotId !== state.robotId) return [state, []];
  switch (frame.type) {
    case "offer":
    case "answer":
    case "ice-candidate":
      return fromRobot(state, frame, at);
    case "control":
      return controlMoved(state, frame, at);
    case "control-lost":
      return controlLost(state, frame, at);
    case "control-requested":
      return requested(state, frame, at);
    case "control-denied":
      return denied(state, frame);
    case "peer-left":
      return robotLeft(state, frame, at);
    default:
      return [state, []];
  }
}

/**
 * @param {Engagement} state
 * @param {PeerFrame} frame
 * @param {Moment} at
 * @returns {Stepped}
 */
function fromRobot(state, { type, pcId, payload }, at) {
  // A seed robot names no peer connection; it has but one.
  if (state.pcId === null || (pcId !== undefined && pcId !== state.pcId)) return [state, []];
  if (type === "ice-candidate") {
    const known = placed(state, payload?.candidate?.candidate ?? payload?.candidate);
    if (state.phase === "linked") return [known, [{ do: "add", payload }]];
    return [{ ...known, early: [...state.early, payload].slice(-EARLY_CANDIDATES) }, []];
  }
  if (payload.type === "error") return offerRefused(state, payload, at);
  // A robot may leave the description's type to the frame's.
  const description = { ...payload, type: payload.type ?? type };
  // The robot is the impolite peer: its offer rolls ours back.
  if (state.phase === "offering") return linked(state, description, at);
  if (type !== "offer" || state.phase !== "linked") return [state, []];
  return [
    { ...state, declared: partsDeclaredBy(description) },
    [{ do: "remote", payload: description }],
  ];
}

/**
 * The robot cannot take our offer, or gives up a connection that was never established, and says why.
 * The session and control continue.
 *
 * @param {Engagement} state
 * @param {{message?: unknown}} refusal
 * @param {Moment} at
 * @returns {Stepped}
 */
function offerRefused(state, { message }, at) {
  const isJoining = state.phase === "linked" && state.linkAt !== null;
  if (state.phase !== "offering" && !isJoining) return [state, []];
  const reason =
    typeof message === "string" ? message.slice(0, REASON_LETTERS) : "it does not say why";
  // It has the offer, whether or not the server's reply is here yet: the next one is another.
  const what = isJoining ? "The robot has given the connection up" : "The robot refuses the offer";
  return rest({ ...state, acked: true, pathless: isJoining }, `${what}: ${reason}.`, at);
}

/**
 * @param {Engagement} state
 * @param {Description} payload
 * @param {Moment} at
 * @returns {Stepped}
 */
function linked(state, payload, at) {
  const next = {
    ...placed(state, payload.sdp),
    phase: /** @type {const} */ ("linked"),
    early: [],
    answerAt: null,
    linkAt: at.now + LINK_MS,
    declared: partsDeclaredBy(payload),
  };
  /** @type {Effect[]} */
  const candidates = state.early.map((candidate) => ({ do: "add", payload: candidate }));
  return [
    state.ice === "connected" ? flowing({ ...next, linkAt: null }) : next,
    [{ do: "remote", payload }, ...candidates],
  ];
}

/**
 * @param {Engagement} state
 * @param {ControlFrame} frame
 * @param {Moment} at
 * @returns {Stepped}
 */
function controlMoved(state, { epoch, sessionId, person: holder }, at) {
  if (epoch < state.epoch) return [state, []];
  if (sessionId !== undefined && sessionId === state.sessionId) return [lead(state, epoch, at), []];
  const driver = holder ?? null;
  const viewer = { ...free(state, at), epoch, driver, holder: sessionId ?? null };
  const taken = state.role === "controller" && driver ? driver : sameAs(state.lostTo, driver);
  return [{ ...viewer, lostTo: taken }, []];
}

/**
 * @param {Person | null} lostTo
 * @param {Person | null} driver
 * @returns {Person | null}
 */
function sameAs(lostTo, driver) {
  return lostTo && driver && lostTo.userId === driver.userId ? lostTo : null;
}

/**
 * The robot obeys another epoch than ours: a later one may have a driver whom we do not know yet,
 * and an earlier one means that it has not heard of us. The server is asked about a later one, once:
 * what it says is not judged by the robot's word, which may be wrong.
 *
 * @param {Engagement} state
 * @param {number} epoch
 * @param {Moment} at
 * @returns {Stepped}
 */
export function refusedByRobot(state, epoch, at) {
  const isDoubted = epoch <= state.doubt.epoch || at.now - state.doubt.at < DOUBTED_MS;
  if (epoch <= state.epoch || isDoubted) return cure(state, at);
  const doubt = { epoch, at: at.now };
  const [next, effects] = renew(
    { ...free(state, at), doubt, driver: SOMEBODY, lostTo: SOMEBODY },
    at,
  );
  return [next, [...effects, { do: "look" }]];
}

/**
 * @param {Engagement} state
 * @param {ControlLost} frame
 * @param {Moment} at
 * @returns {Stepped}
 */
function controlLost(state, { epoch, sessionId, by }, at) {
  if (epoch < state.epoch) return [state, []];
  if (sessionId !== undefined && state.sessionId !== null && sessionId !== state.sessionId)
    return [state, []];
  if (sessionId !== undefined && sessionId === state.former) return [state, []];
  const viewer = /** @type {const} */ ("viewer");
  const lost = {
    ...state,
    epoch,
    role: viewer,
    want: viewer,
    sessionId: null,
    holder: null,
    driver: by,
    driverAt: at.now,
    lostTo: by,
    stale: false,
  };
  // An offer that has no reply yet may have come after the loss: the reply decides.
  return state.offered ? [{ ...lost, rejoins: true }, []] : begin(lost, at);
}

/**
 * @param {Engagement} state
 * @param {PeerLeft} frame
 * @param {Moment} at
 * @returns {Stepped}
 */
function robotLeft(state, { sessionId, epoch, reason }, at) {
  if (sessionId !== state.sessionId) return [state, []];
  const why = Object.hasOwn(LEFT, reason)
    ? LEFT[/** @type {keyof typeof LEFT} */ (reason)]
    : LEFT.bye;
  // A robot that was forgotten counts its epochs anew.
  const isOut = reason === "evicted";
  const seen = isOut ? 0 : Math.max(state.epoch, epoch ?? 0);
  const left = {
    ...state,
    former: isOut ? sessionId : state.former,
    sessionId: null,
    role: null,
    holder: null,
    driver: null,
    driverAt: at.now,
    stale: false,
    epoch: seen,
    why,
  };
  return reason === "restarted" ? begin(left, at) : rest({ ...left, acked: true }, why, at);
}

/**
 * @param {Engagement} state
 * @param {Robot} row
 * @param {number} askedAt
 * @param {Moment} at
 * @returns {Stepped}
 */
export function listed(state, row, askedAt, at) {
  // That the robot is there is no news to who found no path to it.
  const soon = state.phase === "waiting" && row.online && !state.pathless;
  const next = {
    ...state,
    absent: !row.online,
    retryAt: soon ? Math.min(state.retryAt ?? at.now, at.now) : state.retryAt,
  };
  // A list that was asked for before the last push may tell of the driver before.
  if (state.role !== "viewer" || askedAt < state.driverAt) return [next, []];
  const driver = row.controlledBy ?? null;
  return [
    {
      ...next,
      driver,
      stale: state.stale && !state.online,
      lostTo: state.lostTo === SOMEBODY ? driver : sameAs(state.lostTo, driver),
    },
    [],
  ];
}

/**
 * @param {Engagement} state
 * @param {Ack} ack
 * @param {number} asOf
 * @param {Moment} at
 * @returns {Stepped}
 */
export function took(state, ack, asOf, at) {
  if (isOvertaken(state, ack.epoch, asOf)) return [state, []];
  const moved = ack.sessionId !== undefined && ack.sessionId !== state.sessionId;
  const next = lead(
    { ...state, sessionId: ack.sessionId ?? state.sessionId, former: null },
    ack.epoch ?? state.epoch,
    at,
  );
  return moved && !isUnsent(state) ? begin(next, at) : [next, []];
}
