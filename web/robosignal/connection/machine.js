/**
 * When to dial, when to redial, when to give a silent socket up: pure, and the same as the robot's,
 * by the vectors that both run. It never touches a socket.
 */

import {
  HANDSHAKE_MS,
  PATIENCE,
  adopt,
  dialNext,
  doubt,
  drained,
  endDrain,
  endNextsWait,
  failNext,
  lost,
  morePatient,
  redial,
  trust,
} from "./redial.js";
import { unreachable } from "../errors.js";

/** @import { Patience } from "./redial.js" */
/** @import { ConnectionState, OutFrame } from "../types.js" */

const HEARTBEAT_SECONDS = 120;
/** API Gateway ends every connection after two hours; a redial ten minutes before leaves room for failures. */
const LIFETIME_MS = 110 * 60_000;
const LONGEST_MARGIN_MS = 60_000;
const SOONEST_REDIAL_MS = 10_000;
const DRAIN_MS = 10_000;

/** @typedef {"next" | "old"} Other the sockets beside the current one: before a redial's swap, and after it */
/** @typedef {{phase: "dialing" | "greeting" | "waiting", due: number | null, openedAt: number}} Next waiting without `due`: it waits for a new token */
/**
 * @typedef {object} Connection
 * @property {"idle" | "dialing" | "greeting" | "online" | "waiting"} phase of the current socket
 * @property {number} failures dials in a row that have failed
 * @property {number | null} due when the handshake or the wait is over
 * @property {number} openedAt
 * @property {number} beatMs
 * @property {number} beatAt
 * @property {number} redialAt
 * @property {Next | null} next the socket that is to follow, while there is one
 * @property {number} nextFailures
 * @property {number | null} oldUntil the socket before may drain until then
 * @property {boolean} silent whether the current socket, online, has not answered what it was asked
 * @property {Patience} patience
 */
/**
 * @typedef {{type: "start"} | {type: "tick"} | {type: "stop"} | {type: "moved"} | {type: "silent"}
 *   | {type: "opened", socket?: Other} | {type: "closed", code?: number, socket?: Other}
 *   | {type: "refused", status: number, socket?: Other}
 *   | {type: "frame", frame: {type: string, [field: string]: any}, socket?: Other}} DialEvent
 *   `moved`: whatever stood on the old socket stands on the current one now; `silent`: the current
 *   one has not answered in time
 */
/**
 * @typedef {{do: "dial", socket?: "next"} | {do: "close", socket?: Other} | {do: "swap"} | {do: "adopt"}
 *   | {do: "sign-in"} | {do: "send", socket?: Other, frame: OutFrame}
 *   | {do: "wake", at: number} | {do: "state", state: ConnectionState}} DialOutput
 *   `swap`: next becomes current, current becomes old; `adopt`: next becomes current, which is lost
 */
/** @typedef {[Connection, DialOutput[]]} Stepped */

/** @type {Connection} */
export const IDLE = Object.freeze({
  phase: "idle",
  failures: 0,
  due: null,
  openedAt: 0,
  beatMs: 0,
  beatAt: 0,
  redialAt: 0,
  next: null,
  nextFailures: 0,
  oldUntil: null,
  silent: false,
  patience: PATIENCE,
});

const READY = { type: "ready", protocol: 1 };

/**
 * One step of the connection: `now` in ms of any clock that never goes back, `random` in [0, 1). A
 * welcome's `expiresAt` is by the same clock.
 *
 * An event that the phase does not expect (a close of a socket given up, a late timer) changes
 * nothing.
 *
 * @param {Connection} state
 * @param {DialEvent} event
 * @param {number} now
 * @param {number} random
 * @returns {Stepped}
 */
export function step(state, event, now, random) {
  const [next, outputs] = happened(state, event, now, random);
  const at = dueAt(next);
  const asks = at !== null && (event.type === "tick" || at !== dueAt(state));
  return [next, asks ? [...outputs, { do: "wake", at }] : outputs];
}

/**
 * @param {Connection} state
 * @param {DialEvent} event
 * @param {number} now
 * @param {number} random
 * @returns {Stepped}
 */
