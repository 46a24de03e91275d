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
    controls = [],
    telemetry = [],
    cameras = [],
    channels = [],
  }) =>
    version >= 2 &&
    freshMs > 0 &&
    watchdogMs > 0 &&
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
    return isValid ? message : null;
  } catch {
    return null;
  }
}
