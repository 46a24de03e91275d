/**
 * One session with one robot, as an application holds it. It carries out what its machine decides.
 */

import { frameOf } from "./connection/requests.js";
import { Channel } from "./channel.js";
import { Emitter } from "./emitter.js";
import { SignalingError, closedError, unreachable } from "./errors.js";
import { Peer, noAnswer } from "./peer.js";
import { Screen } from "./picture.js";
import { step } from "./session/machine.js";
import { Migration } from "./session/migration.js";
import { newState } from "./session/state.js";
import { keepUnchanged, viewOf } from "./session/view.js";

/** @import { Capabilities } from "./commands.js" */
/** @import { Environment } from "./environment.js" */
/** @import { Effect, Request, SessionEvent } from "./session/machine.js" */
/** @import { Ack, Declaration, Drive, ErrorFrame, Frame, OutFrame, Pong, Role, SessionEvents, Value, View } from "./types.js" */

const TICK_MS = 500;
const COMMAND_HZ = 20;

/**
 * What a session needs of the signaling connection.
 *
 * @typedef {object} Server
 * @property {(frame: OutFrame) => Promise<Frame>} request
 * @property {(robotId: string, bye: OutFrame) => void} leave
 * @property {(robotId: string) => void} lookUp find out who drives, and dispatch it as a `listing`
 * @property {(robotId: string) => Promise<RTCIceServer[]>} iceServers
 * @property {(error: SignalingError) => void} report a failure that no call of the application caused
 * @property {(session: Session, isSettled: boolean) => void} trackMigration whether nothing of the session
 *   is left on an old socket
 * @property {(session: Session) => void} remove the session has ended
 */

/** @typedef {{wanted: Role, resolve: () => void, reject: (error: unknown) => void}} Waiter a call that waits, and the role that it asked for */

/**
 * A session with one robot, through redials, restarts of the robot and changes of driver. It ends when
 * the application leaves it, or when the server forbids it. `drive`, `view` and `takeOver` of a
 * `Signal` return one.
 *
 * @extends {Emitter<SessionEvents>}
 */
export class Session extends Emitter {
  #server;
  #environment;
  #state;
  /** What `view` returns, until a field of it changes. */
  #view;
  #peer = /** @type {Peer | null} */ (null);
  #screens = /** @type {Screen[]} */ ([]);
  #waiters = /** @type {Waiter[]} */ ([]);
  /** How many calls hold this session: it ends when each of them has left. */
  #holders = 0;
  /** @type {Declaration | null} */
  #declaration = null;
  /** @type {Readonly<Record<string, Value>>} */
  #held = Object.freeze({});
  /** @type {Map<string, Channel>} */
  #channels = new Map();
  /** @type {Readonly<Record<string, MediaStreamTrack>>} */
  #tracks = Object.freeze({});
  /** @type {Readonly<Record<string, Value>>} */
  #telemetry = Object.freeze({});
  #migration;
  /** @type {unknown} */
  #timer;
  /**
   * What every call rejects with once the session has ended.
   *
   * @type {SignalingError | null}
   */
  #endError = null;