function happened(state, event, now, random) {
  switch (event.type) {
    case "start":
      return start(state, now);
    case "tick":
      return tick(state, now, random);
    case "stop":
      return [IDLE, hangUp(state)];
    case "moved":
      return drained(state, [{ do: "close", socket: "old" }]);
    case "silent":
      return doubt(state, now);
    case "opened":
      return event.socket === "next"
        ? greetNext(state, now)
        : state.phase === "dialing"
          ? greet(state, now)
          : [state, []];
    case "closed":
      return closed(state, event.socket, now, random);
    case "refused":
      return event.status === 401
        ? noToken(state, event.socket, false)
        : closed(state, event.socket, now, random);
    case "frame":
      return hear(state, event.frame, event.socket, now);
    default:
      return unreachable(event);
  }
}

/**
 * @param {Connection} state
 * @returns {number | null} when a tick is due
 */
function dueAt({ phase, due, beatAt, redialAt, next, oldUntil }) {
  const online =
    phase === "online" ? [beatAt, ...(next === null && oldUntil === null ? [redialAt] : [])] : [];
  const all = [due, next?.due ?? null, oldUntil, ...online].filter((at) => at !== null);
  return all.length ? Math.min(...all) : null;
}

/**
 * @param {Connection} state
 * @param {number} now
 * @returns {Stepped}
 */
function start(state, now) {
  if (state.phase === "idle" || state.phase === "waiting") return dialNow(state, now);
  return state.next?.phase === "waiting" ? dialNext(state, now) : [state, []];
}

/**
 * @param {Connection} state
 * @param {number} now
 * @returns {Stepped}
 */
function dialNow(state, now) {
  return [
    { ...state, phase: "dialing", due: now + HANDSHAKE_MS },
    [{ do: "state", state: "connecting" }, { do: "dial" }],
  ];
}

/**
 * @param {Connection} state
 * @param {number} now
 * @returns {Stepped}
 */
function greet(state, now) {
  return [
    { ...state, phase: "greeting", openedAt: now, due: now + HANDSHAKE_MS },
    [{ do: "send", frame: READY }],
  ];
}

/**
 * @param {Connection} state
 * @param {number} now
 * @returns {Stepped}
 */
function greetNext(state, now) {
  if (state.next?.phase !== "dialing") return [state, []];
  const next = /** @type {const} */ ({ phase: "greeting", openedAt: now, due: now + HANDSHAKE_MS });
  return [{ ...state, next }, [{ do: "send", socket: "next", frame: READY }]];
}

/**
 * @param {Connection} state
 * @param {{type: string, [field: string]: any}} frame
 * @param {Other | undefined} socket
 * @param {number} now
 * @returns {Stepped}
 */
function hear(state, frame, socket, now) {
  if (socket === undefined && state.silent) return hearAgain(state, frame, now);
  if (frame.type === "error" && frame.code === "token_expired") return noToken(state, socket, true);
  if (frame.type !== "welcome") return [state, []];
  if (socket === undefined && state.phase === "greeting")
    return [welcomed(state, frame, state.openedAt, now), [{ do: "state", state: "online" }]];
  if (socket !== "next" || state.next?.phase !== "greeting") return [state, []];
  const online = welcomed(state, frame, state.next.openedAt, now);
  // What was sent over a socket that is silent, or was to come over it, may be lost: nothing is taken along.
  if (state.silent)
    return [
      morePatient(online, now),
      [{ do: "adopt" }, { do: "state", state: "offline" }, { do: "state", state: "online" }],
    ];
  return [{ ...online, oldUntil: now + DRAIN_MS }, [{ do: "swap" }]];
}

/**
 * @param {Connection} state
 * @param {{type: string, [field: string]: any}} frame
 * @param {number} now
 * @returns {Stepped} it was only slow
 */
function hearAgain(state, frame, now) {
  const [trusted, told] = trust(state, now);
  const [next, outputs] = hear(trusted, frame, undefined, now);
  return [next, [...told, ...outputs]];
}

/**
 * @param {Connection} state
 * @param {{[field: string]: any}} welcome
 * @param {number} openedAt
 * @param {number} now
 * @returns {Connection}
 */
