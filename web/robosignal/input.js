/**
 * The keys and the pointer that are pressed, which command they mean, and for how long that can be
 * believed. Times are in ms.
 */

/** @import { Drive } from "./types.js" */

/**
 * @typedef {object} Input
 * @property {readonly Key[]} keys
 * @property {{id: number, drive: Drive} | null} pointer
 * @property {number} eventAt when the keyboard or the pointer last had an event
 * @property {Repeats | null} repeats of the key that was pressed last, once the system repeats it
 */
/** @typedef {{code: string, at: number}} Key by `KeyboardEvent.code`, and when it was pressed or last repeated */
/** @typedef {{code: string, at: number, count: number, longestMs: number}} Repeats `longestMs`: the longest time between two of them */

/** No system repeats a key less than once in two seconds; most do 25 times a second. */
const REPEAT_END_MS = 1_000;
const REPEAT_END_GAPS = 3;
const MIN_REPEATS = 3;
/** A key counts as pressed for at most this many times `heldMs` without an event of its own. */
const MAX_HELD = 3;

/** @type {Record<string, Drive>} by `KeyboardEvent.code`, so that W A S D lie together on any layout */
const KEYS = {
  ArrowUp: { x: 0, y: 1 },
  KeyW: { x: 0, y: 1 },
  ArrowDown: { x: 0, y: -1 },
  KeyS: { x: 0, y: -1 },
  ArrowLeft: { x: -1, y: 0 },
  KeyA: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  KeyD: { x: 1, y: 0 },
};

/** @type {Drive} */
export const STOP = Object.freeze({ x: 0, y: 0 });

/** @type {Input} */
export const NO_INPUT = Object.freeze({ keys: [], pointer: null, eventAt: 0, repeats: null });

/**
 * @param {string} code
 * @returns {boolean} whether this key drives
 */
export const isDriveKey = (code) => Object.hasOwn(KEYS, code);

/**
 * @param {Input} input
 */
export const isPressed = ({ keys, pointer }) => keys.length > 0 || pointer !== null;

/**
 * @param {readonly Key[]} keys
 * @param {string} code
 */
const without = (keys, code) => keys.filter((key) => key.code !== code);

/**
 * @param {Input} input
 * @param {string} code
 * @param {number} now
 * @returns {Input}
 */
export function press(input, code, now) {
  return {
    ...input,
    keys: [...without(input.keys, code), { code, at: now }],
    eventAt: now,
    repeats: null,
  };
}

/**
 * @param {Input} input
 * @param {string} code
 * @param {number} now
 * @returns {Input}
 */
export function release(input, code, now) {
  return { ...input, keys: without(input.keys, code), eventAt: now, repeats: null };
}

/**
 * The system repeats a key, which shows that it's pressed: the only such sign that needs no new action.
 *
 * @param {Input} input
 * @param {string} code
 * @param {number} now
 * @returns {Input}
 */
export function repeat(input, code, now) {
  const last = input.repeats?.code === code ? input.repeats : null;
  // The first one comes after a delay that says nothing of the pace.
  const repeats =
    last === null
      ? { code, at: now, count: 1, longestMs: 0 }
      : {
          code,
          at: now,
          count: last.count + 1,
          longestMs: Math.max(last.longestMs, now - last.at),
        };
  const keys = input.keys.map((key) => (key.code === code ? { code, at: now } : key));
  return { ...input, keys, eventAt: now, repeats };
}

/**
 * @param {Input} input
 * @param {number} now
 * @returns {Input} after a key that does not drive: it is the last one now
 */
export const noteKey = (input, now) => ({ ...input, eventAt: now, repeats: null });

/**
 * @param {Input} input
 * @returns {Input}
 */
export const withoutKeys = (input) => ({ ...input, keys: [], repeats: null });

/**
 * @param {Input} input
 * @returns {Input}
 */
export const withoutPointer = (input) => ({ ...input, pointer: null });

/**
 * @param {Input} input
 * @param {number} id
 * @param {Drive} drive
 * @param {number} now
 * @returns {Input}
 */
export const drag = (input, id, drive, now) => ({ ...input, pointer: { id, drive }, eventAt: now });

/**
 * Whether a release was missed, as far as can be told. A key that does not repeat may still be pressed:
 * systems repeat only the last key, and some repeat none. But a key that has repeated, with no other
 * key touched since, is up once its repeats end. Anything else counts as pressed for `heldMs` without
 * any event, and for three times as long without an event of its own.
 *
 * @param {Input} input
 * @param {number} heldMs
 * @param {number} now
 */
export function isReleaseMissed({ keys, eventAt, repeats }, heldMs, now) {
  if (now - eventAt >= heldMs || keys.some(({ at }) => now - at >= MAX_HELD * heldMs)) return true;
  if (
    repeats === null ||
    repeats.count < MIN_REPEATS ||
    !keys.some(({ code }) => code === repeats.code)
  )
    return false;
  return now - repeats.at >= Math.max(REPEAT_END_MS, REPEAT_END_GAPS * repeats.longestMs);
}

/**
 * @param {Input} input
 * @returns {Drive} the command that this means; keys go before the pointer
 */
export function driveOf({ keys, pointer }) {
  const drive = keysToDrive(keys.map(({ code }) => code));
  return drive.x || drive.y ? drive : (pointer?.drive ?? STOP);
}

/**
 * The command that pressed keys mean; opposite keys cancel each other.
 *
 * @param {Iterable<string>} codes
 * @returns {Drive}
 */
export function keysToDrive(codes) {
  let [x, y] = [0, 0];
  for (const code of codes) {
    x += KEYS[code]?.x ?? 0;
    y += KEYS[code]?.y ?? 0;
  }
  return { x: Math.sign(x), y: Math.sign(y) };
}

/**
 * @param {number} value
 * @returns {number} in hundredths, and no negative zero
 */
const coarse = (value) => Math.round(value * 100) / 100 || 0;

/**
 * The command that a pointer on the pad means: its offset from the middle, at most 1 long.
 *
 * @param {{clientX: number, clientY: number}} pointer
 * @param {{left: number, top: number, width: number, height: number}} pad
 * @returns {Drive}
 */
export function padToDrive({ clientX, clientY }, { left, top, width, height }) {
  const x = (clientX - left - width / 2) / (width / 2);
  const y = -(clientY - top - height / 2) / (height / 2);
  const reach = Math.max(1, Math.hypot(x, y));
  return { x: coarse(x / reach), y: coarse(y / reach) };
}