  /**
   * @internal
   * @param {Server} server
   * @param {string} robotId
   * @param {Environment} environment
   * @param {boolean} isOnline
   */
  constructor(server, robotId, environment, isOnline) {
    super(environment.report);
    this.#server = server;
    this.#environment = environment;
    this.#state = newState(robotId, isOnline);
    this.#view = Object.freeze(viewOf(this.#state));
    this.#migration = new Migration(
      () => this.#state.session.isMigrating,
      () => this.dispatch({ type: "migrate" }),
      (isSettled) => server.trackMigration(this, isSettled),
    );
    this.#scheduleTick();
  }

  /**
   * The robot's id.
   *
   * @returns {string}
   */
  get robotId() {
    return this.#state.robotId;
  }

  /**
   * The session's state: a frozen object, and the same one until a field of it changes. The event
   * `view` tells of each change.
   *
   * @returns {View}
   */
  get view() {
    return this.#view;
  }

  /**
   * The robot's video, once there is some. A new peer connection has a new stream, which the event
   * `stream` brings.
   *
   * @returns {MediaStream | null}
   */
  get stream() {
    return this.#peer?.stream ?? null;
  }

  /**
   * Show the robot's video on an element, through new peer connections, and judge the age of the
   * picture by what the element shows. Of several elements the last one counts.
   *
   * @param {HTMLVideoElement} video
   * @returns {() => void} a function that shows it there no more
   * @throws {TypeError} if `video` isn't a video element
   */
  showOn(video) {
    if (!video?.ownerDocument || !("srcObject" in video))
      throw new TypeError("showOn: video must be a video element");
    const screen = new Screen(video, this.#environment);
    this.#screens.push(screen);
    screen.show(this.stream);
    const unlisten = this.on("stream", (stream) => screen.show(stream));
    return () => {
      unlisten();
      screen.close();
      this.#screens = this.#screens.filter((other) => other !== screen);
    };
  }

  /**
   * Send one drive command. The robot stops 500 ms after the last one, so repeat it while it should
   * move; `driveWithKeys` does that. While nothing is sent, the module itself tells the robot 20
   * times a second that it should stand.
   *
   * Once motion was interrupted, by a stop, a silence or a picture that is too old, no more of it is
   * sent until it was 0 once, or paused for half a second: nothing goes on with a key still held.
   *
   * @param {Drive} drive `x` to the right and `y` ahead; beyond -1 to 1 they are cut off
   * @returns {boolean} whether it was sent: `false` if this session doesn't drive, if `view.blocked`
   *   says why no motion is sent, or if the data channel isn't open or can't carry it in time
   * @throws {TypeError} if `x` or `y` isn't a finite number
   */
  drive(drive) {
    const { x, y } = drive ?? {};
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      throw new TypeError("drive: x and y must be finite numbers");
    }
    if (this.view.role !== "controller" || !this.#peer) return false;
    return this.#peer.sendCommand({ x: clamp(x), y: clamp(y) });
  }

  /**
   * What the robot has declared: the controls that people can move, and its telemetry. `null` until
   * it has, and for a robot that declares nothing of it. A new peer connection may have another one,
   * which the event `declaration` brings.
   *
   * @returns {Declaration | null}
   */
  get declaration() {
    return this.#declaration;
  }

  /**
   * The newest telemetry, by name: a frozen object, which the event `telemetry` replaces.
   *
   * @returns {Readonly<Record<string, Value>>}
   */
  get telemetry() {
    return this.#telemetry;
  }

  /**
   * The video of each camera that has a name, by that: a frozen object, which the event `tracks`
   * replaces. The first camera's is also in `stream`, which `showOn` shows.
   *
   * @returns {Readonly<Record<string, MediaStreamTrack>>}
   */
  get tracks() {
    return this.#tracks;
  }

  /**
   * Where the controls are that a stop leaves as they are, by name: axes that hold, and choices. A
   * frozen object, which the event `held` replaces.
   *
   * @returns {Readonly<Record<string, Value>>}
   */
  get held() {
    return this.#held;
  }

  /**
   * Send values of the robot's controls. A command is in force for as long as one of `drive`, so
   * repeat it while something should move, `declaration.commandHz` times a second. A control that is
   * left out rests, or stays where it is if it holds. The values of `command` and the drive of
   * `drive` go to the robot in one command, each as long as it is in force.
   *
   * @param {Record<string, Value>} values by the names in `declaration.controls`: a number for an
   *   axis, which is cut off at its range, whether a button is pressed, an option of a choice
   * @returns {boolean} whether it was sent: `false` as for `drive`, or if the robot declares no controls
   * @throws {TypeError} if a name isn't declared, or its control can't have that value
   */
  command(values) {
    if (typeof values !== "object" || values === null)
      throw new TypeError("command: values must be an object");
    if (this.view.role !== "controller" || !this.#peer) return false;
    return this.#peer.sendValues(values);
  }

  /**
   * The robot's sound, once there is some; the event `sound` brings it.
   *
   * @returns {MediaStreamTrack | null}
   */
  get sound() {
    return this.#peer?.sound ?? null;
  }

  /**
   * Speak through the robot, or be silent again. It ends when this session no longer drives, or gets a
   * new peer connection; the track is the application's to stop.
   *
   * @param {MediaStreamTrack | null} track of sound, such as a microphone's
   * @returns {boolean} whether the robot hears it: `false` if this session doesn't drive, if the robot
   *   declares no `talkBack`, or if the connection isn't ready for it yet
   * @throws {TypeError} if `track` is no track of sound
   */
  talk(track) {
    if (track !== null && track?.kind !== "audio")
      throw new TypeError("talk: track must be a track of sound, or null");
    const mayTalk = track === null || this.view.role === "controller";
    return mayTalk && (this.#peer?.talk(track) ?? false);
  }

  /**
   * A channel for messages of the application's own: the same object for the same name. It may be
   * asked for before the robot has declared it.
   *
   * @param {string} name
   * @returns {Channel}
   */
  channel(name) {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = new Channel(name, (data) => this.publish(name, data), this.#environment.report);
      this.#channels.set(name, channel);
    }
    return channel;
  }

  /**
   * Send a message over a channel of the application's own, as its `publish` does.
   *
   * @param {string} name of the channel
   * @param {string | ArrayBuffer | ArrayBufferView} data
   * @returns {boolean} whether it was sent: `false` if the robot hasn't declared the channel, or it isn't
   *   open, or is full
   * @throws {TypeError} if `data` is neither a string nor bytes
   * @throws {SignalingError} `too_large`
   */
  publish(name, data) {
    if (typeof data !== "string" && !(data instanceof ArrayBuffer) && !ArrayBuffer.isView(data))
      throw new TypeError("publish: data must be a string, an ArrayBuffer or a view of one");
    return this.#peer?.publish(name, data) ?? false;
  }

  /**
   * Ask the robot to stop, and to obey no one until `clearStop`. A user who may drive the robot may do
   * so, viewers included. It's a request over a network, and no safety function: it can be lost with
   * the connection. `view.stopped` says that the robot has stopped.
   *
   * @returns {boolean} whether it was sent: `false` if no data channel is open, or if the robot
   *   doesn't know this stop; then a driver's session tells it to stand, and it can be driven on
   */
  stop() {
    return this.#peer?.stop() ?? false;
  }

  /**
   * Ask the robot to let itself be driven again. The driver and the owner may.
   *
   * @returns {boolean} whether it was sent: `false` if the data channel isn't open
   */
  clearStop() {
    return this.#peer?.clearStop() ?? false;
  }

  /**
   * Send a text to the robot on the data channel. The demo robot echoes the driver's.
   *
   * @param {string} message
   * @returns {boolean} whether it was sent: `false` if the data channel isn't open, or is full
   * @throws {TypeError} if `message` isn't a string
   * @throws {SignalingError} `too_large`, with the robot's limit in the sentence: 64 KiB, unless its
   *   description says otherwise (RFC 8841, section 6.1)
   */
  send(message) {
    if (typeof message !== "string") throw new TypeError("send: message must be a string");
    return this.#peer?.send(message) ?? false;
  }

  /**
   * Measure the data channel's round trip.
   *
   * @returns {Promise<number>} ms
   * @throws {SignalingError} `timeout` after 3 s, or if there is no open channel; `no_session` after
   *   the end; `closed` after `signal.close()`
   */
  async ping() {
    if (this.#endError) throw this.#endError;
    if (!this.#peer) throw noAnswer();
    return this.#peer.ping();
  }

  /**
   * Take control from the session that has it. The owner and admins may, and so may the driver's own
   * user from another connection.
   *
   * @returns {Promise<void>} within 20 s
   * @throws {SignalingError} `forbidden`, `robot_offline`, `timeout`, `offline`; `no_session` after the
   *   end; `closed` after `signal.close()`
   */
  async takeOver() {
    await this.#claim({ type: "takeover" }, (ack, asOf) => ({ type: "taken-over", ack, asOf }));
  }

  /**
   * Give control up and go on viewing.
   *
   * @returns {Promise<void>} within 20 s
   * @throws {SignalingError} `not_controller` if this session doesn't drive; otherwise as `takeOver`
   */
  async release() {
    await this.#ask({ type: "release-control" }, (ack) => ({ type: "released", ack }));
  }

  /**
   * Ask the driver for control. If no one drives, this session does at once. Otherwise `view.asking`
   * is true until the driver grants it (the event `control`), denies it (`control-denied`), or hasn't
   * answered within 30 s (`control-unanswered`).
   *
   * @returns {Promise<void>} once the driver was asked, within 20 s
   * @throws {SignalingError} as `takeOver`
   */
  async requestControl() {
    this.dispatch({ type: "request-sent" });
    try {
      await this.#claim({ type: "request-control" }, (ack, asOf) =>
        ack.epoch === undefined ? null : { type: "taken-over", ack, asOf },
      );
    } catch (error) {
      this.dispatch({ type: "request-failed" });
      throw error;
    }
  }

  /**
   * Hand control over to a viewer, whether or not it has asked, and go on viewing.
   *
   * @param {string} sessionId of the viewer, as `view.requests` has it
   * @returns {Promise<void>} within 20 s
   * @throws {SignalingError} `no_session` if the viewer has left; otherwise as `release`
   */
  grant(sessionId) {
    return this.#answer({ type: "grant-control", sessionId }, (ack) => ({
      type: "granted",
      ack,
      sessionId,
    }));
  }

  /**
   * Keep control, and tell the viewer who asked for it.
   *
   * @param {string} sessionId of the viewer, as `view.requests` has it
   * @returns {Promise<void>} within 20 s
   * @throws {SignalingError} as `grant`
   */
  deny(sessionId) {
    return this.#answer({ type: "deny-control", sessionId }, () => ({
      type: "request-answered",
      sessionId,
    }));
  }

  /**
   * Leave the session. `drive`, `view` and `takeOver` return the same session while it lasts, and
   * each of their calls holds it: it ends when `leave` has been called once for each of them.
   */
  leave() {
    this.#holders -= 1;
    if (this.#holders <= 0) this.dispatch({ type: "leave" });
  }

  /**
   * Hold the session for one more call, until that calls `leave`.
   *
   * @internal
   */
  hold() {
    this.#holders += 1;
  }

  /**
   * End the session, because the application has closed the connection to the server.
   *
   * @internal
   */
  close() {
    this.#endError ??= closedError();
    this.dispatch({ type: "leave" });
  }

  /**
   * Wait until each request of the session has its reply.
   *
   * @internal
   * @returns {Promise<void> | null} null when none is open
   */
  idle() {
    return this.#migration.idle();
  }

  /**
   * Whether the server has ever let this session in.
   *
   * @internal
   */
  get hasJoined() {
    return this.#state.session.hasJoined;
  }

  /**
   * Dispatch an event, and wait for what the server decides: 30 s at most. An abort ends the wait, and
   * withdraws what no other waiting call has asked for.
   *
   * @internal
   * @param {SessionEvent | null} event null to wait for what another call has asked for
   * @param {Role} wanted what the call asks for in the end
   * @param {AbortSignal} [abort]
   * @returns {Promise<void>}
   */
  async waitFor(event, wanted, abort) {
    abort?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const stop = () => this.#withdraw(waiter, abort?.reason);
      const unlisten = () => abort?.removeEventListener("abort", stop);
      /** @type {Waiter} */
      const waiter = {
        wanted,
        resolve: () => (unlisten(), resolve()),
        reject: (error) => (unlisten(), reject(error)),
      };
      abort?.addEventListener("abort", stop);
      this.#waiters.push(waiter);
      if (this.#endError) this.#settle(this.#endError);
      else if (event !== null) this.dispatch(event);
    });
  }

  /**
   * @internal
   * @param {SessionEvent} event
   */
  dispatch(event) {
    const before = this.#view;
    const [next, effects] = step(this.#state, event, {
      now: this.#environment.now(),
      id: this.#environment.newId(),
    });
    this.#state = next;
    this.#view = keepUnchanged(this.#view, viewOf(next));
    for (const effect of effects) this.#perform(effect);
    if (before.role === "controller" && this.#view.role !== "controller") this.#peer?.talk(null);
    if (this.#view !== before) this.#announce(before, this.#view);
    this.#migration.update(this.#environment.now());
    if (event.type === "socket-changed") this.#migration.start();
    if (this.#state.phase === "ended") this.#finish();
  }

  /**
   * @param {Waiter} waiter
   * @param {unknown} reason
   */
  #withdraw(waiter, reason) {
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
    waiter.reject(reason);
    const wanted = this.#waiters.map((other) => other.wanted);
    this.dispatch({
      type: "withdraw",
      wanted: wanted.includes("controller") ? "controller" : (wanted[0] ?? null),
    });
  }

  /**
   * @param {View} before
   * @param {View} after
   */
  #announce(before, after) {
    /**
     * @param {(keyof View)[]} fields
     */
    const hasChanged = (fields) => fields.some((field) => before[field] !== after[field]);
    this.emit("view", after);
    if (hasChanged(["state", "why", "missing", "commands", "blocked"])) this.emit("state", after);
    if (hasChanged(["stopped"])) this.emit("stopped", after.stopped);
    if (hasChanged(["picture"])) this.emit("picture", after.picture);
    if (hasChanged(["role", "driver", "epoch", "stale", "lostTo", "requests", "asking"])) {
      this.emit("control", after);
    }
  }

  #finish() {
    this.#environment.clearTimeout(this.#timer);
    this.#server.remove(this);
    const message = this.view.why ?? "The session has ended. Drive or view the robot again.";
    this.#endError ??= new SignalingError({ code: "no_session", message, robotId: this.robotId });
    this.#settle(this.#endError);
  }

  #scheduleTick() {
    this.#timer = this.#environment.setTimeout(() => {
      this.#scheduleTick();
      this.dispatch({ type: "tick" });
    }, TICK_MS);
  }

  /**
   * @param {Effect} effect
   */
  #perform(effect) {
    switch (effect.do) {
      case "open":
        return void this.#openPeer(effect.pcId);
      case "close":
        return this.#closePeer();
      case "request":
        return void this.#request(effect.to, effect.pcId, effect.frame);
      case "send":
        return this.#server.leave(this.robotId, effect.frame);
      case "describe":
        return void this.#peer?.setRemoteDescription(effect.payload);
      case "add-candidate":
        return void this.#peer?.addCandidate(effect.payload);
      case "look-up":
        return this.#server.lookUp(this.robotId);
      case "announce":
        return this.emit(effect.name, effect.value);
      case "settle":
        return this.#settle(effect.error && new SignalingError(effect.error));
      default:
        return unreachable(effect);
    }
  }

  /**
   * @param {SignalingError | null} error
   */
  #settle(error) {
    for (const { resolve, reject } of this.#waiters.splice(0)) error ? reject(error) : resolve();
  }

  /**
   * Ask the server for the application, once it knows this session on the current socket.
   *
   * @param {OutFrame} frame
   * @param {(ack: Ack, asOf: number) => SessionEvent | null} toEvent what the reply means
   */
  async #ask(frame, toEvent) {
    await this.#migration.wait(this.#environment.now());
    if (this.#endError) throw this.#endError;
    await this.#migration.track(async () => {
      const asOf = this.#state.control.epoch;
      const ack = await this.#server.request({ ...frame, robotId: this.robotId });
      const event = toEvent(/** @type {Ack} */ (ack), asOf);
      if (event !== null) this.dispatch(event);
    });
  }

  /**
   * Ask for what may make this session the driver: nothing is offered before the reply.
   *
   * @param {OutFrame} frame
   * @param {(ack: Ack, asOf: number) => SessionEvent | null} toEvent
   */
  async #claim(frame, toEvent) {
    await this.#migration.wait(this.#environment.now());
    this.dispatch({ type: "claim-sent" });
    await this.#ask(frame, toEvent).finally(() => this.dispatch({ type: "claim-settled" }));
  }

  /**
   * @param {{type: string, sessionId: string}} frame the answer to a viewer's request
   * @param {(ack: Ack) => SessionEvent} toEvent
   */
  async #answer(frame, toEvent) {
    try {
      await this.#ask(frame, toEvent);
    } catch (error) {
      // The viewer has left: there is nothing to answer any more.
      if (error instanceof SignalingError && error.code === "no_session") {
        this.dispatch({ type: "request-answered", sessionId: frame.sessionId });
      }
      throw error;
    }
  }

  /**
   * @param {Request} to
   * @param {string | null} pcId
   * @param {OutFrame} sent
   */
  async #request(to, pcId, sent) {
    const asOf = this.#state.control.epoch;
    await this.#migration.track(async () => {
      const reply = await this.#server.request(sent).catch(frameOf);
      const frame = /** @type {Ack | Pong | ErrorFrame} */ (reply);
      this.dispatch({ type: "reply", to, pcId, sent, asOf, frame });
    });
  }

  /**
   * @param {string} pcId
   */
  async #openPeer(pcId) {
    const iceServers = await this.#server.iceServers(this.robotId).catch(() => []);
    if (this.#state.peer.id !== pcId) return;
    this.#closePeer();
    void this.#environment
      .permissions()
      .then((permissions) => this.dispatch({ type: "permissions", permissions }));
    try {
      this.#peer = this.#newPeer(pcId, iceServers);
    } catch (error) {
      const { code, message } = /** @type {SignalingError} */ (error);
      this.dispatch({ type: "failed", pcId, code, message });
    }
  }

  /**
   * @param {string} pcId
   * @param {RTCIceServer[]} iceServers
   * @throws {SignalingError} `unsupported`
   */
  #newPeer(pcId, iceServers) {
    return new Peer(pcId, iceServers, this.#environment, {
      dispatch: (event) => this.dispatch(event),
      report: (error) => this.#server.report(error),
      stream: (stream) => this.emit("stream", stream),
      rtt: (ms) => this.emit("rtt", ms),
      message: (message) => this.emit("message", message),
      declared: (capabilities) => this.#declare(capabilities),
      track: (name, track) => {
        if (this.#tracks[name] === track) return;
        this.#tracks = Object.freeze({ ...this.#tracks, [name]: track });
        this.emit("tracks", this.#tracks);
      },
      sound: (track) => this.emit("sound", track),
      held: (values) => {
        this.#held = Object.freeze(values);
        this.emit("held", this.#held);
      },
      telemetry: (values, isNewest) => {
        if (isNewest) this.#telemetry = Object.freeze({ ...this.#telemetry, ...values });
        this.emit("telemetry", values);
      },
      channelMessage: (name, data) => this.channel(name).emit("message", data),
      channelRefused: (name, epoch) => this.channel(name).emit("refused", epoch),
      refused: (epoch) => this.emit("refused", epoch),
      stopRefused: (what) => this.emit("stop-refused", what),
      control: () => ({
        isDriver: this.#state.session.role === "controller",
        epoch: this.#state.control.epoch,
      }),
      screen: () => this.#screens.at(-1) ?? null,
      unusable: (count, { message }) => this.emit("candidate-unusable", { count, message }),
    });
  }

  /**
   * @param {Capabilities} capabilities
   */
  #declare({
    drive = true,
    commandHz = COMMAND_HZ,
    controls = [],
    telemetry = [],
    cameras = [],
    channels = [],
    audio = false,
    talkBack = false,
  }) {
    const lists = [controls, telemetry, cameras, channels];
    const hasAny = audio || talkBack || lists.some((each) => each.length > 0);
    const declared = { drive, commandHz, controls, telemetry, channels, cameras, audio, talkBack };
    this.#declaration = hasAny ? freeze(declared) : null;
    this.emit("declaration", this.#declaration);
  }

  #closePeer() {
    this.#peer?.close();
    this.#peer = null;
    this.#tracks = Object.freeze({});
  }
}

/**
 * @param {number} value
 */
const clamp = (value) => Math.max(-1, Math.min(1, value));

/**
 * @template Value
 * @param {Value} value
 * @returns {Value} the same, frozen with all that it holds
 */
function freeze(value) {
  if (typeof value === "object" && value !== null)
    Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}
