// Made from the JSDoc of the module by `make fmt`.

/**
 * A request was refused, or could not be made. `code` is one of the protocol's error codes or, made
 * here, `timeout` (no reply in time), `offline` (the connection was lost before the reply), `closed`
 * (after `signal.close()`), `unsupported` (the browser lacks what is needed), `bad_ice_server` (the
 * browser refuses one of those that it was given).
 */
declare class SignalingError extends Error {
  constructor({
    code,
    message,
    robotId,
    controlledBy,
    you,
  }: {
    code: string;
    message: string;
    robotId?: string;
    controlledBy?: Person;
    you?: boolean;
  });
  code: string;
  robotId: string | undefined;
  controlledBy: Person | undefined;
  you: boolean;
}

/**
 * Whether signaling is up. Video and commands don't depend on it.
 */
type ConnectionState = "offline" | "connecting" | "online";
/**
 * What a session may do: a controller drives, a viewer only sees the video.
 */
type Role = "controller" | "viewer";
/**
 * A user, as the server names them. `name` is for display; `userId` is unique.
 */
type Person = {
  userId: string;
  name?: string;
};
/**
 * A function that returns the token for the next dial. It's told which token the server has
 * refused, if any. An empty string means that the user must sign in.
 */
type TokenSource = (refused?: string) => string | Promise<string>;
/**
 * A drive command: `x` to the right and `y` ahead, each from -1 to 1.
 */
type Drive = {
  x: number;
  y: number;
};
/**
 * An axis of a robot, in `unit`s from `least` to `most`. A stop sets it to `rest`, or leaves it where
 * it is if it `holds`. It changes by at most `rate` a second; null for no limit.
 */
type Axis = {
  type: "axis";
  name: string;
  unit: string;
  least: number;
  most: number;
  rest: number;
  holds: boolean;
  rate: number | null;
};
/**
 * A button of a robot, which is pressed as long as it is held.
 */
type Button = {
  type: "button";
  name: string;
};
/**
 * A choice of one of the options. It begins with the first one.
 */
type Choice = {
  type: "choice";
  name: string;
  options: readonly string[];
};
/**
 * What people can move of a robot, as it declares it.
 */
type Control = Axis | Button | Choice;
/**
 * A field of telemetry. `unit` may be empty.
 */
type Field = {
  name: string;
  unit: string;
};
/**
 * The value of a control or of a field of telemetry.
 */
type Value = number | boolean | string;
/**
 * What a robot declares beyond its picture.
 */
type Declaration = {
  /**
   * whether `drive` moves anything
   */
  drive: boolean;
  /**
   * how many commands a second it asks for while a control is moved
   */
  commandHz: number;
  controls: readonly Control[];
  telemetry: readonly Field[];
  /**
   * for
   * messages of the application's own, and whether those who watch may read and write on them
   */
  channels: readonly {
    name: string;
    viewersRead: boolean;
    viewersWrite: boolean;
  }[];
  /**
   * whether it sends sound
   */
  audio: boolean;
  /**
   * whether it plays the driver's voice
   */
  talkBack: boolean;
  /**
   * the names of its cameras; empty if they have none
   */
  cameras: readonly string[];
};
/**
 * What a robot sends over its peer connection: video, and a data channel that takes commands.
 */
type Part = "picture" | "channel";
/**
 * How a robot is sent commands. `fresh`: each proves that this page has just heard from the robot,
 * which obeys none that comes late. `late`: the robot knows no such proof, and may obey late ones.
 */
type Commands = "fresh" | "late";
/**
 * Why a session that drives sends no motion. `undeclared`: how the robot takes commands isn't known
 * yet; `silent`: it isn't heard; `picture`: the picture is more than twice as old as it may be;
 * `stopped`: someone has stopped it; `right-ended`: the right to drive has ended; `unarmed`: the
 * robot waits for a zero command, which the module sends by itself.
 */
type Blocked = "undeclared" | "silent" | "picture" | "stopped" | "right-ended" | "unarmed";
/**
 * The robot's picture and its connection. The object is frozen, and replaced at once when `state` or
 * `path` changes, and otherwise once a second, or four times a second while the picture is old.
 */
type Picture = {
  /**
   * `live`; `stale`: no new frame comes, though the
   * robot is heard; `frozen`: neither is; `none`: there has been no frame over this connection
   */
  state: "live" | "stale" | "frozen" | "none";
  /**
   * how old the last frame was when this was measured; null if there is none
   */
  ageMs: number | null;
  /**
   * decoded frames a second; this and the next two over the last second
   */
  fps: number | null;
  /**
   * of video
   */
  kbps: number | null;
  /**
   * how many of 100 video packets were lost
   */
  lossPct: number | null;
  /**
   * so far, as the browser counts them; null where it doesn't
   */
  freezes: number | null;
  /**
   * whether media goes through a TURN server; null: not known
   */
  path: "direct" | "relay" | null;
};
/**
 * A viewer's request for control. It lapses at `until`, in ms of `performance.now()`.
 */
type ControlRequest = {
  sessionId: string;
  by: Person;
  until: number;
};
/**
 * A robot, as `robots()`, `watch()` and the event `presence` describe it.
 */
