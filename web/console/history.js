/**
 * Who drove and who watched a robot, beside the panel: a driver who reads it keeps video and STOP.
 */

import { SignalingError } from "../robosignal/index.js";
import { openAside } from "./aside.js";
import { quote, sentence } from "./banner.js";
import { at } from "./draw.js";

/** @typedef {import("../robosignal/index.js").Signal} Signal */
/** @typedef {import("../robosignal/types.js").Interval} Interval */
/** @typedef {import("../robosignal/types.js").HistoryFrame} HistoryFrame */

/** @type {Record<string, string>} */
const ENDS = {
  lapsed: "The connection was lost, or not renewed.",
  granted: "Control was handed over.",
  released: "Released control, and went on watching.",
  promoted: "Went on as the driver.",
  reconnected: "Went on from another page.",
  left: "Left.",
  dismissed: "The robot ended it.",
  unreachable: "The robot or the page could not be reached.",
  unanswered: "Undone: the page was never answered.",
  restarted: "The robot’s program restarted.",
  unregistered: "The robot signed off.",
  unrecorded: "Ended by then; how is not recorded.",
};
/** @type {Record<string, string>} */
const ENDS_BY = {
  takeover: "took over.",
  forgotten: "had the robot forgotten.",
  unshared: "ended the share.",
  transferred: "gave the robot to another owner.",
  revoked: "ended the robot's key.",
};

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const BOTH = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const UNITS = /** @type {const} */ ([
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
]);

/** What is asked for: a robot, a time (epoch ms) or null for all times, and where the list goes on. */
const open = {
  robotId: "",
  /** @type {number | null} */
  time: null,
  /** @type {string | undefined} */
  cursor: undefined,
  day: "",
  /** Counts what is asked, so that a late answer to an earlier question is not shown. */
  question: 0,
};

/**
 * How long something took, in its two largest units.
 *
 * @param {number} ms
 */
export function formatLength(ms) {
  let left = Math.max(0, Math.round(ms / 1000) * 1000);
  const parts = [];
  for (const [name, size] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0 || parts.length > 0) parts.push(`${count} ${name}`);
  }
  return parts.length === 0 ? "less than 1 s" : parts.slice(0, 2).join(" ");
}

/**
 * Why an interval ended, or that it has not.
 *
 * @param {Interval} interval
 */
export function endSentence({ reason, by, lapsesAt }) {
  if (reason === undefined)
    return lapsesAt === undefined
      ? "Has not ended."
      : "The connection is lost; this ends unless it comes back.";
  const act = ENDS_BY[reason];
  if (act === undefined) return ENDS[reason] ?? sentence(reason);
  return by === undefined ? `Another user ${act}` : `${quote({ userId: by })} ${act}`;
}

/**
 * When it was, as far as that is known.
 *
 * @param {Interval} interval
 */
export function spanSentence({ since, sinceKnown = true, until, untilKnown = true }) {
  const begins = `${sinceKnown ? "" : "by "}${CLOCK.format(since)}`;
  if (until === undefined) return `since ${begins}`;
  const isSameDay = DAY.format(since) === DAY.format(until);
  const ends = `${untilKnown ? "" : "by "}${(isSameDay ? CLOCK : BOTH).format(until)}`;
  const length = sinceKnown && untilKnown ? ` · ${formatLength(until - since)}` : "";
  return `${begins} – ${ends}${length}`;
}

/**
 * Show a robot's history in place of the list.
 *
 * @param {Signal} signal
 * @param {string} robotId
 */
export function openHistory(signal, robotId) {
  Object.assign(open, { robotId, time: null });
  at("history-title").textContent = robotId;
  /** @type {HTMLInputElement} */ (at("history-at")).value = "";
  openAside("history", { robotId, focus: "history-title", leave: () => (open.question += 1) });
  void showFirst(signal);
}

/**
 * Show who was there at the time that the field says; without one, the latest.
 *
 * @param {Signal} signal
 */
export function searchHistory(signal) {
  const { value } = /** @type {HTMLInputElement} */ (at("history-at"));
  // A date and time without a zone are the browser's own.
  const time = value === "" ? NaN : new Date(value).getTime();
  open.time = Number.isNaN(time) ? null : time;
  void showFirst(signal);
}

/**
 * @param {Signal} signal
 */
async function showFirst(signal) {
  Object.assign(open, { cursor: undefined, day: "" });
  at("intervals").replaceChildren();
  await showMore(signal);
}

/**
 * Ask for the next page, and show it below the others.
 *
 * @param {Signal} signal
 */
export async function showMore(signal) {
  const question = ++open.question;
  const { robotId, time, cursor } = open;
  const when = time === null ? {} : { since: time, until: time };
  say("Asking…");
  offerMore(false);
  try {
    const reply = await signal.request({ type: "history", robotId, ...when, cursor });
    if (question === open.question) draw(/** @type {HistoryFrame} */ (reply));
  } catch (error) {
    if (!(error instanceof SignalingError)) throw error;
    if (question === open.question) say(sentence(error.message));
  }
}

/**
 * @param {HistoryFrame} page
 */
function draw({ intervals, gaps = [], keptSince, cursor }) {
  const isFirst = open.cursor === undefined;
  open.cursor = cursor;
  for (const interval of intervals) addInterval(interval, intervals);
  const gap = isFirst ? gaps[0] : undefined;
  const notes = [
    isFirst && intervals.length === 0 ? noOne() : "",
    gap
      ? `The server did not run from ${BOTH.format(gap.since)} until ${BOTH.format(gap.until)}.`
      : "",
    cursor === undefined ? `Kept since ${BOTH.format(keptSince)}.` : "",
  ];
  say(notes.filter(Boolean).join(" "));
  offerMore(cursor !== undefined);
}

function noOne() {
  return open.time === null
    ? "No one has driven or watched this robot."
    : `At ${BOTH.format(open.time)} no one drove or watched this robot.`;
}

/**
 * @param {Interval} interval
 * @param {Interval[]} among
 */
function addInterval(interval, among) {
  const day = DAY.format(interval.since);
  if (day !== open.day) {
    open.day = day;
    add(at("intervals"), "li", "day").textContent = day;
  }
  const item = add(at("intervals"), "li", "interval");
  item.dataset.role = interval.role;
  item.dataset.sessionId = interval.sessionId;
  const who = quote(interval.person, ...among.map(({ person }) => person));
  const drives = interval.until === undefined;
  const did =
    interval.role === "controller" ? (drives ? "drives" : "drove") : drives ? "watches" : "watched";
  add(item, "p", "did").textContent = `${who} ${did}`;
  add(item, "p", "span").textContent = spanSentence(interval);
  add(item, "p", "end").textContent = endSentence(interval);
}

/**
 * @param {Element} parent
 * @param {string} tag
 * @param {string} name
 * @returns {HTMLElement}
 */
function add(parent, tag, name) {
  const child = document.createElement(tag);
  child.className = name;
  parent.append(child);
  return child;
}

/**
 * @param {string} words
 */
function say(words) {
  at("history-note").textContent = words;
}

/**
 * @param {boolean} isOffered
 */
function offerMore(isOffered) {
  const more = /** @type {HTMLButtonElement} */ (at("history-more"));
  more.hidden = !isOffered;
}
