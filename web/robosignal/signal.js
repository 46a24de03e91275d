/**
 * One signaling connection with its requests and sessions. It brings their parts together, and
 * never decides itself when to dial.
 */

import { Emitter } from "./emitter.js";
import { Connection } from "./connection/websocket.js";
import { requireWebRtc } from "./peer.js";
import { Requests } from "./connection/requests.js";
import { Session } from "./session.js";
import { Watching, readList } from "./presence.js";
import { SignalingError, closedError } from "./errors.js";

/** @import { Server } from "./session.js" */
/** @import { List } from "./presence.js" */
/** @import { Ack, ConnectionState, Frame, IceFrame, OutFrame, Person, Robot, Role, SignalEvents, TokenSource, Welcome } from "./types.js" */
/** @import { Environment } from "./environment.js" */

/** A welcome does not say how long its credentials serve. */
const WELCOME_ICE_MS = 240_000;
/** How long the reply to a goodbye is waited for; no frame is on its way for longer. */
const LEFT_MS = 2_000;
/** How many different failures are remembered, so that each is reported once. */
const REPORTED = 100;

/**
 * One signaling connection. It dials, redials for as long as it is not closed, and carries any
 * number of sessions. Make one with `connect`.
 *
 * @extends {Emitter<SignalEvents>}
 */
export class Signal extends Emitter {
  #environment;
  #connection;
  #requests;
  #watching;
  /** @type {ConnectionState} */
  #state = "offline";
  /** @type {Map<string, Session>} */
  #sessions = new Map();
  /** The goodbyes that have no reply yet, by robot. @type {Map<string, Promise<unknown>>} */
  #leaving = new Map();
  /** Those of which something still stands on an old connection, or is awaited. @type {Set<Session>} */
  #unsettled = new Set();
  /** @type {Person | null} */
  #me = null;
  /** @type {{servers: RTCIceServer[], freshUntil: number, isWhole: boolean}} */
  #ice = { servers: [], freshUntil: -Infinity, isWhole: true };
  #isClosed = false;
  /** What was reported of what the server tells again and again. @type {Set<string>} */
  #reported = new Set();

