/**
 * How a session follows the connection from socket to socket, and how it's renewed.
 */

import { SignalingError } from "../errors.js";
import { beginOffer, flushOutbox, sendUnsentOffer } from "./offers.js";
import { change } from "./state.js";

/** @import { Step } from "./machine.js" */
/** @import { Moment, State } from "./state.js" */

const CONTROLLER_RENEWS_MS = 20_000;
const VIEWER_RENEWS_MS = 120_000;
/** A migration that takes longer than a reply may take is not waited for. */
const WAIT_MS = 10_000;
const LATE = "The session has not moved to the new connection in time. Try again.";

/**
 * Signaling is back after a loss: resume the session, or offer.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
export function goOnline(state, at) {
  const next = { ...state, online: true };
  return state.session.id === null ? beginOffer(next, at) : sendResume(next, "resume");
}

/**
 * Take the session along to the current socket. Nothing was lost, so no new offer is needed.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
export function migrate(state, at) {
  if (!state.session.isMigrating || !state.online) return [state, []];
  return state.session.id === null ? finishMigration(state, at) : sendResume(state, "migrate");
}

/**
 * @param {State} state
 * @param {"resume" | "migrate"} to
 * @returns {Step}
 */
function sendResume(state, to) {
  const frame = { type: "resume", sessionId: state.session.id };
  return [
    change(state, "session", { isMigrating: true, renewAt: null }),
    [{ do: "request", to, pcId: null, frame }],
  ];
}

/**
 * The server knows the session on this socket: send what waited for that.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
export function finishMigration(state, at) {
  const [next, effects] = flushOutbox(change(state, "session", { isMigrating: false }));
  const [after, sent] = sendUnsentOffer(next, at);
  return [after, [...effects, ...sent]];
}

/**
 * @param {State} state
 * @param {Moment} at
 * @returns {State}
 */
export function scheduleRenewal(state, at) {
  const ms = state.session.role === "controller" ? CONTROLLER_RENEWS_MS : VIEWER_RENEWS_MS;
  return change(state, "session", { renewAt: at.now + ms });
}

/**
 * Renew the session. The reply also says which role it has, and at which epoch.
 *
 * @param {State} state
 * @param {Moment} at
 * @returns {Step}
 */
export function renew(state, at) {
  const { id, isMigrating } = state.session;
  if (id === null || !state.online) return [state, []];
  if (isMigrating) return migrate(state, at);
  const frame = { type: "ping", sessionId: id };
  return [scheduleRenewal(state, at), [{ do: "request", to: "renew", pcId: null, frame }]];
}

/**
 * When a session migrates: between its requests, so that each is answered on the socket on which it
 * was sent, and before what comes after.
 */
export class Migration {
  #isMigrating;
  #migrate;
  #report;
  #openRequests = 0;
  #isDue = false;
  /** @type {{resolve: () => void, reject: (error: Error) => void, until: number}[]} */
  #waiters = [];
  /** @type {(() => void)[]} */
  #idleWaiters = [];

  /**
   * @param {() => boolean} isMigrating
   * @param {() => void} migrate
   * @param {(isSettled: boolean) => void} report whether nothing of the session is left on an old socket
   */
  constructor(isMigrating, migrate, report) {
    this.#isMigrating = isMigrating;
    this.#migrate = migrate;
    this.#report = report;
  }

  /** Migrate as soon as no reply is awaited. */
  start() {
    this.#isDue = true;
    this.#migrateIfIdle();
    this.#reportSettled();
  }

  /**
   * Let the calls go on that wait for a migration which is over, or takes too long.
   *
   * @param {number} now ms
   */
  update(now) {
    const waiters = this.#waiters.splice(0);
    if (!this.#isMigrating()) return waiters.forEach(({ resolve }) => resolve());
    for (const waiter of waiters) {
      if (now < waiter.until) this.#waiters.push(waiter);
      else waiter.reject(new SignalingError({ code: "timeout", message: LATE }));
    }
  }

  /**
   * Wait until the server knows the session on the current socket.
   *
   * @param {number} now ms, of the clock that `update` gets
   * @throws {SignalingError} `timeout` after 10 s
   */
  async wait(now) {
    const until = now + WAIT_MS;
    while (this.#isMigrating()) {
      await new Promise((/** @type {(done: void) => void} */ resolve, reject) =>
        this.#waiters.push({ resolve, reject, until }),
      );
    }
  }

  /**
   * @returns {Promise<void> | null} resolves once no reply is awaited; null when none is
   */
  idle() {
    if (this.#openRequests === 0) return null;
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /**
   * Run a request, before whose reply the session doesn't migrate.
   *
   * @param {() => Promise<void>} request
   */
  async track(request) {
    this.#openRequests += 1;
    this.#reportSettled();
    try {
      await request();
    } finally {
      this.#openRequests -= 1;
      this.#migrateIfIdle();
      this.#reportSettled();
      if (this.#openRequests === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
    }
  }

  #reportSettled() {
    this.#report(!this.#isMigrating() && this.#openRequests === 0);
  }

  #migrateIfIdle() {
    if (!this.#isDue || this.#openRequests > 0) return;
    this.#isDue = false;
    this.#migrate();
  }
}
