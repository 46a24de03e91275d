/**
 * Where the console's token comes from: the link's fragment, kept for this tab alone.
 * It never judges the token; what it reads of it is for display and for what to ask first.
 */

const KEPT = "robosignal.token";

/**
 * The token of the link or of this tab, or null. A fragment that bears one is taken out of the
 * address bar at once, so that it is neither copied nor bookmarked.
 *
 * @returns {string | null}
 */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEPT, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEPT);
}

/** Drop the token: it serves no more. */
export function dropToken() {
  sessionStorage.removeItem(KEPT);
}

/** A second link opened in this tab changes only the fragment: begin again with its token. */
export function followLinks() {
  addEventListener("hashchange", () => {
    if (location.hash.startsWith("#token=")) location.reload();
  });
}

/**
 * Whether the token says that its bearer is an admin. The server decides; this is what to ask for.
 *
 * @param {string} token
 */
export function saysAdmin(token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    const groups = claims["cognito:groups"] ?? [];
    return Array.isArray(groups) && groups.some((group) => ["ADMINS", "ADMIN"].includes(String(group).toUpperCase()));
  } catch {
    return false;
  }
}
