/**
 * The WebSockets of one signaling connection: the current one and, around a redial, the next or the
 * old one. It does what the pure part says; it never knows what the frames mean.
 */

import { IDLE, step } from "./machine.js";
import { encodeFrame, hasEnded, parseFrame } from "../frames.js";
import { patienceAt } from "./redial.js";
import { TRUSTED, failedWith, isPaused, refusedBy } from "./token-policy.js";
import { SignalingError, unreachable } from "../errors.js";

/** @import { DialEvent, DialOutput, Other } from "./machine.js" */
/** @import { ConnectionState, Frame, OutFrame, TokenSource } from "../types.js" */
/** @import { Environment } from "../environment.js" */

/**
 * @typedef {object} LineListener
 * @property {(state: ConnectionState) => void} state
 * @property {(frame: Frame) => void} frame one that came, on whichever socket
 * @property {() => void} swapped the current socket is another one now, and the old one still drains
 * @property {(socket: object) => void} lost a socket is gone, and with it what it still had to answer
 * @property {() => void} signIn
 * @property {(error: SignalingError) => void} report a failure that no request caused
 */

/** A token that follows a refused one is dialled at once, but not one after the other. */
const SOONEST_RENEWAL_MS = 10_000;

export class Line {
  #url;
  #token;
  #environment;
  #listener;
  #connection = IDLE;
  /** @type {Record<"current" | Other, {socket: WebSocket | null}>} each object is one dial's, wherever it stands */
  #slots = { current: empty(), next: empty(), old: empty() };
  /** @type {unknown} */
  #timer = undefined;
  /** Runs while the current socket has been asked something, and nothing has come since. @type {unknown} */
  #silence = undefined;
  #suspicion = TRUSTED;
  #renewedAt = -Infinity;
  #welcomes = 0;
  #isStopped = false;

  /**
   * @param {string} url
   * @param {TokenSource} token
   * @param {Environment} environment
   * @param {LineListener} listener
   */
  constructor(url, token, environment, listener) {
    this.#url = url;
    this.#token = token;
    this.#environment = environment;
    this.#listener = listener;
  }

  /**
   * What a frame sent now goes over: it stands for a socket, and is good for nothing else.
   *
   * @returns {object | null}
   */
  get current() {
    return this.#slots.current.socket;
  }

  /** Whether the current socket has been welcomed, silent though it may be just now. */
  get isUp() {
    return this.#connection.phase === "online";
  }

  /** Whether a socket of before the swap still drains. */
  get drains() {
    return this.#slots.old.socket !== null;
  }

  start() {
    this.#isStopped = false;
    this.#suspicion = { ...this.#suspicion, pausedUntil: -Infinity };
    this.#happen({ type: "start" });
  }

  stop() {
    this.#isStopped = true;
    this.#happen({ type: "stop" });
    this.#environment.clearTimeout(this.#timer);
  }

  /** All that stood on the old socket stands on the current one. */
  moved() {
    this.#happen({ type: "moved" });
  }

