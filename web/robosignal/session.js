/**
 * One engagement with one robot, as an application holds it. It does what the pure part says, and
 * never decides itself.
 */

import { Emitter } from "./emitter.js";
import { engagement, step, view } from "./engagement.js";
import { Peer, noAnswer } from "./peer.js";
import { SignalingError, never } from "./words.js";

/** @import { Effect, Happening, View } from "./engagement.js" */
/** @import { Signal } from "./signal.js" */
/** @import { Ack, ErrorFrame, OutFrame, Pong } from "./words.js" */
/** @import { World } from "./world.js" */

const TICK_MS = 500;

/** @typedef {{resolve: () => void, reject: (error: Error) => void}} Waiter */

/**
 * @typedef {object} SessionEvents
 * @property {View} state connecting, live, waiting for the robot, or ended
 * @property {View} control role, driver, epoch or `lostTo` have changed
 * @property {MediaStream} stream
 * @property {number} rtt ms, of the data channel
 * @property {unknown} message what else the robot says on the data channel, as it came
 * @property {number} refused the robot did not obey: it obeys the holder at this epoch
 */

/**
 * One engagement with one robot, through redials, restarts and changes of driver. It ends when it
 * is left, or when the server forbids it; `view` says how things stand.
 *
 * @extends {Emitter<SessionEvents>}
 */
export class Session extends Emitter {
  #signal;
  #world;
  #state;
  /** @type {Peer | null} */
  #peer = null;
  /** @type {Waiter[]} */
  #waiters = [];
  /** @type {unknown} */
  #timer;

  /**
   * @param {Signal} signal
   * @param {string} robotId
   * @param {World} world
   * @param {boolean} isOnline
   */
  constructor(signal, robotId, world, isOnline) {
    super(world.report);
    this.#signal = signal;
    this.#world = world;
    this.#state = engagement(robotId, isOnline);
    this.#tickLater();
  }

  get robotId() {
    return this.#state.robotId;
  }

  /** @returns {View} */
  get view() {
    return view(this.#state);
  }

  /** The robot's video, once there is some. @returns {MediaStream | null} */
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
   */
  drive({ x, y }) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) throw new TypeError("drive: x and y must be finite numbers");
    if (this.view.role !== "controller" || !this.#peer) return false;
    return this.#peer.command({ x: clamp(x), y: clamp(y) });
  }

  /**
   * Send a text to the robot; false when no channel is open. The driver's is echoed.
   *
   * @param {string} message
   */
  send(message) {
    return this.#peer?.say(message) ?? false;
  }

  /** The data channel's round trip in ms. @returns {Promise<number>} */
  ping() {
    return this.#peer?.ping() ?? Promise.reject(noAnswer());
  }

  /** Take the control from whoever has it. */
  async takeOver() {
    const ack = await this.#signal.request({ type: "takeover", robotId: this.robotId });
    this.tell({ type: "took", ack: /** @type {Ack} */ (ack) });
  }

  /** Give the control up and go on watching. */
  async release() {
    const ack = await this.#signal.request({ type: "release-control", robotId: this.robotId });
    this.tell({ type: "released", ack: /** @type {Ack} */ (ack) });
  }

  /** End it. */
  leave() {
    this.tell({ type: "leave" });
  }

  /**
   * Tell the engagement that something happened, and wait for what the server decides.
   *
   * @param {Happening} event
   * @returns {Promise<void>}
   */
  ask(event) {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.tell(event);
    });
  }

  /** @param {Happening} event */
  tell(event) {
    const before = this.view;
    const [next, effects] = step(this.#state, event, { now: this.#world.now(), id: this.#world.mint() });
    this.#state = next;
    for (const effect of effects) this.#perform(effect);
    this.#announce(before, this.view);
    if (this.#state.phase === "ended") this.#finish();
  }

  /** @param {View} before @param {View} after */
  #announce(before, after) {
    /** @param {(keyof View)[]} fields */
    const moved = (fields) => fields.some((field) => before[field] !== after[field]);
    if (moved(["state", "why"])) this.emit("state", after);
    if (moved(["role", "epoch", "lostTo"]) || before.driver?.userId !== after.driver?.userId) this.emit("control", after);
  }

  #finish() {
    this.#world.clearTimeout(this.#timer);
    this.#signal.forget(this);
    const ended = { code: "no_session", message: this.view.why ?? "The session has ended. Drive or watch again.", robotId: this.robotId };
    this.#settle(new SignalingError(ended));
  }

  #tickLater() {
    this.#timer = this.#world.setTimeout(() => {
      this.#tickLater();
      this.tell({ type: "tick" });
    }, TICK_MS);
  }

  /** @param {Effect} effect */
  #perform(effect) {
    switch (effect.do) {
      case "open":
        return void this.#open(effect.pcId);
      case "close":
        return this.#close();
      case "request":
        return void this.#request(effect.to, effect.pcId, effect.frame);
      case "send":
        return this.#signal.send(effect.frame);
      case "remote":
        return void this.#peer?.describe(effect.payload);
      case "add":
        return void this.#peer?.add(effect.payload);
      case "look":
        return this.#signal.look(this.robotId);
      case "settle":
        return this.#settle(effect.error && new SignalingError(effect.error));
      default:
        return never(effect);
    }
  }

  /** @param {SignalingError | null} error */
  #settle(error) {
    for (const { resolve, reject } of this.#waiters.splice(0)) error ? reject(error) : resolve();
  }

  /** @param {"offer" | "resume" | "renew"} to @param {string | null} pcId @param {OutFrame} frame */
  async #request(to, pcId, frame) {
    const reply = await this.#signal.request(frame).catch(asFrame);
    this.tell({ type: "reply", to, pcId, frame: /** @type {Ack | Pong | ErrorFrame} */ (reply) });
  }

  /** @param {string} pcId */
  async #open(pcId) {
    const iceServers = await this.#signal.iceServers();
    if (this.#state.pcId !== pcId) return;
    this.#close();
    this.#peer = new Peer(pcId, iceServers, this.#world, {
      tell: (event) => this.tell(event),
      stream: (stream) => this.emit("stream", stream),
      rtt: (ms) => this.emit("rtt", ms),
      message: (message) => this.emit("message", message),
      refused: (epoch) => this.emit("refused", epoch),
    });
  }

  #close() {
    this.#peer?.close();
    this.#peer = null;
  }
}

/** @param {number} value */
const clamp = (value) => Math.max(-1, Math.min(1, value));

/** @param {unknown} error @returns {ErrorFrame} */
function asFrame(error) {
  if (error instanceof SignalingError) {
    const { code, message, robotId, controlledBy, you } = error;
    return { type: "error", code, message, robotId, controlledBy, you };
  }
  return { type: "error", code: "bad_message", message: String(error) };
}
