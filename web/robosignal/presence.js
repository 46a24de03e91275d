/**
 * The robots that an application watches: asks for the list, hears the pushes, and asks again for
 * what has run out. What is known stands in the pure fleet; it never dials.
 */

import { NOTHING, aged, asked, dueAt, listed, pushed, robotsOf, toAsk } from "./fleet.js";
import { SignalingError } from "./errors.js";

/** @import { Frame, OutFrame, PresenceFrame, Robot, RobotsFrame } from "./types.js" */
/** @import { Environment } from "./environment.js" */
/** @typedef {{rows: Robot[], askedAt: number, all: boolean, among: readonly string[] | null}} List `among`: whom it was to tell of, null for everyone (`all`: of all users) */

const PAGES = 100;
const RETRY_MS = 5_000;
/** The server learns who watches from an index that may lag: what changed until then was not told. */
const SECOND_LOOK_MS = 5_000;

/**
 * @typedef {object} WatchingListener
 * @property {(first: OutFrame) => Promise<List>} list
 * @property {(robots: Robot[]) => void} changed
 * @property {() => void} arrived the server knows the watcher on the current connection
 */

export class Watching {
  #environment;
  #listener;
  /** @type {{all?: boolean} | null} */
  #which = null;
  #fleet = NOTHING;
  #isOnline = false;
  /** How often the server was asked to tell us, and has not replied yet. */
  #inFlight = 0;
  #isToRetry = false;
  /** When all is listed a second time, in ms. */
  #lookAt = Infinity;
  /** @type {unknown} */
  #timer = undefined;

  /**
   * @param {Environment} environment
   * @param {WatchingListener} listener
   */
  constructor(environment, listener) {
    this.#environment = environment;
    this.#listener = listener;
  }

  /** Whether the server tells the current connection, if anything is watched. */
  get isSettled() {
    return this.#inFlight === 0 && !this.#isToRetry;
  }

  /** Whether everything is watched, for admins. */
  get seesAll() {
    return this.#which?.all === true;
  }

  /**
   * Watch from now on; the robots as they stand.
   *
   * @param {{all?: boolean}} which
   * @returns {Promise<Robot[]>}
   */
  async begin(which) {
    const before = this.#which;
    this.#which = which;
    try {
      await this.#ask();
    } catch (error) {
      if (this.#which === which) this.#which = before;
      throw error;
    }
    return robotsOf(this.#fleet);
  }

  end() {
    this.#which = null;
    this.#fleet = NOTHING;
    this.#isToRetry = false;
    this.#lookAt = Infinity;
    this.#environment.clearTimeout(this.#timer);
  }

  /**
   * @param {boolean} isOnline
   */
  enter(isOnline) {
    const comesBack = isOnline && !this.#isOnline;
    this.#isOnline = isOnline;
    // One that still waits for a connection is sent now, and does.
    if (comesBack && this.#inFlight === 0) this.again();
  }

  /** Another connection is the current one: the server knows nothing of us there. */
  again() {
    if (this.#which === null || !this.#isOnline) return;
    this.#isToRetry = false;
    this.#ask().catch((error) => this.#failed(error));
  }

  /**
   * @param {PresenceFrame} frame
   * @returns {boolean} whether it was news
   */
  hear(frame) {
    if (this.#which === null) return false;
    const next = pushed(this.#fleet, frame, this.#environment.now());
    if (next === null) this.#look([frame.robotId]);
    const isNews = next !== null && next !== this.#fleet;
    if (isNews) this.#set(next);
    return isNews;
  }

  /**
   * Learn from a list that somebody asked for.
   *
   * @param {List} list
   */
  learn({ rows, askedAt, all, among }) {
    if (this.#which === null) return;
    // Nobody pushes what an admin merely may see.
    const ours = this.seesAll ? rows : rows.filter(({ relation }) => relation !== "admin");
    const told =
      among === null && all !== this.seesAll ? rows.map(({ robotId }) => robotId) : among;
    this.#set(listed(this.#fleet, ours, { askedAt, now: this.#environment.now(), among: told }));
  }

  async #ask() {
    this.#inFlight += 1;
    try {
      await this.#listener.list({ type: "watch", ...this.#which });
      this.#lookAt = this.#which === null ? Infinity : this.#environment.now() + SECOND_LOOK_MS;
      this.#wake();
    } finally {
      this.#inFlight -= 1;
      this.#listener.arrived();
    }
  }

  /**
   * @param {unknown} error
   */
  #failed(error) {
    if (error instanceof SignalingError && error.code === "forbidden") return this.end();
    this.#isToRetry = true;
    this.#wake();
  }

  /**
   * @param {typeof NOTHING} fleet
   */
  #set(fleet) {
    const hasChanged = fleet !== this.#fleet;
    this.#fleet = fleet;
    this.#wake();
    if (hasChanged) this.#listener.changed(robotsOf(fleet));
  }

  #wake() {
    this.#environment.clearTimeout(this.#timer);
    const now = this.#environment.now();
    const due = Math.min(
      dueAt(this.#fleet) ?? Infinity,
      this.#lookAt,
      this.#isToRetry ? now + RETRY_MS : Infinity,
    );
    if (due === Infinity) return;
    this.#timer = this.#environment.setTimeout(() => this.#tick(), Math.max(0, due - now));
  }

  #tick() {
    const now = this.#environment.now();
    const due = toAsk(this.#fleet, now);
    if (due.length && this.#isOnline) this.#look(due);
    if (now >= this.#lookAt) this.#lookAgain(now);
    if (this.#isToRetry) this.again();
    this.#fleet = asked(this.#fleet, due, now);
    this.#set(aged(this.#fleet, now));
  }

  /**
   * The second list after `watch`; where it fails, once more.
   *
   * @param {number} now
   */
  #lookAgain(now) {
    this.#lookAt = Infinity;
    // A connection that comes back lists again.
    if (!this.#isOnline) return;
    this.#listener.list({ type: "robots", ...this.#which }).catch(() => {
      if (this.#which !== null) this.#lookAt = now + RETRY_MS;
      this.#wake();
    });
  }

  /**
   * @param {string[]} robotIds
   */
  #look(robotIds) {
    this.#listener.list({ type: "robots", robotIds }).catch(ignore);
  }
}

/**
 * A list with all its pages.
 *
 * @param {(frame: OutFrame) => Promise<Frame>} request
 * @param {OutFrame} first
 * @param {number} askedAt
 * @returns {Promise<List>}
 */
export async function readList(request, first, askedAt) {
  const all = first.all === true;
  const robotIds = /** @type {string[] | undefined} */ (first.robotIds);
  /** @type {Robot[]} */
  const rows = [];
  let frame = first;
  for (let page = 0; page < PAGES; page += 1) {
    const reply = /** @type {RobotsFrame} */ (await request(frame));
    rows.push(...reply.robots);
    if (reply.cursor === undefined) return { rows, askedAt, all, among: robotIds ?? null };
    frame = { type: "robots", robotIds, all: first.all, cursor: reply.cursor };
  }
  // Cut short: it says nothing of those whom it does not name.
  return { rows, askedAt, all, among: rows.map(({ robotId }) => robotId) };
}

/** Deliberately nothing: it is asked again soon. */
function ignore() {}
