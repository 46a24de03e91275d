/**
 * What a robot says on the data channels `control` and `drive` (docs/reference/data-channels.md).
 */

import { areControls, areFields } from "./controls.js";

/** @import { Capabilities, Heartbeat } from "./commands.js" */
/** @import { Value } from "./types.js" */

/**
 * @typedef {{type: "pong", n: number} | {type: "done"} | {type: "answer", sdp?: string, message?: string}
 *   | {type: "refused", epoch: number, what?: string}
 *   | ({type: "capabilities"} & Capabilities) | ({type: "heartbeat"} & Heartbeat)
 *   | {type: "telemetry", n: number, values: (Value | null)[]}
 *   | {type: "stopped", by: string | null}} RobotMessage
 */

/** @type {(value: any) => boolean} */
const isValue = (value) => value === null || ["number", "boolean", "string"].includes(typeof value);

/** What the labels of the application's own channels begin with. */
export const OWN = "app:";

/** @type {(what: any) => boolean} whether that is something which a robot may refuse */
const isOurs = (what) =>
  what === "stop" || what === "clear-stop" || (typeof what === "string" && what.startsWith(OWN));

/** How many of each a robot may declare; of more, a page takes the first. */
const MOST = { controls: 32, telemetry: 64, cameras: 4, channels: 8 };
/** How many commands a second a page sends, whatever the robot asks for. */
const HZ = { least: 1, most: 100 };

/** @type {Record<string, (message: any) => boolean>} whether each type has what it needs */
const IS_VALID = {
  done: () => true,
  answer: ({ sdp, message }) => typeof sdp === "string" || typeof message === "string",
  pong: ({ n }) => Number.isFinite(n),
  refused: ({ epoch, what }) => Number.isFinite(epoch) && (what === undefined || isOurs(what)),
  capabilities: ({
    version,
    freshMs,
    watchdogMs,
    video,
    commandHz,
    controls = [],
    telemetry = [],
    cameras = [],
    channels = [],
  }) =>
    version >= 2 &&
    Number.isFinite(freshMs) &&
    freshMs > 0 &&
    Number.isFinite(watchdogMs) &&
    watchdogMs > 0 &&
    (commandHz === undefined || Number.isFinite(commandHz)) &&
    (video === null || Number.isFinite(video?.fps)) &&
    areControls(controls) &&
    areFields(telemetry) &&
    Array.isArray(cameras) &&
    cameras.every((name) => typeof name === "string") &&
    Array.isArray(channels) &&
    channels.every((each) => typeof each?.name === "string"),
  heartbeat: ({ t, n, epoch, armed, refused, held = [] }) =>
    Number.isFinite(t) &&
    (n === null || Number.isFinite(n)) &&
    Number.isFinite(epoch) &&
    typeof armed === "boolean" &&
    Number.isFinite(refused?.refused) &&
    Array.isArray(held) &&
    held.every(isValue),
  telemetry: ({ n, values }) =>
    Number.isFinite(n) && Array.isArray(values) && values.every(isValue),
  stopped: ({ by }) => by === null || typeof by === "string",
};

/**
 * @param {unknown} data
 * @returns {RobotMessage | null} null for what is not one of ours
 */
export function readMessage(data) {
  if (typeof data !== "string") return null;
  try {
    const message = JSON.parse(data);
    const isValid = Object.hasOwn(IS_VALID, message?.type) && IS_VALID[message.type]?.(message);
    if (!isValid) return null;
    return message.type === "capabilities" ? limit(message) : message;
  } catch {
    return null;
  }
}

/**
 * What a page takes of a declaration: each camera costs it a section of media, each channel an id.
 *
 * @param {any} capabilities
 */
function limit(capabilities) {
  const limited = { ...capabilities };
  for (const [list, most] of Object.entries(MOST))
    if (limited[list] !== undefined) limited[list] = limited[list].slice(0, most);
  if (limited.commandHz !== undefined)
    limited.commandHz = Math.min(HZ.most, Math.max(HZ.least, limited.commandHz));
  return limited;
}
