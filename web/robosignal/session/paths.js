/**
 * Why no path to a robot opens, as far as a page can tell: a network that needs a TURN server, a TURN
 * server that refuses, or a browser that keeps pages from the user's own network.
 */

import { change } from "./state.js";

/** @import { State } from "./state.js" */
/** @typedef {"local" | "loopback"} Network one that the browser may keep from a page of the internet */
/** @typedef {Partial<Record<Network, PermissionState>>} Permissions by network; absent where the browser asks for none */

const NO_PATH = "The robot answers, but no path for video opens.";
const TURN = `${NO_PATH} The network may need a TURN server. Trying again.`;
const REFUSED = `${NO_PATH} The TURN server refuses the password: its secret may differ from the signaling server's. Trying again.`;
const PLACES = { local: "devices on your own network", loopback: "programs on this computer" };
const SETTING = "the site's settings, under “Local network access”";

/** The address spaces of the Local Network Access specification (WICG), by how an address begins. */
const LOOPBACK = /^(127\.|::1$|localhost$)/i;
const LOCAL =
  /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)|\.local$/i;

/**
 * @param {string} address an IP address or a name
 * @returns {Network | null} null for the internet
 */
export function networkOf(address) {
  const bare = address.replace(/^\[|\]$/g, "");
  return LOOPBACK.test(bare) ? "loopback" : LOCAL.test(bare) ? "local" : null;
}

/**
 * The networks of the host candidates in a description, or in one candidate (RFC 8839, section 5.1).
 *
 * @param {unknown} text
 * @returns {Network[]}
 */
export function networksOf(text) {
  const hosts = String(text ?? "").matchAll(/candidate:\S+ \d+ \S+ \d+ (\S+) \d+ typ host\b/g);
  const networks = [...hosts].map(([, address = ""]) => networkOf(address));
  return [...new Set(networks.filter((network) => network !== null))];
}

/**
 * @param {State} state
 * @param {unknown} text what the robot has told of where it is
 * @returns {State}
 */
export function addNetworks(state, text) {
  const { networks } = state.peer;
  const fresh = networksOf(text).filter((network) => !networks.includes(network));
  return fresh.length === 0 ? state : change(state, "peer", { networks: [...networks, ...fresh] });
}

/**
 * The sentence for a robot that answers and is not reached.
 *
 * @param {State} state
 * @returns {string}
 */
export function whyNoPath({ peer: { networks, isTurnRefused }, permissions }) {
  const inState = (/** @type {PermissionState} */ wanted) =>
    networks.find((network) => permissions[network] === wanted);
  const [denied, asked] = [inState("denied"), inState("prompt")];
  if (denied !== undefined)
    return `${NO_PATH} Your browser keeps this page from ${PLACES[denied]}, where the robot is: allow it in ${SETTING}. Trying again.`;
  if (asked !== undefined)
    return `${NO_PATH} Your browser lets this page reach ${PLACES[asked]}, where the robot is, only if you allow it: when it asks, or in ${SETTING}. Trying again.`;
  return isTurnRefused ? REFUSED : TURN;
}