type Robot = {
  robotId: string;
  online: boolean;
  /**
   * the driver; absent while no one drives
   */
  controlledBy?: Person | undefined;
  /**
   * who drove last and let control lapse: the robot may still obey them
   */
  notRenewed?: Person | undefined;
  owner?: Person | undefined;
  /**
   * this user's relation to it: `owner`, `operator`, `viewer` (may view it, and
   * never drive) or `admin`
   */
  relation?: string | undefined;
  /**
   * when the share ends that gives the relation, in epoch ms
   */
  until?: number | undefined;
  /**
   * the group whose share gives the relation
   */
  group?: string | undefined;
  /**
   * how many sessions view it
   */
  viewers?: number | undefined;
  metadata?: Record<string, string> | undefined;
  /**
   * `seed` for a robot that can't tell drivers apart: its control is advisory
   */
  dialect?: string | undefined;
  /**
   * rises with every change of presence or control
   */
  rev?: number | undefined;
  /**
   * how long presence and control can be believed without news
   */
  validForSeconds?: number | undefined;
  /**
   * of a robot that was offline when it was last listed: when it last
   * renewed its presence, in epoch ms
   */
  lastSeenAt?: number | undefined;
  /**
   * for its owner and admins:
   * how many keys it has, how many wait for approval, and when one last registered it, in epoch ms
   */
  keys?:
    | {
        count: number;
        pending?: number;
        lastUsedAt?: number;
      }
    | undefined;
  /**
   * of a watched robot: whether that time has passed without news
   */
  stale?: boolean | undefined;
};
/**
 * A robot that is offered to this user, who has no right to it before `acceptShare`.
 */
type Offered = {
  robotId: string;
  owner: Person;
  role: ShareRole;
  until?: number;
};
/**
 * `operator` may drive, `viewer` may only view.
 */
type ShareRole = "operator" | "viewer";
/**
 * A share of a robot, with a user or with a group. While it is `offered`, its user has not accepted it.
 */
type Share = {
  userId?: string;
  group?: string;
  role: ShareRole;
  until?: number;
  offered?: boolean;
};
/**
 * The state of a session. The object is frozen, and stays the same object until a field changes.
 */
type View = {
  robotId: string;
  /**
   * `live` once everything that the robot
   * declared has arrived
   */
  state: "connecting" | "live" | "waiting" | "ended";
  /**
   * a sentence for the user while the state is `waiting` or `ended`
   */
  why: string | null;
  /**
   * what the server granted; `null` before that
   */
  role: Role | null;
  /**
   * who drives; `null` if no one does, or if this session does
   */
  driver: Person | null;
  /**
   * whether the driver is unknown: the server can't be reached, and this
   * session doesn't drive over a live connection. `driver` is the last one known
   */
  stale: boolean;
  /**
   * who took control from this session, until control changes again
   */
  lostTo: Person | null;
  /**
   * the highest epoch that the server has sent
   */
  epoch: number;
  /**
   * viewers who ask this session for control
   */
  requests: readonly ControlRequest[];
  /**
   * whether this session has asked the driver for control and waits
   */
  asking: boolean;
  /**
   * what hasn't arrived over the open peer connection. A part that the
   * robot declared keeps the session from being `live`; one that it didn't declare never arrives
   */
  missing: readonly Part[];
  /**
   * how commands are sent; null until the robot has declared
   * that, or hasn't within a second
   */
  commands: Commands | null;
  /**
   * why this session, which drives, sends no motion; null if it does
   */
  blocked: Blocked | null;
  /**
   * who has stopped the robot, until that is cleared
   */
  stopped: {
    by: string;
  } | null;
  /**
   * how old the picture is, and what the connection carries
   */
  picture: Picture;
};
/**
 * A robot's public key, a JSON Web Key on the curve P-256. One with the private part `d` is refused.
 */
type PublicKey = {
  kty: "EC";
  crv: "P-256";
  x: string;
  y: string;
};
/**
 * A code by which robots enrol or users get a share, and when it ends, in epoch ms.
 */
type Code = {
  code: string;
  expiresAt: number;
};
/**
 * A key that a robot has, with times in epoch ms.
 */
type RobotKey = {
  /**
   * its id
   */
  kid: string;
  /**
   * what is compared with the one that the robot shows
   */
  fingerprint: string;
  addedAt: number;
  /**
   * the user id of who let it in; absent if the robot replaced another key by it
   */
  addedBy?: string | undefined;
  /**
   * when the robot last connected by it
   */
  lastUsedAt?: number | undefined;
  /**
   * when it ends, if it does
   */
  notAfter?: number | undefined;
  /**
   * whether it waits for approval
   */
  pending?: boolean | undefined;
};
/**
 * The events of a `Signal`, each with the value that its listeners get.
 */
type SignalEvents = {
  /**
   * signaling went up or down
   */
  state: ConnectionState;
  /**
   * all watched robots, after one has changed
   */
  presence: Robot[];
  /**
   * the robots that are offered to this user, after a list has told of a change
   */
  offers: Offered[];
  /**
   * a failure that no call of the application caused
   */
  error: SignalingError;
  /**
   * the token is missing, expired or refused: get a new one, then call `redial()`
   */
  "sign-in": void;
};
/**
 * The events of a `Session`, each with the value that its listeners get.
 */
