/**
 * What the forms that give a right share: its end, in local time; what is wrong, at the field
 * concerned; and one press at a time.
 */

import { SignalingError } from "../robosignal/index.js";
import { at } from "./draw.js";
import { endWords, readRefusal } from "./rights.js";

/**
 * @param {string} id
 */
export const input = (id) => /** @type {HTMLInputElement} */ (at(id));

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
 * Say at a form's inputs what is wrong, or that nothing is.
 *
 * @param {string} form
 * @param {unknown} wrong an error, or words by input
 * @param {string} [otherwise] the input of an error that is about none; the whole form by default
 */
export function complain(form, wrong, otherwise = "form") {
  /** @type {Record<string, string>} */
  let words = /** @type {any} */ (wrong);
  if (wrong instanceof Error) {
    if (!(wrong instanceof SignalingError)) throw wrong;
    const { where, words: said } = readRefusal(wrong.message);
    const isThere = where !== null && document.getElementById(`${form}-${where}-wrong`) !== null;
    words = { [isThere ? where : otherwise]: said };
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
