/**
 * One connection to the server, as an application holds it, with its requests and sessions.
 */

import { Requests } from "./connection/requests.js";
import { Connection } from "./connection/websocket.js";
import { Emitter } from "./emitter.js";
import { SignalingError, closedError } from "./errors.js";
import { requireWebRtc } from "./peer.js";
import { Presence, readListing } from "./presence.js";
import { Session } from "./session.js";

/** @import { Environment } from "./environment.js" */
/** @import { Listing } from "./presence.js" */
/** @import { Server } from "./session.js" */
/** @import { Ack, ConnectionState, Frame, IceFrame, Offered, OutFrame, Person, Robot, Role, Share, ShareRole, SignalEvents, TokenSource, Welcome } from "./types.js" */
/** @import { AcceptedFrame, Code, CodeFrame, EnrolledFrame, KeysFrame, PublicKey, RobotKey, SharesFrame } from "./types.js" */

/** How long the ICE servers of a welcome are used: it doesn't say how long they serve. */
const WELCOME_ICE_MS = 240_000;
/** How long the reply to a `bye` is waited for: no frame is on its way for longer. */
const BYE_MS = 2_000;
/** How many different failures are remembered, so that each is reported once. */
const MAX_REPORTED = 100;

/**
 * A connection to the server. It dials, redials until it's closed, and carries one session for each
 * robot. `connect` makes one.
 *
 * @extends {Emitter<SignalEvents>}
 */
