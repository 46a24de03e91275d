/**
 * The controls and the telemetry that a robot declares: values by name for the application, and in
 * the order of the declaration on the wire (docs/reference/data-channels.md).
 */

/** @import { Axis, Choice, Control, Drive, Field, Value } from "./types.js" */

/** @typedef {number | boolean | string | null} Given what a control is asked for; null leaves it alone */
/** @typedef {{drive: Drive, values: readonly Given[]}} Target what one command asks for */

const DIGITS = 7;
const MOST_OPTIONS = 32;

/** @type {Target} */
export const REST = Object.freeze({ drive: Object.freeze({ x: 0, y: 0 }), values: [] });

/**
 * @param {Target} target
 * @returns {boolean} whether nothing is asked for: what arms a robot, and stops it
 */
export const isRest = ({ drive, values }) => drive.x === 0 && drive.y === 0 && values.length === 0;

/**
 * @param {Control} control
 * @returns {boolean} whether a stop leaves it as it is
 */
export const holds = (control) =>
  control.type === "choice" || (control.type === "axis" && control.holds);

/**
 * The values of a command, in the order of the declaration, without those at the end that ask for
 * nothing.
 *
 * @param {readonly Control[]} controls
 * @param {Record<string, unknown>} values by name
 * @returns {Given[]}
 * @throws {TypeError} for a name that isn't declared, or a value that its control can't have
 */
export function encodeValues(controls, values) {
  for (const name of Object.keys(values))
    if (!controls.some((control) => control.name === name))
      throw new TypeError(`command: the robot declares no control named ${name}`);
  // A control may be named as something that every object has, such as `constructor`.
  const given = controls.map((control) =>
    Object.hasOwn(values, control.name) ? encodeValue(control, values[control.name]) : null,
  );
  return given.slice(0, given.findLastIndex((value) => value !== null) + 1);
}

/**
 * @param {Control} control
 * @param {unknown} value
 * @returns {Given}
 */
function encodeValue(control, value) {
  if (value === undefined || value === null) return null;
  switch (control.type) {
    case "axis":
      return encodeNumber(control, value);
    case "button":
      if (typeof value !== "boolean")
        throw new TypeError(`command: ${control.name} must be true or false`);
      return value || null;
    case "choice":
      return encodeOption(control, value);
    default:
      return null; // Of a later version.
  }
}

/**
 * @param {Axis} axis
 * @param {unknown} value
 */
function encodeNumber({ name, least, most, rest, holds }, value) {
  if (typeof value !== "number" || !Number.isFinite(value))
    throw new TypeError(`command: ${name} must be a finite number`);
  // Short, since there may be many a second; no sensor is finer.
  const within = Number(Math.min(most, Math.max(least, value)).toPrecision(DIGITS));
  return within === rest && !holds ? null : within;
}

/**
 * @param {Choice} choice
 * @param {unknown} value
 */
function encodeOption({ name, options }, value) {
  if (typeof value !== "string" || !options.includes(value))
    throw new TypeError(`command: ${name} must be one of ${options.join(", ")}`);
  return value;
}

/**
 * Values by name, of those that there are.
 *
 * @param {readonly (Control | Field)[]} declared
 * @param {readonly (Value | null)[]} values in its order
 * @returns {Record<string, Value>}
 */
export function nameValues(declared, values) {
  /** @type {Record<string, Value>} */
  const named = {};
  declared.forEach(({ name }, at) => {
    const value = values[at];
    if (value !== undefined && value !== null) named[name] = value;
  });
  return named;
}

/** @type {(value: any) => boolean} */
const isNumber = (value) => Number.isFinite(value);

/** @type {Record<string, (control: any) => boolean>} */
const IS_VALID = {
  axis: ({ unit, least, most, rest, rate }) =>
    typeof unit === "string" &&
    [least, most, rest].every(isNumber) &&
    (rate === null || isNumber(rate)),
  button: () => true,
  choice: ({ options }) =>
    Array.isArray(options) &&
    options.length <= MOST_OPTIONS &&
    options.every((each) => typeof each === "string"),
};

/**
 * @param {any} controls
 * @returns {boolean} whether they can be used; those of unknown types are left alone
 */
export const areControls = (controls) =>
  Array.isArray(controls) &&
  controls.every((each) => typeof each?.name === "string" && (IS_VALID[each.type]?.(each) ?? true));

/**
 * @param {any} fields
 * @returns {boolean} whether they are fields of telemetry
 */
export const areFields = (fields) =>
  Array.isArray(fields) &&
  fields.every(({ name, unit } = {}) => typeof name === "string" && typeof unit === "string");
