/**
 * The robots that an application watches: who is online, who drives, and until when that can be
 * believed. `Presence` asks for the listing, hears the pushes, and asks again for what has run out.
 */

import { SignalingError } from "./errors.js";

/** @import { Environment } from "./environment.js" */
/** @import { Frame, Offered, OutFrame, PresenceFrame, Robot, RobotsFrame } from "./types.js" */

/**
 * What is known of a robot, with times in ms: it can be believed until `until`, and is asked for again
 * at `askAt`.
 *
 * @typedef {{robot: Robot, rev: number, heardAt: number, askAt: number, until: number}} Known
 */
/** @typedef {ReadonlyMap<string, Known>} Fleet by robot id */
/**
 * A listing with all its pages. `among` names the robots that it was to tell of; null for everyone's
 * (`all`: of all users). `offered`: the robots that are offered to the user; null if it does not tell.
 *
 * @typedef {{rows: Robot[], askedAt: number, all: boolean, among: readonly string[] | null, offered: Offered[] | null}} Listing
 */
/**
 * @typedef {object} PresenceListener
 * @property {(first: OutFrame) => Promise<Listing>} list
 * @property {(robots: Robot[]) => void} changed
 * @property {() => void} settled the server tells the current socket
 */

/** Pushes are best effort, so even what has no end is asked for again after so long. */
const LONGEST_MS = 300_000;
const SHORTEST_MS = 2_000;
const LONGEST_MARGIN_MS = 5_000;
/** How many robots a request may name, by the protocol. */
const PAGE = 50;
const MAX_PAGES = 100;
const RETRY_MS = 5_000;
/** The server finds watchers in an index that may lag: what changed until then wasn't pushed. */
const SECOND_LOOK_MS = 5_000;

/** @type {Fleet} */
export const EMPTY = new Map();

/**
 * Apply a listing. Of the robots in `among`, those that it doesn't name are gone, unless news of them
 * came since it was asked for.
 *
 * @param {Fleet} fleet
 * @param {readonly Robot[]} rows
 * @param {{askedAt: number, now: number, among: readonly string[] | null}} when times in ms
 * @returns {Fleet}
 */
export function applyListing(fleet, rows, { askedAt, now, among }) {
  const next = new Map(fleet);
  const named = new Set(rows.map(({ robotId }) => robotId));
  for (const robotId of among ?? fleet.keys()) {
    const heardAt = fleet.get(robotId)?.heardAt ?? 0;
    if (!named.has(robotId) && askedAt >= heardAt) next.delete(robotId);
  }
  for (const row of rows) {
    const known = fleet.get(row.robotId);
    const isNews = known === undefined || askedAt >= known.heardAt || (row.rev ?? 0) >= known.rev;
    const heardAt = Math.max(askedAt, known?.heardAt ?? 0);
    const fresh = isNews ? { ...newKnown({ ...row, stale: false }, now), heardAt } : known;
    next.set(row.robotId, fresh);
  }
  return next;
}

/**
 * Apply a push.
 *
 * @param {Fleet} fleet
 * @param {PresenceFrame} frame
 * @param {number} now ms
 * @returns {Fleet | null} null for an unknown robot: only a listing says whose it is
 */
export function applyPush(fleet, frame, now) {
  const { robotId, rev, online, validForSeconds, controlledBy, notRenewed } = frame;
  const known = fleet.get(robotId);
  if (known === undefined) return null;
  if (rev < known.rev) return fleet;
  const robot = {
    ...known.robot,
    rev,
    online,
    validForSeconds,
    controlledBy,
    notRenewed,
    stale: false,
  };
  return new Map(fleet).set(robotId, newKnown(robot, now));
}

/**
 * Mark what has run out.
 *
 * @param {Fleet} fleet
 * @param {number} now ms
 * @returns {Fleet} the same one if nothing has
 */
export function markStale(fleet, now) {
  const over = [...fleet].filter(([, { robot, until }]) => !robot.stale && now >= until);
  if (over.length === 0) return fleet;
  const next = new Map(fleet);
  for (const [id, known] of over)
    next.set(id, { ...known, robot: { ...known.robot, stale: true } });
  return next;
}

/**
 * @param {Fleet} fleet
 * @returns {number | null} when a robot is to be asked for again or marked, in ms
 */
