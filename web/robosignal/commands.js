/**
 * Drive commands over one peer connection, and what the robot's heartbeats say of them. A command
 * proves that this page has heard from the robot just now, so the robot obeys none that comes late
 * (docs/reference/data-channels.md).
 */

import { REST, isRest } from "./controls.js";

/** @import { Given, Target } from "./controls.js" */
/** @import { Environment } from "./environment.js" */
/** @import { Blocked, Commands, Control, Drive, Field, Value } from "./types.js" */

/**
 * @typedef {object} Capabilities what a robot declares
 * @property {number} freshMs how old the heartbeat may be that a command names
 * @property {number} watchdogMs how long a command is in force
 * @property {{fps: number} | null} video
 * @property {boolean} [drive] whether a `Drive` moves anything; absent: it does
 * @property {number} [commandHz] how many commands a second the robot asks for
 * @property {Control[]} [controls]
 * @property {Field[]} [telemetry]
 * @property {{name: string, viewersRead: boolean, viewersWrite: boolean}[]} [channels]
 * @property {boolean} [audio] whether it sends sound
 * @property {boolean} [talkBack] whether it plays the driver's voice
 * @property {string[]} [cameras] their names, in the order of the sections of video
 */
/**
 * @typedef {object} Heartbeat
 * @property {number} t the robot's clock, in ms
 * @property {number | null} n the highest number of this session's that it has obeyed
 * @property {number} epoch
 * @property {boolean} armed whether it obeys motion; otherwise it must first get a zero command
 * @property {string} [driver]
 * @property {{refused: number}} refused
 * @property {(Value | null)[]} [held] where the controls are that a stop leaves so
 */
/**
 * @typedef {object} CommandsListener
 * @property {() => {isDriver: boolean, epoch: number}} control who drives, as this session knows it
 * @property {() => boolean} isPictureTooOld
 * @property {(epoch: number) => void} refused the robot obeys another epoch than ours
 */

export const LOOP_MS = 25;
const ZERO_MS = 50;
/**
 * Each command goes twice, this long after the first time at least, and at most: of a path that loses
 * packets, bursts of them too, as much as a third may be lost before the robot's watchdog notices.
 */
const AGAIN_MS = { earliest: 12, latest: 60 };
const DECLARATION_MS = 1_000;
/** A change of driver reaches the robot and this page by different ways. */
const DISAGREEMENT_MS = 500;
/** Old robots: a late command is worth nothing, so none waits behind a stalled channel. */
const COMMANDS_QUEUED_BYTES = 4_096;
/** The last of those that do wait must be a stop, or the robot obeys a late command, and for longer. */
const STOPS_QUEUED_BYTES = 8_192;

