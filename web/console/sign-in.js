/**
 * How the console's visitor is signed in: by the link's fragment, or else at the user pool that
 * `config.json` names.
 */

import { Cognito, SignInError, claimsOf, poolOf } from "./cognito.js";
import { link } from "./link.js";
import { showAddress, tabStorage } from "./tab.js";

const KEPT = "robosignal.token";
const EXCHANGE_MS = 10_000;
const LINK_IS_OVER =
  "This link has been used, or is too old. The terminal in which the server runs shows the next one.";
const NO_EXCHANGE = "The server did not answer. Check that it runs, and open the link again.";

/**
 * @typedef {object} Visitor
 * @property {boolean} isSignedIn
 * @property {(refused?: string) => Promise<string>} token called with the token that the server has refused, if any
 * @property {(() => Promise<string>) | null} signIn where to go to sign in; null where only a link does
 * @property {() => Promise<string>} signOut where to go then
 * @property {string | null} failed the sentence that says why signing in has just failed
 */

/**
 * The visitor of this tab. A pool's code in the address is taken out of it at once, so that it is
 * neither copied nor bookmarked.
 *
 * @param {Record<string, unknown>} config
 * @returns {Promise<Visitor>}
 */
export async function visitor(config) {
  const { token: linked, failed } = await fromLink();
  try {
    const pool = poolOf(config);
    if (pool === null) return { ...byLink(linked, null), failed };
    const cognito = new Cognito(pool, home());
    if (linked) return byLink(linked, cognito);
    const there = await atPool(cognito);
    return { ...there, failed: failed ?? there.failed };
  } catch (error) {
    if (!(error instanceof SignInError)) throw error;
    return { ...byLink(linked, null), failed: error.message };
  }
}

/**
 * @param {string | null} token
 * @param {Cognito | null} cognito for when the link's token is over
 * @returns {Visitor}
 */
function byLink(token, cognito) {
  return {
    isSignedIn: token !== null,
    token: async () => token ?? "",
    signIn: cognito && (() => cognito.begin()),
    signOut: async () => (dropToken(), home()),
    failed: null,
  };
}

/**
 * @param {Cognito} cognito
 * @returns {Promise<Visitor>}
 */
async function atPool(cognito) {
  const failed = await comeBack(cognito);
  return {
    isSignedIn: cognito.isSignedIn,
    token: (refused) => cognito.token(refused),
    signIn: () => cognito.begin(),
    signOut: () => cognito.signOut(),
    failed,
  };
}

/**
 * @param {Cognito} cognito
 * @returns {Promise<string | null>} why it has failed
 */
async function comeBack(cognito) {
  const { search } = location;
  const query = new URLSearchParams(search);
  if (!query.has("state") || !(query.has("code") || query.has("error"))) return null;
  showAddress(location.pathname);
  try {
    const isOurs = await cognito.complete(search);
    return isOurs || cognito.isSignedIn
      ? null
      : "That sign-in was not begun in this tab. Sign in again.";
  } catch (error) {
    if (error instanceof SignInError) return error.message;
    throw error;
  }
}

/** This page without file name, query and fragment: what a pool's client has as the address to come back to. */
export const home = () => location.origin + location.pathname.replace(/index\.html$/, "");

/**
 * @returns {Promise<{token: string | null, failed: string | null}>} the token of the link or of this tab, and why a link brought none
 */
async function fromLink() {
  try {
    const given = link.code ? await exchangeCode(link.code) : link.token;
    if (given) tabStorage.setItem(KEPT, given);
    return { token: tabStorage.getItem(KEPT), failed: null };
  } catch (error) {
    if (!(error instanceof SignInError)) throw error;
    return { token: null, failed: error.message };
  }
}

/**
 * @param {string} code
 * @returns {Promise<string>} the token for this code, once
 * @throws {SignInError}
 */
async function exchangeCode(code) {
  const asked = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  };
  // Not `AbortSignal.timeout`, which the oldest supported browsers lack.
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), EXCHANGE_MS);
  const answer = await fetch("sign-in", { ...asked, signal: abort.signal }).catch(() => null);
  if (answer === null) throw new SignInError(NO_EXCHANGE);
  const token = answer.ok ? (await answer.json().catch(() => null))?.token : null;
  clearTimeout(timer);
  if (typeof token !== "string") throw new SignInError(LINK_IS_OVER);
  return token;
}

function dropToken() {
  tabStorage.removeItem(KEPT);
}

/**
 * The groups that a token names.
 *
 * @param {string} token
 * @returns {string[]}
 */
export function groupsOf(token) {
  const groups = claimsOf(token)["cognito:groups"] ?? [];
  return Array.isArray(groups) ? groups.map(String) : [];
}

/**
 * Whether the token says that its bearer is an admin. The server decides; this is what to ask for.
 *
 * @param {string} token
 */
export function saysAdmin(token) {
  // Without the flag `u`, only ASCII letters match in either case, as on the server.
  return groupsOf(token).some((group) => /^admins?$/i.test(group));
}
