/**
 * The types of the package: what an application gets and gives, then the frames of the protocol.
 */

/** @import { SignalingError } from "./errors.js" */

/**
 * Whether signaling is up. Video and commands don't depend on it.
 *
 * @typedef {"offline" | "connecting" | "online"} ConnectionState
 */
/**
 * What a session may do: a controller drives, a viewer only sees the video.
 *
 * @typedef {"controller" | "viewer"} Role
 */
/**
 * A user, as the server names them. `name` is for display; `userId` is unique.
 *
 * @typedef {{userId: string, name?: string}} Person
 */
/**
 * A function that returns the token for the next dial. It's told which token the server has
 * refused, if any. An empty string means that the user must sign in.
 *
 * @typedef {(refused?: string) => string | Promise<string>} TokenSource
 */
/**
 * A drive command: `x` to the right and `y` ahead, each from -1 to 1.
 *
 * @typedef {{x: number, y: number}} Drive
 */
/**
 * An axis of a robot, in `unit`s from `least` to `most`. A stop sets it to `rest`, or leaves it where
 * it is if it `holds`. It changes by at most `rate` a second; null for no limit.
 *
 * @typedef {{type: "axis", name: string, unit: string, least: number, most: number, rest: number, holds: boolean, rate: number | null}} Axis
 */
/**
 * A button of a robot, which is pressed as long as it is held.
 *
 * @typedef {{type: "button", name: string}} Button
 */
/**
 * A choice of one of the options. It begins with the first one.
 *
 * @typedef {{type: "choice", name: string, options: readonly string[]}} Choice
 */
/**
 * What people can move of a robot, as it declares it.
 *
 * @typedef {Axis | Button | Choice} Control
 */
/**
 * A field of telemetry. `unit` may be empty.
 *
 * @typedef {{name: string, unit: string}} Field
 */
/**
 * The value of a control or of a field of telemetry.
 *
 * @typedef {number | boolean | string} Value
 */
/**
 * What a robot declares beyond its picture.
 *
 * @typedef {object} Declaration
 * @property {boolean} drive whether `drive` moves anything
 * @property {number} commandHz how many commands a second it asks for while a control is moved
 * @property {readonly Control[]} controls
 * @property {readonly Field[]} telemetry
 * @property {readonly {name: string, viewersRead: boolean, viewersWrite: boolean}[]} channels for
 *   messages of the application's own, and whether those who watch may read and write on them
 * @property {boolean} audio whether it sends sound
 * @property {boolean} talkBack whether it plays the driver's voice
 * @property {readonly string[]} cameras the names of its cameras; empty if they have none
 */
/**
 * What a robot sends over its peer connection: video, and a data channel that takes commands.
 *
 * @typedef {"picture" | "channel"} Part
 */
/**
 * How a robot is sent commands. `fresh`: each proves that this page has just heard from the robot,
 * which obeys none that comes late. `late`: the robot knows no such proof, and may obey late ones.
 *
 * @typedef {"fresh" | "late"} Commands
 */
/**
 * Why a session that drives sends no motion. `undeclared`: how the robot takes commands isn't known
 * yet; `silent`: it isn't heard; `picture`: the picture is more than twice as old as it may be;
 * `stopped`: someone has stopped it; `right-ended`: the right to drive has ended; `unarmed`: the
 * robot waits for a zero command, which the module sends by itself.
 *
 * @typedef {"undeclared" | "silent" | "picture" | "stopped" | "right-ended" | "unarmed"} Blocked
 */
/**
 * The robot's picture and its connection. The object is frozen, and replaced at once when `state` or
 * `path` changes, and otherwise once a second, or four times a second while the picture is old.
 *
 * @typedef {object} Picture
 * @property {"live" | "stale" | "frozen" | "none"} state `live`; `stale`: no new frame comes, though the
 *   robot is heard; `frozen`: neither is; `none`: there has been no frame over this connection
 * @property {number | null} ageMs how old the last frame was when this was measured; null if there is none
 * @property {number | null} fps decoded frames a second; this and the next two over the last second
 * @property {number | null} kbps of video
 * @property {number | null} lossPct how many of 100 video packets were lost
 * @property {number | null} freezes so far, as the browser counts them; null where it doesn't
 * @property {"direct" | "relay" | null} path whether media goes through a TURN server; null: not known
 */
