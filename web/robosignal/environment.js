/**
 * What the package needs of the browser: every clock, timer, socket and random number, so that tests
 * can put others in their place.
 */

import { networkOf } from "./session/paths.js";
import { SignalingError } from "./errors.js";

/** @import { Permissions } from "./session/paths.js" */

/**
 * @typedef {object} Environment what the package needs of the browser
 * @property {typeof globalThis.WebSocket} WebSocket
 * @property {typeof globalThis.RTCPeerConnection} RTCPeerConnection
 * @property {() => RTCRtpCodec[]} videoCodecs what the browser can receive
 * @property {(callback: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} now ms, never going back
 * @property {number} timeOrigin when `now` was 0, in epoch ms
 * @property {() => number} today epoch ms
 * @property {() => number} random in [0, 1)
 * @property {() => string} newId a fresh id of 16 or more characters
 * @property {() => Promise<Permissions>} permissions which of the user's own networks this page may reach
 * @property {(error: unknown) => void} report what a listener of the application has thrown
 * @property {(url: string) => Promise<boolean>} reach whether a server answers plain HTTP, whatever it says
 */

/** What the browser calls the permission to reach each network: first as Chrome 145 does, then as before. */
const PERMISSIONS = {
  local: ["local-network", "local-network-access"],
  loopback: ["loopback-network", "local-network-access"],
};

/**
 * Which of the user's own networks the browser lets this page reach only with a permission. It asks
 * only for pages from the internet, and only in a secure context.
 *
 * @returns {Promise<Permissions>}
 */
async function localNetworkPermissions() {
  if (
    !globalThis.isSecureContext ||
    !globalThis.navigator?.permissions ||
    networkOf(globalThis.location.hostname) !== null
  )
    return {};
  const [local, loopback] = await Promise.all([
    stateOf(PERMISSIONS.local),
    stateOf(PERMISSIONS.loopback),
  ]);
  return { ...(local && { local }), ...(loopback && { loopback }) };
}

/**
 * @param {string[]} names
 * @returns {Promise<PermissionState | null>} of the first that the browser knows
 */
async function stateOf(names) {
  for (const name of names) {
    try {
      return (await navigator.permissions.query({ name: /** @type {PermissionName} */ (name) }))
        .state;
    } catch {
      // It knows no such permission.
    }
  }
  return null;
}

/**
 * @returns {Environment}
 */
export function browserEnvironment() {
  return {
    WebSocket: globalThis.WebSocket,
    RTCPeerConnection: globalThis.RTCPeerConnection,
    videoCodecs: () => globalThis.RTCRtpReceiver?.getCapabilities?.("video")?.codecs ?? [],
    setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
    clearTimeout: (timer) => globalThis.clearTimeout(timer),
    now: () => performance.now(),
    timeOrigin: performance.timeOrigin,
    today: () => Date.now(),
    random: () => Math.random(),
    newId: () =>
      Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
        byte.toString(16).padStart(2, "0"),
      ).join(""),
    permissions: localNetworkPermissions,
    report: (error) =>
      void (globalThis.reportError ? globalThis.reportError(error) : console.error(error)),
    reach,
  };
}

/** The oldest browsers that have everything that is used here; `check.js` and the docs say the same. */
const SUPPORTED = "Chrome or Edge 100, Firefox 113, Safari 15.4, or a later version of these";

/**
 * Make sure that this browser is new enough.
 *
 * @throws {SignalingError} `unsupported`
 */
export function requireSupportedBrowser() {
  const { AbortSignal, RTCPeerConnection } = globalThis;
  const lacking = [
    ["Object.hasOwn", "hasOwn" in Object],
    [
      "AbortSignal.throwIfAborted",
      AbortSignal !== undefined && "throwIfAborted" in AbortSignal.prototype,
    ],
    // Without any WebRTC robots can still be listed.
    [
      "RTCPeerConnection.connectionState",
      typeof RTCPeerConnection !== "function" || "connectionState" in RTCPeerConnection.prototype,
    ],
  ].find(([, isThere]) => !isThere);
  if (lacking)
    throw new SignalingError({
      code: "unsupported",
      message: `This browser is too old for robosignal: it lacks ${lacking[0]}. Use ${SUPPORTED}.`,
    });
}

const REACH_MS = 5_000;

/**
 * @param {string} url
 * @returns {Promise<boolean>}
 */
async function reach(url) {
  const abort = new AbortController();
  const timer = globalThis.setTimeout(() => abort.abort(), REACH_MS);
  try {
    // Of another origin: that there is an answer may be known, and nothing of it.
    await fetch(url, {
      mode: "no-cors",
      cache: "no-store",
      credentials: "omit",
      referrerPolicy: "no-referrer",
      signal: abort.signal,
    });
    return true;
  } catch {
    return false;
  } finally {
    globalThis.clearTimeout(timer);
  }
}