export class Signal extends Emitter {
  #environment;
  #connection;
  #requests;
  #presence;
  /** @type {ConnectionState} */
  #state = "offline";
  /** @type {Map<string, Session>} */
  #sessions = new Map();
  /**
   * What must be over before a robot is asked for again: a `bye` without a reply, for instance.
   *
   * @type {Map<string, Promise<unknown>>}
   */
  #byes = new Map();
  /**
   * The sessions of which something is left on the old socket, or awaited.
   *
   * @type {Set<Session>}
   */
  #migrating = new Set();
  /** @type {Offered[]} */
  #offered = [];
  /** @type {Person | null} */
  #me = null;
  /** @type {{servers: RTCIceServer[], freshUntil: number, isWhole: boolean}} */
  #ice = { servers: [], freshUntil: -Infinity, isWhole: true };
  #isClosed = false;
  /**
   * The messages of the failures that were reported.
   *
   * @type {Set<string>}
   */
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
    this.#presence = new Presence(environment, {
      list: (first) => this.#list(first),
      changed: (robots) => this.emit("presence", robots),
      settled: () => this.#closeOldIfDone(),
    });
    this.#connection = new Connection(url, token, environment, {
      state: (state) => this.#changeState(state),
      frame: (frame) => this.#handleFrame(frame),
      migrate: () => this.#migrate(),
      lost: (socket) => this.#requests.lose(socket),
      signIn: () => this.emit("sign-in", undefined),
      report: (error) => this.#reportOnce(error),
    });
    this.redial();
  }

  /**
   * Whether signaling is up. Video and commands don't depend on it.
   *
   * @returns {ConnectionState}
   */
  get state() {
    return this.#state;
  }

  /**
   * The signed-in user, as the server names them.
   *
   * @returns {Person | null} `null` before the first welcome
   */
  get me() {
    return this.#me;
  }

  /**
   * Dial now rather than when the next dial is due. Call it after the event `sign-in`, once there is a
   * new token, and when the browser says that it's online. After `close()` it does nothing.
   */
  redial() {
    if (!this.#isClosed) this.#connection.start();
  }

  /**
   * Leave every session and close the connection for good. Each call that waits, and each later one,
   * rejects with `closed`.
   */
  close() {
    this.#isClosed = true;
    for (const session of [...this.#sessions.values()]) session.close();
    this.#requests.close();
    this.#connection.stop();
    this.#presence.stop();
  }

  /**
   * List the robots that this user may see.
   *
   * @param {{robotIds?: string[], all?: boolean}} [which] `robotIds`: only these, 50 at most; `all`:
   *   every robot, for admins
   * @returns {Promise<Robot[]>} all pages of them, within 10 s a page
   * @throws {SignalingError} `forbidden` for `all`, unless this user is an admin; `timeout`, `offline`;
   *   `closed` after `close()`
   */
  async robots({ robotIds, all } = {}) {
    return (await this.#list({ type: "robots", robotIds, all })).rows;
  }

  /**
   * List the robots that this user may see, and from now on tell of each change with the event
   * `presence`, through redials too.
   *
   * @param {{all?: boolean}} [which] `all`: every robot, for admins
   * @returns {Promise<Robot[]>} the robots now, within 10 s a page
   * @throws {SignalingError} as `robots`; then what was watched before is watched, if anything was
   */
  async watch(which = {}) {
    if (typeof which !== "object") {
      throw new TypeError(
        "watch: takes {all}, and tells of many robots; to see one's video, call view(robotId)",
      );
    }
    return this.#presence.watch({ all: which.all });
  }

  /**
   * Stop the event `presence`.
   *
   * @returns {Promise<void>} once the server knows, within 10 s
   * @throws {SignalingError} `timeout`, `offline`; `closed` after `close()`
   */
  async unwatch() {
    this.#presence.stop();
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
    if (!session) return this.#takeOver(robotId, signal);
    const drove = session.view.role === "controller";
    return hold(session, () =>
      rejectOnAbort(
        session.takeOver(),
        signal,
        () => void (drove || session.release().catch(ignore)),
      ),
    );
  }

  /**
   * Offer a robot to a user, share it with a group, or change a share. Only the owner and admins may.
   *
   * @param {string} robotId
   * @param {{userId?: string, group?: string, role?: ShareRole, until?: number}} share `userId` or
   *   `group`; `role`: `operator` by default; `until`: its end in epoch ms, none by default
   * @returns {Promise<Share[]>} all shares of the robot, within 10 s
   * @throws {SignalingError} `forbidden`; `bad_message`, which names the field; `timeout`, `offline`;
   *   `closed` after `close()`
   */
  async share(robotId, { userId, group, role, until }) {
    const frame = { type: "share", robotId, userId, group, role, until };
    return /** @type {Ack} */ (await this.request(frame)).shares ?? [];
  }

  /**
   * End a share or withdraw an offer, and end the sessions by it. Only the owner and admins may.
   *
   * @param {string} robotId
   * @param {{userId?: string, group?: string}} share `userId` or `group`
   * @returns {Promise<Share[]>} all shares of the robot, within 10 s
   * @throws {SignalingError} as `share`
   */
  async unshare(robotId, { userId, group }) {
    const frame = { type: "unshare", robotId, userId, group };
    return /** @type {Ack} */ (await this.request(frame)).shares ?? [];
  }

  /**
   * List a robot's shares and offers, those that have ended included. Only the owner and admins may.
   *
   * @param {string} robotId
   * @returns {Promise<Share[]>} 50 at most, within 10 s
   * @throws {SignalingError} as `share`
   */
  async shares(robotId) {
    return /** @type {SharesFrame} */ (await this.request({ type: "shares", robotId })).shares;
  }

  /**
   * Accept the offer of a robot. The event `offers` tells of offers, after each list.
   *
   * @param {string} robotId
   * @returns {Promise<void>} within 10 s
   * @throws {SignalingError} `forbidden` if it is not offered; `timeout`, `offline`; `closed` after
   *   `close()`
   */
  async acceptShare(robotId) {
    await this.request({ type: "accept-share", robotId });
  }

  /**
   * Make an invitation: a code by which users get a share, which is accepted at once. It's shown once.
   * Only the owner and admins may.
   *
   * @param {object} options
   * @param {string} options.robotId
   * @param {ShareRole} [options.role] the share's; `operator` by default
   * @param {number} [options.until] the share's end in epoch ms; none by default
   * @param {number} [options.ttlSeconds] how long the code lasts, from 60 s to 2,592,000 s (30 days);
   *   seven days by default, and `until` at the latest
   * @param {number} [options.uses] how many users it invites, from 1 to 50; 1 by default
   * @returns {Promise<Code>} within 10 s
   * @throws {SignalingError} as `share`
   */
  async invite({ robotId, role, until, ttlSeconds, uses }) {
    const frame = { type: "invite", robotId, role, until, ttlSeconds, uses };
    const { code, expiresAt } = /** @type {CodeFrame} */ (await this.request(frame));
    return { code, expiresAt };
  }

  /**
   * Accept an invitation. After a lost reply, call it again: that takes no further use.
   *
   * @param {string} code with or without hyphens, in either case
   * @returns {Promise<{robotId: string, role: ShareRole}>} the role of the share that this user has by
   *   then, within 10 s
   * @throws {SignalingError} `forbidden` if the code isn't valid, or not any more; `bad_message` if it is
   *   no code, the user owns the robot, or the robot has too many shares; `timeout`, `offline`; `closed`
   *   after `close()`
   */
  async accept(code) {
    const reply = await this.request({ type: "accept", code });
    const { robotId, role } = /** @type {AcceptedFrame} */ (reply);
    return { robotId, role };
  }

  /**
   * Decline the offer of a robot, or end this user's own share of it and the sessions by it.
   *
   * @param {string} robotId
   * @returns {Promise<void>} within 10 s
   * @throws {SignalingError} `forbidden` if a group's share is all that there is; `timeout`, `offline`;
   *   `closed` after `close()`
   */
  async leaveShare(robotId) {
    await this.request({ type: "leave-share", robotId });
  }

  /**
   * Send any message of the protocol and wait for its reply. While signaling is down the message waits
   * for it.
   *
   * @param {OutFrame} frame without an `id`, such as `{type: "share", robotId, userId}`; 32 KiB at most
   * @returns {Promise<Frame>} the reply, within 10 s
   * @throws {SignalingError} the server's error; `timeout`; `offline` if the connection is lost before
   *   the reply; `too_large`; `closed` after `close()`
   */
  async request(frame) {
    this.#requireOpen();
    return this.#requests.send(frame, this.#connection.isUp ? this.#connection.socket : null);
  }

  /**
   * Send a message that needs no reply. It's lost while signaling is down.
   *
   * @param {OutFrame} frame 32 KiB at most
   * @throws {SignalingError} `too_large`
   */
  send(frame) {
    this.#connection.send(frame);
  }

  /**
   * Let a robot in by its public key. The owner, an admin, and a user for an id that has no owner yet
   * may, who owns it from then on.
   *
   * @param {{robotId: string, publicKey: PublicKey, ownerUserId?: string}} robot `ownerUserId`, for
   *   admins: who owns a new id
   * @returns {Promise<{robotId: string, kid: string}>} the key's id, within 10 s
   * @throws {SignalingError} `forbidden`; `bad_message`, which names the field; `timeout`, `offline`;
   *   `closed` after `close()`
   */
  async enroll({ robotId, publicKey, ownerUserId }) {
    const frame = { type: "enroll", robotId, publicKey, ownerUserId };
    const { kid } = /** @type {EnrolledFrame} */ (await this.request(frame));
    return { robotId, kid };
  }

  /**
   * Make a code by which robots enrol themselves: `robosignal robot enroll URL CODE`. It's shown once.
   *
   * @param {object} options
   * @param {string} [options.robotId] the one id that it enrols
   * @param {string} [options.pattern] or the ids: at least three characters and an asterisk, `rover-*`
   * @param {number} [options.uses] how many robots, from 1 to 1000; 1 by default
   * @param {number} [options.ttlSeconds] how long it lasts, from 60 s to 2,592,000 s (30 days); a day by
   *   default
   * @param {boolean} [options.approve] whether the robots' keys wait for `approveKey`
   * @param {string} [options.ownerUserId] who owns the robots, for admins; this user by default
   * @returns {Promise<Code>} within 10 s
   * @throws {SignalingError} as `enroll`
   */
  async createCode({ robotId, pattern, uses, ttlSeconds, approve, ownerUserId }) {
    const which = { robotId, pattern, uses, ttlSeconds, approve, ownerUserId };
    const reply = await this.request({ type: "create-code", ...which });
    const { code, expiresAt } = /** @type {CodeFrame} */ (reply);
    return { code, expiresAt };
  }

  /**
   * List a robot's keys. The owner and admins may.
   *
   * @param {string} robotId
   * @returns {Promise<RobotKey[]>} three at most, within 10 s
   * @throws {SignalingError} as `enroll`
   */
  async keys(robotId) {
    return /** @type {KeysFrame} */ (await this.request({ type: "keys", robotId })).keys;
  }

  /**
   * Let in a key that waits. Compare its fingerprint with the one that the robot shows before. The owner
   * and admins may.
   *
   * @param {string} robotId
   * @param {string} kid the key's id
   * @returns {Promise<void>} within 10 s
   * @throws {SignalingError} as `enroll`
   */
  async approveKey(robotId, kid) {
    await this.request({ type: "approve-key", robotId, kid });
  }

  /**
   * End a key for good, and with it the connection and the sessions of a robot that uses it; no-op for a
   * key that the robot doesn't have. The owner and admins may.
   *
   * @param {string} robotId
   * @param {string} kid the key's id
   * @returns {Promise<void>} within 10 s
   * @throws {SignalingError} as `enroll`
   */
  async revokeKey(robotId, kid) {
    await this.request({ type: "revoke-key", robotId, kid });
  }

  /**
   * End every key of a robot for good, in one step, as `revokeKey` ends one.
   *
   * @param {string} robotId
   * @returns {Promise<void>} within 10 s
   * @throws {SignalingError} as `enroll`
   */
  async revokeAllKeys(robotId) {
    await this.request({ type: "revoke-key", robotId, all: true });
  }

  /**
   * Give a robot to another owner, and end its sessions. The owner and admins may. If the reply is lost,
   * a second call fails with `forbidden`.
   *
   * @param {string} robotId
   * @param {string} userId the new owner's
   * @returns {Promise<{robotTold: boolean}>} false if the robot may obey a driver who has lost the right,
   *   until it hears of that; within 10 s
   * @throws {SignalingError} as `enroll`
   */
  async transfer(robotId, userId) {
    const { robotTold = true } = /** @type {Ack} */ (
      await this.request({ type: "transfer", robotId, userId })
    );
    return { robotTold };
  }

  /**
   * Remove all trace of a robot: its owner, its keys, its shares. The owner and admins may.
   *
   * @param {string} robotId
   * @returns {Promise<{robotTold: boolean}>} as `transfer`
   * @throws {SignalingError} as `enroll`; `try_again` if the robot registers at this very moment
   */
  async forget(robotId) {
    const { robotTold = true } = /** @type {Ack} */ (
      await this.request({ type: "forget", robotId })
    );
    return { robotTold };
  }

  /**
   * Get STUN and TURN servers whose credentials last a while; the last known ones, if the server
   * doesn't answer.
   *
   * @param {string} [robotId] TURN servers are included if this user may view that robot; without one,
   *   if this connection has a session
   * @returns {Promise<RTCIceServer[]>} within 10 s
   * @throws {SignalingError} `closed` after `close()`
   */
  async iceServers(robotId) {
    this.#requireOpen();
    if (this.#environment.now() > this.#ice.freshUntil || !this.#ice.isWhole) {
      const about = robotId === undefined ? {} : { robotId };
      const frame = /** @type {IceFrame | undefined} */ (
        await this.request({ type: "ice-servers", ...about }).catch(ignore)
      );
      // A peer connection asks its TURN server again and again: half of the time should be left.
      if (frame) this.#setIce(frame.iceServers, frame.ttlSeconds * 500, frame.turn);
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
      leave: (robotId, bye) => this.#sendBye(robotId, bye),
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
    if (this.#reported.size >= MAX_REPORTED) this.#reported.clear();
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
    if (isSettled) this.#migrating.delete(session);
    else this.#migrating.add(session);
    this.#closeOldIfDone();
  }

  /**
   * Send `bye`. If it's lost with its socket, it isn't repeated: the server ends sessions that are not
   * resumed.
   *
   * @param {string} robotId
   * @param {OutFrame} bye
   */
  #sendBye(robotId, bye) {
    const { isUp, socket } = this.#connection;
    if (isUp) this.#delay(robotId, this.#requests.send(bye, socket));
  }

  /**
   * Let the next call for a robot wait for this: a `bye` that came after its offer would end its
   * session.
   *
   * @param {string} robotId
   * @param {Promise<unknown>} promise
   */
  #delay(robotId, promise) {
    const left = Promise.all([this.#byes.get(robotId), promise.catch(ignore)]);
    this.#byes.set(robotId, left);
    void left.then(() => this.#byes.get(robotId) === left && this.#byes.delete(robotId));
  }

  /**
   * Wait until nothing of a session that has ended is on its way, 2 s at most.
   *
   * @param {string} robotId
   * @param {AbortSignal} [abort]
   */
  async #waitForBye(robotId, abort) {
    /** @type {unknown} */
    let timer;
    const late = new Promise(
      (resolve) => void (timer = this.#environment.setTimeout(() => resolve(null), BYE_MS)),
    );
    const left = async () => {
      while (this.#byes.has(robotId)) await this.#byes.get(robotId);
    };
    try {
      await rejectOnAbort(Promise.race([left(), late]), abort, ignore);
    } finally {
      this.#environment.clearTimeout(timer);
    }
  }

  #requireOpen() {
    if (this.#isClosed) throw closedError();
  }

  /** Close the old socket if nothing is left on it. */
  #closeOldIfDone() {
    const isDone =
      this.#migrating.size === 0 &&
      this.#presence.isSettled &&
      this.#requests.areAllOn(this.#connection.socket);
    if (this.#connection.isMigrating && isDone) this.#connection.finishMigration();
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
    if (this.#byes.has(robotId)) await this.#waitForBye(robotId, abort);
    this.#requireOpen();
    const session = this.#sessions.get(robotId);
    if (!session) return this.#newSession(robotId, wanted, abort);
    try {
      return await hold(session, () => this.#joinSession(session, wanted, abort));
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
  #newSession(robotId, wanted, abort) {
    const session = new Session(this.#server(), robotId, this.#environment, this.#connection.isUp);
    this.#sessions.set(robotId, session);
    return hold(session, () => session.waitFor({ type: "join", role: wanted }, wanted, abort));
  }

  /**
   * @param {Session} session one that another call has begun
   * @param {Role} wanted
   * @param {AbortSignal} [abort]
   */
  async #joinSession(session, wanted, abort) {
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
  async #takeOver(robotId, abort) {
    requireWebRtc(this.#environment);
    if (this.#byes.has(robotId)) await this.#waitForBye(robotId, abort);
    const taking = /** @type {Promise<Ack>} */ (this.request({ type: "takeover", robotId }));
    const giveBack = (/** @type {Ack} */ { sessionId }) =>
      this.#sendBye(robotId, { type: "bye", sessionId });
    const stop = () => this.#delay(robotId, taking);
    abort?.addEventListener("abort", stop, { once: true });
    const ack = await rejectOnAbort(taking, abort, giveBack).finally(() =>
      abort?.removeEventListener("abort", stop),
    );
    try {
      return await this.#join(robotId, "controller", abort);
    } catch (error) {
      // A call that only views may go on in the session, which a `bye` would end.
      const shared = abort?.aborted ? this.#sessions.get(robotId) : undefined;
      if (shared) void shared.release().catch(ignore);
      else giveBack(ack);
      throw error;
    }
  }

  /**
   * @param {OutFrame} first
   * @returns {Promise<Listing>}
   */
  async #list(first) {
    const list = await readListing((frame) => this.request(frame), first, this.#environment.now());
    this.#presence.learn(list);
    this.#learnOffers(list.offered);
    for (const row of list.rows)
      this.#sessions
        .get(row.robotId)
        ?.dispatch({ type: "listing", robot: row, askedAt: list.askedAt });
    return list;
  }

  /**
   * @param {Offered[] | null} offered null if the list does not tell
   */
  #learnOffers(offered) {
    if (offered === null || JSON.stringify(offered) === JSON.stringify(this.#offered)) return;
    this.#offered = offered;
    this.emit("offers", offered);
  }

  /**
   * @param {ConnectionState} state
   */
  #changeState(state) {
    this.#state = state;
    this.emit("state", state);
    if (state === "online" && this.#connection.socket)
      this.#requests.submit(this.#connection.socket);
    if (state === "connecting") return;
    this.#presence.setOnline(state === "online");
    for (const session of [...this.#sessions.values()]) session.dispatch({ type: state });
  }

  #migrate() {
    for (const session of [...this.#sessions.values()])
      session.dispatch({ type: "socket-changed" });
    this.#presence.watchAgain();
    this.#closeOldIfDone();
  }

  /**
   * @param {Frame} frame
   */
  #handleFrame(frame) {
    if (frame.type === "welcome") this.#handleWelcome(frame);
    const isReply = this.#requests.settle(frame);
    if (frame.type === "error" && !isReply) this.emit("error", new SignalingError(frame));
    if (frame.type === "presence" && this.#presence.push(frame)) {
      this.#sessions
        .get(frame.robotId)
        ?.dispatch({ type: "listing", robot: frame, askedAt: this.#environment.now() });
    }
    for (const session of [...this.#sessions.values()]) session.dispatch({ type: "frame", frame });
    this.#closeOldIfDone();
  }

  /**
   * @param {Welcome} welcome
   */
  #handleWelcome({ userId, name, iceServers, turn }) {
    this.#me = { userId, ...(name === undefined ? {} : { name }) };
    // Servers that were given for a robot are worth more than everyone's, while they serve.
    const isKept = turn && this.#ice.isWhole && this.#environment.now() <= this.#ice.freshUntil;
    if (!isKept) this.#setIce(iceServers ?? [], WELCOME_ICE_MS, turn);
  }

  /**
   * @param {RTCIceServer[]} servers
   * @param {number} freshMs
   * @param {boolean} [turn] there are TURN servers besides
   */
  #setIce(servers, freshMs, turn = false) {
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
async function hold(session, ask) {
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
 * Settle as a promise does, unless the signal is aborted first: then undo what the promise does later.
 *
 * @template Value
 * @param {Promise<Value>} promise
 * @param {AbortSignal | undefined} abort
 * @param {(value: Value) => void} undo
 * @returns {Promise<Value>}
 */
function rejectOnAbort(promise, abort, undo) {
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

/** Deliberately nothing: the failure shows in another way. */
function ignore() {}