function welcomed(state, { heartbeatSeconds = HEARTBEAT_SECONDS, expiresAt }, openedAt, now) {
  const beatMs = heartbeatSeconds * 1000;
  const left = expiresAt - now;
  // An end that is over already tells of a wrong clock, here or there: the lifetime is left.
  const knows = Number.isInteger(expiresAt) && left > 0;
  const end = knows ? expiresAt - Math.min(LONGEST_MARGIN_MS, Math.floor(left / 10)) : Infinity;
  const redialAt = Math.max(openedAt + SOONEST_REDIAL_MS, Math.min(openedAt + LIFETIME_MS, end));
  return {
    ...state,
    phase: "online",
    failures: 0,
    due: null,
    openedAt,
    beatMs,
    beatAt: now + beatMs,
    redialAt,
    next: null,
    nextFailures: 0,
    silent: false,
  };
}

/**
 * @param {Connection} state
 * @param {number} now
 * @param {number} random
 * @returns {Stepped} all that is due, in one order
 */
function tick(state, now, random) {
  /** @type {DialOutput[]} */
  const outputs = [];
  for (const part of [endDrain, endWait, beat, redial, endNextsWait]) {
    const [next, told] = part(state, now, random);
    state = next;
    outputs.push(...told);
  }
  return [state, outputs];
}

/**
 * @param {Connection} state
 * @param {number} now
 * @param {number} random
 * @returns {Stepped}
 */
function endWait(state, now, random) {
  if (state.due === null || now < state.due) return [state, []];
  if (state.phase === "waiting") return dialNow(state, now);
  const [next, outputs] = lost(state, now, random);
  return [next, [{ do: "close" }, ...outputs]];
}

/**
 * @param {Connection} state
 * @param {number} now
 * @returns {Stepped}
 */
function beat(state, now) {
  if (state.phase !== "online" || now < state.beatAt) return [state, []];
  return [{ ...state, beatAt: now + state.beatMs }, [{ do: "send", frame: { type: "ping" } }]];
}

/**
 * @param {Connection} state
 * @param {Other | undefined} socket
 * @param {number} now
 * @param {number} random
 * @returns {Stepped}
 */
function closed(state, socket, now, random) {
  if (socket === "old") return drained(state, []);
  if (socket === undefined) return lost(state, now, random);
  return state.next === null || state.next.phase === "waiting"
    ? [state, []]
    : failNext(state, now, random);
}

/**
 * @param {Connection} state
 * @returns {DialOutput[]}
 */
function hangUp({ phase, next, oldUntil }) {
  const stands = phase !== "idle" && phase !== "waiting";
  return [
    ...(stands ? /** @type {const} */ ([{ do: "close" }]) : []),
    ...(next !== null && next.phase !== "waiting"
      ? /** @type {const} */ ([{ do: "close", socket: "next" }])
      : []),
    ...(oldUntil !== null ? /** @type {const} */ ([{ do: "close", socket: "old" }]) : []),
    ...(stands ? /** @type {const} */ ([{ do: "state", state: "offline" }]) : []),
  ];
}

/**
 * The token of a socket is refused or over. `isOpen`: whether that socket still stands.
 *
 * @param {Connection} state
 * @param {Other | undefined} socket
 * @param {boolean} isOpen
 * @returns {Stepped}
 */
function noToken(state, socket, isOpen) {
  if (socket === "old") return [state, []];
  if (socket === "next") return noTokenForNext(state, isOpen);
  if (state.phase === "idle" || state.phase === "waiting") return [state, []];
  if (state.next !== null && state.next.phase !== "waiting") {
    const [next, outputs] = adopt(state, state.next);
    return [next, [{ do: "close" }, ...outputs]];
  }
  const outputs = hangUp(state).filter(
    (output) => isOpen || output.do !== "close" || output.socket !== undefined,
  );
  return [IDLE, [...outputs, { do: "sign-in" }]];
}

/**
 * @param {Connection} state
 * @param {boolean} isOpen
 * @returns {Stepped}
 */
function noTokenForNext(state, isOpen) {
  if (state.next === null || state.next.phase === "waiting") return [state, []];
  if (state.silent)
    return [IDLE, [...hangUp(isOpen ? state : { ...state, next: null }), { do: "sign-in" }]];
  /** @type {DialOutput[]} */
  const close = isOpen ? [{ do: "close", socket: "next" }] : [];
  return [
    { ...state, next: { phase: "waiting", due: null, openedAt: 0 } },
    [...close, { do: "sign-in" }],
  ];
}
