/**
 * What the forms that give a right share: its end, in local time; what is wrong, at the field
 * concerned; and one press at a time.
 */

import { SignalingError } from "../robosignal/index.js";
import { sentence } from "./banner.js";
import { at } from "./draw.js";

const END = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

/** By which name a form calls a field of the protocol, and which of its inputs that is. */
const FIELDS = {
  userId: ["The user id", "id"],
  group: ["The group", "id"],
  until: ["The end", "until"],
  role: ["The right", "role"],
  uses: ["The number of people", "uses"],
  ttlSeconds: ["The time", "hours"],
  code: ["The code", "code"],
};

/**
 * @param {string} id
 */
export const input = (id) => /** @type {HTMLInputElement} */ (at(id));

/**
 * A date and time with its zone, so that it is never read as another one.
 *
 * @param {number} time epoch ms
 */
export const endWords = (time) => END.format(time);

/**
 * What an input of the type `datetime-local` has for a time: local time, to the minute.
 *
 * @param {number} time epoch ms
 */
export function toLocalInput(time) {
  const date = new Date(time);
  const local = new Date(time - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/**
 * When a form's right ends.
 *
 * @param {string} form
 * @returns {number | undefined} epoch ms; undefined for no end
 */
export function readEnd(form) {
  const { value } = input(`${form}-until`);
  // A date and time without a zone are the browser's own.
  const time = value === "" ? NaN : new Date(value).getTime();
  return Number.isNaN(time) ? undefined : time;
}

/**
 * Say in words which end a form's field means.
 *
 * @param {string} form
 */
export function showEnd(form) {
  const end = readEnd(form);
  at(`${form}-until-hint`).textContent = end === undefined ? "No end." : `Ends ${endWords(end)}.`;
}

/**
 * A refusal, with the input that it is about; null for one that is about none.
 *
 * @param {string} message the server's
 * @returns {{where: string | null, words: string}}
 */
export function readRefusal(message) {
  const [, name, problem] = /^(\w+): (.*)$/s.exec(message) ?? [];
  if (name === undefined || !Object.hasOwn(FIELDS, name))
    return { where: null, words: sentence(message) };
  const [label, where] = /** @type {[string, string]} */ (
    FIELDS[/** @type {keyof FIELDS} */ (name)]
  );
  return { where, words: sentence(`${label} ${problem}`) };
}

/**
 * Say at a form's inputs what is wrong, or that nothing is.
 *
 * @param {string} form
 * @param {unknown} wrong an error, or words by input
 */
export function complain(form, wrong) {
  /** @type {Record<string, string>} */
  let words = /** @type {any} */ (wrong);
  if (wrong instanceof Error) {
    if (!(wrong instanceof SignalingError)) throw wrong;
    const refusal = readRefusal(wrong.message);
    const isThere =
      refusal.where !== null && document.getElementById(`${form}-${refusal.where}-wrong`);
    words = { [isThere ? String(refusal.where) : "form"]: refusal.words };
  }
  for (const place of at(`${form}-form`).querySelectorAll(".wrong")) {
    const name = place.id.slice(form.length + 1, -"-wrong".length);
    place.textContent = words[name] ?? "";
    const about = document.getElementById(`${form}-${name}`);
    if (about instanceof HTMLElement && about !== at(`${form}-form`)) {
      about.setAttribute("aria-invalid", String(name in words));
      if (name in words) about.focus();
    }
  }
}

/**
 * Mark a part of the page as busy, or no longer. Its buttons stay focusable, and do nothing meanwhile.
 *
 * @param {string} id
 * @param {boolean} isBusy
 * @returns {boolean} false if it was busy already
 */
export function setBusy(id, isBusy) {
  const part = at(id);
  if (isBusy && part.getAttribute("aria-busy") === "true") return false;
  part.setAttribute("aria-busy", String(isBusy));
  for (const button of part.querySelectorAll("button:not([data-action=close-aside])"))
    button.setAttribute("aria-disabled", String(isBusy));
  return true;
}
