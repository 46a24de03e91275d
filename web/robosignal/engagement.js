/**
 * The engagement with one robot: its state, what may happen to it, and what an application sees of
 * it. It is pure; who does what at which event stands in moves, replies, pushes and health.
 */

import { asks, answered, gaveUp, tidy } from "./handover.js";
import { tick } from "./health.js";
import { begin, cameOnline, end, move, pathChanged, relay, sendCandidate, sendOffer, settle } from "./moves.js";
import { heard, listed, refusedByRobot, took } from "./pushes.js";
import { failed, replied } from "./replies.js";
import { never } from "./words.js";

/** @import { ControlRequest } from "./handover.js" */
/** @import { Ack, Description, ErrorFrame, Frame, OutFrame, Person, Pong, Robot, Role } from "./words.js" */

/**
 * @typedef {object} Engagement
 * @property {string} robotId
 * @property {"idle" | "offering" | "linked" | "waiting" | "ended"} phase
 *   `idle`: nothing offered yet, for want of a connection; `waiting`: the next try is due at `retryAt`
 * @property {Role} want the role that the next offer asks for
 * @property {boolean} online whether signaling is
 * @property {boolean} asked whether the application awaits the outcome of this offer
 * @property {boolean} joined whether the server ever let us in
 * @property {string | null} why a sentence, while something is amiss
 * @property {string | null} sessionId
 * @property {Role | null} role what the server granted
 * @property {number} epoch the highest seen
 * @property {Person | null} driver who drives, when it is not us
 * @property {number} driverAt when a push last told so
 * @property {Person | null} lostTo who took control from us, until control moves on
 * @property {string | null} pcId the peer connection in use
 * @property {number} openedAt
 * @property {boolean} acked whether the server has taken this peer connection's offer
 * @property {Description | null} offer
 * @property {{type: string, payload: object}[]} held what is to be relayed once the server knows our session on this connection
 * @property {boolean} moving whether the session is being taken along to another connection
 * @property {RTCIceCandidateInit[]} early the robot's candidates until its answer
 * @property {number} seq counts what was relayed in this session
 * @property {string} ice the peer connection's state
 * @property {number | null} iceLostAt
 * @property {number | null} pongAt when the robot's data channel last answered
 * @property {number | null} channelClosedAt
 * @property {boolean} absent whether the list last told that the robot is offline
 * @property {number} lookAt a silent robot is looked up, from then on
 * @property {number | null} answerAt the answer is due
 * @property {number | null} linkAt the media path is due
 * @property {number | null} retryAt
 * @property {number} tries since the robot last answered
 * @property {number | null} renewAt
 * @property {readonly ControlRequest[]} requests who asks us for control
 * @property {number | null} askingUntil the driver is asked for control, until then
 */

/** @typedef {"offer" | "resume" | "move" | "renew"} To what a reply answers; `resume` after a loss, `move` without one */
/** @typedef {{now: number, id: string}} Moment `now` in ms, `id` fresh for each step: it names a peer connection if the step opens one */
/**
 * @typedef {{type: "join", role: Role}
 *   | {type: "online"} | {type: "offline"} | {type: "tick"} | {type: "leave"} | {type: "drive"}
 *   | {type: "swapped"} | {type: "move"}
 *   | {type: "took", ack: Ack} | {type: "released", ack: Ack} | {type: "granted", ack: Ack, sessionId: string}
 *   | {type: "asking"} | {type: "unasked"} | {type: "answered", sessionId: string}
 *   | {type: "frame", frame: Frame}
 *   | {type: "listed", robot: Robot, askedAt: number}
 *   | {type: "reply", to: To, pcId: string | null, frame: Ack | Pong | ErrorFrame}
 *   | {type: "offered", pcId: string, payload: Description}
 *   | {type: "candidate", pcId: string, payload: RTCIceCandidateInit}
 *   | {type: "described", pcId: string, payload: Description}
 *   | {type: "ice", pcId: string, state: string}
 *   | {type: "channel-closed", pcId: string}
 *   | {type: "pong", pcId: string}
 *   | {type: "refused", pcId: string, epoch: number}
 *   | {type: "broken", pcId: string, message: string}} Happening
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
/**
 * @typedef {object} View what an application shows
 * @property {string} robotId
 * @property {"connecting" | "live" | "waiting" | "ended"} state
 * @property {string | null} why the sentence to show while it is `waiting` or `ended`
 * @property {Role | null} role
 * @property {Person | null} driver who drives; `null` also when it is us
 * @property {Person | null} lostTo who took control from us, until control moves on
 * @property {number} epoch
 * @property {readonly ControlRequest[]} requests who asks us for control; `grant` or `deny` it
 * @property {boolean} asking whether we have asked the driver for control, and wait for the answer
 */

/**
 * An engagement that has not begun.
 *
 * @param {string} robotId
 * @param {boolean} online
 * @returns {Engagement}
 */
export function engagement(robotId, online) {
  return {
    robotId, online, phase: "idle", want: "viewer", asked: false, joined: false, why: null,
    sessionId: null, role: null, epoch: 0, driver: null, driverAt: 0, lostTo: null,
    pcId: null, openedAt: 0, acked: false, offer: null, held: [], early: [], seq: 0,
    ice: "new", iceLostAt: null, pongAt: null, channelClosedAt: null, absent: false, lookAt: 0,
    answerAt: null, linkAt: null, retryAt: null, tries: 0, renewAt: null,
    moving: false, requests: [], askingUntil: null,
  };
}

/**
 * What an application may know of an engagement.
 *
 * @param {Engagement} state
 * @returns {View}
 */
export function view(state) {
  const { robotId, phase, why, role, driver, lostTo, epoch, requests } = state;
  const trying = why === null ? "connecting" : "waiting";
  const shown = phase === "linked" ? "live" : phase === "ended" ? "ended" : trying;
  const asking = state.askingUntil !== null;
  return { robotId, state: shown, why, role, driver: role === "controller" ? null : driver, lostTo, epoch, requests, asking };
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
  if (state.phase === "ended") return [state, []];
  if ("pcId" in event && event.pcId !== null && event.pcId !== state.pcId) return [state, []];
  const [next, effects] = happened(state, event, at);
  return [tidy(state, next), effects];
}

/** @param {Engagement} state @param {Happening} event @param {Moment} at @returns {Stepped} */
function happened(state, event, at) {
  switch (event.type) {
    case "join":
      return begin({ ...state, want: event.role, asked: true }, at);
    case "drive":
      return state.role === "controller" ? settle(state, null) : begin({ ...state, want: "controller", asked: true }, at);
    case "leave":
      return end(state, null);
    case "online":
      return cameOnline({ ...state, online: true }, at);
    case "offline":
      return [{ ...state, online: false, moving: false }, []];
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
      return took(state, event.ack, at);
    case "released":
      return gaveUp(state, event.ack, null, at);
    case "granted":
      return gaveUp(state, event.ack, event.sessionId, at);
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
      return [{ ...state, channelClosedAt: at.now }, []];
    case "pong":
      return [{ ...state, pongAt: at.now }, []];
    case "refused":
      return state.role === "controller" ? refusedByRobot(state, event.epoch, at) : [state, []];
    case "broken":
      return failed(state, { type: "error", code: "internal", message: event.message }, at);
    default:
      return never(event);
  }
}