/** Sends the commands of one peer connection. */
export class CommandSender {
  #control;
  #drive;
  #environment;
  #listener;
  /** @type {Capabilities | null} */
  capabilities = null;
  /** @type {string | null} */
  stoppedBy = null;
  #declarationDueAt = Infinity;
  #n = 0;
  /** @type {Heartbeat | null} the one with the largest `t` */
  #heartbeat = null;
  #heartbeatAt = -Infinity;
  #hasRightEnded = false;
  #disagreesSince = Infinity;
  #sentAt = -Infinity;
  /** What the application asked for last, and when: the two parts come by calls of their own. */
  #asked = {
    drive: { value: REST.drive, at: -Infinity },
    values: { value: REST.values, at: -Infinity },
  };
  /** @type {{target: Target, epoch: number} | null} what is to be sent once more */
  #again = null;
  /**
   * Commands with motion, each soon after the one before: as a held key makes them. One that was
   * interrupted never goes on.
   */
  #press = { at: -Infinity, wasSent: false, isOver: false };

  /**
   * @param {RTCDataChannel} control
   * @param {RTCDataChannel} drive
   * @param {Environment} environment
   * @param {CommandsListener} listener
   */
  constructor(control, drive, environment, listener) {
    this.#control = control;
    this.#drive = drive;
    this.#environment = environment;
    this.#listener = listener;
  }

  /** The channel `control` has opened: a robot that can prove freshness declares itself first. */
  open() {
    this.#declarationDueAt = this.#environment.now() + DECLARATION_MS;
  }

  /**
   * How commands are sent; null until that is known. A declaration that comes late counts too.
   *
   * @returns {Commands | null}
   */
  get kind() {
    if (this.capabilities) return "fresh";
    return this.#environment.now() >= this.#declarationDueAt ? "late" : null;
  }

  /**
   * @param {Capabilities} capabilities
   */
  declare(capabilities) {
    this.capabilities = capabilities;
  }

  /**
   * @param {Heartbeat} heartbeat
   */
  hearHeartbeat(heartbeat) {
    const before = this.#heartbeat;
    // They may overtake each other.
    if (before !== null && heartbeat.t < before.t) return;
    this.#heartbeat = heartbeat;
    this.#heartbeatAt = this.#environment.now();
    this.#judgeRight(before, heartbeat);
    this.#judgeEpoch(before, heartbeat);
    this.update();
  }

  /**
   * Zero commands are refused at the right epoch only for want of the right, or for a stop.
   *
   * @param {Heartbeat | null} before
   * @param {Heartbeat} heartbeat
   */
  #judgeRight(before, { n, epoch, driver, refused }) {
    const isObeyed = driver !== undefined || n !== (before?.n ?? null);
    const isRefused = before !== null && refused.refused > before.refused.refused;
    const { isDriver, epoch: ours } = this.#listener.control();
    if (!isDriver || isObeyed || epoch !== ours) this.#hasRightEnded = false;
    else if (isRefused && this.stoppedBy === null) this.#hasRightEnded = true;
  }

  /**
   * @param {Heartbeat | null} before
   * @param {Heartbeat} heartbeat
   */
  #judgeEpoch(before, { epoch, refused }) {
    const now = this.#environment.now();
    const { isDriver, epoch: ours } = this.#listener.control();
    if (!isDriver || epoch === ours) return void (this.#disagreesSince = Infinity);
    this.#disagreesSince = Math.min(this.#disagreesSince, now);
    const isRefused = before !== null && refused.refused > before.refused.refused;
    if (!isRefused || now - this.#disagreesSince < DISAGREEMENT_MS) return;
    this.#disagreesSince = now;
    this.#listener.refused(epoch);
  }

  /**
   * How long the robot has not been heard on `drive`.
   *
   * @returns {number} ms; infinite before the first heartbeat
   */
  get silenceMs() {
    return this.#environment.now() - this.#heartbeatAt;
  }

  /**
   * Why no motion is sent, although this session drives.
   *
   * @returns {Blocked | null}
   */
  get blocked() {
    if (!this.#listener.control().isDriver) return null;
    if (this.kind === null) return "undeclared";
    if (this.stoppedBy !== null) return "stopped";
    if (this.#hasRightEnded) return "right-ended";
    if (this.capabilities && this.silenceMs > this.capabilities.freshMs) return "silent";
    if (this.#listener.isPictureTooOld()) return "picture";
    return this.capabilities && !this.#heartbeat?.armed ? "unarmed" : null;
  }

  /**
   * Send what the application commands, with what holds yet of the other part.
   *
   * @param {{drive: Drive} | {values: readonly Given[]}} part
   * @returns {boolean} whether it was sent
   */
  send(part) {
    const now = this.#environment.now();
    if ("drive" in part) this.#asked.drive = { value: part.drive, at: now };
    else this.#asked.values = { value: part.values, at: now };
    const target = this.#joinAsked(now);
    if (isRest(target)) {
      this.#press = { at: -Infinity, wasSent: false, isOver: false };
      return this.#writeTwice(target);
    }
    const isNew = now - this.#press.at >= this.#watchdogMs;
    this.#press = isNew ? { at: now, wasSent: false, isOver: false } : { ...this.#press, at: now };
    if (this.update() !== null || this.#press.isOver || !this.#writeTwice(target)) return false;
    this.#press.wasSent = true;
    return true;
  }

  /**
   * @param {number} now
   * @returns {Target} each part of what the application asked for, if it is still in force
   */
  #joinAsked(now) {
    const { drive, values } = this.#asked;
    const inForce = (/** @type {{at: number}} */ { at }) => now - at < this.#watchdogMs;
    return {
      drive: inForce(drive) ? drive.value : REST.drive,
      values: inForce(values) ? values.value : REST.values,
    };
  }

  /**
   * Send the application's last command once more, if it still holds.
   *
   * @param {number} now
   */
  #sendAgain(now) {
    const again = this.#again;
    if (again === null || now - this.#sentAt < AGAIN_MS.earliest) return;
    this.#again = null;
    const isOver = !isRest(again.target) && (this.blocked !== null || this.#press.isOver);
    // After a page has not run for a while, its user may have released the key.
    const isLate = now - this.#sentAt > AGAIN_MS.latest;
    if (isOver || isLate || again.epoch !== this.#listener.control().epoch) return;
    this.#writeFresh(again.target);
  }

  /**
   * End a press that something has interrupted: it must not go on by itself once that is over.
   *
   * @returns {Blocked | null}
   */
  update() {
    const { blocked } = this;
    if (blocked !== null && this.#press.wasSent) this.#press.isOver = true;
    return blocked;
  }

  /**
   * Send the application's last command once more. Send a zero command when it is time and the
   * application sends nothing, so that the robot has heard from this session, and is ready for its
   * motion.
   */
  repeat() {
    const blocked = this.update();
    if (this.capabilities === null || !this.#listener.control().isDriver) return;
    const now = this.#environment.now();
    this.#sendAgain(now);
    const isPressed = now - this.#press.at < this.#watchdogMs && !this.#press.isOver;
    if (isPressed && blocked === null) return;
    if (now - this.#sentAt >= ZERO_MS) this.#write(REST);
  }

  /**
   * Ask the robot to stop, and to stay stopped.
   *
   * @returns {boolean} whether it was sent to a robot that knows such a stop
   */
  stop() {
    this.#press = { ...this.#press, isOver: true };
    if (this.capabilities === null) {
      // An old robot knows no other stop.
      if (this.#listener.control().isDriver) this.#write(REST);
      return false;
    }
    const message = JSON.stringify({ type: "stop" });
    const sent = [this.#drive, this.#control].map((channel) => write(channel, message));
    return sent.includes(true);
  }

  /**
   * Send a command, and have it sent once more if it may get lost.
   *
   * @param {Target} target
   */
  #writeTwice(target) {
    // What was commanded before holds no longer, whether this can be sent or not.
    const { epoch } = this.#listener.control();
    const isSent = this.#write(target);
    this.#again = isSent ? { target, epoch } : null;
    return isSent;
  }

  /**
   * @param {Target} target
   */
  #write(target) {
    if (this.capabilities) return this.#writeFresh(target);
    const { drive } = target;
    const isStop = isRest(target);
    const limit = isStop ? STOPS_QUEUED_BYTES : COMMANDS_QUEUED_BYTES;
    if (this.kind === null || this.#control.bufferedAmount > limit) return false;
    return write(this.#control, JSON.stringify({ type: "command", n: (this.#n += 1), drive }));
  }

  /**
   * @param {Target} target
   */
  #writeFresh({ drive, values }) {
    // A command is dropped rather than queued: unsent unreliable data waits too.
    if (this.#heartbeat === null || this.#drive.bufferedAmount > 0) return false;
    const n = (this.#n += 1);
    const { t } = this.#heartbeat;
    const { epoch } = this.#listener.control();
    const asked = values.length > 0 ? { drive, values } : { drive };
    if (!write(this.#drive, JSON.stringify({ type: "command", n, epoch, t, ...asked })))
      return false;
    this.#sentAt = this.#environment.now();
    return true;
  }

  get #watchdogMs() {
    return this.capabilities?.watchdogMs ?? 500;
  }
}

/**
 * @param {RTCDataChannel} channel
 * @param {string | ArrayBuffer | ArrayBufferView} message
 * @returns {boolean} whether it was sent: false if the channel is not open, or full
 */
export function write(channel, message) {
  if (channel.readyState !== "open") return false;
  try {
    channel.send(/** @type {string} */ (message));
    return true;
  } catch {
    return false; // It has closed meanwhile, or the browser's buffer is full.
  }
}