export function nextDue(fleet) {
  const times = [...fleet.values()].map(({ robot, askAt, until }) =>
    robot.stale ? askAt : Math.min(askAt, until),
  );
  return times.length ? Math.min(...times) : null;
}

/**
 * @param {Fleet} fleet
 * @param {number} now ms
 * @returns {string[]} the robots to ask for again, as many as a request may name; with them those that
 *   are due very soon
 */
export function robotsToAsk(fleet, now) {
  const dueBy = (/** @type {number} */ time) =>
    [...fleet].filter(([, { askAt }]) => time >= askAt).map(([robotId]) => robotId);
  return dueBy(now).length === 0 ? [] : dueBy(now + LONGEST_MARGIN_MS).slice(0, PAGE);
}

/**
 * Note that these robots were asked for: they are asked for again in a while, should no answer come.
 *
 * @param {Fleet} fleet
 * @param {readonly string[]} robotIds
 * @param {number} now ms
 * @returns {Fleet}
 */
export function markAsked(fleet, robotIds, now) {
  const next = new Map(fleet);
  for (const robotId of robotIds) {
    const known = next.get(robotId);
    if (known) next.set(robotId, { ...known, askAt: now + LONGEST_MARGIN_MS });
  }
  return next;
}

/**
 * @param {Fleet} fleet
 * @returns {Robot[]}
 */
export const robotsOf = (fleet) => [...fleet.values()].map(({ robot }) => robot);

/**
 * @param {Robot} robot
 * @param {number} now ms
 * @returns {Known}
 */
function newKnown(robot, now) {
  // What is said of an offline robot has no end, but the push that ends it may be lost.
  const isLimited = robot.online && robot.validForSeconds !== undefined;
  const holdsMs = isLimited
    ? Math.min(LONGEST_MS, Number(robot.validForSeconds) * 1000)
    : LONGEST_MS;
  const margin = Math.min(LONGEST_MARGIN_MS, holdsMs / 10);
  return {
    robot,
    rev: robot.rev ?? 0,
    heardAt: now,
    until: now + Math.max(SHORTEST_MS, holdsMs),
    askAt: now + Math.max(SHORTEST_MS, holdsMs - margin),
  };
}

export class Presence {
  #environment;
  #listener;
  /**
   * What is watched; null for nothing.
   *
   * @type {{all?: boolean} | null}
   */
  #watched = null;
  #fleet = EMPTY;
  #isOnline = false;
  /** How many `watch` requests have no reply yet. */
  #openRequests = 0;
  #mustRetry = false;
  /** When everything is listed a second time, in ms. */
  #secondLookAt = Infinity;
  /** @type {unknown} */
  #timer = undefined;

  /**
   * @param {Environment} environment
   * @param {PresenceListener} listener
   */
  constructor(environment, listener) {
    this.#environment = environment;
    this.#listener = listener;
  }

  /** Whether the server tells the current socket, if anything is watched. */
  get isSettled() {
    return this.#openRequests === 0 && !this.#mustRetry;
  }

