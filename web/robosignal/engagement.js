/**
 * The engagement with one robot: its state, what may happen to it, and what an application sees of
 * it. It is pure; who does what at which event stands in moves, replies, pushes and health.
 */

import { tick } from "./health.js";
import { begin, cameOnline, end, pathChanged, relay, sendCandidate, sendOffer, settle } from "./moves.js";
import { free, heard, listed, refusedByRobot, took } from "./pushes.js";
import { failed, replied } from "./replies.js";
import { never } from "./words.js";

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
 * @property {RTCIceCandidateInit[]} held our candidates until the ack
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
 */

/** @typedef {{now: number, id: string}} Moment `now` in ms, `id` fresh for each step: it names a peer connection if the step opens one */
/**
 * @typedef {{type: "join", role: Role}
 *   | {type: "online"} | {type: "offline"} | {type: "tick"} | {type: "leave"} | {type: "drive"}
 *   | {type: "took", ack: Ack} | {type: "released", ack: Ack}
 *   | {type: "frame", frame: Frame}
 *   | {type: "listed", robot: Robot, askedAt: number}
 *   | {type: "reply", to: "offer" | "resume" | "renew", pcId: string | null, frame: Ack | Pong | ErrorFrame}
 *   | {type: "offered", pcId: string, payload: Description}
 *   | {type: "candidate", pcId: string, payload: RTCIceCandidateInit}
 *   | {type: "answered", pcId: string, payload: Description}
 *   | {type: "ice", pcId: string, state: string}
 *   | {type: "channel-closed", pcId: string}
 *   | {type: "pong", pcId: string}
 *   | {type: "refused", pcId: string, epoch: number}
 *   | {type: "broken", pcId: string, message: string}} Happening
 */
/**
 * @typedef {{do: "open", pcId: string} | {do: "close"}
 *   | {do: "request", to: "offer" | "resume" | "renew", pcId: string | null, frame: OutFrame}
 *   | {do: "send", frame: OutFrame}
 *   | {do: "remote", payload: Description} | {do: "add", payload: RTCIceCandidateInit}
 *   | {do: "look"}
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
  };
}

/**
 * What an application may know of an engagement.
 *
 * @param {Engagement} state
 * @returns {View}
 */
export function view(state) {
  const { robotId, phase, why, role, driver, lostTo, epoch } = state;
  const trying = why === null ? "connecting" : "waiting";
  const shown = phase === "linked" ? "live" : phase === "ended" ? "ended" : trying;
  return { robotId, state: shown, why, role, driver: role === "controller" ? null : driver, lostTo, epoch };
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
      return [{ ...state, online: false }, []];
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
      return [{ ...free(state, at), epoch: event.ack.epoch ?? state.epoch }, []];
    case "offered":
      return sendOffer({ ...state, offer: event.payload }, at);
    case "candidate":
      return sendCandidate(state, event.payload);
    case "answered":
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
