/**
 * What time does to an engagement: what is due, and when a silent robot counts as gone. Pure.
 */

import { lapse } from "./control.js";
import { explainLateness } from "./media.js";
import { RETRY_MS, begin, renew, rest, sendOffer } from "./offers.js";
import { whyNoPath } from "./paths.js";
import { LEFT } from "./frames.js";
import { expire } from "./replies.js";

/** @import { Engagement, Moment, Stepped } from "./machine.js" */

const SILENCE_MS = 3_000;
const LONG_SILENCE_MS = 10_000;
const CHANNEL_CLOSED_MS = 1_000;
const NO_PATH = "no path";

/**
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
export function tick(state, at) {
  const [fresh, told] = lapse(state, at);
  const isLate = fresh.asked && at.now >= fresh.askedUntil;
  const [next, effects] = isLate ? expire(fresh) : watchOver(explainLateness(fresh, at), at);
  return [next, [...told, ...effects]];
}

/**
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {Stepped}
 */
function watchOver(state, at) {
  const due = (/** @type {number | null} */ time) => time !== null && at.now >= time;
  // Nothing can be offered, but a path that is dead is not shown as one that lives.
  const isCut = !state.online && state.phase === "linked" && troubleOf(state, at) !== null;
  if (isCut !== state.isCut) return watchOver({ ...state, isCut }, at);
  if (!state.online) return [state, []];
  if (state.phase === "waiting" && due(state.retryAt))
    return state.offer === null ? begin(state, at) : sendOffer(state, at);
  if (state.phase === "offering" && due(state.answerAt))
    return rest(state, "The robot does not respond. Trying again.", at);
  if (state.phase === "linked") {
    const trouble = troubleOf(state, at);
    if (trouble === NO_PATH)
      return rest({ ...state, acked: true, pathless: true }, whyNoPath(state), at);
    if (trouble !== null) return begin({ ...state, why: trouble }, at);
    // A dead path shows only after seconds; the server often knows sooner.
    if (isSilent(state, at) && due(state.lookAt))
      return [{ ...state, lookAt: at.now + RETRY_MS }, [{ do: "look" }]];
  }
  return due(state.renewAt) ? renew(state, at) : [state, []];
}

/**
 * Whether a data channel that used to answer does not.
 *
 * @param {Engagement} state
 * @param {{now: number}} at
 */
function isSilent({ pongAt }, { now }) {
  return pongAt !== null && now - pongAt >= SILENCE_MS;
}

/**
 * The sentence for a peer connection that is dead, `NO_PATH` for one that never lived, or null.
 *
 * @param {Engagement} state
 * @param {Moment} at
 * @returns {string | null}
 */
function troubleOf(state, { now }) {
  const since = (/** @type {number | null} */ time, /** @type {number} */ ms) =>
    time !== null && now - time >= ms;
  const silent = isSilent(state, { now });
  const pathless = since(state.iceLostAt, SILENCE_MS) && (silent || state.pongAt === null);
  const dead = state.ice === "failed" || pathless || (silent && state.absent);
  if (state.linkAt !== null && (dead || now >= state.linkAt)) return NO_PATH;
  const over =
    since(state.pongAt, LONG_SILENCE_MS) || since(state.channelClosedAt, CHANNEL_CLOSED_MS);
  return dead || over ? LEFT.unregistered : null;
}
