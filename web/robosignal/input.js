/**
 * What an operator holds: keys, and a pointer on a pad. It says which command that means, and for
 * how long it can be believed. Pure: it knows no page and no clock; times are in ms.
 */

/** @import { Drive } from "./types.js" */

/**
 * @typedef {object} Held
 * @property {readonly Key[]} keys
 * @property {{id: number, drive: Drive} | null} pointer
 * @property {number} newsAt when the keyboard or the pointer last had an event
 * @property {Repeats | null} repeats of the key that was pressed last, once the system repeats it
 */
/** @typedef {{code: string, at: number}} Key by `KeyboardEvent.code`, and when it was pressed or last repeated */
/** @typedef {{code: string, at: number, count: number, longestMs: number}} Repeats `longestMs`: the longest time between two of them */

/** No system repeats a key less than once in two seconds; most do so 25 times a second. */
const CEASED_MS = 1_000;
const CEASED_GAPS = 3;
const CEASED_COUNT = 3;
/** A key without an event of its own counts as held for at most this many times `heldMs`, whatever other keys do. */
const ALONE = 3;

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

/** @type {Held} */
export const NOTHING = Object.freeze({ keys: [], pointer: null, newsAt: 0, repeats: null });

/**
 * @param {string} code
 * @returns {boolean} whether this key drives
 */
export const isDriveKey = (code) => Object.hasOwn(KEYS, code);

/**
 * @param {Held} held
 */
export const isHolding = ({ keys, pointer }) => keys.length > 0 || pointer !== null;

/**
 * @param {readonly Key[]} keys
 * @param {string} code
 */
const without = (keys, code) => keys.filter((key) => key.code !== code);

/**
 * @param {Held} held
 * @param {string} code
 * @param {number} now
 * @returns {Held}
 */
export function press(held, code, now) {
  return {
    ...held,
    keys: [...without(held.keys, code), { code, at: now }],
    newsAt: now,
    repeats: null,
  };
}

/**
 * @param {Held} held
 * @param {string} code
 * @param {number} now
 * @returns {Held}
 */
export function release(held, code, now) {
  return { ...held, keys: without(held.keys, code), newsAt: now, repeats: null };
}

/**
 * The system repeats a key, which shows that it is held: the only such sign that needs no new action.
 *
 * @param {Held} held
 * @param {string} code
 * @param {number} now
 * @returns {Held}
 */
export function repeat(held, code, now) {
  const last = held.repeats?.code === code ? held.repeats : null;
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
  const keys = held.keys.map((key) => (key.code === code ? { code, at: now } : key));
  return { ...held, keys, newsAt: now, repeats };
}

/**
 * @param {Held} held
 * @param {number} now
 * @returns {Held} after a key that does not drive: it is the last one now
 */
export const hear = (held, now) => ({ ...held, newsAt: now, repeats: null });

/**
 * @param {Held} held
 * @returns {Held}
 */
export const withoutKeys = (held) => ({ ...held, keys: [], repeats: null });

/**
 * @param {Held} held
 * @returns {Held}
 */
export const withoutPointer = (held) => ({ ...held, pointer: null });

/**
 * @param {Held} held
 * @param {number} id
 * @param {Drive} drive
 * @param {number} now
 * @returns {Held}
 */
export const drag = (held, id, drive, now) => ({ ...held, pointer: { id, drive }, newsAt: now });

/**
 * Whether a release was missed, as far as can be told. A key that does not repeat may still be held:
 * systems repeat only the last key, and some repeat none. But a key that has repeated, with no other
 * key touched since, is up once its repeats cease. Anything else counts as held for `heldMs` without
 * any event, and for three times as long without an event of its own.
 *
 * @param {Held} held
 * @param {number} heldMs
 * @param {number} now
 */
export function isDoubtful({ keys, newsAt, repeats }, heldMs, now) {
  if (now - newsAt >= heldMs || keys.some(({ at }) => now - at >= ALONE * heldMs)) return true;
  if (
    repeats === null ||
    repeats.count < CEASED_COUNT ||
    !keys.some(({ code }) => code === repeats.code)
  )
    return false;
  return now - repeats.at >= Math.max(CEASED_MS, CEASED_GAPS * repeats.longestMs);
}

/**
 * @param {Held} held
 * @returns {Drive} the command that this means; keys go before the pointer
 */
export function driveOf({ keys, pointer }) {
  const drive = keysToDrive(keys.map(({ code }) => code));
  return drive.x || drive.y ? drive : (pointer?.drive ?? STOP);
}

/**
 * The command that held keys mean; opposite keys cancel each other.
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