type SessionEvents = {
  /**
   * any field of the view has changed
   */
  view: View;
  /**
   * `state`, `why`, `missing`, `commands` or `blocked` has changed
   */
  state: View;
  /**
   * `role`, `driver`, `epoch`, `stale`, `lostTo`, `requests` or `asking` has changed
   */
  control: View;
  /**
   * a viewer asks for this session's control; lapses after 30 s
   */
  "control-requested": ControlRequest;
  /**
   * the driver keeps the control that this session asked for
   */
  "control-denied": {
    by: Person;
  };
  /**
   * the driver hasn't answered within 30 s
   */
  "control-unanswered": {
    by: Person | null;
  };
  /**
   * the robot's video; a new one with every peer connection
   */
  stream: MediaStream;
  /**
   * the data channel's round trip in ms, about once a second
   */
  rtt: number;
  /**
   * anything else that the robot sends on the data channel, as it came
   */
  message: unknown;
  /**
   * the robot has declared what it has
   */
  declaration: Declaration | null;
  /**
   * the robot's sound has come
   */
  sound: MediaStreamTrack;
  /**
   * the video of one more camera has come
   */
  tracks: Readonly<Record<string, MediaStreamTrack>>;
  /**
   * controls that stay where they are have moved
   */
  held: Readonly<Record<string, Value>>;
  /**
   * values that the robot has published just now
   */
  telemetry: Readonly<Record<string, Value>>;
  /**
   * the robot refused a command, because it obeys the driver at this epoch
   */
  refused: number;
  /**
   * someone has stopped the robot; null: that was cleared
   */
  stopped: {
    by: string;
  } | null;
  /**
   * the robot refused that: this session may not
   */
  "stop-refused": "stop" | "clear-stop";
  /**
   * `view.picture` has changed
   */
  picture: Picture;
  /**
   * the browser couldn't use one of the
   * robot's candidates: how many so far on this peer connection, and the browser's reason
   */
  "candidate-unusable": {
    count: number;
    message: string;
  };
};
/**
 * The events of a `Channel`, each with the value that its listeners get.
 */
type ChannelEvents = {
  /**
   * what the robot's program has sent
   */
  message: string | ArrayBuffer;
  /**
   * the robot refused a message, because it obeys the driver at this epoch
   */
  refused: number;
};
/**
 * Options of `driveWithKeys`.
 */
type DriveOptions = {
  /**
   * an element on which a finger, a pen or a mouse's main button drives, by
   * its position relative to the middle
   */
  pad?: HTMLElement | undefined;
  /**
   * how long a key or a pointer counts as held without any event, in ms;
   * 10,000 by default, and three times as long for a key while other keys have events
   */
  heldMs?: number | undefined;
  /**
   * called with each command
   */
  onDrive?: ((drive: Drive) => void) | undefined;
  /**
   * called when a held key or pointer counts as released and a
   * new press is needed, with a sentence for the user
   */
  onLoss?: ((why: string) => void) | undefined;
  /**
   * called when a press drives nothing, neither now nor later
   * while it is held, with a sentence for the user
   */
  onIgnored?: ((why: string) => void) | undefined;
};
type Description = {
  type: "offer" | "answer" | "pranswer" | "rollback";
  sdp?: string;
};
/**
 * what is sent
 */
type OutFrame = {
  type: string;
  [field: string]: unknown;
};
type Reply = {
  replyTo?: string;
};
type Ack = Reply & {
  type: "ack";
  robotId?: string;
  sessionId?: string;
  role?: Role;
  epoch?: number;
  robotTold?: boolean;
  shares?: Share[];
};
/**
 * the role and the epoch of the session that the ping named
 */
type Pong = Reply & {
  type: "pong";
  sessionId?: string;
  role?: Role;
  epoch?: number;
};
type ErrorFrame = Reply & {
  type: "error";
  code: string;
  message: string;
  robotId?: string;
  controlledBy?: Person;
  you?: boolean;
};
type Welcome = Reply & {
  type: "welcome";
  connectionId: string;
  userId: string;
  name?: string;
  iceServers?: RTCIceServer[];
  turn?: boolean;
  heartbeatSeconds?: number;
  expiresAt?: unknown;
};
/**
 * `turn`: there are TURN servers besides
 */
type IceFrame = Reply & {
  type: "ice-servers";
  iceServers: RTCIceServer[];
  ttlSeconds: number;
  turn?: boolean;
};
/**
 * A session in one role, from `since` to `until` (epoch ms); without `until` it isn't known to have
 * ended. `sinceKnown` and `untilKnown` are false if it was then or before.
 */
