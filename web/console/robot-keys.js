/**
 * A robot's own keys, for its owner and admins: which ones it has, which one waits for approval, and
 * the button that ends one.
 */

import { SignalingError } from "../robosignal/index.js";
import { openAside } from "./aside.js";
import { quote, sentence } from "./banner.js";
import { at, each, field, fromTemplate, write } from "./draw.js";
import { formatLength } from "./history.js";

/** @typedef {import("../robosignal/index.js").Signal} Signal */
/** @typedef {import("../robosignal/types.js").RobotKey} RobotKey */

/** A robot that enrols meanwhile appears by itself. */
const ASK_AGAIN_MS = 3_000;
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const NONE =
  "This robot has no key of its own: it can connect only with a person’s token. Add a robot makes a code for it.";

const open = {
  robotId: "",
  /** @type {RobotKey[]} */
  keys: [],
  /** The key of which is asked whether to revoke it. */
  doubted: "",
  /** Counts what is asked, so that a late answer to an earlier question is not shown. */
  question: 0,
  timer: 0,
};

/**
 * Show a robot's keys in place of the list.
 *
 * @param {Signal} signal
 * @param {string} robotId
 */
export function openKeys(signal, robotId) {
  openAside("keys", { robotId, focus: "keys-title", leave });
  Object.assign(open, { robotId, keys: [], doubted: "" });
  at("keys-title").textContent = robotId;
  at("forget-sure").hidden = true;
  draw(signal);
  write("keys-note", "Asking…");
  void ask(signal);
}

function leave() {
  clearTimeout(open.timer);
  open.question += 1;
}

/**
 * Ask which keys there are, now and every 3 s.
 *
 * @param {Signal} signal
 */
async function ask(signal) {
  clearTimeout(open.timer);
  const question = ++open.question;
  try {
    const keys = await signal.keys(open.robotId);
    if (question !== open.question) return;
    // What waits for someone comes first.
    open.keys = [...keys].sort((one, other) => Number(!one.pending) - Number(!other.pending));
    draw(signal);
    write("keys-note", keys.length === 0 ? NONE : "");
  } catch (error) {
    if (question === open.question) showError(error);
  }
  if (question === open.question) open.timer = setTimeout(() => void ask(signal), ASK_AGAIN_MS);
}

/**
 * @param {unknown} error
 */
function showError(error) {
  if (!(error instanceof SignalingError)) throw error;
  write("keys-note", sentence(error.message));
}

/**
 * @param {Signal} signal
 */
function draw(signal) {
  each(
    at("key-list"),
    open.keys.map((key) => ({ key: key.kid, value: key })),
    "kid",
    () => fromTemplate("key"),
    (item, { value }) => drawKey(item, value, signal),
  );
}

/**
 * @param {HTMLElement} item
 * @param {RobotKey} key
 * @param {Signal} signal
 */
function drawKey(item, key, signal) {
  const isPending = key.pending === true;
  const isDoubted = key.kid === open.doubted;
  item.dataset.pending = String(isPending);
  writeFingerprint(field(item, "fingerprint"), key.fingerprint);
  field(item, "compare").hidden = !isPending;
  field(item, "facts").textContent = factsOf(key, signal);
  field(item, "sure").hidden = !isDoubted;
  field(item, "choices").hidden = isDoubted;
  for (const button of item.querySelectorAll("button")) {
    button.setAttribute("aria-label", `${button.textContent}: ${key.fingerprint}`);
    if (button.dataset.action === "approve-key") button.hidden = !isPending;
  }
}

/**
 * The whole of it must be seen to be compared: it breaks between its groups.
 *
 * @param {HTMLElement} where
 * @param {string} fingerprint
 */
function writeFingerprint(where, fingerprint) {
  if (where.textContent === fingerprint) return;
  const groups = fingerprint.split(/(?<=:)/);
  where.replaceChildren(...groups.flatMap((group) => [group, document.createElement("wbr")]));
}

/**
 * @param {RobotKey} key
 * @param {Signal} signal
 */
function factsOf({ addedAt, addedBy, lastUsedAt, notAfter, pending }, { me }) {
  const ago = (/** @type {number} */ time) => `${formatLength(Date.now() - time)} ago`;
  const by = addedBy === me?.userId ? "you" : quote({ userId: String(addedBy) });
  const facts = [
    addedBy === undefined
      ? `The robot replaced its key by this one ${ago(addedAt)}.`
      : `Added ${ago(addedAt)} by ${by}.`,
    lastUsedAt === undefined ? "Not used yet." : `Last used ${ago(lastUsedAt)}.`,
    notAfter === undefined ? "" : `Ends ${WHEN.format(notAfter)}.`,
  ];
  return (pending ? facts.slice(0, 1) : facts).filter(Boolean).join(" ");
}

/** @type {Record<string, (signal: Signal, item: HTMLElement | null) => Promise<void> | void>} */
const ACTIONS = {
  "approve-key": async (signal, item) => {
    await signal.approveKey(open.robotId, String(item?.dataset.kid));
    at("keys-title").focus();
  },
  "revoke-key": (signal, item) => {
    open.doubted = String(item?.dataset.kid);
    draw(signal);
    if (item) /** @type {HTMLElement} */ (item.querySelector("[data-action=keep-key]")).focus();
  },
  "keep-key": (signal, item) => {
    open.doubted = "";
    draw(signal);
    if (item) /** @type {HTMLElement} */ (item.querySelector("[data-action=revoke-key]")).focus();
  },
  "revoke-for-good": async (signal, item) => {
    await signal.revokeKey(open.robotId, String(item?.dataset.kid));
    at("keys-title").focus();
  },
};

/**
 * Do what a button of this part of the page says; no-op for other actions.
 *
 * @param {Signal} signal
 * @param {string} action
 * @param {HTMLElement} button
 */
export async function actOnKeys(signal, action, button) {
  const act = ACTIONS[action];
  if (act === undefined) return;
  try {
    await act(signal, button.closest("li"));
  } catch (error) {
    return showError(error);
  }
  if (["approve-key", "revoke-for-good"].includes(action)) await ask(signal);
}

/**
 * Ask whether the robot is to be forgotten, or no longer.
 *
 * @param {boolean} isAsked
 */
export function doubtForget(isAsked) {
  at("forget-sure").hidden = !isAsked;
  at(isAsked ? "forget-keep" : "keys-title").focus();
}

/**
 * Forget the robot.
 *
 * @param {Signal} signal
 * @returns {Promise<{robotTold: boolean} | null>} null if it is not forgotten
 */
export async function forgetRobot(signal) {
  try {
    return await signal.forget(open.robotId);
  } catch (error) {
    showError(error);
    return null;
  }
}
