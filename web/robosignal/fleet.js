/**
 * What is known of the robots that are watched: who is online, who drives, and until when that can
 * be believed. Pure; it never asks anybody.
 */

/** @import { PresenceFrame, Robot } from "./types.js" */

/** Pushes are best effort, so even what has no end is asked for again after so long. */
const LONGEST_MS = 300_000;
const SHORTEST_MS = 2_000;
const LONGEST_MARGIN_MS = 5_000;
/** The protocol's: so many robots a request may name. */
const PAGE = 50;

/** @typedef {{robot: Robot, rev: number, heardAt: number, askAt: number, until: number}} Known all in ms; `until`: what is said of presence and control holds so long */
/** @typedef {ReadonlyMap<string, Known>} Fleet */

/** @type {Fleet} */
export const NOTHING = new Map();

/**
 * Rows of a list that was asked for at `askedAt`. `among`: whom it was to tell of, null for all;
 * whoever of these is not in it is there no more, unless news of them came since it was asked for.
 *
 * @param {Fleet} fleet
 * @param {readonly Robot[]} rows
 * @param {{askedAt: number, now: number, among: readonly string[] | null}} when
 * @returns {Fleet}
 */
export function listed(fleet, rows, { askedAt, now, among }) {
  const next = new Map(fleet);
  const named = new Set(rows.map(({ robotId }) => robotId));
  for (const robotId of among ?? fleet.keys()) {
    if (!named.has(robotId) && askedAt >= (fleet.get(robotId)?.heardAt ?? 0)) next.delete(robotId);
  }
  for (const row of rows) {
    const known = fleet.get(row.robotId);
    const isNews = known === undefined || askedAt >= known.heardAt || (row.rev ?? 0) >= known.rev;
    const heardAt = Math.max(askedAt, known?.heardAt ?? 0);
    next.set(row.robotId, isNews ? { ...told({ ...row, stale: false }, now), heardAt } : known);
  }
  return next;
}

/**
 * A push. Null when the robot is not known: only a list says whose it is.
 *
 * @param {Fleet} fleet
 * @param {PresenceFrame} frame
 * @param {number} now
 * @returns {Fleet | null}
 */
export function pushed(fleet, { robotId, rev, online, validForSeconds, controlledBy }, now) {
  const known = fleet.get(robotId);
  if (known === undefined) return null;
  if (rev < known.rev) return fleet;
  const robot = { ...known.robot, rev, online, validForSeconds, controlledBy, stale: false };
  return new Map(fleet).set(robotId, told(robot, now));
}

/**
 * The same, with what has run out by now marked as stale.
 *
 * @param {Fleet} fleet
 * @param {number} now
 * @returns {Fleet} the very same if nothing has
 */
export function aged(fleet, now) {
  const over = [...fleet].filter(([, { robot, until }]) => !robot.stale && now >= until);
  if (over.length === 0) return fleet;
  return new Map([
    ...fleet,
    ...over.map(
      ([id, known]) =>
        /** @type {const} */ ([id, { ...known, robot: { ...known.robot, stale: true } }]),
    ),
  ]);
}

/**
 * When something is to be asked for again, or to be marked; null when nothing is known.
 *
 * @param {Fleet} fleet
 * @returns {number | null}
 */
export function dueAt(fleet) {
  const dues = [...fleet.values()].map(({ robot, askAt, until }) =>
    robot.stale ? askAt : Math.min(askAt, until),
  );
  return dues.length ? Math.min(...dues) : null;
}

/**
 * The robots to be asked for again by now, as many as one request may name; with them those that
 * are due very soon.
 *
 * @param {Fleet} fleet
 * @param {number} now
 * @returns {string[]}
 */
export function toAsk(fleet, now) {
  const due = (/** @type {number} */ by) =>
    [...fleet].filter(([, { askAt }]) => by >= askAt).map(([robotId]) => robotId);
  return due(now).length === 0 ? [] : due(now + LONGEST_MARGIN_MS).slice(0, PAGE);
}

/**
 * The same after these were asked for: again in a while, should no answer come.
 *
 * @param {Fleet} fleet
 * @param {readonly string[]} robotIds
 * @param {number} now
 * @returns {Fleet}
 */
export function asked(fleet, robotIds, now) {
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
 * @param {number} now
 * @returns {Known}
 */
function told(robot, now) {
  // What is said of a robot that is offline has no end, but the push that ends it may be lost.
  const holds =
    robot.online && robot.validForSeconds !== undefined
      ? Math.min(LONGEST_MS, robot.validForSeconds * 1000)
      : LONGEST_MS;
  const margin = Math.min(LONGEST_MARGIN_MS, holds / 10);
  return {
    robot,
    rev: robot.rev ?? 0,
    heardAt: now,
    until: now + Math.max(SHORTEST_MS, holds),
    askAt: now + Math.max(SHORTEST_MS, holds - margin),
  };
}
