/**
 * The engagement with one robot: its state, what may happen to it, and what an application sees of
 * it. It is pure; who does what at which event stands in moves, replies, pushes and health.
 */

import { asks, answered, gaveUp, tidy } from "./control.js";
import { tick } from "./health.js";
import { arrive, depart, isWhole, missingParts } from "./media.js";
import {
  ASK_MS,
  begin,
  cameOnline,
  claimed,
  end,
  move,
  pathChanged,
  relay,
  sendCandidate,
  sendOffer,
  settle,
} from "./offers.js";
import { heard, listed, refusedByRobot, took } from "./frames.js";
import { failed, farewell, replied, withdraw } from "./replies.js";
import { never } from "../errors.js";

/** @import { Network, Permissions } from "./paths.js" */
/** @import { Ack, ControlRequest, Description, ErrorFrame, Frame, OutFrame, Part, Person, Pong, Robot, Role, View } from "../types.js" */

/**
 * @typedef {object} Engagement
 * @property {string} robotId
 * @property {"idle" | "offering" | "linked" | "waiting" | "ended"} phase
 *   `idle`: nothing offered yet, for want of a connection; `waiting`: the next try is due at `retryAt`
 * @property {Role} want the role that the next offer asks for
 * @property {boolean} online whether signaling is
 * @property {boolean} asked whether the application awaits the outcome of this offer
 * @property {number} askedUntil it awaits that until then, and no longer
 * @property {boolean} withdrawn whether the application no longer wants the control that the offer under way may win: it is given back
 * @property {boolean} joined whether the server ever let us in
 * @property {string | null} why a sentence, while something is amiss
 * @property {string | null} sessionId
 * @property {Role | null} role what the server granted
 * @property {number} epoch the highest seen
 * @property {string | null} holder the session that drives by that epoch, if we were told which
 * @property {boolean} stale whether signaling was lost since we were told who drives
 * @property {Person | null} driver who drives, when it is not us
 * @property {number} driverAt when a push last told so
 * @property {Person | null} lostTo who took control from us, until control moves on
 * @property {string | null} pcId the peer connection in use
 * @property {number} openedAt
 * @property {boolean} acked whether the server has taken this peer connection's offer
 * @property {boolean} offered whether that offer went out, and has no reply yet
 * @property {boolean} rejoins whether control was lost since it went out: an older ack is that of a session that has ended
 * @property {number} claims takeovers and requests for control that have no reply yet: nothing is offered before
 * @property {string | null} former the session that was evicted, until we are let in again: the robot may count its epochs anew
 * @property {Description | null} offer
 * @property {{to: "relay" | "again", type: string, payload: object}[]} held what is to be relayed once the server knows our session on this connection
 * @property {boolean} moving whether the session is being taken along to another connection
 * @property {RTCIceCandidateInit[]} early the robot's candidates until its answer
 * @property {number} seq counts what was relayed in this session
 * @property {string} ice the peer connection's state
 * @property {number | null} iceLostAt
 * @property {number | null} pongAt when the robot's data channel last answered
 * @property {number | null} channelClosedAt
 * @property {boolean} isCut whether signaling is lost and the media is dead as well
 * @property {boolean} absent whether the list last told that the robot is offline
 * @property {number} lookAt a silent robot is looked up, from then on
 * @property {number | null} answerAt the answer is due
 * @property {number | null} linkAt the media path is due
 * @property {number | null} pathAt when it opened
 * @property {readonly Part[]} declared what the robot's description says that it sends
 * @property {readonly Part[]} arrived what of that has come
 * @property {readonly Network[]} networks of the operator's own on which the robot says that it is
 * @property {Permissions} permissions which of them the browser lets this page reach
 * @property {number | null} retryAt
 * @property {number} tries since media last flowed
 * @property {boolean} pathless whether the last try found the robot, and no path for media
 * @property {number | null} renewAt
 * @property {Cure | null} cure of a robot that has not heard that we drive
 * @property {{epoch: number, at: number}} doubt the highest epoch that the robot, not the server, has told, and when the server was asked about it
 * @property {readonly ControlRequest[]} requests who asks us for control
 * @property {number | null} askingUntil the driver is asked for control, until then
 */

/** @typedef {{epoch: number, againAt: number, waitMs: number}} Cure for that epoch, not again before `againAt` */
/**
 * @typedef {"offer" | "resume" | "move" | "renew" | "cure" | "relay" | "again"} To what a reply answers:
 *   `resume` after a loss, `move` without one; `again`: what is relayed a second time
 */
