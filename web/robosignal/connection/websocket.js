/**
 * The WebSockets of one connection: the current one and, around a migration, the next or the old one.
 * It carries out what the machine decides, and tells of each frame.
 */

import { SignalingError, unreachable } from "../errors.js";
import { encodeFrame, parseFrame } from "../frames.js";
import { IDLE, replyTimeoutMs, step } from "./machine.js";
import { ACCEPTED, countFailure, hasExpired, isPaused, markExpired } from "./token-policy.js";

/** @import { Environment } from "../environment.js" */
/** @import { ConnectionState, Frame, OutFrame, TokenSource } from "../types.js" */
/** @import { ConnectionEvent, Other, Output } from "./machine.js" */

/**
 * @typedef {object} ConnectionListener
 * @property {(state: ConnectionState) => void} state
 * @property {(frame: Frame) => void} frame one that came, on any of the sockets
 * @property {() => void} migrate the current socket is another one now, and the old one is still open
 * @property {(socket: object) => void} lost a socket is gone, and with it the replies that were due on it
 * @property {() => void} signIn
 * @property {(error: SignalingError) => void} report a failure that no request caused
 */

/** A token that follows a refused one is dialled at once, but not one after the other. */
const SOONEST_RENEWAL_MS = 10_000;

export class Connection {
  #url;
  #token;
  #environment;
  #listener;
  #state = IDLE;
  /**
   * Each object belongs to one dial, and moves with its socket from slot to slot.
   *
   * @type {Record<"current" | Other, {socket: WebSocket | null}>}
   */
  #slots = { current: emptySlot(), next: emptySlot(), old: emptySlot() };
  /** @type {unknown} */
  #timer = undefined;
  /**
   * Runs while a request on the current socket has no answer, and nothing else has come since.
   *
   * @type {unknown}
   */
  #replyTimer = undefined;
  #tokenState = ACCEPTED;
  #renewedAt = -Infinity;
  #welcomes = 0;
  #isStopped = false;

  /**
   * @param {string} url
   * @param {TokenSource} token
   * @param {Environment} environment
   * @param {ConnectionListener} listener
   */
  constructor(url, token, environment, listener) {
    this.#url = url;
    this.#token = token;
    this.#environment = environment;
    this.#listener = listener;
  }

  /**
   * The socket over which a frame sent now goes. It's only good to be compared.
   *
   * @returns {object | null}
   */
  get socket() {
    return this.#slots.current.socket;
  }

  /** Whether the current socket has been welcomed, silent though it may be. */
  get isUp() {
    return this.#state.current.phase === "online";
  }

  /** Whether the old socket is still open, after a migration. */
  get isMigrating() {
    return this.#slots.old.socket !== null;
  }

  /** Dial, now rather than when the next dial is due. */
  start() {
    this.#isStopped = false;
    this.#tokenState = { ...this.#tokenState, pausedUntil: -Infinity };
    this.#dispatch({ type: "start" });
  }

  /** Close every socket, and dial no more. */
  stop() {
    this.#isStopped = true;
    this.#dispatch({ type: "stop" });
    this.#environment.clearTimeout(this.#timer);
  }

  /** Close the old socket: nothing of the application is left on it. */
  finishMigration() {
    this.#dispatch({ type: "moved" });
  }

  /**
   * Send a frame over the current socket; it's lost when there is none. One with an id, and a
   * ping, will be answered, or the socket counts as silent.
   *
   * @param {OutFrame} frame
   * @throws {SignalingError} `too_large`
   */
  send(frame) {
    this.#send("current", frame);
  }

