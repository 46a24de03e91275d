/**
 * One signaling connection with its requests and sessions. It does what the pure part says, and
 * never decides itself when to dial.
 */

import { IDLE, dial } from "./dialing.js";
import { Emitter } from "./emitter.js";
import { encodeFrame, hasEnded, parseFrame } from "./frames.js";
import { Requests } from "./requests.js";
import { Session } from "./session.js";
import { SignalingError, never } from "./words.js";

/** @import { DialEvent, DialOutput } from "./dialing.js" */
/** @import { ConnectionState, Frame, OutFrame, Person, Robot, RobotsFrame, Role } from "./words.js" */
/** @import { World } from "./world.js" */

const PAGES = 20;
const ICE_SERVERS_FRESH_MS = 240_000;

/**
 * @typedef {object} SignalEvents
 * @property {ConnectionState} state
 * @property {SignalingError} error a failure that no request of the application's caused
 * @property {void} sign-in the token is missing, expired or refused: get a new one, then `redial()`
 */

/**
 * One signaling connection. It dials, redials for as long as it is not closed, and carries any
 * number of sessions. Make one with `connect`.
 *
 * @extends {Emitter<SignalEvents>}
 */
export class Signal extends Emitter {
  #world;
  #url;
  #token;
  #dialing = IDLE;
  /** @type {ConnectionState} */
  #state = "offline";
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {unknown} */
  #timer = undefined;
  #dials = 0;
  #requests;
  /** @type {Map<string, Session>} */
  #sessions = new Map();
  /** @type {Person | null} */
  #me = null;
  /** @type {{servers: RTCIceServer[], at: number}} */
  #ice = { servers: [], at: -Infinity };
  #seesAll = false;

  /**
   * @param {string} url
   * @param {() => string | Promise<string>} token
   * @param {World} world
   */
  constructor(url, token, world) {
    super(world.report);
    this.#url = url;
    this.#token = token;
    this.#world = world;
    this.#requests = new Requests(world, (frame) => this.send(frame));
    this.redial();
  }

  /** Whether signaling is up. Media does not depend on it. */
  get state() {
    return this.#state;
  }

  /** Who the server says we are; `null` before the first welcome. */
  get me() {
    return this.#me;
  }

  /** Dial now rather than when the next try is due; after `sign-in`, dial again. */
  redial() {
    this.#happen({ type: "start" });
  }

