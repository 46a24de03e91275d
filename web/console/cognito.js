/**
 * Sign-in on a Cognito user pool's own pages: authorisation code with PKCE (RFC 7636), so that the
 * page holds no secret.
 */

import { readStored, tabStorage } from "./tab.js";

const PENDING = "robosignal.sign-in";
const TOKENS = "robosignal.tokens";
const SCOPES = "openid profile";
const LONGEST_MARGIN_MS = 5 * 60_000;
const HOST = /^[A-Za-z0-9.-]+(:\d+)?$/;
/** As for keys: only one's own machine is spoken to without TLS. */
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|localhost)(:\d+)?$/;

const FORGETFUL =
  "This browser keeps nothing for this page, so a sign-in could not come back to it. Open the page in a tab of its own, or allow it to store site data.";

/** @typedef {{origin: string, clientId: string}} Pool where people sign in, and as whose visitors */
/** @typedef {{state: string, nonce: string, verifier: string}} Pending what must come back, and what proves that it was us who asked */
/** @typedef {{token: string, refreshToken: string | null, refreshAt: number}} Tokens `refreshAt` in epoch ms by the clock here, which may be wrong */
/**
 * @typedef {object} CognitoWorld a browser's own by default
 * @property {Pick<Storage, "getItem" | "setItem" | "removeItem"> & {isLasting: boolean}} storage
 * @property {typeof fetch} fetch
 * @property {() => number} now epoch ms
 * @property {() => string} mint 43 characters of base64url, fresh and unguessable
 */

/** The sign-in has failed; `message` is a sentence for a person. */
export class SignInError extends Error {
  name = "SignInError";
}

/**
 * The pool that a page's `config.json` names, or null when it names none.
 *
 * @param {Record<string, unknown>} config
 * @returns {Pool | null}
 * @throws {SignInError} when its sign-in domain is no host
 */
export function poolOf({ signInDomain, userPoolClientId }) {
  if (typeof signInDomain !== "string" || typeof userPoolClientId !== "string") return null;
  if (LOOPBACK.test(signInDomain)) return { origin: signInDomain, clientId: userPoolClientId };
  if (HOST.test(signInDomain))
    return { origin: `https://${signInDomain}`, clientId: userPoolClientId };
  throw new SignInError(
    "The sign-in domain in config.json is not a host name. Correct it, such as my-pool.auth.eu-west-1.amazoncognito.com.",
  );
}

/**
 * The code challenge of a code verifier: `BASE64URL(SHA256(ASCII(verifier)))`, RFC 7636 section 4.2.
 *
 * @param {string} verifier
 * @returns {Promise<string>}
 */
export async function challengeOf(verifier) {
  if (!globalThis.crypto?.subtle)
    throw new SignInError(
      "A browser can sign in only on a page that came by HTTPS, or from this machine. Open the page so.",
    );
  return base64url(
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))),
  );
}

/**
 * Base64 for URLs, without padding: RFC 7636 appendix A.
 *
 * @param {Uint8Array} bytes
 */
export function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/**
 * Where to go to sign in.
 *
 * @param {Pool} pool
 * @param {string} redirectUri where to come back, as the pool's client has it
 * @param {{state: string, nonce: string, challenge: string}} asked
 */
export function authorizeUrl({ origin, clientId }, redirectUri, { state, nonce, challenge }) {
  const query = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: SCOPES,
    state,
    nonce,
    code_challenge: challenge,
    code_challenge_method: "S256",
  });
  return `${origin}/oauth2/authorize?${query}`;
}

/**
 * Where to go to sign out of the pool's pages too.
 *
 * @param {Pool} pool
 * @param {string} redirectUri
 */
export function logoutUrl({ origin, clientId }, redirectUri) {
  return `${origin}/logout?${new URLSearchParams({ client_id: clientId, logout_uri: redirectUri })}`;
}

/**
 * The claims of a JWT, unverified: for display and for choosing alone.
 *
 * @param {unknown} token
 * @returns {Record<string, any>}
 */
export function claimsOf(token) {
  try {
    const bytes = atob(String(token).split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    return (
      JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)))) ??
      {}
    );
  } catch {
    return {};
  }
}

/**
 * What to keep of the token endpoint's reply. The server takes both kinds of token, and shows the
 * name that it reads; so the ID token is used if it has a name, else the access token.
 *
 * @param {Record<string, any>} reply
 * @param {number} now
 * @param {string | null} refreshToken the one before, which a refresh may leave as it is
 * @returns {Tokens}
 */
export function tokensOf(reply, now, refreshToken) {
  const token = claimsOf(reply.id_token).name
    ? reply.id_token
    : (reply.access_token ?? reply.id_token);
  const ttlMs = Number(reply.expires_in) * 1000;
  if (typeof token !== "string" || !(ttlMs > 0))
    throw new SignInError("The sign-in server's answer holds no token. Sign in again.");
  return {
    token,
    refreshToken: reply.refresh_token ?? refreshToken,
    refreshAt: now + ttlMs - Math.min(LONGEST_MARGIN_MS, ttlMs / 2),
  };
}

/**
 * @returns {CognitoWorld}
 */
function browser() {
  return {
    storage: tabStorage,
    fetch: (input, init) => fetch(input, init),
    now: () => Date.now(),
    mint: () => base64url(crypto.getRandomValues(new Uint8Array(32))),
  };
}

