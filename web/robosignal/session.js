/**
 * One engagement with one robot, as an application holds it. It does what the pure part says, and
 * never decides itself.
 */

import { Emitter } from "./emitter.js";
import { engagement, step, view } from "./session/machine.js";
import { Moving } from "./session/migration.js";
import { Peer, noAnswer } from "./peer.js";
import { frameOf } from "./connection/requests.js";
import { SignalingError, closed, never } from "./errors.js";

/** @import { Effect, Happening, To } from "./session/machine.js" */
/** @import { Ack, ErrorFrame, OutFrame, Pong, Role, SessionEvents, View } from "./types.js" */
/** @import { Server } from "./connection/requests.js" */
/** @import { Environment } from "./environment.js" */

const TICK_MS = 500;

/** @typedef {{wanted: Role, resolve: () => void, reject: (error: unknown) => void}} Waiter a call that waits, and the role that it asked for */

/**
 * One engagement with one robot, through redials, restarts and changes of driver. It ends when it
 * is left, or when the server forbids it; `view` says how things stand.
 *
 * @extends {Emitter<SessionEvents>}
 */
export class Session extends Emitter {
  #server;
  #environment;
  #state;
  /** What `view` returns, until a field of it changes. */
  #view;
  /** How many calls hold this session: it ends when each of them has left. */
  #holders = 0;
  #peer = /** @type {Peer | null} */ (null);
  #waiters = /** @type {Waiter[]} */ ([]);
  /** @type {unknown} */
  #timer;
  #moving;
  /** What every call is told once the session has ended. @type {SignalingError | null} */
  #over = null;

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
    this.#state = engagement(robotId, isOnline);
    this.#view = Object.freeze(view(this.#state));
    this.#moving = new Moving(
      () => this.#state.moving,
      () => this.tell({ type: "move" }),
      (isSettled) => server.settled(this, isSettled),
    );
    this.#tickLater();
  }

  get robotId() {
    return this.#state.robotId;
  }

  /**
   * @returns {View}
   */
  get view() {
    return this.#view;
  }

  /**
   * The robot's video, once there is some.
   *
   * @returns {MediaStream | null}
   */
  get stream() {
    return this.#peer?.stream ?? null;
  }

  /**
   * Send one drive command, x and y from −1 to 1. False when it was not sent: not our robot to
   * drive, or no channel that could carry it in time.
   *
   * The robot stops 500 ms after the last command, so repeat it while it should move.
   *
   * @param {{x: number, y: number}} drive
   * @returns {boolean}
   * @throws {TypeError} when x or y is no finite number
   */
  drive(drive) {
    const { x, y } = drive ?? {};
    if (!Number.isFinite(x) || !Number.isFinite(y))
      throw new TypeError("drive: x and y must be finite numbers");
    if (this.view.role !== "controller" || !this.#peer) return false;
    return this.#peer.command({ x: clamp(x), y: clamp(y) });
  }

  /**
   * Send a text to the robot; false when it was not sent: no channel is open, or it is full. The
   * driver's is echoed by the demo robot.
   *
   * @param {string} message
   * @returns {boolean}
   * @throws {TypeError} when it is no text
   * @throws {SignalingError} `too_large`, with the limit of the robot's data channel
   */
  send(message) {
    if (typeof message !== "string") throw new TypeError("send: message must be a string");
    return this.#peer?.say(message) ?? false;
  }

  /**
   * The data channel's round trip in ms.
   *
   * @returns {Promise<number>}
   */
  async ping() {
    if (this.#over) throw this.#over;
    if (!this.#peer) throw noAnswer();
    return this.#peer.ping();
  }

  /** Take the control from whoever has it. */
  async takeOver() {
    await this.#claim({ type: "takeover" }, (ack, asOf) => ({ type: "took", ack, asOf }));
  }

  /** Give the control up and go on watching. */
  async release() {
    await this.#act({ type: "release-control" }, (ack) => ({ type: "released", ack }));
  }

  /**
   * Ask the driver for control. The view is `asking` until the answer, 30 s at most; control that
   * is free is ours at once.
   */
  async requestControl() {
    this.tell({ type: "asking" });
    try {
      await this.#claim({ type: "request-control" }, (ack, asOf) =>
        ack.epoch === undefined ? null : { type: "took", ack, asOf },
      );
    } catch (error) {
      this.tell({ type: "unasked" });
      throw error;
    }
  }

  /**
   * Hand the control over, to any viewer, and go on watching.
   *
   * @param {string} sessionId
   */
  grant(sessionId) {
    return this.#answer({ type: "grant-control", sessionId }, (ack) => ({
      type: "granted",
      ack,
      sessionId,
    }));
  }

  /**
   * Keep the control, and tell the viewer who asked for it.
   *
   * @param {string} sessionId
   */
  deny(sessionId) {
    return this.#answer({ type: "deny-control", sessionId }, () => ({
      type: "answered",
      sessionId,
    }));
  }

  /**
   * Leave the session. `drive`, `view` and `takeOver` return the same session while it lasts, and
   * each of their calls holds it: it ends when `leave` has been called once for each of them.
   */
  leave() {
    this.#holders -= 1;
    if (this.#holders <= 0) this.tell({ type: "leave" });
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
   * Wait until each request of the session has its reply.
   *
   * @internal
   * @returns {Promise<void> | null} null when none is open
   */
  idle() {
    return this.#moving.idle();
  }

  /**
   * End it, since the application has closed the connection to the server.
   *
   * @internal
   */
  abandon() {
    this.#over ??= closed();
    this.tell({ type: "leave" });
  }

  /**
   * Whether the server has ever let us in.
   *
   * @internal
   */
  get hasJoined() {
    return this.#state.joined;
  }

  /**
   * Tell the engagement that something happened, and wait for what the server decides: 30 s at most.
   * Once aborted it is not waited for, and what no other call that waits has asked for is withdrawn.
   *
   * @internal
   * @param {Happening} event
   * @param {Role} wanted what the call asks for in the end
   * @param {AbortSignal} [abort]
   * @returns {Promise<void>}
   */
  async ask(event, wanted, abort) {
    abort?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const stop = () => this.#withdraw(waiter, abort?.reason);
      const done = () => abort?.removeEventListener("abort", stop);
      /** @type {Waiter} */
      const waiter = {
        wanted,
        resolve: () => (done(), resolve()),
        reject: (error) => (done(), reject(error)),
      };
      abort?.addEventListener("abort", stop);
      this.#waiters.push(waiter);
      this.tell(event);
    });
  }

  /**
   * @param {Waiter} waiter
   * @param {unknown} reason
   */
  #withdraw(waiter, reason) {
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
    waiter.reject(reason);
    const wanted = this.#waiters.map((other) => other.wanted);
    this.tell({
      type: "withdraw",
      wanted: wanted.includes("controller") ? "controller" : (wanted[0] ?? null),
    });
  }

  /**
   * @internal
   * @param {Happening} event
   */
  tell(event) {
    const before = this.#view;
    const [next, effects] = step(this.#state, event, {
      now: this.#environment.now(),
      id: this.#environment.newId(),
    });
    this.#state = next;
    this.#view = sameOr(this.#view, view(next));
    for (const effect of effects) this.#perform(effect);
    if (this.#view !== before) this.#announce(before, this.#view);
    this.#moving.look(this.#environment.now());
    if (event.type === "swapped") this.#moving.begin();
    if (this.#state.phase === "ended") this.#finish();
  }

  /**
   * @param {View} before
   * @param {View} after
   */
  #announce(before, after) {
    /**
     * @param {(keyof View)[]} fields
     */
    const moved = (fields) => fields.some((field) => before[field] !== after[field]);
    this.emit("view", after);
    if (moved(["state", "why", "missing"])) this.emit("state", after);
    if (moved(["role", "driver", "epoch", "stale", "lostTo", "requests", "asking"])) {
      this.emit("control", after);
    }
  }

  #finish() {
    this.#environment.clearTimeout(this.#timer);
    this.#server.ended(this);
    const message = this.view.why ?? "The session has ended. Drive or watch again.";
    this.#over ??= new SignalingError({ code: "no_session", message, robotId: this.robotId });
    this.#settle(this.#over);
  }

  #tickLater() {
    this.#timer = this.#environment.setTimeout(() => {
      this.#tickLater();
      this.tell({ type: "tick" });
    }, TICK_MS);
  }

  /**
   * @param {Effect} effect
   */
  #perform(effect) {
    switch (effect.do) {
      case "open":
        return void this.#open(effect.pcId);
      case "close":
        return this.#close();
      case "request":
        return void this.#request(effect.to, effect.pcId, effect.frame);
      case "send":
        return this.#server.leave(this.robotId, effect.frame);
      case "remote":
        return void this.#peer?.describe(effect.payload);
      case "add":
        return void this.#peer?.add(effect.payload);
      case "look":
        return this.#server.look(this.robotId);
      case "announce":
        return this.emit(effect.name, effect.value);
      case "settle":
        return this.#settle(effect.error && new SignalingError(effect.error));
      default:
        return never(effect);
    }
  }

  /**
   * @param {SignalingError | null} error
   */
  #settle(error) {
    for (const { resolve, reject } of this.#waiters.splice(0)) error ? reject(error) : resolve();
  }

  /**
   * What the application asks of the server, once that knows this session on this connection.
   *
   * @param {OutFrame} frame
   * @param {(ack: Ack, asOf: number) => Happening | null} told what the reply means
   */
  async #act(frame, told) {
    await this.#moving.moved(this.#environment.now());
    if (this.#over) throw this.#over;
    await this.#moving.during(async () => {
      const asOf = this.#state.epoch;
      const ack = await this.#server.request({ ...frame, robotId: this.robotId });
      const event = told(/** @type {Ack} */ (ack), asOf);
      if (event !== null) this.tell(event);
    });
  }

  /**
   * What may make us the driver: nothing is offered before its reply.
   *
   * @param {OutFrame} frame
   * @param {(ack: Ack, asOf: number) => Happening | null} told
   */
  async #claim(frame, told) {
    await this.#moving.moved(this.#environment.now());
    this.tell({ type: "claiming" });
    await this.#act(frame, told).finally(() => this.tell({ type: "claimed" }));
  }

  /**
   * @param {{type: string, sessionId: string}} frame
   * @param {(ack: Ack) => Happening} told
   */
  async #answer(frame, told) {
    try {
      await this.#act(frame, told);
    } catch (error) {
      // Who asked has left: there is nothing to answer any more.
      if (error instanceof SignalingError && error.code === "no_session")
        this.tell({ type: "answered", sessionId: frame.sessionId });
      throw error;
    }
  }

  /**
   * @param {To} to
   * @param {string | null} pcId
   * @param {OutFrame} sent
   */
  async #request(to, pcId, sent) {
    const asOf = this.#state.epoch;
    await this.#moving.during(async () => {
      const frame = await this.#server.request(sent).catch(frameOf);
      this.tell({
        type: "reply",
        to,
        pcId,
        sent,
        asOf,
        frame: /** @type {Ack | Pong | ErrorFrame} */ (frame),
      });
    });
  }

  /**
   * @param {string} pcId
   */
  async #open(pcId) {
    const iceServers = await this.#server.iceServers(this.robotId).catch(() => []);
    if (this.#state.pcId !== pcId) return;
    this.#close();
    void this.#environment
      .permissions()
      .then((permissions) => this.tell({ type: "permitted", permissions }));
    try {
      this.#peer = this.#newPeer(pcId, iceServers);
    } catch (error) {
      const { code, message } = /** @type {SignalingError} */ (error);
      this.tell({ type: "broken", pcId, code, message });
    }
  }

  /**
   * @param {string} pcId
   * @param {RTCIceServer[]} iceServers
   * @throws {SignalingError} `unsupported`
   */
  #newPeer(pcId, iceServers) {
    return new Peer(pcId, iceServers, this.#environment, {
      tell: (event) => this.tell(event),
      report: (error) => this.#server.report(error),
      stream: (stream) => this.emit("stream", stream),
      rtt: (ms) => this.emit("rtt", ms),
      message: (message) => this.emit("message", message),
      refused: (epoch) => this.emit("refused", epoch),
      unusable: (count, { message }) => this.emit("candidate-unusable", { count, message }),
    });
  }

  #close() {
    this.#peer?.close();
    this.#peer = null;
  }
}

/**
 * The view before if nothing in it has changed, else the one after, with each field that has not
 * changed as it was: what a page compares by identity does not differ without need.
 *
 * @param {View} before
 * @param {View} after
 * @returns {View}
 */
function sameOr(before, after) {
  const fields = /** @type {(keyof View)[]} */ (Object.keys(after));
  const kept = fields.filter((field) => isSame(before[field], after[field]));
  if (kept.length === fields.length) return before;
  return Object.freeze({
    ...after,
    ...Object.fromEntries(kept.map((field) => [field, before[field]])),
  });
}

/**
 * @param {any} one
 * @param {any} other
 * @returns {boolean} whether they are equal, field by field
 */
function isSame(one, other) {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => isSame(one[name], other[name]))
  );
}

/**
 * @param {number} value
 */
const clamp = (value) => Math.max(-1, Math.min(1, value));