/**
 * A viewer's request for control. It lapses at `until`, in ms of `performance.now()`.
 *
 * @typedef {{sessionId: string, by: Person, until: number}} ControlRequest
 */

/**
 * A robot, as `robots()`, `watch()` and the event `presence` describe it.
 *
 * @typedef {object} Robot
 * @property {string} robotId
 * @property {boolean} online
 * @property {Person} [controlledBy] the driver; absent while no one drives
 * @property {Person} [notRenewed] who drove last and let control lapse: the robot may still obey them
 * @property {Person} [owner]
 * @property {string} [relation] this user's relation to it: `owner`, `operator`, `viewer` (may view it, and
 *   never drive) or `admin`
 * @property {number} [until] when the share ends that gives the relation, in epoch ms
 * @property {string} [group] the group whose share gives the relation
 * @property {number} [viewers] how many sessions view it
 * @property {Record<string, string>} [metadata]
 * @property {string} [dialect] `seed` for a robot that can't tell drivers apart: its control is advisory
 * @property {number} [rev] rises with every change of presence or control
 * @property {number} [validForSeconds] how long presence and control can be believed without news
 * @property {number} [lastSeenAt] of a robot that was offline when it was last listed: when it last
 *   renewed its presence, in epoch ms
 * @property {{count: number, pending?: number, lastUsedAt?: number}} [keys] for its owner and admins:
 *   how many keys it has, how many wait for approval, and when one last registered it, in epoch ms
 * @property {boolean} [stale] of a watched robot: whether that time has passed without news
 */

/**
 * A robot that is offered to this user, who has no right to it before `acceptShare`.
 *
 * @typedef {{robotId: string, owner: Person, role: ShareRole, until?: number}} Offered
 */
/**
 * `operator` may drive, `viewer` may only view.
 *
 * @typedef {"operator" | "viewer"} ShareRole
 */
/**
 * A share of a robot, with a user or with a group. While it is `offered`, its user has not accepted it.
 *
 * @typedef {{userId?: string, group?: string, role: ShareRole, until?: number, offered?: boolean}} Share
 */

/**
 * The state of a session. The object is frozen, and stays the same object until a field changes.
 *
 * @typedef {object} View
 * @property {string} robotId
 * @property {"connecting" | "live" | "waiting" | "ended"} state `live` once everything that the robot
 *   declared has arrived
 * @property {string | null} why a sentence for the user while the state is `waiting` or `ended`
 * @property {Role | null} role what the server granted; `null` before that
 * @property {Person | null} driver who drives; `null` if no one does, or if this session does
 * @property {boolean} stale whether the driver is unknown: the server can't be reached, and this
 *   session doesn't drive over a live connection. `driver` is the last one known
 * @property {Person | null} lostTo who took control from this session, until control changes again
 * @property {number} epoch the highest epoch that the server has sent
 * @property {readonly ControlRequest[]} requests viewers who ask this session for control
 * @property {boolean} asking whether this session has asked the driver for control and waits
 * @property {readonly Part[]} missing what hasn't arrived over the open peer connection. A part that the
 *   robot declared keeps the session from being `live`; one that it didn't declare never arrives
 * @property {Commands | null} commands how commands are sent; null until the robot has declared
 *   that, or hasn't within a second
 * @property {Blocked | null} blocked why this session, which drives, sends no motion; null if it does
 * @property {{by: string} | null} stopped who has stopped the robot, until that is cleared
 * @property {Picture} picture how old the picture is, and what the connection carries
 */

