/**
 * Accepts an invitation: by a code that the user types, or that a link brings in its fragment. A
 * link's code waits in the tab until its user has signed in.
 */

import { closeAside, openAside } from "./aside.js";
import { at } from "./draw.js";
import { complain, input, setBusy } from "./right-form.js";
import { tabStorage } from "./tab.js";

/** @typedef {import("../robosignal/index.js").Signal} Signal */

const KEPT = "robosignal.accept";
const BY_LINK = "You were sent this invitation. If you accept it, the robot comes into your list.";
const BY_HAND = "Type the code that the robot’s owner has sent you.";

/**
 * Keep the code of a link until it is accepted or put away.
 *
 * @param {string} code
 */
export const keepInvitation = (code) => tabStorage.setItem(KEPT, code);

/** The code that a link has brought; null for none. */
export const invitation = () => tabStorage.getItem(KEPT);

/**
 * Show the form in place of the list.
 *
 * @param {Signal} signal
 */
export function openAccept(signal) {
  const code = invitation();
  /** @type {HTMLFormElement} */ (at("accept-form")).reset();
  complain("accept", {});
  input("accept-code").value = code ?? "";
  at("accept-text").textContent = code === null ? BY_HAND : BY_LINK;
  at("accept-me").textContent = signal.me?.userId ?? "";
  at("accept-your-id").hidden = signal.me === null;
  const focus = code === null ? "accept-code" : "accept-submit";
  openAside("accept", { focus, back: "have-code", leave: () => tabStorage.removeItem(KEPT) });
}

/**
 * Accept the invitation that the form names.
 *
 * @param {Signal} signal
 * @returns {Promise<{robotId: string, role: string} | null>} null if it was not accepted
 */
export async function submitAccept(signal) {
  const code = input("accept-code").value.trim();
  if (!setBusy("accept", true)) return null;
  complain("accept", {});
  try {
    const accepted = await signal.accept(code);
    if (!at("accept").hidden) closeAside();
    return accepted;
  } catch (error) {
    // A code that the server does not know, or no longer takes, is no mistake of another field.
    if (!at("accept").hidden) complain("accept", error, "code");
    return null;
  } finally {
    setBusy("accept", false);
  }
}
