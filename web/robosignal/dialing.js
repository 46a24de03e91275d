/**
 * When to dial, when to redial, when to give a silent socket up: pure, and the same as the robot's,
 * by the vectors that both run. It never touches a socket.
 */

import { never } from "./words.js";

/** @import { ConnectionState, OutFrame } from "./words.js" */

const HEARTBEAT_SECONDS = 120;
const HANDSHAKE_MS = 10_000;
const SHORTEST_REST_MS = 500;
const LONGEST_REST_MS = 30_000;

/** @typedef {{phase: "idle" | "dialing" | "opened" | "online" | "resting", attempt: number, due: number | null, beatMs: number}} Dialing */
/** @typedef {{type: "start"} | {type: "opened"} | {type: "closed", code?: number} | {type: "refused", status: number} | {type: "frame", frame: {type: string, [field: string]: any}} | {type: "tick"} | {type: "stop"}} DialEvent */
/** @typedef {{do: "dial"} | {do: "close"} | {do: "sign-in"} | {do: "send", frame: OutFrame} | {do: "wake", at: number} | {do: "state", state: ConnectionState}} DialOutput */
/** @typedef {[Dialing, DialOutput[]]} Dialed */

/** @type {Dialing} */
export const IDLE = Object.freeze({ phase: "idle", attempt: 0, due: null, beatMs: 0 });

/**
 * One step of the connection: `now` in ms of any clock that never goes back, `random` in [0, 1).
 *
 * An event that the phase does not expect (a close of a socket given up, a late timer) changes
 * nothing.
 *
 * @param {Dialing} state
 * @param {DialEvent} event
 * @param {number} now
 * @param {number} random
 * @returns {Dialed}
 */
export function dial(state, event, now, random) {
  switch (event.type) {
    case "start":
      return state.phase === "idle" || state.phase === "resting" ? dialNow(state, now) : [state, []];
    case "opened":
      return state.phase === "dialing" ? greet(state, now) : [state, []];
    case "frame":
      return hear(state, event.frame, now);
    case "tick":
      return wake(state, now, random);
    case "closed":
      return lost(state, now, random);
    case "refused":
      return event.status === 401 ? askSignIn(state) : lost(state, now, random);
    case "stop":
      return [IDLE, hangUp(state)];
    default:
      return never(event);
  }
}

/** @param {Dialing} state @param {number} now @returns {Dialed} */
function dialNow(state, now) {
  const due = now + HANDSHAKE_MS;
  const outputs = /** @type {DialOutput[]} */ ([
    { do: "state", state: "connecting" },
    { do: "dial" },
    { do: "wake", at: due },
  ]);
  return [{ ...state, phase: "dialing", due }, outputs];
}

/** @param {Dialing} state @param {number} now @returns {Dialed} */
function greet(state, now) {
  const due = now + HANDSHAKE_MS;
  return [
    { ...state, phase: "opened", due },
    [{ do: "send", frame: { type: "ready", protocol: 1 } }, { do: "wake", at: due }],
  ];
}

/** @param {Dialing} state @param {{type: string, [field: string]: any}} frame @param {number} now @returns {Dialed} */
function hear(state, frame, now) {
  if (frame.type === "error" && frame.code === "token_expired") return askSignIn(state);
  if (frame.type !== "welcome" || state.phase !== "opened") return [state, []];
  const beatMs = (frame.heartbeatSeconds ?? HEARTBEAT_SECONDS) * 1000;
  const due = now + beatMs;
  return [
    { phase: "online", attempt: 0, due, beatMs },
    [{ do: "state", state: "online" }, { do: "wake", at: due }],
  ];
}

/** @param {Dialing} state @param {number} now @param {number} random @returns {Dialed} */
function wake(state, now, random) {
  if (state.due === null) return [state, []];
  if (now < state.due) return [state, [{ do: "wake", at: state.due }]];
  if (state.phase === "resting") return dialNow(state, now);
  if (state.phase === "online") {
    const due = now + state.beatMs;
    return [{ ...state, due }, [{ do: "send", frame: { type: "ping" } }, { do: "wake", at: due }]];
  }
  const [next, outputs] = lost(state, now, random);
  return [next, [{ do: "close" }, ...outputs]];
}

/** @param {Dialing} state @param {number} now @param {number} random @returns {Dialed} */
function lost(state, now, random) {
  if (state.phase === "idle" || state.phase === "resting") return [state, []];
  const attempt = state.attempt + 1;
  const longest = Math.min(LONGEST_REST_MS, SHORTEST_REST_MS * 2 ** attempt);
  const due = now + Math.floor(SHORTEST_REST_MS + random * (longest - SHORTEST_REST_MS));
  return [
    { ...state, phase: "resting", attempt, due },
    [{ do: "state", state: "offline" }, { do: "wake", at: due }],
  ];
}

/** @param {Dialing} state @returns {DialOutput[]} */
function hangUp({ phase }) {
  if (phase === "idle" || phase === "resting") return [];
  return [{ do: "close" }, { do: "state", state: "offline" }];
}

/** @param {Dialing} state @returns {Dialed} */
function askSignIn(state) {
  if (state.phase === "idle") return [state, []];
  // A handshake that was refused has left no socket to close.
  const outputs = hangUp(state).filter((output) => output.do !== "close" || state.phase !== "dialing");
  return [IDLE, [...outputs, { do: "sign-in" }]];
}