  /**
   * @param {"current" | Other} slot
   * @param {OutFrame} frame
   */
  #send(slot, frame) {
    const { socket } = this.#slots[slot];
    if (socket?.readyState === 1) socket.send(encodeFrame(frame));
    const isAnswered = frame.id !== undefined || frame.type === "ping";
    if (slot === "current" && this.isUp && isAnswered) this.#startReplyTimer();
  }

  #startReplyTimer() {
    this.#replyTimer ??= this.#environment.setTimeout(
      () => {
        this.#replyTimer = undefined;
        this.#dispatch({ type: "silent" });
      },
      replyTimeoutMs(this.#state, this.#environment.now()),
    );
  }

  #stopReplyTimer() {
    this.#environment.clearTimeout(this.#replyTimer);
    this.#replyTimer = undefined;
  }

  /**
   * @param {ConnectionEvent} event
   */
  #dispatch(event) {
    const { now, random } = this.#environment;
    const [next, outputs] = step(this.#state, event, now(), random());
    this.#state = next;
    for (const output of outputs) this.#perform(output);
  }

  /**
   * @param {Output} output
   */
  #perform(output) {
    switch (output.do) {
      case "dial":
        return void this.#dial(output.socket ?? "current");
      case "close":
        return this.#close(output.socket ?? "current");
      case "swap":
        this.#stopReplyTimer();
        this.#slots = { current: this.#slots.next, next: emptySlot(), old: this.#slots.current };
        return this.#listener.migrate();
      case "adopt":
        this.#close("current");
        this.#slots = { ...this.#slots, current: this.#slots.next, next: emptySlot() };
        return;
      case "send":
        return this.#send(output.socket ?? "current", output.frame);
      case "wake":
        return this.#wakeAt(output.at);
      case "state":
        return this.#listener.state(output.state);
      case "sign-in":
        return void this.#renewToken();
      default:
        return unreachable(output);
    }
  }

  /**
   * @param {number} at ms
   */
  #wakeAt(at) {
    this.#environment.clearTimeout(this.#timer);
    const ms = Math.max(0, at - this.#environment.now());
    this.#timer = this.#environment.setTimeout(() => this.#dispatch({ type: "tick" }), ms);
  }

  /**
   * @param {"current" | "next"} name
   */
  async #dial(name) {
    this.#close(name);
    const slot = this.#slots[name];
    const token = await this.#fetchToken();
    if (this.#nameOf(slot) === null) return;
    if (token === null || isPaused(this.#tokenState, token, this.#environment.now())) {
      return this.#tell(slot, { type: "closed" });
    }
    if (token === "") return this.#tell(slot, { type: "refused", status: 401 });
    try {
      const { WebSocket } = this.#environment;
      slot.socket = new WebSocket(this.#url, ["robosignal.v1", `bearer.${token}`]);
    } catch (error) {
      return this.#tell(slot, this.#explainNoSocket(/** @type {Error} */ (error)));
    }
    this.#listen(slot, slot.socket, token);
  }

  /**
   * @param {{socket: WebSocket | null}} slot
   * @param {WebSocket} socket
   * @param {string} token with which it was dialled
   */
  #listen(slot, socket, token) {
    let isOpened = false;
    socket.onopen = () => {
      isOpened = true;
      this.#tell(slot, { type: "opened" });
    };
    socket.onclose = ({ code }) => {
      const name = this.#nameOf(slot);
      if (name !== null && !isOpened) void this.#judgeToken(token);
      this.#tell(slot, { type: "closed", code });
      if (name !== null) this.#forget(name, socket);
    };
    // A socket that was given up may still speak: only one that has a slot is listened to.
    socket.onmessage = ({ data }) => {
      const name = this.#nameOf(slot);
      if (name === "current") this.#stopReplyTimer();
      const frame = name === null ? null : parseFrame(data);
      if (frame === null) return;
      if (frame.type === "welcome") this.#acceptToken();
      if (frame.type === "error" && frame.code === "token_expired") {
        this.#tokenState = markExpired(token);
      }
      this.#listener.frame(frame);
      this.#tell(slot, { type: "frame", frame: this.#toLocalClock(frame) });
    };
  }

  /**
   * @param {{socket: WebSocket | null}} slot
   * @returns {"current" | Other | null} where it is now; null once it was given up
   */
  #nameOf(slot) {
    const names = /** @type {const} */ (["current", "next", "old"]);
    return names.find((name) => this.#slots[name] === slot) ?? null;
  }

  /**
   * @param {{socket: WebSocket | null}} slot
   * @param {ConnectionEvent} event of its socket
   */
  #tell(slot, event) {
    const name = this.#nameOf(slot);
    if (name === null) return;
    this.#dispatch(
      name === "current" ? event : /** @type {ConnectionEvent} */ ({ ...event, socket: name }),
    );
  }

  /**
   * @returns {Promise<string | null>} the token; empty if the user must sign in; null when none can be
   *   had just now
   */
  async #fetchToken() {
    const { isRefused, token } = this.#tokenState;
    try {
      return (await this.#token(isRefused ? token : undefined)) || "";
    } catch {
      return null;
    }
  }

  /**
   * @param {Error} error with which the browser makes no socket
   * @returns {ConnectionEvent}
   */
  #explainNoSocket({ name, message }) {
    // The URL was checked before, so the token has characters that no token has.
    if (name === "SyntaxError") return { type: "refused", status: 401 };
    this.#listener.report(
      new SignalingError({
        code: "unsupported",
        message: `The browser opens no WebSocket to ${this.#url}: ${message}. A page that came by HTTPS needs an address that begins with wss://.`,
      }),
    );
    return { type: "closed" };
  }

  #acceptToken() {
    this.#tokenState = ACCEPTED;
    this.#welcomes += 1;
  }

  /**
   * A handshake has failed: perhaps the server refuses the token.
   *
   * @param {string} token
   */
  async #judgeToken(token) {
    const welcomes = this.#welcomes;
    const isReached = await this.#environment.reach(this.#url.replace(/^ws/, "http"));
    if (this.#isStopped || this.#welcomes !== welcomes) return;
    const wasRefused = this.#tokenState.token === token && this.#tokenState.isRefused;
    this.#tokenState = countFailure(this.#tokenState, token, {
      isReached,
      hasExpired: hasExpired(token, this.#environment.today()),
      now: this.#environment.now(),
    });
    if (this.#tokenState.isRefused && !wasRefused) await this.#renewToken();
  }

  /** The token is missing, expired or refused: dial with another one, or ask to sign in. */
  async #renewToken() {
    const { isRefused, token: refused } = this.#tokenState;
    const isSoon = this.#environment.now() < this.#renewedAt + SOONEST_RENEWAL_MS;
    const token = isRefused && !isSoon ? await this.#fetchToken() : "";
    if (this.#isStopped) return;
    // If none can be had just now, that says nothing about the old one: it goes on trying.
    if (token === "" || token === refused) return this.#listener.signIn();
    this.#renewedAt = this.#environment.now();
    this.#dispatch({ type: "start" });
  }

  /**
   * @param {Frame} frame
   * @returns {{type: string, [field: string]: any}} with the token's end by the machine's clock
   */
  #toLocalClock(frame) {
    if (frame.type !== "welcome" || !Number.isInteger(frame.expiresAt)) return frame;
    const left = Number(frame.expiresAt) - this.#environment.today();
    return { ...frame, expiresAt: Math.round(this.#environment.now() + left) };
  }

  /**
   * @param {"current" | Other} name
   */
  #close(name) {
    const { socket } = this.#slots[name];
    if (name === "current") this.#stopReplyTimer();
    this.#slots = { ...this.#slots, [name]: emptySlot() };
    socket?.close(1000);
    if (socket !== null) this.#listener.lost(socket);
  }

  /**
   * @param {"current" | Other} name
   * @param {WebSocket} socket which has closed by itself
   */
  #forget(name, socket) {
    if (this.#slots[name].socket === socket) {
      if (name === "current") this.#stopReplyTimer();
      this.#slots = { ...this.#slots, [name]: emptySlot() };
    }
    this.#listener.lost(socket);
  }
}

/**
 * @returns {{socket: WebSocket | null}}
 */
const emptySlot = () => ({ socket: null });