type Interval = {
  person: Person;
  role: Role;
  sessionId: string;
  epoch?: number | undefined;
  since: number;
  sinceKnown?: boolean | undefined;
  until?: number | undefined;
  untilKnown?: boolean | undefined;
  /**
   * why it ended
   */
  reason?: string | undefined;
  /**
   * the user whose message ended it
   */
  by?: string | undefined;
  /**
   * when it ends unless the lost connection comes back
   */
  lapsesAt?: number | undefined;
};
type HistoryFrame = Reply & {
  type: "history";
  robotId: string;
  intervals: Interval[];
  gaps?: {
    since: number;
    until: number;
  }[];
  keptSince: number;
  cursor?: string;
};
type EnrolledFrame = Reply & {
  type: "ack";
  robotId: string;
  kid: string;
};
type AcceptedFrame = Reply & {
  type: "ack";
  robotId: string;
  role: ShareRole;
};
type CodeFrame = Reply & {
  type: "code";
} & Code;
type KeysFrame = Reply & {
  type: "keys";
  robotId: string;
  keys: RobotKey[];
};
type SharesFrame = Reply & {
  type: "shares";
  robotId: string;
  shares: Share[];
};
type RobotsFrame = Reply & {
  type: "robots";
  robots: Robot[];
  cursor?: string;
  offered?: Offered[];
};
type PeerFrame = {
  type: "offer" | "answer" | "ice-candidate";
  robotId: string;
  sessionId?: string;
  pcId?: string;
  payload: any;
};
type ControlFrame = {
  type: "control";
  robotId: string;
  epoch: number;
  sessionId?: string;
  person?: Person;
};
type ControlLost = {
  type: "control-lost";
  robotId: string;
  sessionId?: string;
  by: Person;
  epoch: number;
};
type PeerLeft = {
  type: "peer-left";
  robotId: string;
  sessionId: string;
  epoch?: number;
  reason: string;
};
type ControlRequested = {
  type: "control-requested";
  robotId: string;
  sessionId: string;
  by: Person;
};
type ControlDenied = {
  type: "control-denied";
  robotId: string;
  by: Person;
};
type PresenceFrame = {
  type: "presence";
  robotId: string;
  rev: number;
  online: boolean;
  validForSeconds: number;
  controlledBy?: Person;
  notRenewed?: Person;
};
/**
 * what the server sends
 */
type Frame =
  | Ack
  | Pong
  | ErrorFrame
  | Welcome
  | IceFrame
  | RobotsFrame
  | HistoryFrame
  | CodeFrame
  | KeysFrame
  | SharesFrame
  | PeerFrame
  | ControlFrame
  | ControlLost
  | PeerLeft
  | ControlRequested
  | ControlDenied
  | PresenceFrame;
/** API Gateway's frame quota. A browser cannot split a frame, so a longer one is never sent. */
declare const FRAME_BYTES: number;

/**
 * Named events and their listeners.
 */
declare class Emitter<Events extends Record<string, any>> {
  /**
   * Call `listener` at each event of that name.
   *
   * @returns a function that removes the listener
   */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void;
  #private;
}
/**
 * A channel that the robot has declared. It lasts as long as its session, through new peer
 * connections; a message that is sent while there is none is lost. `session.channel` returns one.
 */
declare class Channel extends Emitter<ChannelEvents> {
  /**
   * Its name.
   *
   * @type {string}
   * @readonly
   */
  readonly name: string;
  /**
   * Send a message to the robot's program. The robot takes it from the driver, and from those who watch
   * only if it says so; else the event `refused` tells.
   *
   * @param data at most as many bytes as `session.send` takes
   * @returns whether it was sent: `false` if the channel isn't open, or is full
   * @throws {SignalingError} `too_large`
   */
  publish(data: string | ArrayBuffer | ArrayBufferView): boolean;
  #private;
}

/**
 * one that the browser may keep from a page of the internet
 */
type Network = "local" | "loopback";
/**
 * by network; absent where the browser asks for none
 */
type Permissions = Partial<Record<Network, PermissionState>>;

/**
 * what the package needs of the browser
 */
type Environment = {
  WebSocket: typeof globalThis.WebSocket;
  RTCPeerConnection: typeof globalThis.RTCPeerConnection;
  /**
   * what the browser can receive
   */
  videoCodecs: () => RTCRtpCodec[];
  setTimeout: (callback: () => void, ms: number) => any;
  clearTimeout: (timer: any) => void;
  /**
   * ms, never going back
   */
  now: () => number;
  /**
   * when `now` was 0, in epoch ms
   */
  timeOrigin: number;
  /**
   * epoch ms
   */
  today: () => number;
  /**
   * in [0, 1)
   */
  random: () => number;
  /**
   * a fresh id of 16 or more characters
   */
  newId: () => string;
  /**
   * which of the user's own networks this page may reach
   */
  permissions: () => Promise<Permissions>;
  /**
   * what a listener of the application has thrown
   */
  report: (error: unknown) => void;
  /**
   * whether a server answers plain HTTP, whatever it says
   */
  reach: (url: string) => Promise<boolean>;
};

/**
 * A session with one robot, through redials, restarts of the robot and changes of driver. It ends when
 * the application leaves it, or when the server forbids it. `drive`, `view` and `takeOver` of a
 * `Signal` return one.
 */