/** One tab's sign-in at one pool. */
export class Cognito {
  #pool;
  #redirectUri;
  #world;
  /** @type {Promise<string> | null} */
  #refreshing = null;

  /**
   * @param {Pool} pool
   * @param {string} redirectUri
   * @param {CognitoWorld} [world]
   */
  constructor(pool, redirectUri, world = browser()) {
    this.#pool = pool;
    this.#redirectUri = redirectUri;
    this.#world = world;
  }

  /** Whether this tab has signed in. */
  get isSignedIn() {
    return this.#kept !== null;
  }

  /**
   * Begin.
   *
   * @returns {Promise<string>} where to go
   * @throws {SignInError} when this tab could not tell that it has asked, once it is back
   */
  async begin() {
    const { mint, storage } = this.#world;
    const pending = { state: mint(), nonce: mint(), verifier: mint() };
    const challenge = await challengeOf(pending.verifier);
    storage.setItem(PENDING, JSON.stringify(pending));
    if (!storage.isLasting) throw new SignInError(FORGETFUL);
    return authorizeUrl(this.#pool, this.#redirectUri, { ...pending, challenge });
  }

  /**
   * Come back, with the query of the address. False when it is not about a sign-in that this tab
   * has begun: a link that somebody else made signs no one in (RFC 6749 section 10.12).
   *
   * @param {string} search
   * @returns {Promise<boolean>}
   * @throws {SignInError}
   */
  async complete(search) {
    const query = new URLSearchParams(search);
    /** @type {Pending | null} */
    const pending = readStored(this.#world.storage, PENDING);
    if (pending === null || query.get("state") !== pending.state) return false;
    this.#world.storage.removeItem(PENDING);
    const code = query.get("code");
    if (code === null)
      throw new SignInError(`The sign-in was refused${reason(query.get("error"))}. Sign in again.`);
    const reply = await this.#post("token", {
      grant_type: "authorization_code",
      code,
      redirect_uri: this.#redirectUri,
      code_verifier: pending.verifier,
    });
    if (reply === null)
      throw new SignInError("The sign-in server cannot be reached. Sign in again in a moment.");
    if (reply.error !== undefined)
      throw new SignInError(
        `The sign-in could not be completed${reason(reply.error)}. Sign in again.`,
      );
    if (claimsOf(reply.id_token).nonce !== pending.nonce)
      throw new SignInError(
        "The sign-in server's answer is not to what this page asked. Sign in again.",
      );
    this.#keep(tokensOf(reply, this.#world.now(), null));
    return true;
  }

  /**
   * A token that serves for a while, refreshed before its end, or once the server has refused it:
   * the clock here may be wrong. Empty when a new sign-in is needed.
   *
   * @param {string} [refused] a token that the server has refused
   * @returns {Promise<string>}
   */
  async token(refused) {
    const kept = this.#kept;
    if (kept === null) return "";
    if (this.#world.now() < kept.refreshAt && kept.token !== refused) return kept.token;
    this.#refreshing ??= this.#refresh(kept).finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  /**
   * Forget the tokens here, and end them at the pool.
   *
   * @returns {Promise<string>} where to go
   */
  async signOut() {
    const token = this.#kept?.refreshToken;
    this.forget();
    if (token) await this.#post("revoke", { token });
    return logoutUrl(this.#pool, this.#redirectUri);
  }

  /** Forget the tokens here. */
  forget() {
    this.#world.storage.removeItem(TOKENS);
  }

  /**
   * @returns {Tokens | null}
   */
  get #kept() {
    const kept = readStored(this.#world.storage, TOKENS);
    return typeof kept?.token === "string" ? kept : null;
  }

  /**
   * @param {Tokens} tokens
   */
  #keep(tokens) {
    this.#world.storage.setItem(TOKENS, JSON.stringify(tokens));
    return tokens.token;
  }

  /**
   * @param {Tokens} kept
   */
  async #refresh(kept) {
    // Whether it still serves is the server's to say.
    if (kept.refreshToken === null) return kept.token;
    const reply = await this.#post("token", {
      grant_type: "refresh_token",
      refresh_token: kept.refreshToken,
    });
    // Signed out meanwhile.
    if (this.#kept?.token !== kept.token) return "";
    if (reply === null) return kept.token;
    if (reply.error === undefined)
      return this.#keep(tokensOf(reply, this.#world.now(), kept.refreshToken));
    this.forget();
    return "";
  }

  /**
   * @param {"token" | "revoke"} endpoint
   * @param {Record<string, string>} fields
   * @returns {Promise<Record<string, any> | null>} the reply, an `error` in it when it is a refusal; null when there is none for now
   */
  async #post(endpoint, fields) {
    try {
      const body = new URLSearchParams({ client_id: this.#pool.clientId, ...fields });
      const response = await this.#world.fetch(`${this.#pool.origin}/oauth2/${endpoint}`, {
        method: "POST",
        body,
        credentials: "omit",
        referrerPolicy: "no-referrer",
      });
      if (response.status >= 500 || response.status === 429) return null;
      const reply = await response.json().catch(() => ({}));
      return response.ok ? reply : { error: "refused", ...reply };
    } catch {
      return null;
    }
  }
}

/**
 * @param {unknown} error a code such as `access_denied`: anything else is not repeated
 */
function reason(error) {
  return typeof error === "string" && /^[a-z_]{1,40}$/.test(error) ? ` (${error})` : "";
}
