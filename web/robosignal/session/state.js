/**
 * The state of a session with one robot, and how it begins. Every change makes a new value.
 */

/** @import { Network, Permissions } from "./paths.js" */
/** @import { Blocked, Commands, ControlRequest, Description, Part, Person, Picture, Role } from "../types.js" */

import { NO_PICTURE } from "../picture.js";

/**
 * @typedef {object} State
 * @property {string} robotId
 * @property {boolean} online whether signaling is up
 * @property {"idle" | "offering" | "linked" | "waiting" | "ended"} phase `idle`: nothing is offered,
 *   because signaling is down; `linked`: the robot has answered; `waiting`: the next offer goes out at
 *   `retry.at`
 * @property {string | null} why a sentence for the user while something is wrong
 * @property {Call} call
 * @property {Membership} session
 * @property {Control} control
 * @property {Handover} handover
 * @property {PeerState} peer
 * @property {Retry} retry
 * @property {Permissions} permissions which of the user's own networks the browser lets this page reach
 */
/**
 * What the application asks for.
 *
 * @typedef {object} Call
 * @property {Role} want the role that the next offer asks for
 * @property {boolean} isOpen whether a call waits for the outcome
 * @property {number} until it fails then, in ms
 * @property {boolean} isWithdrawn whether no call wants control any more, but an offer that is on its
 *   way may get it: then it's given back
 */
/**
 * What the server knows of this session.
 *
 * @typedef {object} Membership
 * @property {string | null} id
 * @property {Role | null} role what the server granted
 * @property {boolean} hasJoined whether the server has ever let this session in
 * @property {number} seq counts what was relayed
 * @property {number | null} renewAt when the next renewal is due, in ms
 * @property {boolean} isMigrating whether it's being moved to another socket
 * @property {string | null} evictedId the session that was evicted, until the server lets this one in
 *   again: the robot may then count its epochs from 1
 */
/**
 * Who drives, as far as this session knows.
 *
 * @typedef {object} Control
 * @property {number} epoch the highest seen
 * @property {Person | null} driver who drives, if it isn't this session
 * @property {string | null} driverId the session that drives at this epoch, if the server said which
 * @property {number} heardAt when a push last said who drives, in ms
 * @property {boolean} isStale whether signaling was lost since then
 * @property {Person | null} lostTo who took control from this session, until control changes again
 * @property {number} claims takeovers and requests for control without a reply: no offer goes out
 *   before it
 * @property {{epoch: number, at: number}} report the highest epoch that the robot has named, rather
 *   than the server, and when the server was asked about it
 * @property {{epoch: number, againAt: number, waitMs: number} | null} repeat the last time that the
 *   offer was repeated, for a robot that hasn't heard who drives
 */
/**
 * Control by consent: a request lives only in the two pages.
 *
 * @typedef {object} Handover
 * @property {readonly ControlRequest[]} requests of viewers, to this session
 * @property {number | null} askingUntil this session has asked for control, and waits until then
 */
/**
 * One peer connection, from before its offer. A new one begins with `newPeer`.
 *
 * @typedef {object} PeerState
 * @property {string | null} id its `pcId`; null when there is none
 * @property {number} openedAt ms
 * @property {Description | null} offer
 * @property {boolean} isSent whether the offer has gone out and has no reply yet
 * @property {boolean} isAcked whether the server has taken the offer
 * @property {boolean} isRejoining whether control was lost since the offer went out: an older ack
 *   belongs to the session that has ended
 * @property {number | null} answerAt when the robot's answer is due, in ms
 * @property {{to: "relay" | "relay-again", type: string, payload: object}[]} outbox what is relayed
 *   once the server knows this session on this socket
 * @property {RTCIceCandidateInit[]} pendingCandidates the robot's, until its answer
 * @property {string} ice the browser's `connectionState`
 * @property {number | null} iceLostAt ms
 * @property {number | null} pathDueAt when a path for media is due, in ms; null once there is one
 * @property {number | null} pathAt when the path opened, in ms
 * @property {number | null} pongAt when the data channel last answered, in ms
 * @property {number | null} channelClosedAt ms
 * @property {boolean} isDead whether signaling is down and the media has stopped too
 * @property {boolean} isRobotOffline whether the last listing said so
 * @property {number} lookUpAt from then on a silent robot is looked up, in ms
 * @property {readonly Part[]} declared what the robot's description says that it sends
 * @property {readonly Part[]} arrived what of that has arrived
 * @property {readonly Network[]} networks of the user's own on which the robot says that it is
 * @property {boolean} isTurnRefused whether a TURN server has refused our password
 * @property {Link} link
 * @property {Picture} picture
 */
