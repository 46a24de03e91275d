/**
 * The words of the protocol, as types, and the one error. They know no rule.
 */

/** @typedef {"offline" | "connecting" | "online"} ConnectionState */
/** @typedef {"controller" | "viewer"} Role */
/** @typedef {{userId: string, name?: string}} Person */
/** @typedef {{type: "offer" | "answer" | "pranswer" | "rollback", sdp?: string}} Description */

/**
 * @typedef {object} Robot a row of `signal.robots()`
 * @property {string} robotId
 * @property {boolean} online
 * @property {Person} [controlledBy] who drives; absent when nobody does
 * @property {Person} [owner]
 * @property {string} [relation] `owner`, `operator` or `admin`
 * @property {number} [viewers]
 * @property {Record<string, string>} [metadata]
 * @property {string} [dialect] a `seed` robot cannot tell drivers apart: its control is advisory
 * @property {number} [rev] rises with every change of presence or control
 * @property {number} [validForSeconds] how long what is said of presence and control can be believed without news
 * @property {boolean} [stale] of a robot that is watched: whether that time is over, so that nobody knows
 */

/** @typedef {{type: string, [field: string]: unknown}} OutFrame what is sent */
/** @typedef {{replyTo?: string}} Reply */
/** @typedef {Reply & {type: "ack", robotId?: string, sessionId?: string, role?: Role, epoch?: number, robotTold?: boolean}} Ack */
/** @typedef {Reply & {type: "pong", sessionId?: string, role?: Role, epoch?: number}} Pong how the session that was named stands */
/** @typedef {Reply & {type: "error", code: string, message: string, robotId?: string, controlledBy?: Person, you?: boolean}} ErrorFrame */
/** @typedef {Reply & {type: "welcome", connectionId: string, userId: string, name?: string, iceServers?: RTCIceServer[], turn?: boolean, heartbeatSeconds?: number, expiresAt?: unknown}} Welcome */
/** @typedef {Reply & {type: "ice-servers", iceServers: RTCIceServer[], ttlSeconds: number, turn?: boolean}} IceFrame `turn`: there are TURN servers besides */
/** @typedef {Reply & {type: "robots", robots: Robot[], cursor?: string}} RobotsFrame */
/** @typedef {{type: "offer" | "answer" | "ice-candidate", robotId: string, sessionId?: string, pcId?: string, payload: any}} PeerFrame */
/** @typedef {{type: "control", robotId: string, epoch: number, sessionId?: string, person?: Person}} ControlFrame */
/** @typedef {{type: "control-lost", robotId: string, sessionId?: string, by: Person, epoch: number}} ControlLost */
/** @typedef {{type: "peer-left", robotId: string, sessionId: string, epoch?: number, reason: string}} PeerLeft */
/** @typedef {{type: "control-requested", robotId: string, sessionId: string, by: Person}} ControlRequested */
/** @typedef {{type: "control-denied", robotId: string, by: Person}} ControlDenied */
/** @typedef {{type: "presence", robotId: string, rev: number, online: boolean, validForSeconds: number, controlledBy?: Person}} PresenceFrame */
/** @typedef {Ack | Pong | ErrorFrame | Welcome | IceFrame | RobotsFrame | PeerFrame | ControlFrame | ControlLost | PeerLeft
 *   | ControlRequested | ControlDenied | PresenceFrame} Frame what the server sends */

/**
 * A request was refused, or could not be made. `code` is one of the protocol's error codes or, made
 * here, `timeout` (no reply in time), `offline` (the connection was lost before the reply), `closed`
 * (after `signal.close()`), `unsupported` (the browser lacks what is needed), `bad_ice_server` (the
 * browser refuses one of those that it was given).
 */
export class SignalingError extends Error {
  /** @param {{code: string, message: string, robotId?: string, controlledBy?: Person, you?: boolean}} refusal */
  constructor({ code, message, robotId, controlledBy, you }) {
    super(message);
    this.name = "SignalingError";
    this.code = code;
    this.robotId = robotId;
    this.controlledBy = controlledBy;
    this.you = you ?? false;
  }
}

/** What a call is told after `close()`. */
export const closed = () => new SignalingError({ code: "closed", message: "The connection to the server was closed by this page. Connect again." });

/** @param {never} impossible @returns {never} */
export function never(impossible) {
  throw new TypeError(`no such event: ${JSON.stringify(impossible)}`);
}
