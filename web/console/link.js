/**
 * What the link that opened this page brings in its fragment: a token, a code to exchange for one,
 * or the code of an invitation. It is taken out of the address and of the tab's history before anything else is loaded.
 */

import { showAddress } from "./tab.js";

/** @typedef {{token: string | null, code: string | null, accept: string | null}} Link */

/**
 * @returns {Link}
 */
function takeFromAddress() {
  const brought = new URLSearchParams(location.hash.slice(1));
  const link = {
    token: brought.get("token"),
    code: brought.get("code"),
    accept: brought.get("accept"),
  };
  if (link.token || link.code || link.accept) showAddress(location.pathname + location.search);
  return link;
}

export const link = takeFromAddress();

/**
 * A second link opened in this tab changes only the fragment. One that signs in begins again with what
 * it brings; an invitation ends no session.
 *
 * @param {(code: string) => void} invited called with the code of an invitation
 */
export function followLinks(invited) {
  addEventListener("hashchange", () => {
    if (/^#(token|code)=/.test(location.hash)) return location.reload();
    const { accept } = takeFromAddress();
    if (accept) invited(accept);
  });
}
