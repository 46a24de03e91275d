/**
 * Invites a user to a robot: makes a code, and shows it once, with the link that brings it.
 */

import { at, write } from "./draw.js";
import { complain, input, readEnd, setBusy, showEnd } from "./right-form.js";
import { inviteEnds, linkOf } from "./rights.js";
import { home } from "./sign-in.js";

/** @typedef {import("../robosignal/index.js").Signal} Signal */

const HOUR_S = 3_600;
const NOT_COPIED = "The browser does not let this page copy. It is selected: copy it yourself.";

/** Forget the code that is shown, and what the form says. */
export function resetInvite() {
  /** @type {HTMLFormElement} */ (at("invite-form")).reset();
  complain("invite", {});
  hideCode();
  showEnd("invite");
}

function hideCode() {
  at("invite-made").hidden = true;
  at("invite-link").textContent = "";
  at("invite-text").textContent = "";
  write("invite-note", "");
}

/**
 * Make the invitation that the form asks for, and show it.
 *
 * @param {Signal} signal
 */
export async function submitInvite(signal) {
  const title = at("sharing-title");
  const robotId = String(title.textContent);
  const isStill = () => title.textContent === robotId && !at("sharing").hidden;
  if (!setBusy("sharing", true)) return;
  complain("invite", {});
  hideCode();
  const uses = input("invite-uses").valueAsNumber;
  try {
    const { code, expiresAt } = await signal.invite({
      robotId,
      role: /** @type {"operator" | "viewer"} */ (input("invite-role").value),
      until: readEnd("invite"),
      ttlSeconds: Math.round(input("invite-hours").valueAsNumber * HOUR_S),
      uses,
    });
    if (!isStill()) return;
    at("invite-link").textContent = linkOf(home(), code);
    at("invite-text").textContent = code;
    at("invite-ends").textContent = inviteEnds(expiresAt, uses);
    at("invite-made").hidden = false;
    at("invite-copy").focus();
  } catch (error) {
    if (isStill()) complain("invite", error);
  } finally {
    setBusy("sharing", false);
  }
}

/**
 * Copy the link or the code.
 *
 * @param {"invite-link" | "invite-text"} id
 */
export async function copyInvite(id) {
  try {
    await navigator.clipboard.writeText(String(at(id).textContent));
    write("invite-note", "Copied.");
  } catch {
    getSelection()?.selectAllChildren(at(id));
    write("invite-note", NOT_COPIED);
  }
}
