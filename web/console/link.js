/**
 * What the link that opened this page brings in its fragment: a token, or a code to exchange for
 * one. It is taken out of the address and of the tab's history before anything else is loaded.
 */

import { showAddress } from "./tab.js";

/** @typedef {{token: string | null, code: string | null}} Link */

/**
 * @returns {Link}
 */
function takeFromAddress() {
  const brought = new URLSearchParams(location.hash.slice(1));
  const link = { token: brought.get("token"), code: brought.get("code") };
  if (link.token || link.code) showAddress(location.pathname + location.search);
  return link;
}

export const link = takeFromAddress();

/** A second link opened in this tab changes only the fragment: begin again with what it brings. */
export function followLinks() {
  addEventListener("hashchange", () => {
    if (/^#(token|code)=/.test(location.hash)) location.reload();
  });
}
