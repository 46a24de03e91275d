/**
 * One signaling connection with its requests and sessions. It brings their parts together, and
 * never decides itself when to dial.
 */

import { Emitter } from "./emitter.js";
import { Line } from "./line.js";
import { Requests } from "./requests.js";
import { Session } from "./session.js";
import { Watching, readList } from "./watching.js";
import { SignalingError } from "./words.js";

/** @import { Server } from "./requests.js" */
/** @import { List } from "./watching.js" */
/** @import { ConnectionState, Frame, IceFrame, OutFrame, Person, Robot, Role, Welcome } from "./words.js" */
/** @import { World } from "./world.js" */

/** A welcome does not say how long its credentials serve. */
const WELCOME_ICE_MS = 240_000;

/**
 * @typedef {object} SignalEvents
 * @property {ConnectionState} state
 * @property {Robot[]} presence the robots that are watched, as they stand now
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
  #line;
  #requests;
  #watching;
  /** @type {ConnectionState} */
  #state = "offline";
  /** @type {Map<string, Session>} */
  #sessions = new Map();
  /** Those of which something still stands on an old connection, or is awaited. @type {Set<Session>} */
  #unsettled = new Set();
  /** @type {Person | null} */
  #me = null;
  /** @type {{servers: RTCIceServer[], freshUntil: number, isWhole: boolean}} */
  #ice = { servers: [], freshUntil: -Infinity, isWhole: true };

  /**
   * @param {string} url
   * @param {() => string | Promise<string>} token
   * @param {World} world
   */
  constructor(url, token, world) {
    super(world.report);
    this.#world = world;
    this.#requests = new Requests(world, (frame) => this.send(frame));
    this.#watching = new Watching(world, {
      list: (first) => this.#list(first),
      changed: (robots) => this.emit("presence", robots),
      arrived: () => this.#arrived(),
    });
    this.#line = new Line(url, token, world, {
      state: (state) => this.#enter(state),
      frame: (frame) => this.#receive(frame),
      swapped: () => this.#swapped(),
      lost: (socket) => this.#requests.lose(socket),
      signIn: () => this.emit("sign-in", undefined),
    });
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
    this.#line.start();
  }

  /** Leave every session and hang up. */
  close() {
    for (const session of [...this.#sessions.values()]) session.leave();
    this.#line.stop();
    this.#watching.end();
    this.#requests.abandon();
  }

  /**
   * The robots that this user may see. `all`: every robot, for admins.
   *
   * @param {{robotIds?: string[], all?: boolean}} [which]
   * @returns {Promise<Robot[]>}
   */
  async robots({ robotIds, all } = {}) {
    return (await this.#list({ type: "robots", robotIds, all })).rows;
  }

  /**
   * Watch the robots that this user may see, through redials too: how they stand now, and from now
   * on a `presence` event with each change. `all`: every robot, for admins.
   *
   * @param {{all?: boolean}} [which]
   * @returns {Promise<Robot[]>}
   * @throws {SignalingError} and then nothing is watched
   */
  async watch(which = {}) {
    if (typeof which !== "object") throw new TypeError("watch: takes {all}, and tells of many robots; to see one's video: view(robotId)");
    return this.#watching.begin({ all: which.all });
  }

  /** Watch no more. */
  async unwatch() {
    this.#watching.end();
    await this.request({ type: "unwatch" });
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
   * See a robot's video, and drive it not.
   *
   * @param {string} robotId
   * @returns {Promise<Session>}
   */
  view(robotId) {
    return this.#join(robotId, "viewer");
  }

  /**
   * Drive a robot that somebody else drives. The owner and admins may, and so may the driver's own
   * user from another connection.
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
    return this.#requests.make(frame, this.#line.isUp ? this.#line.current : null);
  }

  /**
   * Send a frame that wants no reply; lost when the connection is down.
   *
   * @param {OutFrame} frame
   */
  send(frame) {
    this.#line.send(frame);
  }

  /**
   * STUN and TURN servers whose credentials will serve a while; the last known ones if none are to
   * be had. TURN servers are for those who may watch the robot; without one, for those who have a
   * session.
   *
   * @param {string} [robotId]
   * @returns {Promise<RTCIceServer[]>}
   */
  async iceServers(robotId) {
    if (this.#world.now() > this.#ice.freshUntil || !this.#ice.isWhole) {
      const about = robotId === undefined ? {} : { robotId };
      const frame = /** @type {IceFrame | undefined} */ (await this.request({ type: "ice-servers", ...about }).catch(ignore));
      // A peer connection asks its TURN server again and again: half of the time should be left.
      if (frame) this.#keepIce(frame.iceServers, frame.ttlSeconds * 500, frame.turn);
    }
    return this.#ice.servers;
  }

  /** What sessions need of this connection. @returns {Server} */
  #server() {
    return {
      request: (frame) => this.request(frame),
      send: (frame) => this.send(frame),
      look: (robotId) => void this.#list({ type: "robots", robotIds: [robotId] }).catch(ignore),
      iceServers: (robotId) => this.iceServers(robotId),
      settled: (session, isSettled) => this.#settled(session, isSettled),
      ended: (session) => this.#ended(session),
    };
  }

  /** @param {Session} session */
  #ended(session) {
    if (this.#sessions.get(session.robotId) === session) this.#sessions.delete(session.robotId);
  }

  /** @param {Session} session @param {boolean} isSettled */
  #settled(session, isSettled) {
    if (isSettled) this.#unsettled.delete(session);
    else this.#unsettled.add(session);
    this.#arrived();
  }

  /** Something has arrived: all that the old socket still drains for may be there. */
  #arrived() {
    const isAll = this.#unsettled.size === 0 && this.#watching.isSettled && this.#requests.areOver(this.#line.current);
    if (this.#line.drains && isAll) this.#line.moved();
  }

  /** @param {string} robotId @param {Role} wanted @returns {Promise<Session>} */
  async #join(robotId, wanted) {
    const standing = this.#sessions.get(robotId);
    const session = standing ?? new Session(this.#server(), robotId, this.#world, this.#line.isUp);
    this.#sessions.set(robotId, session);
    if (!standing) await session.ask({ type: "join", role: wanted });
    else if (wanted === "controller") await session.ask({ type: "drive" });
    return session;
  }

  /** @param {OutFrame} first @returns {Promise<List>} */
  async #list(first) {
    const list = await readList((frame) => this.request(frame), first, this.#world.now());
    this.#watching.learn(list);
    for (const row of list.rows) this.#sessions.get(row.robotId)?.tell({ type: "listed", robot: row, askedAt: list.askedAt });
    return list;
  }

  /** @param {ConnectionState} state */
  #enter(state) {
    this.#state = state;
    this.emit("state", state);
    if (state === "online" && this.#line.current) this.#requests.submit(this.#line.current);
    if (state === "connecting") return;
    this.#watching.enter(state === "online");
    for (const session of [...this.#sessions.values()]) session.tell({ type: state });
  }

  #swapped() {
    for (const session of [...this.#sessions.values()]) session.tell({ type: "swapped" });
    this.#watching.again();
    this.#arrived();
  }

  /** @param {Frame} frame */
  #receive(frame) {
    if (frame.type === "welcome") this.#greeted(frame);
    const replied = this.#requests.settle(frame);
    if (frame.type === "error" && !replied) this.emit("error", new SignalingError(frame));
    if (frame.type === "presence" && this.#watching.hear(frame)) {
      this.#sessions.get(frame.robotId)?.tell({ type: "listed", robot: frame, askedAt: this.#world.now() });
    }
    for (const session of [...this.#sessions.values()]) session.tell({ type: "frame", frame });
    this.#arrived();
  }

  /** @param {Welcome} welcome */
  #greeted({ userId, name, iceServers, turn }) {
    this.#me = { userId, ...(name === undefined ? {} : { name }) };
    // What was given for a robot is worth more than what everyone is given, while it serves.
    const isKept = turn && this.#ice.isWhole && this.#world.now() <= this.#ice.freshUntil;
    if (!isKept) this.#keepIce(iceServers ?? [], WELCOME_ICE_MS, turn);
  }

  /** @param {RTCIceServer[]} servers @param {number} freshMs @param {boolean} [turn] there are TURN servers besides */
  #keepIce(servers, freshMs, turn = false) {
    this.#ice = { servers, freshUntil: this.#world.now() + freshMs, isWhole: !turn };
  }
}

/** Deliberately nothing: whoever waits for this is told by other means. */
function ignore() {}