  get #watchesAll() {
    return this.#watched?.all === true;
  }

  /**
   * Watch from now on.
   *
   * @param {{all?: boolean}} what
   * @returns {Promise<Robot[]>} the robots now
   */
  async watch(what) {
    const before = this.#watched;
    this.#watched = what;
    try {
      await this.#ask();
    } catch (error) {
      if (this.#watched === what) this.#watched = before;
      throw error;
    }
    return robotsOf(this.#fleet);
  }

  /** Watch nothing. */
  stop() {
    this.#watched = null;
    this.#fleet = EMPTY;
    this.#mustRetry = false;
    this.#secondLookAt = Infinity;
    this.#environment.clearTimeout(this.#timer);
  }

  /**
   * @param {boolean} isOnline whether signaling is up now
   */
  setOnline(isOnline) {
    const isBack = isOnline && !this.#isOnline;
    this.#isOnline = isOnline;
    // A request that still waits for a connection is sent now, and does.
    if (isBack && this.#openRequests === 0) this.watchAgain();
  }

  /** Another socket is the current one, on which the server tells nothing yet. */
  watchAgain() {
    if (this.#watched === null || !this.#isOnline) return;
    this.#mustRetry = false;
    this.#ask().catch((error) => this.#handleError(error));
  }

  /**
   * @param {PresenceFrame} frame a push
   * @returns {boolean} whether it was news
   */
  push(frame) {
    if (this.#watched === null) return false;
    const next = applyPush(this.#fleet, frame, this.#environment.now());
    if (next === null) this.#list([frame.robotId]);
    const isNews = next !== null && next !== this.#fleet;
    if (isNews) this.#set(next);
    return isNews;
  }

  /**
   * Learn from a listing that something else asked for.
   *
   * @param {Listing} listing
   */
  learn({ rows, askedAt, all, among }) {
    if (this.#watched === null) return;
    // The server doesn't push what an admin merely may see.
    const ours = this.#watchesAll ? rows : rows.filter(({ relation }) => relation !== "admin");
    const isOther = among === null && all !== this.#watchesAll;
    const told = isOther ? rows.map(({ robotId }) => robotId) : among;
    const now = this.#environment.now();
    this.#set(applyListing(this.#fleet, ours, { askedAt, now, among: told }));
  }

  async #ask() {
    this.#openRequests += 1;
    try {
      await this.#listener.list({ type: "watch", ...this.#watched });
      const lookAt = this.#environment.now() + SECOND_LOOK_MS;
      this.#secondLookAt = this.#watched === null ? Infinity : lookAt;
      this.#wakeWhenDue();
    } finally {
      this.#openRequests -= 1;
      this.#listener.settled();
    }
  }

  /**
   * @param {unknown} error
   */
  #handleError(error) {
    if (error instanceof SignalingError && error.code === "forbidden") return this.stop();
    this.#mustRetry = true;
    this.#wakeWhenDue();
  }

  /**
   * @param {Fleet} fleet
   */
  #set(fleet) {
    const hasChanged = fleet !== this.#fleet;
    this.#fleet = fleet;
    this.#wakeWhenDue();
    if (hasChanged) this.#listener.changed(robotsOf(fleet));
  }

  #wakeWhenDue() {
    this.#environment.clearTimeout(this.#timer);
    const now = this.#environment.now();
    const retryAt = this.#mustRetry ? now + RETRY_MS : Infinity;
    const due = Math.min(nextDue(this.#fleet) ?? Infinity, this.#secondLookAt, retryAt);
    if (due === Infinity) return;
    this.#timer = this.#environment.setTimeout(() => this.#tick(), Math.max(0, due - now));
  }

  #tick() {
    const now = this.#environment.now();
    const due = robotsToAsk(this.#fleet, now);
    if (due.length && this.#isOnline) this.#list(due);
    if (now >= this.#secondLookAt) this.#lookAgain(now);
    if (this.#mustRetry) this.watchAgain();
    this.#fleet = markAsked(this.#fleet, due, now);
    this.#set(markStale(this.#fleet, now));
  }

  /**
   * List a second time after `watch`; if that fails, once more.
   *
   * @param {number} now ms
   */
  #lookAgain(now) {
    this.#secondLookAt = Infinity;
    // A connection that comes back lists again.
    if (!this.#isOnline) return;
    this.#listener.list({ type: "robots", ...this.#watched }).catch(() => {
      if (this.#watched !== null) this.#secondLookAt = now + RETRY_MS;
      this.#wakeWhenDue();
    });
  }

  /**
   * @param {string[]} robotIds
   */
  #list(robotIds) {
    this.#listener.list({ type: "robots", robotIds }).catch(ignore);
  }
}

/**
 * Read a listing with all its pages.
 *
 * @param {(frame: OutFrame) => Promise<Frame>} request
 * @param {OutFrame} first
 * @param {number} askedAt ms
 * @returns {Promise<Listing>}
 */
export async function readListing(request, first, askedAt) {
  const all = first.all === true;
  const robotIds = /** @type {string[] | undefined} */ (first.robotIds);
  /** @type {Robot[]} */
  const rows = [];
  /** @type {Offered[] | null} */
  let offered = null;
  let frame = first;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const reply = /** @type {RobotsFrame} */ (await request(frame));
    rows.push(...reply.robots);
    if (page === 0 && robotIds === undefined) offered = reply.offered ?? [];
    if (reply.cursor === undefined) return { rows, askedAt, all, among: robotIds ?? null, offered };
    frame = { type: "robots", robotIds, all: first.all, cursor: reply.cursor };
  }
  // Cut short: it says nothing of the robots that it doesn't name.
  return { rows, askedAt, all, among: rows.map(({ robotId }) => robotId), offered };
}

/** Deliberately nothing: it's asked for again soon. */
function ignore() {}