  /** Leave every session and hang up. */
  close() {
    for (const session of [...this.#sessions.values()]) session.leave();
    this.#happen({ type: "stop" });
    this.#world.clearTimeout(this.#timer);
    this.#requests.abandon();
  }

  /**
   * The robots that this user may see. `all`: every robot, for admins.
   *
   * @param {{robotIds?: string[], all?: boolean}} [which]
   * @returns {Promise<Robot[]>}
   */
  async robots({ robotIds, all } = {}) {
    const askedAt = this.#world.now();
    /** @type {Robot[]} */
    const found = [];
    let cursor;
    for (let page = 0; page < PAGES; page += 1) {
      const frame = /** @type {RobotsFrame} */ (await this.request({ type: "robots", robotIds, all, cursor }));
      found.push(...frame.robots);
      cursor = frame.cursor;
      if (cursor === undefined) break;
    }
    this.#seesAll ||= all === true;
    for (const row of found) this.#sessions.get(row.robotId)?.tell({ type: "listed", robot: row, askedAt });
    return found;
  }

  /**
   * Drive a robot: a session that holds its control. With a session already, ask for the control
   * in it; it stays a viewer's when that is refused.
   *
   * @param {string} robotId
   * @returns {Promise<Session>}
   * @throws {SignalingError} `robot_busy`, with `controlledBy`, when somebody else drives
   */
  drive(robotId) {
    return this.#join(robotId, "controller");
  }

  /**
   * Watch a robot.
   *
   * @param {string} robotId
   * @returns {Promise<Session>}
   */
  watch(robotId) {
    return this.#join(robotId, "viewer");
  }

  /**
   * Drive a robot that somebody else drives. The owner, an admin, and the driver himself from
   * another connection may.
   *
   * @param {string} robotId
   * @returns {Promise<Session>}
   */
  async takeOver(robotId) {
    const session = this.#sessions.get(robotId);
    if (!session) {
      await this.request({ type: "takeover", robotId });
      return this.drive(robotId);
    }
    await session.takeOver();
    return session;
  }

  /**
   * Send a request; its reply.
   *
   * While the connection is down the request waits for it, `timeout` counting.
   *
   * @param {OutFrame} frame
   * @returns {Promise<Frame>}
   * @throws {SignalingError} the server's refusal, or `timeout`, `offline`, `too_large`
   */
  request(frame) {
    return this.#requests.make(frame, this.#state === "online");
  }

  /**
   * Send a frame that wants no reply; lost when the connection is down.
   *
   * @param {OutFrame} frame
   */
  send(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(encodeFrame(frame));
  }

  /** @param {string} robotId who drives it, for those who watch */
  look(robotId) {
    const which = this.#seesAll ? { robotIds: [robotId], all: true } : { robotIds: [robotId] };
    this.robots(which).catch(ignore);
  }

  /**
   * STUN and TURN servers whose credentials are fresh; the last known ones if none are to be had.
   *
   * @returns {Promise<RTCIceServer[]>}
   */
  async iceServers() {
    if (this.#world.now() - this.#ice.at > ICE_SERVERS_FRESH_MS) {
      const frame = await this.request({ type: "ice-servers" }).catch(ignore);
      if (frame?.type === "ice-servers") this.#ice = { servers: frame.iceServers, at: this.#world.now() };
    }
    return this.#ice.servers;
  }

  /** @param {Session} session */
  forget(session) {
    if (this.#sessions.get(session.robotId) === session) this.#sessions.delete(session.robotId);
  }

  /** @param {string} robotId @param {Role} wanted @returns {Promise<Session>} */
  async #join(robotId, wanted) {
    const standing = this.#sessions.get(robotId);
    const session = standing ?? new Session(this, robotId, this.#world, this.#state === "online");
    this.#sessions.set(robotId, session);
    if (!standing) await session.ask({ type: "join", role: wanted });
    else if (wanted === "controller") await session.ask({ type: "drive" });
    return session;
  }

  /** @param {DialEvent} event */
  #happen(event) {
    const [next, outputs] = dial(this.#dialing, event, this.#world.now(), this.#world.random());
    this.#dialing = next;
    for (const output of outputs) this.#perform(output);
  }

  /** @param {DialOutput} output */
  #perform(output) {
    switch (output.do) {
      case "dial":
        return void this.#open();
      case "close":
        return this.#hangUp();
      case "send":
        return this.send(output.frame);
      case "wake":
        this.#world.clearTimeout(this.#timer);
        this.#timer = this.#world.setTimeout(() => this.#happen({ type: "tick" }), Math.max(0, output.at - this.#world.now()));
        return;
      case "state":
        return this.#enter(output.state);
      case "sign-in":
        return this.emit("sign-in", undefined);
      default:
        return never(output);
    }
  }

  /** @param {ConnectionState} state */
  #enter(state) {
    this.#state = state;
    this.emit("state", state);
    if (state === "online") this.#requests.submit();
    if (state === "offline") this.#requests.lose();
    if (state !== "connecting") for (const session of [...this.#sessions.values()]) session.tell({ type: state });
  }

  async #open() {
    const dialed = (this.#dials += 1);
    const token = await Promise.resolve().then(() => this.#token()).catch(ignore);
    if (dialed !== this.#dials || this.#dialing.phase !== "dialing") return;
    if (!token || hasEnded(token, this.#world.today())) return this.#happen({ type: "refused", status: 401 });
    const socket = this.#dialed(token);
    this.#socket = socket;
    if (socket === null) return this.#happen({ type: "refused", status: 401 });
    // A socket that was given up may still speak: only the current one is listened to.
    const current = (/** @type {(event: any) => void} */ listener) => (/** @type {any} */ event) => void (this.#socket === socket && listener(event));
    socket.onopen = current(() => this.#happen({ type: "opened" }));
    socket.onclose = current(({ code }) => this.#happen({ type: "closed", code }));
    socket.onmessage = current(({ data }) => this.#receive(parseFrame(data)));
  }

  /** @param {string} token */
  #dialed(token) {
    try {
      return new this.#world.WebSocket(this.#url, ["robosignal.v1", `bearer.${token}`]);
    } catch {
      // The URL was checked before: a token with characters that no token has is left.
      return null;
    }
  }

  #hangUp() {
    this.#dials += 1;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  /** @param {Frame | null} frame */
  #receive(frame) {
    if (frame === null) return;
    if (frame.type === "welcome") {
      this.#me = { userId: frame.userId, ...(frame.name === undefined ? {} : { name: frame.name }) };
      this.#ice = { servers: frame.iceServers ?? [], at: this.#world.now() };
    }
    const replied = this.#requests.settle(frame);
    if (frame.type === "error" && !replied) this.emit("error", new SignalingError(frame));
    this.#happen({ type: "frame", frame });
    for (const session of [...this.#sessions.values()]) session.tell({ type: "frame", frame });
  }
}

/** Deliberately nothing: whoever waits for this is told by other means. */
function ignore() {}