  /**
   * @internal
   * @param {string} url
   * @param {TokenSource} token
   * @param {Environment} environment
   */
  constructor(url, token, environment) {
    super(environment.report);
    this.#environment = environment;
    this.#requests = new Requests(environment, (frame) => this.send(frame));
    this.#watching = new Watching(environment, {
      list: (first) => this.#list(first),
      changed: (robots) => this.emit("presence", robots),
      arrived: () => this.#arrived(),
    });
    this.#connection = new Connection(url, token, environment, {
      state: (state) => this.#enter(state),
      frame: (frame) => this.#receive(frame),
      migrate: () => this.#migrate(),
      lost: (socket) => this.#requests.lose(socket),
      signIn: () => this.emit("sign-in", undefined),
      report: (error) => this.#reportOnce(error),
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

  /** Dial now rather than when the next try is due; after `sign-in`, dial again. Nothing once closed. */
  redial() {
    if (!this.#isClosed) this.#connection.start();
  }

  /** Leave every session and hang up, for good: each call that waits, and each later one, rejects with `closed`. */
  close() {
    this.#isClosed = true;
    for (const session of [...this.#sessions.values()]) session.close();
    this.#requests.close();
    this.#connection.stop();
    this.#watching.end();
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
    if (typeof which !== "object")
      throw new TypeError(
        "watch: takes {all}, and tells of many robots; to see one's video: view(robotId)",
      );
    return this.#watching.begin({ all: which.all });
  }

  /** Watch no more. */
  async unwatch() {
    this.#watching.end();
    await this.request({ type: "unwatch" });
  }

  /**
   * Drive a robot: get a session that has control of it. If this connection has a session for the
   * robot already, it asks for control in that one; if it's refused, that session goes on viewing.
   * Each call that returns a session holds it, until `session.leave()`.
   *
   * It settles within 30 s, or within 60 s behind another call for the same robot. When `signal` is
   * aborted before that, it rejects with the signal's reason, and gives back any control that it
   * has or gets later.
   *
   * @param {string} robotId
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<Session>} one whose `view.role` is `controller`
   * @throws {SignalingError} `robot_busy`, with `controlledBy`, if another session drives;
   *   `robot_offline`, `forbidden`, `timeout`, `offline`, `unsupported`; `closed` after `close()`
   */
  async drive(robotId, { signal } = {}) {
    return this.#join(robotId, "controller", signal);
  }

  /**
   * View a robot's video without driving. If this connection has a session for the robot already,
   * it returns that one, which may drive: `view.role` says whether it does. Each call that returns
   * a session holds it, until `session.leave()`.
   *
   * @param {string} robotId
   * @param {{signal?: AbortSignal}} [options] as for `drive`
   * @returns {Promise<Session>} one whose `view.role` is `viewer`, or `controller` if it drives
   * @throws {SignalingError} as `drive`, but never `robot_busy`; `too_many_viewers`
   */
  async view(robotId, { signal } = {}) {
    return this.#join(robotId, "viewer", signal);
  }

  /**
   * Drive a robot even if another session does. The owner and admins may, and so may the driver's
   * own user from another connection. Each call that returns a session holds it, until
   * `session.leave()`.
   *
   * It settles within 40 s.
   *
   * @param {string} robotId
   * @param {{signal?: AbortSignal}} [options] as for `drive`
   * @returns {Promise<Session>} one whose `view.role` is `controller`
   * @throws {SignalingError} `forbidden` for everyone else; otherwise as `drive`
   */
  async takeOver(robotId, { signal } = {}) {
    this.#requireOpen();
    signal?.throwIfAborted();
    const session = this.#sessions.get(robotId);
    if (!session) return this.#seize(robotId, signal);
    const drove = session.view.role === "controller";
    return held(session, () =>
      unlessAborted(
        session.takeOver(),
        signal,
        () => void (drove || session.release().catch(ignore)),
      ),
    );
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
  async request(frame) {
    if (this.#isClosed) throw closedError();
    return this.#requests.make(frame, this.#connection.isUp ? this.#connection.socket : null);
  }

  /**
   * Send a frame that wants no reply; lost when the connection is down.
   *
   * @param {OutFrame} frame
   */
  send(frame) {
    this.#connection.send(frame);
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
    if (this.#isClosed) throw closedError();
    if (this.#environment.now() > this.#ice.freshUntil || !this.#ice.isWhole) {
      const about = robotId === undefined ? {} : { robotId };
      const frame = /** @type {IceFrame | undefined} */ (
        await this.request({ type: "ice-servers", ...about }).catch(ignore)
      );
      // A peer connection asks its TURN server again and again: half of the time should be left.
      if (frame) this.#keepIce(frame.iceServers, frame.ttlSeconds * 500, frame.turn);
    }
    return this.#ice.servers;
  }

  /**
   * What sessions need of this connection.
   *
   * @returns {Server}
   */
  #server() {
    return {
      request: (frame) => this.request(frame),
      leave: (robotId, bye) => this.#leave(robotId, bye),
      lookUp: (robotId) => void this.#list({ type: "robots", robotIds: [robotId] }).catch(ignore),
      iceServers: (robotId) => this.iceServers(robotId),
      report: (error) => this.#reportOnce(error),
      trackMigration: (session, isSettled) => this.#trackMigration(session, isSettled),
      remove: (session) => this.#remove(session),
    };
  }

  /**
   * @param {SignalingError} error
   */
  #reportOnce(error) {
    if (this.#reported.has(error.message)) return;
    if (this.#reported.size >= REPORTED) this.#reported.clear();
    this.#reported.add(error.message);
    this.emit("error", error);
  }

  /**
   * @param {Session} session
   */
  #remove(session) {
    if (this.#sessions.get(session.robotId) === session) this.#sessions.delete(session.robotId);
    const answered = session.idle();
    if (answered) this.#delay(session.robotId, answered);
  }

  /**
   * @param {Session} session
   * @param {boolean} isSettled
   */
  #trackMigration(session, isSettled) {
    if (isSettled) this.#unsettled.delete(session);
    else this.#unsettled.add(session);
    this.#arrived();
  }

  /**
   * Send `bye`. If it is lost with its connection, it is not repeated: the server ends sessions that are
   * not resumed.
   *
   * @param {string} robotId
   * @param {OutFrame} bye
   */
  #leave(robotId, bye) {
    if (this.#connection.isUp)
      this.#delay(robotId, this.#requests.make(bye, this.#connection.socket));
  }

  /**
   * Ask for a robot again only after this: a `bye` that came later would end the new session, and
   * so would one that answers an offer of before.
   *
   * @param {string} robotId
   * @param {Promise<unknown>} promise
   */
  #delay(robotId, promise) {
    const left = Promise.all([this.#leaving.get(robotId), promise.catch(ignore)]);
    this.#leaving.set(robotId, left);
    void left.then(() => this.#leaving.get(robotId) === left && this.#leaving.delete(robotId));
  }

  /**
   * Wait until nothing of a session that has ended is on its way, 2 s at most.
   *
   * @param {string} robotId
   * @param {AbortSignal} [abort]
   */
  async #left(robotId, abort) {
    /** @type {unknown} */
    let timer;
    const late = new Promise(
      (resolve) => void (timer = this.#environment.setTimeout(() => resolve(null), LEFT_MS)),
    );
    const left = async () => {
      while (this.#leaving.has(robotId)) await this.#leaving.get(robotId);
    };
    try {
      await unlessAborted(Promise.race([left(), late]), abort, ignore);
    } finally {
      this.#environment.clearTimeout(timer);
    }
  }

  #requireOpen() {
    if (this.#isClosed) throw closedError();
  }

  /** Something has arrived: the old socket may have nothing left to wait for. */
  #arrived() {
    const isAll =
      this.#unsettled.size === 0 &&
      this.#watching.isSettled &&
      this.#requests.areOver(this.#connection.socket);
    if (this.#connection.isMigrating && isAll) this.#connection.finishMigration();
  }

  /**
   * @param {string} robotId
   * @param {Role} wanted
   * @param {AbortSignal} [abort]
   * @returns {Promise<Session>}
   */
  async #join(robotId, wanted, abort) {
    this.#requireOpen();
    abort?.throwIfAborted();
    if (this.#leaving.has(robotId)) await this.#left(robotId, abort);
    this.#requireOpen();
    const session = this.#sessions.get(robotId);
    if (!session) return this.#begin(robotId, wanted, abort);
    try {
      return await held(session, () => this.#share(session, wanted, abort));
    } catch (error) {
      // Another call wanted to drive, and was refused: that is no answer to one that wants to view.
      const isOthers = error instanceof SignalingError && error.code === "robot_busy";
      if (wanted === "viewer" && isOthers) return this.#join(robotId, wanted, abort);
      throw error;
    }
  }

  /**
   * @param {string} robotId
   * @param {Role} wanted
   * @param {AbortSignal} [abort]
   * @returns {Promise<Session>} a new one
   */
  #begin(robotId, wanted, abort) {
    const session = new Session(this.#server(), robotId, this.#environment, this.#connection.isUp);
    this.#sessions.set(robotId, session);
    return held(session, () => session.waitFor({ type: "join", role: wanted }, wanted, abort));
  }

  /**
   * @param {Session} session one that another call has begun
   * @param {Role} wanted
   * @param {AbortSignal} [abort]
   */
  async #share(session, wanted, abort) {
    if (!session.hasJoined) await session.waitFor(null, wanted, abort);
    if (wanted === "controller") await session.waitFor({ type: "drive" }, wanted, abort);
  }

  /**
   * Take a robot over without a session.
   *
   * @param {string} robotId
   * @param {AbortSignal} [abort]
   * @returns {Promise<Session>}
   */
  async #seize(robotId, abort) {
    requireWebRtc(this.#environment);
    if (this.#leaving.has(robotId)) await this.#left(robotId, abort);
    const taking = /** @type {Promise<Ack>} */ (this.request({ type: "takeover", robotId }));
    const giveBack = (/** @type {Ack} */ { sessionId }) =>
      this.#leave(robotId, { type: "bye", sessionId });
    const stop = () => this.#delay(robotId, taking);
    abort?.addEventListener("abort", stop, { once: true });
    const ack = await unlessAborted(taking, abort, giveBack).finally(() =>
      abort?.removeEventListener("abort", stop),
    );
    try {
      return await this.#join(robotId, "controller", abort);
    } catch (error) {
      // A call that only watches may go on in the session: a goodbye would end it.
      const shared = abort?.aborted ? this.#sessions.get(robotId) : undefined;
      if (shared) void shared.release().catch(ignore);
      else giveBack(ack);
      throw error;
    }
  }

  /**
   * @param {OutFrame} first
   * @returns {Promise<List>}
   */
  async #list(first) {
    const list = await readList((frame) => this.request(frame), first, this.#environment.now());
    this.#watching.learn(list);
    for (const row of list.rows)
      this.#sessions
        .get(row.robotId)
        ?.dispatch({ type: "listing", robot: row, askedAt: list.askedAt });
    return list;
  }

  /**
   * @param {ConnectionState} state
   */
  #enter(state) {
    this.#state = state;
    this.emit("state", state);
    if (state === "online" && this.#connection.socket)
      this.#requests.submit(this.#connection.socket);
    if (state === "connecting") return;
    this.#watching.enter(state === "online");
    for (const session of [...this.#sessions.values()]) session.dispatch({ type: state });
  }

  #migrate() {
    for (const session of [...this.#sessions.values()])
      session.dispatch({ type: "socket-changed" });
    this.#watching.again();
    this.#arrived();
  }

  /**
   * @param {Frame} frame
   */
  #receive(frame) {
    if (frame.type === "welcome") this.#greeted(frame);
    const replied = this.#requests.settle(frame);
    if (frame.type === "error" && !replied) this.emit("error", new SignalingError(frame));
    if (frame.type === "presence" && this.#watching.hear(frame)) {
      this.#sessions
        .get(frame.robotId)
        ?.dispatch({ type: "listing", robot: frame, askedAt: this.#environment.now() });
    }
    for (const session of [...this.#sessions.values()]) session.dispatch({ type: "frame", frame });
    this.#arrived();
  }

  /**
   * @param {Welcome} welcome
   */
  #greeted({ userId, name, iceServers, turn }) {
    this.#me = { userId, ...(name === undefined ? {} : { name }) };
    // What was given for a robot is worth more than what everyone is given, while it serves.
    const isKept = turn && this.#ice.isWhole && this.#environment.now() <= this.#ice.freshUntil;
    if (!isKept) this.#keepIce(iceServers ?? [], WELCOME_ICE_MS, turn);
  }

  /**
   * @param {RTCIceServer[]} servers
   * @param {number} freshMs
   * @param {boolean} [turn] there are TURN servers besides
   */
  #keepIce(servers, freshMs, turn = false) {
    this.#ice = { servers, freshUntil: this.#environment.now() + freshMs, isWhole: !turn };
  }
}

/**
 * A session, held for a call from before it asks until it fails, or until its `leave`.
 *
 * @param {Session} session
 * @param {() => Promise<void>} ask
 * @returns {Promise<Session>}
 */
async function held(session, ask) {
  session.hold();
  try {
    await ask();
    return session;
  } catch (error) {
    session.leave();
    throw error;
  }
}

/**
 * What a promise resolves to, unless that is aborted first: then what it does later is undone.
 *
 * @template Value
 * @param {Promise<Value>} promise
 * @param {AbortSignal | undefined} abort
 * @param {(value: Value) => void} undo
 * @returns {Promise<Value>}
 */
function unlessAborted(promise, abort, undo) {
  if (!abort) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => {
      reject(abort.reason);
      promise.then(undo, ignore);
    };
    abort.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => abort.removeEventListener("abort", stop));
  });
}

/** Deliberately nothing: whoever waits for this is told by other means. */
function ignore() {}