declare class Session extends Emitter<SessionEvents> {
  private constructor();
  /**
   * The robot's id.
   */
  get robotId(): string;
  /**
   * The session's state: a frozen object, and the same one until a field of it changes. The event
   * `view` tells of each change.
   */
  get view(): View;
  /**
   * The robot's video, once there is some. A new peer connection has a new stream, which the event
   * `stream` brings.
   */
  get stream(): MediaStream | null;
  /**
   * Show the robot's video on an element, through new peer connections, and judge the age of the
   * picture by what the element shows. Of several elements the last one counts.
   *
   * @returns a function that shows it there no more
   * @throws {TypeError} if `video` isn't a video element
   */
  showOn(video: HTMLVideoElement): () => void;
  /**
   * Send one drive command. The robot stops 500 ms after the last one, so repeat it while it should
   * move; `driveWithKeys` does that. While nothing is sent, the module itself tells the robot 20
   * times a second that it should stand.
   *
   * Once motion was interrupted, by a stop, a silence or a picture that is too old, no more of it is
   * sent until it was 0 once, or paused for half a second: nothing goes on with a key still held.
   *
   * @param drive `x` to the right and `y` ahead; beyond -1 to 1 they are cut off
   * @returns whether it was sent: `false` if this session doesn't drive, if `view.blocked`
   *   says why no motion is sent, or if the data channel isn't open or can't carry it in time
   * @throws {TypeError} if `x` or `y` isn't a finite number
   */
  drive(drive: Drive): boolean;
  /**
   * What the robot has declared: the controls that people can move, and its telemetry. `null` until
   * it has, and for a robot that declares nothing of it. A new peer connection may have another one,
   * which the event `declaration` brings.
   */
  get declaration(): Declaration | null;
  /**
   * The newest telemetry, by name: a frozen object, which the event `telemetry` replaces.
   */
  get telemetry(): Readonly<Record<string, Value>>;
  /**
   * The video of each camera that has a name, by that: a frozen object, which the event `tracks`
   * replaces. The first camera's is also in `stream`, which `showOn` shows.
   */
  get tracks(): Readonly<Record<string, MediaStreamTrack>>;
  /**
   * Where the controls are that a stop leaves as they are, by name: axes that hold, and choices. A
   * frozen object, which the event `held` replaces.
   */
  get held(): Readonly<Record<string, Value>>;
  /**
   * Send values of the robot's controls. A command is in force for as long as one of `drive`, so
   * repeat it while something should move, `declaration.commandHz` times a second. A control that is
   * left out rests, or stays where it is if it holds. The values of `command` and the drive of
   * `drive` go to the robot in one command, each as long as it is in force.
   *
   * @param values by the names in `declaration.controls`: a number for an
   *   axis, which is cut off at its range, whether a button is pressed, an option of a choice
   * @returns whether it was sent: `false` as for `drive`, or if the robot declares no controls
   * @throws {TypeError} if a name isn't declared, or its control can't have that value
   */
  command(values: Record<string, Value>): boolean;
  /**
   * The robot's sound, once there is some; the event `sound` brings it.
   */
  get sound(): MediaStreamTrack | null;
  /**
   * Speak through the robot, or be silent again. It ends when this session no longer drives, or gets a
   * new peer connection; the track is the application's to stop.
   *
   * @param track of sound, such as a microphone's
   * @returns whether the robot hears it: `false` if this session doesn't drive, if the robot
   *   declares no `talkBack`, or if the connection isn't ready for it yet
   * @throws {TypeError} if `track` is no track of sound
   */
  talk(track: MediaStreamTrack | null): boolean;
  /**
   * A channel for messages of the application's own: the same object for the same name. It may be
   * asked for before the robot has declared it.
   */
  channel(name: string): Channel;
  /**
   * Send a message over a channel of the application's own, as its `publish` does.
   *
   * @param name of the channel
   * @returns whether it was sent: `false` if the robot hasn't declared the channel, or it isn't
   *   open, or is full
   * @throws {TypeError} if `data` is neither a string nor bytes
   * @throws {SignalingError} `too_large`
   */
  publish(name: string, data: string | ArrayBuffer | ArrayBufferView): boolean;
  /**
   * Ask the robot to stop, and to obey no one until `clearStop`. A user who may drive the robot may do
   * so, viewers included. It's a request over a network, and no safety function: it can be lost with
   * the connection. `view.stopped` says that the robot has stopped.
   *
   * @returns whether it was sent: `false` if no data channel is open, or if the robot
   *   doesn't know this stop; then a driver's session tells it to stand, and it can be driven on
   */
  stop(): boolean;
  /**
   * Ask the robot to let itself be driven again. The driver and the owner may.
   *
   * @returns whether it was sent: `false` if the data channel isn't open
   */
  clearStop(): boolean;
  /**
   * Send a text to the robot on the data channel. The demo robot echoes the driver's.
   *
   * @returns whether it was sent: `false` if the data channel isn't open, or is full
   * @throws {TypeError} if `message` isn't a string
   * @throws {SignalingError} `too_large`, with the robot's limit in the sentence: 64 KiB, unless its
   *   description says otherwise (RFC 8841, section 6.1)
   */
  send(message: string): boolean;
  /**
   * Measure the data channel's round trip.
   *
   * @returns ms
   * @throws {SignalingError} `timeout` after 3 s, or if there is no open channel; `no_session` after
   *   the end; `closed` after `signal.close()`
   */
  ping(): Promise<number>;
  /**
   * Take control from the session that has it. The owner and admins may, and so may the driver's own
   * user from another connection.
   *
   * @returns within 20 s
   * @throws {SignalingError} `forbidden`, `robot_offline`, `timeout`, `offline`; `no_session` after the
   *   end; `closed` after `signal.close()`
   */
  takeOver(): Promise<void>;
  /**
   * Give control up and go on viewing.
   *
   * @returns within 20 s
   * @throws {SignalingError} `not_controller` if this session doesn't drive; otherwise as `takeOver`
   */
  release(): Promise<void>;
  /**
   * Ask the driver for control. If no one drives, this session does at once. Otherwise `view.asking`
   * is true until the driver grants it (the event `control`), denies it (`control-denied`), or hasn't
   * answered within 30 s (`control-unanswered`).
   *
   * @returns once the driver was asked, within 20 s
   * @throws {SignalingError} as `takeOver`
   */
  requestControl(): Promise<void>;
  /**
   * Hand control over to a viewer, whether or not it has asked, and go on viewing.
   *
   * @param sessionId of the viewer, as `view.requests` has it
   * @returns within 20 s
   * @throws {SignalingError} `no_session` if the viewer has left; otherwise as `release`
   */
  grant(sessionId: string): Promise<void>;
  /**
   * Keep control, and tell the viewer who asked for it.
   *
   * @param sessionId of the viewer, as `view.requests` has it
   * @returns within 20 s
   * @throws {SignalingError} as `grant`
   */
  deny(sessionId: string): Promise<void>;
  /**
   * Leave the session. `drive`, `view` and `takeOver` return the same session while it lasts, and
   * each of their calls holds it: it ends when `leave` has been called once for each of them.
   */
  leave(): void;
  #private;
}

