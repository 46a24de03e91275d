/**
 * The words of the protocol, as types.
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

export {};