/**
 * A robot's public key, a JSON Web Key on the curve P-256. One with the private part `d` is refused.
 *
 * @typedef {{kty: "EC", crv: "P-256", x: string, y: string}} PublicKey
 */
/**
 * A code by which robots enrol or users get a share, and when it ends, in epoch ms.
 *
 * @typedef {{code: string, expiresAt: number}} Code
 */
/**
 * A key that a robot has, with times in epoch ms.
 *
 * @typedef {object} RobotKey
 * @property {string} kid its id
 * @property {string} fingerprint what is compared with the one that the robot shows
 * @property {number} addedAt
 * @property {string} [addedBy] the user id of who let it in; absent if the robot replaced another key by it
 * @property {number} [lastUsedAt] when the robot last connected by it
 * @property {number} [notAfter] when it ends, if it does
 * @property {boolean} [pending] whether it waits for approval
 */

/**
 * The events of a `Signal`, each with the value that its listeners get.
 *
 * @typedef {object} SignalEvents
 * @property {ConnectionState} state signaling went up or down
 * @property {Robot[]} presence all watched robots, after one has changed
 * @property {Offered[]} offers the robots that are offered to this user, after a list has told of a change
 * @property {SignalingError} error a failure that no call of the application caused
 * @property {void} sign-in the token is missing, expired or refused: get a new one, then call `redial()`
 */

/**
 * The events of a `Session`, each with the value that its listeners get.
 *
 * @typedef {object} SessionEvents
 * @property {View} view any field of the view has changed
 * @property {View} state `state`, `why`, `missing`, `commands` or `blocked` has changed
 * @property {View} control `role`, `driver`, `epoch`, `stale`, `lostTo`, `requests` or `asking` has changed
 * @property {ControlRequest} control-requested a viewer asks for this session's control; lapses after 30 s
 * @property {{by: Person}} control-denied the driver keeps the control that this session asked for
 * @property {{by: Person | null}} control-unanswered the driver hasn't answered within 30 s
 * @property {MediaStream} stream the robot's video; a new one with every peer connection
 * @property {number} rtt the data channel's round trip in ms, about once a second
 * @property {unknown} message anything else that the robot sends on the data channel, as it came
 * @property {Declaration | null} declaration the robot has declared what it has
 * @property {MediaStreamTrack} sound the robot's sound has come
 * @property {Readonly<Record<string, MediaStreamTrack>>} tracks the video of one more camera has come
 * @property {Readonly<Record<string, Value>>} held controls that stay where they are have moved
 * @property {Readonly<Record<string, Value>>} telemetry values that the robot has published just now
 * @property {number} refused the robot refused a command, because it obeys the driver at this epoch
 * @property {{by: string} | null} stopped someone has stopped the robot; null: that was cleared
 * @property {"stop" | "clear-stop"} stop-refused the robot refused that: this session may not
 * @property {Picture} picture `view.picture` has changed
 * @property {{count: number, message: string}} candidate-unusable the browser couldn't use one of the
 *   robot's candidates: how many so far on this peer connection, and the browser's reason
 */

/**
 * The events of a `Channel`, each with the value that its listeners get.
 *
 * @typedef {object} ChannelEvents
 * @property {string | ArrayBuffer} message what the robot's program has sent
 * @property {number} refused the robot refused a message, because it obeys the driver at this epoch
 */

/**
 * Options of `driveWithKeys`.
 *
 * @typedef {object} DriveOptions
 * @property {HTMLElement} [pad] an element on which a finger, a pen or a mouse's main button drives, by
 *   its position relative to the middle
 * @property {number} [heldMs] how long a key or a pointer counts as held without any event, in ms;
 *   10,000 by default, and three times as long for a key while other keys have events
 * @property {(drive: Drive) => void} [onDrive] called with each command
 * @property {(why: string) => void} [onLoss] called when a held key or pointer counts as released and a
 *   new press is needed, with a sentence for the user
 * @property {(why: string) => void} [onIgnored] called when a press drives nothing, neither now nor later
 *   while it is held, with a sentence for the user
 */