/**
 * How commands reach the robot over one peer connection.
 *
 * @typedef {object} Link
 * @property {Commands | null} commands null until the robot has declared itself, or hasn't in time
 * @property {Blocked | null} blocked why no motion is sent, though this session drives
 * @property {string | null} stoppedBy who has stopped the robot, until that is cleared
 */
/**
 * @typedef {object} Retry
 * @property {number | null} at when the next offer goes out, in ms
 * @property {number} tries since media last flowed
 * @property {boolean} isPathless whether the last try found the robot, but no path for media
 */
/** @typedef {{now: number, id: string}} Moment `now` in ms; `id` is fresh for each step and names a peer connection if the step opens one */

/**
 * A driver of whom only the epoch is known.
 *
 * @type {Person}
 */
export const UNKNOWN_DRIVER = Object.freeze({ userId: "", name: "somebody else" });

/** @type {Link} of a peer connection over which nothing has been heard */
export const NO_LINK = Object.freeze({ commands: null, blocked: null, stoppedBy: null });

/**
 * A session that hasn't begun.
 *
 * @param {string} robotId
 * @param {boolean} online whether signaling is up
 * @returns {State}
 */
export function newState(robotId, online) {
  return {
    robotId,
    online,
    phase: "idle",
    why: null,
    call: { want: "viewer", isOpen: false, until: 0, isWithdrawn: false },
    session: {
      id: null,
      role: null,
      hasJoined: false,
      seq: 0,
      renewAt: null,
      isMigrating: false,
      evictedId: null,
    },
    control: {
      epoch: 0,
      driver: null,
      driverId: null,
      heardAt: 0,
      isStale: !online,
      lostTo: null,
      claims: 0,
      report: { epoch: 0, at: -Infinity },
      repeat: null,
    },
    handover: { requests: [], askingUntil: null },
    peer: newPeer(null, { openedAt: 0, answerAt: null }),
    retry: { at: null, tries: 0, isPathless: false },
    permissions: {},
  };
}

/**
 * @param {string | null} id
 * @param {{openedAt: number, answerAt: number | null}} times in ms
 * @returns {PeerState} a peer connection that has done nothing yet
 */
export function newPeer(id, { openedAt, answerAt }) {
  return {
    id,
    openedAt,
    offer: null,
    isSent: false,
    isAcked: false,
    isRejoining: false,
    answerAt,
    outbox: [],
    pendingCandidates: [],
    ice: "new",
    iceLostAt: null,
    pathDueAt: null,
    pathAt: null,
    pongAt: null,
    channelClosedAt: null,
    isDead: false,
    isRobotOffline: false,
    lookUpAt: 0,
    declared: [],
    arrived: [],
    networks: [],
    isTurnRefused: false,
    link: NO_LINK,
    picture: NO_PICTURE,
  };
}

/**
 * @template {"call" | "session" | "control" | "handover" | "peer" | "retry"} Name
 * @param {State} state
 * @param {Name} name
 * @param {Partial<State[Name]>} fields
 * @returns {State} with these fields of that part changed
 */
export function change(state, name, fields) {
  return { ...state, [name]: { ...state[name], ...fields } };
}