/** @typedef {{now: number, id: string}} Moment `now` in ms, `id` fresh for each step: it names a peer connection if the step opens one */
/**
 * @typedef {{type: "join", role: Role}
 *   | {type: "online"} | {type: "offline"} | {type: "tick"} | {type: "leave"} | {type: "drive"}
 *   | {type: "await"} | {type: "withdraw", wanted: Role | null}
 *   | {type: "swapped"} | {type: "move"}
 *   | {type: "took", ack: Ack, asOf?: number} | {type: "released", ack: Ack} | {type: "granted", ack: Ack, sessionId: string}
 *   | {type: "claiming"} | {type: "claimed"} | {type: "asking"} | {type: "unasked"} | {type: "answered", sessionId: string}
 *   | {type: "frame", frame: Frame}
 *   | {type: "listed", robot: Robot, askedAt: number}
 *   | {type: "reply", to: To, pcId: string | null, sent: OutFrame, asOf: number, frame: Ack | Pong | ErrorFrame}
 *   | {type: "offered", pcId: string, payload: Description}
 *   | {type: "candidate", pcId: string, payload: RTCIceCandidateInit}
 *   | {type: "described", pcId: string, payload: Description}
 *   | {type: "ice", pcId: string, state: string}
 *   | {type: "channel-opened", pcId: string} | {type: "channel-closed", pcId: string} | {type: "picture", pcId: string}
 *   | {type: "permitted", permissions: Permissions}
 *   | {type: "pong", pcId: string}
 *   | {type: "refused", pcId: string, epoch: number}
 *   | {type: "broken", pcId: string, message: string, code?: string}} Happening
 *   `asOf`: the highest epoch seen when the server was asked; `sent`: what it was asked;
 *   `await`: one more call waits for the outcome that others wait for already;
 *   `wanted`: what the calls that still wait ask for; null when none does
 */
/**
 * @typedef {{do: "open", pcId: string} | {do: "close"}
 *   | {do: "request", to: To, pcId: string | null, frame: OutFrame}
 *   | {do: "send", frame: OutFrame}
 *   | {do: "remote", payload: Description} | {do: "add", payload: RTCIceCandidateInit}
 *   | {do: "look"}
 *   | {do: "announce", name: "control-requested" | "control-denied" | "control-unanswered", value: any}
 *   | {do: "settle", error: ErrorFrame | null}} Effect
 */
/** @typedef {[Engagement, Effect[]]} Stepped */

const UNREACHED = "The server cannot be reached just now. Waiting for it.";
const CUT = "Neither the server nor the robot can be reached just now. Waiting for the server.";

/**
 * An engagement that has not begun.
 *
 * @param {string} robotId
 * @param {boolean} online
 * @returns {Engagement}
 */
export function engagement(robotId, online) {
  return {
    robotId,
    online,
    phase: "idle",
    want: "viewer",
    asked: false,
    askedUntil: 0,
    withdrawn: false,
    joined: false,
    why: null,
    sessionId: null,
    role: null,
    epoch: 0,
    holder: null,
    stale: !online,
    driver: null,
    driverAt: 0,
    lostTo: null,
    pcId: null,
    openedAt: 0,
    acked: false,
    offered: false,
    rejoins: false,
    claims: 0,
    former: null,
    offer: null,
    held: [],
    early: [],
    seq: 0,
    ice: "new",
    iceLostAt: null,
    pongAt: null,
    channelClosedAt: null,
    isCut: false,
    absent: false,
    lookAt: 0,
    answerAt: null,
    linkAt: null,
    pathAt: null,
    declared: [],
    arrived: [],
    networks: [],
    permissions: {},
    retryAt: null,
    tries: 0,
    pathless: false,
    renewAt: null,
    cure: null,
    doubt: { epoch: 0, at: -Infinity },
    moving: false,
    requests: [],
    askingUntil: null,
  };
}

/**
 * What an application may know of an engagement.
 *
 * @param {Engagement} state
 * @returns {View}
 */