/** @typedef {{type: "offer" | "answer" | "pranswer" | "rollback", sdp?: string}} Description */
/** @typedef {{type: string, [field: string]: unknown}} OutFrame what is sent */
/** @typedef {{replyTo?: string}} Reply */
/** @typedef {Reply & {type: "ack", robotId?: string, sessionId?: string, role?: Role, epoch?: number, robotTold?: boolean, shares?: Share[]}} Ack */
/** @typedef {Reply & {type: "pong", sessionId?: string, role?: Role, epoch?: number}} Pong the role and the epoch of the session that the ping named */
/** @typedef {Reply & {type: "error", code: string, message: string, robotId?: string, controlledBy?: Person, you?: boolean}} ErrorFrame */
/** @typedef {Reply & {type: "welcome", connectionId: string, userId: string, name?: string, iceServers?: RTCIceServer[], turn?: boolean, heartbeatSeconds?: number, expiresAt?: unknown}} Welcome */
/** @typedef {Reply & {type: "ice-servers", iceServers: RTCIceServer[], ttlSeconds: number, turn?: boolean}} IceFrame `turn`: there are TURN servers besides */
/**
 * A session in one role, from `since` to `until` (epoch ms); without `until` it isn't known to have
 * ended. `sinceKnown` and `untilKnown` are false if it was then or before.
 *
 * @typedef {object} Interval
 * @property {Person} person
 * @property {Role} role
 * @property {string} sessionId
 * @property {number} [epoch]
 * @property {number} since
 * @property {boolean} [sinceKnown]
 * @property {number} [until]
 * @property {boolean} [untilKnown]
 * @property {string} [reason] why it ended
 * @property {string} [by] the user whose message ended it
 * @property {number} [lapsesAt] when it ends unless the lost connection comes back
 */
/** @typedef {Reply & {type: "history", robotId: string, intervals: Interval[], gaps?: {since: number, until: number}[], keptSince: number, cursor?: string}} HistoryFrame */
/** @typedef {Reply & {type: "ack", robotId: string, kid: string}} EnrolledFrame */
/** @typedef {Reply & {type: "ack", robotId: string, role: ShareRole}} AcceptedFrame */
/** @typedef {Reply & {type: "code"} & Code} CodeFrame */
/** @typedef {Reply & {type: "keys", robotId: string, keys: RobotKey[]}} KeysFrame */
/** @typedef {Reply & {type: "shares", robotId: string, shares: Share[]}} SharesFrame */
/** @typedef {Reply & {type: "robots", robots: Robot[], cursor?: string, offered?: Offered[]}} RobotsFrame */
/** @typedef {{type: "offer" | "answer" | "ice-candidate", robotId: string, sessionId?: string, pcId?: string, payload: any}} PeerFrame */
/** @typedef {{type: "control", robotId: string, epoch: number, sessionId?: string, person?: Person}} ControlFrame */
/** @typedef {{type: "control-lost", robotId: string, sessionId?: string, by: Person, epoch: number}} ControlLost */
/** @typedef {{type: "peer-left", robotId: string, sessionId: string, epoch?: number, reason: string}} PeerLeft */
/** @typedef {{type: "control-requested", robotId: string, sessionId: string, by: Person}} ControlRequested */
/** @typedef {{type: "control-denied", robotId: string, by: Person}} ControlDenied */
/** @typedef {{type: "presence", robotId: string, rev: number, online: boolean, validForSeconds: number, controlledBy?: Person, notRenewed?: Person}} PresenceFrame */
/** @typedef {Ack | Pong | ErrorFrame | Welcome | IceFrame | RobotsFrame | HistoryFrame | CodeFrame | KeysFrame | SharesFrame | PeerFrame | ControlFrame | ControlLost | PeerLeft
 *   | ControlRequested | ControlDenied | PresenceFrame} Frame what the server sends */

export {};