/**
 * Drive a session with the arrow keys or W A S D while `element` has the focus: 20 commands a second
 * while a key is pressed, and a stop after that. An element that can't take the focus gets a
 * `tabindex` of 0.
 *
 * A browser doesn't report every release of a key. So everything that is pressed counts as released
 * when the element, the window or the page loses the focus or is hidden; at a menu, a dialog, a drag
 * and a system key; when the page hasn't run, or hasn't sent, for half a second; and when the session
 * stops driving or sends no motion (`view.blocked`). After that only a new press drives. A press
 * while no motion could be sent is ignored, and `onIgnored` says so: it never drives later.
 *
 * @returns a function that stops the robot and removes the listeners
 * @throws {TypeError} if `element` isn't an element of a page, or `heldMs` isn't a positive number
 */
declare function driveWithKeys(
  session: Session,
  element: HTMLElement,
  options?: DriveOptions,
): () => void;

/**
 * A connection to the server. It dials, redials until it's closed, and carries one session for each
 * robot. `connect` makes one.
 */
declare class Signal extends Emitter<SignalEvents> {
  private constructor();
  /**
   * Whether signaling is up. Video and commands don't depend on it.
   */
  get state(): ConnectionState;
  /**
   * The signed-in user, as the server names them.
   *
   * @returns `null` before the first welcome
   */
  get me(): Person | null;
  /**
   * Dial now rather than when the next dial is due. Call it after the event `sign-in`, once there is a
   * new token, and when the browser says that it's online. After `close()` it does nothing.
   */
  redial(): void;
  /**
   * Leave every session and close the connection for good. Each call that waits, and each later one,
   * rejects with `closed`.
   */
  close(): void;
  /**
   * List the robots that this user may see.
   *
   * @param [which] `robotIds`: only these, 50 at most; `all`:
   *   every robot, for admins
   * @returns all pages of them, within 10 s a page
   * @throws {SignalingError} `forbidden` for `all`, unless this user is an admin; `timeout`, `offline`;
   *   `closed` after `close()`
   */
  robots({ robotIds, all }?: { robotIds?: string[]; all?: boolean }): Promise<Robot[]>;
  /**
   * List the robots that this user may see, and from now on tell of each change with the event
   * `presence`, through redials too.
   *
   * @param [which] `all`: every robot, for admins
   * @returns the robots now, within 10 s a page
   * @throws {SignalingError} as `robots`; then what was watched before is watched, if anything was
   */
  watch(which?: { all?: boolean }): Promise<Robot[]>;
  /**
   * Stop the event `presence`.
   *
   * @returns once the server knows, within 10 s
   * @throws {SignalingError} `timeout`, `offline`; `closed` after `close()`
   */
  unwatch(): Promise<void>;
  /**
   * Drive a robot: get a session that has control of it. If this connection has a session for the
   * robot already, it asks for control in that one; if it's refused, that session goes on viewing.
   * Each call that returns a session holds it, until `session.leave()`.
   *
   * It settles within 30 s, or within 60 s behind another call for the same robot. When `signal` is
   * aborted before that, it rejects with the signal's reason, and gives back any control that it
   * has or gets later.
   *
   * @returns one whose `view.role` is `controller`
   * @throws {SignalingError} `robot_busy`, with `controlledBy`, if another session drives;
   *   `robot_offline`, `forbidden`, `timeout`, `offline`, `unsupported`; `closed` after `close()`
   */
  drive(
    robotId: string,
    {
      signal,
    }?: {
      signal?: AbortSignal;
    },
  ): Promise<Session>;
  /**
   * View a robot's video without driving. If this connection has a session for the robot already,
   * it returns that one, which may drive: `view.role` says whether it does. Each call that returns
   * a session holds it, until `session.leave()`.
   *
   * @param [options] as for `drive`
   * @returns one whose `view.role` is `viewer`, or `controller` if it drives
   * @throws {SignalingError} as `drive`, but never `robot_busy`; `too_many_viewers`
   */
  view(
    robotId: string,
    {
      signal,
    }?: {
      signal?: AbortSignal;
    },
  ): Promise<Session>;
  /**
   * Drive a robot even if another session does. The owner and admins may, and so may the driver's
   * own user from another connection. Each call that returns a session holds it, until
   * `session.leave()`.
   *
   * It settles within 40 s.
   *
   * @param [options] as for `drive`
   * @returns one whose `view.role` is `controller`
   * @throws {SignalingError} `forbidden` for everyone else; otherwise as `drive`
   */
  takeOver(
    robotId: string,
    {
      signal,
    }?: {
      signal?: AbortSignal;
    },
  ): Promise<Session>;
  /**
   * Offer a robot to a user, share it with a group, or change a share. Only the owner and admins may.
   *
   * @param share `userId` or
   *   `group`; `role`: `operator` by default; `until`: its end in epoch ms, none by default
   * @returns all shares of the robot, within 10 s
   * @throws {SignalingError} `forbidden`; `bad_message`, which names the field; `timeout`, `offline`;
   *   `closed` after `close()`
   */
  share(
    robotId: string,
    {
      userId,
      group,
      role,
      until,
    }: {
      userId?: string;
      group?: string;
      role?: ShareRole;
      until?: number;
    },
  ): Promise<Share[]>;
  /**
   * End a share or withdraw an offer, and end the sessions by it. Only the owner and admins may.
   *
   * @param share `userId` or `group`
   * @returns all shares of the robot, within 10 s
   * @throws {SignalingError} as `share`
   */
  unshare(
    robotId: string,
    {
      userId,
      group,
    }: {
      userId?: string;
      group?: string;
    },
  ): Promise<Share[]>;
  /**
   * List a robot's shares and offers, those that have ended included. Only the owner and admins may.
   *
   * @returns 50 at most, within 10 s
   * @throws {SignalingError} as `share`
   */
  shares(robotId: string): Promise<Share[]>;
  /**
   * Accept the offer of a robot. The event `offers` tells of offers, after each list.
   *
   * @returns within 10 s
   * @throws {SignalingError} `forbidden` if it is not offered; `timeout`, `offline`; `closed` after
   *   `close()`
   */
  acceptShare(robotId: string): Promise<void>;
  /**
   * Make an invitation: a code by which users get a share, which is accepted at once. It's shown once.
   * Only the owner and admins may.
   *
   * @param options.robotId
   * @param [options.role] the share's; `operator` by default
   * @param [options.until] the share's end in epoch ms; none by default
   * @param [options.ttlSeconds] how long the code lasts, from 60 s to 2,592,000 s (30 days);
   *   seven days by default, and `until` at the latest
   * @param [options.uses] how many users it invites, from 1 to 50; 1 by default
   * @returns within 10 s
   * @throws {SignalingError} as `share`
   */
  invite({
    robotId,
    role,
    until,
    ttlSeconds,
    uses,
  }: {
    robotId: string;
    role?: ShareRole | undefined;
    until?: number | undefined;
    ttlSeconds?: number | undefined;
    uses?: number | undefined;
  }): Promise<Code>;
  /**
   * Accept an invitation. After a lost reply, call it again: that takes no further use.
   *
   * @param code with or without hyphens, in either case
   * @returns the role of the share that this user has by
   *   then, within 10 s
   * @throws {SignalingError} `forbidden` if the code isn't valid, or not any more; `bad_message` if it is
   *   no code, the user owns the robot, or the robot has too many shares; `timeout`, `offline`; `closed`
   *   after `close()`
   */
  accept(code: string): Promise<{
    robotId: string;
    role: ShareRole;
  }>;
  /**
   * Decline the offer of a robot, or end this user's own share of it and the sessions by it.
   *
   * @returns within 10 s
   * @throws {SignalingError} `forbidden` if a group's share is all that there is; `timeout`, `offline`;
   *   `closed` after `close()`
   */
  leaveShare(robotId: string): Promise<void>;
  /**
   * Send any message of the protocol and wait for its reply. While signaling is down the message waits
   * for it.
   *
   * @param frame without an `id`, such as `{type: "share", robotId, userId}`; 32 KiB at most
   * @returns the reply, within 10 s
   * @throws {SignalingError} the server's error; `timeout`; `offline` if the connection is lost before
   *   the reply; `too_large`; `closed` after `close()`
   */
  request(frame: OutFrame): Promise<Frame>;
  /**
   * Send a message that needs no reply. It's lost while signaling is down.
   *
   * @param frame 32 KiB at most
   * @throws {SignalingError} `too_large`
   */
  send(frame: OutFrame): void;
  /**
   * Let a robot in by its public key. The owner, an admin, and a user for an id that has no owner yet
   * may, who owns it from then on.
   *
   * @param robot `ownerUserId`, for
   *   admins: who owns a new id
   * @returns the key's id, within 10 s
   * @throws {SignalingError} `forbidden`; `bad_message`, which names the field; `timeout`, `offline`;
   *   `closed` after `close()`
   */
  enroll({
    robotId,
    publicKey,
    ownerUserId,
  }: {
    robotId: string;
    publicKey: PublicKey;
    ownerUserId?: string;
  }): Promise<{
    robotId: string;
    kid: string;
  }>;
  /**
   * Make a code by which robots enrol themselves: `robosignal robot enroll URL CODE`. It's shown once.
   *
   * @param [options.robotId] the one id that it enrols
   * @param [options.pattern] or the ids: at least three characters and an asterisk, `rover-*`
   * @param [options.uses] how many robots, from 1 to 1000; 1 by default
   * @param [options.ttlSeconds] how long it lasts, from 60 s to 2,592,000 s (30 days); a day by
   *   default
   * @param [options.approve] whether the robots' keys wait for `approveKey`
   * @param [options.ownerUserId] who owns the robots, for admins; this user by default
   * @returns within 10 s
   * @throws {SignalingError} as `enroll`
   */
  createCode({
    robotId,
    pattern,
    uses,
    ttlSeconds,
    approve,
    ownerUserId,
  }: {
    robotId?: string | undefined;
    pattern?: string | undefined;
    uses?: number | undefined;
    ttlSeconds?: number | undefined;
    approve?: boolean | undefined;
    ownerUserId?: string | undefined;
  }): Promise<Code>;
  /**
   * List a robot's keys. The owner and admins may.
   *
   * @returns three at most, within 10 s
   * @throws {SignalingError} as `enroll`
   */
  keys(robotId: string): Promise<RobotKey[]>;
  /**
   * Let in a key that waits. Compare its fingerprint with the one that the robot shows before. The owner
   * and admins may.
   *
   * @param kid the key's id
   * @returns within 10 s
   * @throws {SignalingError} as `enroll`
   */
  approveKey(robotId: string, kid: string): Promise<void>;
  /**
   * End a key for good, and with it the connection and the sessions of a robot that uses it; no-op for a
   * key that the robot doesn't have. The owner and admins may.
   *
   * @param kid the key's id
   * @returns within 10 s
   * @throws {SignalingError} as `enroll`
   */
  revokeKey(robotId: string, kid: string): Promise<void>;
  /**
   * End every key of a robot for good, in one step, as `revokeKey` ends one.
   *
   * @returns within 10 s
   * @throws {SignalingError} as `enroll`
   */
  revokeAllKeys(robotId: string): Promise<void>;
  /**
   * Give a robot to another owner, and end its sessions. The owner and admins may. If the reply is lost,
   * a second call fails with `forbidden`.
   *
   * @param userId the new owner's
   * @returns false if the robot may obey a driver who has lost the right,
   *   until it hears of that; within 10 s
   * @throws {SignalingError} as `enroll`
   */
  transfer(
    robotId: string,
    userId: string,
  ): Promise<{
    robotTold: boolean;
  }>;
  /**
   * Remove all trace of a robot: its owner, its keys, its shares. The owner and admins may.
   *
   * @returns as `transfer`
   * @throws {SignalingError} as `enroll`; `try_again` if the robot registers at this very moment
   */
  forget(robotId: string): Promise<{
    robotTold: boolean;
  }>;
  /**
   * Get STUN and TURN servers whose credentials last a while; the last known ones, if the server
   * doesn't answer.
   *
   * @param [robotId] TURN servers are included if this user may view that robot; without one,
   *   if this connection has a session
   * @returns within 10 s
   * @throws {SignalingError} `closed` after `close()`
   */
  iceServers(robotId?: string): Promise<RTCIceServer[]>;
  #private;
}
/**
 * Connect to a robosignal server.
 *
 * @param options.url the server's address, `wss://HOST/STAGE`
 * @param options.token a JWT, or a function that is called at each dial and
 *   returns one or a promise of one; it gets the token that the server has refused, if any
 * @param [environment] replaces parts of the browser, for tests
 * @throws {TypeError} if an option is missing, or `url` doesn't begin with `ws://` or `wss://`
 * @throws {SignalingError} `unsupported` if the browser is too old; the sentence names what it lacks
 */
declare function connect(
  {
    url,
    token,
  }: {
    url: string;
    token: string | TokenSource;
  },
  environment?: Partial<Environment>,
): Signal;

export { Channel, FRAME_BYTES, Session, Signal, SignalingError, connect, driveWithKeys };
export type {
  AcceptedFrame,
  Ack,
  Axis,
  Blocked,
  Button,
  ChannelEvents,
  Choice,
  Code,
  CodeFrame,
  Commands,
  ConnectionState,
  Control,
  ControlDenied,
  ControlFrame,
  ControlLost,
  ControlRequest,
  ControlRequested,
  Declaration,
  Description,
  Drive,
  DriveOptions,
  EnrolledFrame,
  ErrorFrame,
  Field,
  Frame,
  HistoryFrame,
  IceFrame,
  Interval,
  KeysFrame,
  Offered,
  OutFrame,
  Part,
  PeerFrame,
  PeerLeft,
  Person,
  Picture,
  Pong,
  PresenceFrame,
  PublicKey,
  Reply,
  Robot,
  RobotKey,
  RobotsFrame,
  Role,
  SessionEvents,
  Share,
  ShareRole,
  SharesFrame,
  SignalEvents,
  TokenSource,
  Value,
  View,
  Welcome,
};