  /**
   * Send a frame over the current socket; lost when there is none. One that bears an id, and a
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
    if (slot === "current" && this.isUp && (frame.id !== undefined || frame.type === "ping"))
      this.#expectAnswer();
  }

  #expectAnswer() {
    this.#silence ??= this.#environment.setTimeout(
      () => {
        this.#silence = undefined;
        this.#happen({ type: "silent" });
      },
      patienceAt(this.#connection, this.#environment.now()),
    );
  }

  #answered() {
    this.#environment.clearTimeout(this.#silence);
    this.#silence = undefined;
  }

  /**
   * @param {DialEvent} event
   */
  #happen(event) {
    const [next, outputs] = step(
      this.#connection,
      event,
      this.#environment.now(),
      this.#environment.random(),
    );
    this.#connection = next;
    for (const output of outputs) this.#perform(output);
  }

  /**
   * @param {DialOutput} output
   */
  #perform(output) {
    switch (output.do) {
      case "dial":
        return void this.#open(output.socket ?? "current");
      case "close":
        return this.#hangUp(output.socket ?? "current");
      case "swap":
        this.#answered();
        this.#slots = { current: this.#slots.next, next: empty(), old: this.#slots.current };
        return this.#listener.swapped();
      case "adopt":
        this.#hangUp("current");
        this.#slots = { ...this.#slots, current: this.#slots.next, next: empty() };
        return;
      case "send":
        return this.#send(output.socket ?? "current", output.frame);
      case "wake":
        this.#environment.clearTimeout(this.#timer);
        this.#timer = this.#environment.setTimeout(
          () => this.#happen({ type: "tick" }),
          Math.max(0, output.at - this.#environment.now()),
        );
        return;
      case "state":
        return this.#listener.state(output.state);
      case "sign-in":
        return void this.#renew();
      default:
        return unreachable(output);
    }
  }

  /**
   * @param {"current" | "next"} slot
   */
  async #open(slot) {
    this.#hangUp(slot);
    const mine = this.#slots[slot];
    /** Where this socket stands by now; null once it was given up. */
    const place = () =>
      /** @type {const} */ (["current", "next", "old"]).find(
        (name) => this.#slots[name] === mine,
      ) ?? null;
    /**
     * @param {DialEvent} event
     */
    const tell = (event) => {
      const at = place();
      if (at !== null)
        this.#happen(
          at === "current" ? event : /** @type {DialEvent} */ ({ ...event, socket: at }),
        );
    };
    const token = await this.#fresh();
    if (place() === null) return;
    if (token === null || isPaused(this.#suspicion, token, this.#environment.now()))
      return tell({ type: "closed" });
    if (token === "") return tell({ type: "refused", status: 401 });
    try {
      mine.socket = new this.#environment.WebSocket(this.#url, [
        "robosignal.v1",
        `bearer.${token}`,
      ]);
    } catch (error) {
      return tell(this.#undialled(/** @type {Error} */ (error)));
    }
    const { socket } = mine;
    let isOpened = false;
    socket.onopen = () => {
      isOpened = true;
      tell({ type: "opened" });
    };
    socket.onclose = ({ code }) => {
      const at = place();
      if (at !== null && !isOpened) void this.#suspect(token);
      tell({ type: "closed", code });
      if (at !== null) this.#drop(at, socket);
    };
    // A socket that was given up may still speak: only one that has a place is listened to.
    socket.onmessage = ({ data }) => {
      if (place() === "current") this.#answered();
      const frame = place() === null ? null : parseFrame(data);
      if (frame === null) return;
      if (frame.type === "welcome") this.#trust();
      if (frame.type === "error" && frame.code === "token_expired")
        this.#suspicion = refusedBy(token);
      this.#listener.frame(frame);
      tell({ type: "frame", frame: this.#byOurClock(frame) });
    };
  }

  /**
   * @returns {Promise<string | null>} the token; empty if a new sign-in is needed; null when none is to be had just now
   */
  async #fresh() {
    const { isRefused, token } = this.#suspicion;
    try {
      return (await this.#token(isRefused ? token : undefined)) || "";
    } catch {
      return null;
    }
  }

  /**
   * The browser makes no socket.
   *
   * @param {Error} error
   * @returns {DialEvent}
   */
  #undialled({ name, message }) {
    // The URL was checked before: a token with characters that no token has is left.
    if (name === "SyntaxError") return { type: "refused", status: 401 };
    this.#listener.report(
      new SignalingError({
        code: "unsupported",
        message: `The browser opens no WebSocket to ${this.#url}: ${message}. A page that came by HTTPS needs an address that begins with wss://.`,
      }),
    );
    return { type: "closed" };
  }

  /** The server has accepted a token. */
  #trust() {
    this.#suspicion = TRUSTED;
    this.#welcomes += 1;
  }

  /**
   * A handshake has failed: perhaps the server refuses the token.
   *
   * @param {string} token
   */
  async #suspect(token) {
    const welcomes = this.#welcomes;
    const isReached = await this.#environment.reach(this.#url.replace(/^ws/, "http"));
    if (this.#isStopped || this.#welcomes !== welcomes) return;
    const wasRefused = this.#suspicion.token === token && this.#suspicion.isRefused;
    const seen = {
      isReached,
      hasEnded: hasEnded(token, this.#environment.today()),
      now: this.#environment.now(),
    };
    this.#suspicion = failedWith(this.#suspicion, token, seen);
    if (this.#suspicion.isRefused && !wasRefused) await this.#renew();
  }

  /** The token is missing, over or refused: dial with another one, or ask to sign in. */
  async #renew() {
    const { isRefused, token: refused } = this.#suspicion;
    const isSoon = this.#environment.now() < this.#renewedAt + SOONEST_RENEWAL_MS;
    const token = isRefused && !isSoon ? await this.#fresh() : "";
    if (this.#isStopped) return;
    // None is to be had just now: that is no word of the server's, so it goes on trying.
    if (token === "" || token === refused) return this.#listener.signIn();
    this.#renewedAt = this.#environment.now();
    this.#happen({ type: "start" });
  }

  /**
   * @param {Frame} frame
   * @returns {{type: string, [field: string]: any}} with the token's end by the clock that `dial` goes by
   */
  #byOurClock(frame) {
    if (frame.type !== "welcome" || !Number.isInteger(frame.expiresAt)) return frame;
    const left = Number(frame.expiresAt) - this.#environment.today();
    return { ...frame, expiresAt: Math.round(this.#environment.now() + left) };
  }

  /**
   * @param {"current" | Other} slot
   */
  #hangUp(slot) {
    const { socket } = this.#slots[slot];
    if (slot === "current") this.#answered();
    this.#slots = { ...this.#slots, [slot]: empty() };
    socket?.close(1000);
    if (socket !== null) this.#listener.lost(socket);
  }

  /**
   * @param {"current" | Other} slot
   * @param {WebSocket} socket
   */
  #drop(slot, socket) {
    if (this.#slots[slot].socket === socket) {
      if (slot === "current") this.#answered();
      this.#slots = { ...this.#slots, [slot]: empty() };
    }
    this.#listener.lost(socket);
  }
}

/**
 * @returns {{socket: WebSocket | null}}
 */
const empty = () => ({ socket: null });
