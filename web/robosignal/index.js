/**
 * robosignal in a browser: one WebSocket for signaling, and one RTCPeerConnection for each robot.
 *
 * @example
 * const signal = connect({ url: "wss://HOST/prod", token: () => fetchToken() });
 * const session = await signal.drive("demo");
 * session.showOn(video);
 * session.on("control", ({ role, driver, lostTo }) => show(role, driver, lostTo));
 * driveWithKeys(session, video);
 *
 * @module
 */

import { Signal } from "./signal.js";
import { browserEnvironment, requireSupportedBrowser } from "./environment.js";

export * from "./types.js";
export { FRAME_BYTES } from "./frames.js";
export { Channel } from "./channel.js";
export { driveWithKeys } from "./keys.js";
export { Session } from "./session.js";
export { Signal } from "./signal.js";
export { SignalingError } from "./errors.js";

/** @import { Environment } from "./environment.js" */
/** @import { TokenSource } from "./types.js" */

/**
 * Connect to a robosignal server.
 *
 * @param {object} options
 * @param {string} options.url the server's address, `wss://HOST/STAGE`
 * @param {string | TokenSource} options.token a JWT, or a function that is called at each dial and
 *   returns one or a promise of one; it gets the token that the server has refused, if any
 * @param {Partial<Environment>} [environment] replaces parts of the browser, for tests
 * @returns {Signal}
 * @throws {TypeError} if an option is missing, or `url` doesn't begin with `ws://` or `wss://`
 * @throws {SignalingError} `unsupported` if the browser is too old; the sentence names what it lacks
 */
export function connect({ url, token }, environment = {}) {
  if (!url) throw new TypeError("connect: url is missing, such as wss://HOST/prod");
  if (!/^wss?:\/\/[^#]+$/.test(url) || !isUrl(url))
    throw new TypeError(
      `connect: url is ${url}, and should be an address that begins with ws:// or wss://`,
    );
  if (!token)
    throw new TypeError("connect: token is missing, a JWT or a function that returns one");
  requireSupportedBrowser();
  return new Signal(url, typeof token === "string" ? () => token : token, {
    ...browserEnvironment(),
    ...environment,
  });
}

/**
 * @param {string} url
 */
function isUrl(url) {
  try {
    return new URL(url).hostname !== "";
  } catch {
    return false;
  }
}