export function view(state) {
  const { robotId, phase, role, lostTo, epoch, requests } = state;
  const why = whyOf(state);
  const trying = why === null ? "connecting" : "waiting";
  // An answer is not yet a path, and a path not yet a picture: nothing is live before both have come.
  const shown = isWhole(state) && !state.isCut ? "live" : phase === "ended" ? "ended" : trying;
  const isDriving = role === "controller" && shown === "live";
  const driver = role === "controller" ? null : state.driver;
  const asking = state.askingUntil !== null;
  return {
    robotId,
    state: shown,
    why,
    role,
    driver,
    stale: state.stale && !isDriving,
    lostTo,
    epoch,
    requests,
    asking,
    missing: missingParts(state),
  };
}

/**
 * @param {Engagement} state
 */
function whyOf({ phase, online, isCut, why }) {
  if (isCut && phase === "linked") return CUT;
  return phase === "linked" || phase === "ended" || online ? why : UNREACHED;
}

/**
 * One step of an engagement. What does not fit the phase changes nothing; nothing throws.
 *
 * @param {Engagement} state
 * @param {Happening} event
 * @param {Moment} at
 * @returns {Stepped}
 */
export function step(state, event, at) {
  if (state.phase === "ended") return [state, farewell(event)];
  if ("pcId" in event && event.pcId !== null && event.pcId !== state.pcId) return [state, []];
  const [next, effects] = happened(state, event, at);
  return [tidy(state, next), effects];
}

/**
 * @param {Engagement} state
 * @param {Happening} event
 * @param {Moment} at
 * @returns {Stepped}
 */
function happened(state, event, at) {
  switch (event.type) {
    case "join":
      return begin(asking(state, event.role, at), at);
    case "drive":
      return drive(state, at);
    case "await":
      return [state, []];
    case "withdraw":
      return withdraw(state, event.wanted);
    case "leave":
      return end(state, null);
    case "online":
      // A socket that was only slow was never lost.
      return state.online ? [state, []] : cameOnline({ ...state, online: true }, at);
    case "offline":
      return [{ ...state, online: false, moving: false, stale: true }, []];
    case "swapped":
      // From here on only a move that failed makes a renewal due.
      return [{ ...state, moving: true, renewAt: null }, []];
    case "move":
      return move(state, at);
    case "tick":
      return tick(state, at);
    case "reply":
      return replied(state, event, at);
    case "frame":
      return heard(state, event.frame, at);
    case "listed":
      return listed(state, event.robot, event.askedAt, at);
    case "took":
      return took(state, event.ack, event.asOf ?? 0, at);
    case "released":
      return gaveUp(state, event.ack, null, at);
    case "granted":
      return gaveUp(state, event.ack, event.sessionId, at);
    case "claiming":
      return [{ ...state, claims: state.claims + 1 }, []];
    case "claimed":
      return claimed(state, at);
    case "asking":
    case "unasked":
      return [asks(state, event.type === "asking", at), []];
    case "answered":
      return [answered(state, event.sessionId), []];
    case "offered":
      return sendOffer({ ...state, offer: event.payload }, at);
    case "candidate":
      return sendCandidate(state, event.payload);
    case "described":
      return relay(state, "answer", event.payload);
    case "ice":
      return [pathChanged(state, event.state, at), []];
    case "channel-closed":
      // One that the robot has refused was never open.
      if (
        !state.declared.includes("channel") &&
        !state.arrived.includes("channel") &&
        state.pongAt === null
      )
        return [state, []];
      return [depart({ ...state, channelClosedAt: at.now }, "channel"), []];
    case "channel-opened":
      return [arrive(state, "channel"), []];
    case "permitted":
      return [{ ...state, permissions: event.permissions }, []];
    case "picture":
      return [arrive(state, "picture"), []];
    case "pong":
      return [{ ...state, pongAt: at.now }, []];
    case "refused":
      return state.role === "controller" ? refusedByRobot(state, event.epoch, at) : [state, []];
    case "broken":
      return failed(
        state,
        { type: "error", code: event.code ?? "internal", message: event.message },
        state.epoch,
        at,
      );
    default:
      return never(event);
  }
}

/**
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
function drive(state, at) {
  const next = asking(state, "controller", at);
  if (state.role === "controller") return settle(next, null);
  // Another call already asks for the same: both share one offer.
  return state.asked && state.want === "controller" ? [state, []] : begin(next, at);
}

/**
 * @param {Engagement} state
 * @param {Role} want
 * @param {Moment} at
 * @returns {Engagement}
 */
const asking = (state, want, at) => ({
  ...state,
  want,
  asked: true,
  askedUntil: at.now + ASK_MS,
  withdrawn: false,
});
