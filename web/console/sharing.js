/**
 * Who has which right to a robot, for its owner and admins: the shares and offers that there are, the
 * form that makes or changes one, and the one that gives the robot to another owner.
 */

import { SignalingError } from "../robosignal/index.js";
import { openAside } from "./aside.js";
import { quote, sentence } from "./banner.js";
import { at, each, field, fromTemplate, write } from "./draw.js";
import { resetInvite } from "./invite.js";
import { complain, input, readEnd, setBusy, showEnd } from "./right-form.js";
import { endWarning, granteeOf, rightSentence, toLocalInput } from "./rights.js";

/** @typedef {import("../robosignal/index.js").Signal} Signal */
/** @typedef {import("../robosignal/index.js").Robot} Robot */
/** @typedef {import("../robosignal/index.js").Share} Share */
/** @typedef {import("../robosignal/types.js").Ack} Ack */

/** An offer that is accepted meanwhile says so by itself. */
const ASK_AGAIN_MS = 5_000;
const NONE = "Only the owner and admins have a right to it.";

const open = {
  robotId: "",
  /** @type {Share[]} */
  shares: [],
  /** The share of which is asked whether to end it. */
  doubted: "",
  /** The share that the form changes; empty for a new one. */
  changed: "",
  /** What was last said of the answer to the question which shares there are. */
  said: "",
  /** Counts what is asked, so that a late answer to an earlier question is not shown. */
  question: 0,
  timer: 0,
};

/**
 * What tells a share from the others of its robot.
 *
 * @param {Share} share
 */
const keyOf = ({ userId, group }) => (group === undefined ? `user ${userId}` : `group ${group}`);

/**
 * Show a robot's shares in place of the list.
 *
 * @param {Signal} signal
 * @param {Robot} robot
 * @param {string[]} groups of this user's token
 */
export function openSharing(signal, { robotId, owner }, groups) {
  openAside("sharing", { robotId, focus: "sharing-title", leave });
  Object.assign(open, { robotId, shares: [], doubted: "" });
  at("sharing-title").textContent = robotId;
  const isOurs = owner?.userId === signal.me?.userId;
  at("sharing-owner").textContent = isOurs || !owner ? "You own it." : `${quote(owner)} owns it.`;
  for (const part of at("sharing").querySelectorAll("details")) part.open = false;
  at("share-groups").replaceChildren(...groups.map((group) => new Option(group, group)));
  resetShare();
  /** @type {HTMLFormElement} */ (at("transfer-form")).reset();
  complain("transfer", {});
  resetInvite();
  draw();
  write("sharing-note", "");
  sayAsked("Asking…");
  void ask(signal);
}

function leave() {
  clearTimeout(open.timer);
  open.question += 1;
  resetInvite();
}

/**
 * Ask which shares there are, now and every 5 s.
 *
 * @param {Signal} signal
 */
async function ask(signal) {
  clearTimeout(open.timer);
  const question = ++open.question;
  try {
    const shares = await signal.shares(open.robotId);
    if (question !== open.question) return;
    show(shares);
    sayAsked(shares.length === 0 ? NONE : "");
  } catch (error) {
    if (!(error instanceof SignalingError)) throw error;
    if (question === open.question) sayAsked(sentence(error.message));
  }
  if (question === open.question) open.timer = setTimeout(() => void ask(signal), ASK_AGAIN_MS);
}

/**
 * Say how the question went, but not in place of what a press has done.
 *
 * @param {string} words
 */
function sayAsked(words) {
  if (["", open.said].includes(at("sharing-note").textContent ?? "")) write("sharing-note", words);
  open.said = words;
}

/**
 * @param {unknown} error
 */
function showError(error) {
  if (!(error instanceof SignalingError)) throw error;
  write("sharing-note", sentence(error.message));
}

/**
 * Offers first, since they wait for someone; then by name, so that a change moves nothing.
 *
 * @param {Share[]} shares
 */
function show(shares) {
  const place = (/** @type {Share} */ share) => `${share.offered ? 0 : 1} ${keyOf(share)}`;
  open.shares = [...shares].sort((one, other) => (place(one) < place(other) ? -1 : 1));
  draw();
}

function draw() {
  each(
    at("share-list"),
    open.shares.map((share) => ({ key: keyOf(share), share })),
    "share",
    () => fromTemplate("share"),
    (item, { key, share }) => drawShare(item, key, share),
  );
}

/**
 * @param {HTMLElement} item
 * @param {string} key
 * @param {Share} share
 */
function drawShare(item, key, share) {
  const isDoubted = key === open.doubted;
  const isOver = share.until !== undefined && share.until <= Date.now();
  field(item, "grantee").textContent = granteeOf(share);
  field(item, "right").textContent = rightSentence(share, Date.now());
  field(item, "warning").textContent = endWarning(share, open.robotId);
  field(item, "sure").hidden = !isDoubted;
  field(item, "choices").hidden = isDoubted;
  item.dataset.offered = String(share.offered === true);
  const end = /** @type {HTMLElement} */ (item.querySelector("[data-action=end-share]"));
  end.textContent = isOver ? "Remove" : share.offered ? "Withdraw" : "End";
  for (const button of item.querySelectorAll("button"))
    button.setAttribute("aria-label", `${button.textContent}: ${granteeOf(share)}`);
}

/** Make the form one for a new share. */
function resetShare() {
  open.changed = "";
  const form = /** @type {HTMLFormElement} */ (at("share-form"));
  form.reset();
  complain("share", {});
  at("share-who").hidden = false;
  at("share-cancel").hidden = true;
  at("share-summary").textContent = "Share with a user or a group";
  at("share-submit").textContent = "Share";
  input("share-id").required = true;
  showWith();
  showEnd("share");
}

/** Ask for a user's id or a group's name, as the form says. */
export function showWith() {
  const isGroup = input("share-with").value === "group";
  at("share-id-label").textContent = isGroup ? "Name of the group" : "User id";
  at("share-id-hint").textContent = isGroup
    ? "Everyone whose token names the group has the right at once."
    : "Their console shows it under “I have a code”. The offer waits above their list of robots.";
  if (isGroup) input("share-id").setAttribute("list", "share-groups");
  else input("share-id").removeAttribute("list");
}

/**
 * Fill the form with a share that there is.
 *
 * @param {Share} share
 */
function changeShare(share) {
  resetShare();
  open.changed = keyOf(share);
  input("share-with").value = share.group === undefined ? "userId" : "group";
  input("share-id").value = share.group ?? share.userId ?? "";
  input("share-role").value = share.role;
  input("share-until").value = share.until === undefined ? "" : toLocalInput(share.until);
  at("share-who").hidden = true;
  at("share-cancel").hidden = false;
  at("share-summary").textContent = `Change: ${granteeOf(share)}`;
  at("share-submit").textContent = "Change";
  showEnd("share");
  /** @type {HTMLDetailsElement} */ (at("share-part")).open = true;
  at("share-role").focus();
}

/**
 * Share, or change a share, as the form says.
 *
 * @param {Signal} signal
 */
export async function submitShare(signal) {
  const isGroup = input("share-with").value === "group";
  const id = isGroup ? input("share-id").value : input("share-id").value.trim();
  const role = /** @type {"operator" | "viewer"} */ (input("share-role").value);
  const whom = isGroup ? { group: id } : { userId: id };
  const wasChanged = open.changed !== "";
  await attempt(signal, "share", async (robotId) => {
    const reply = await signal.request({
      type: "share",
      robotId,
      ...whom,
      role,
      until: readEnd("share"),
    });
    if (robotId !== open.robotId) return;
    const { shares = [], robotTold } = /** @type {Ack} */ (reply);
    resetShare();
    show(shares);
    /** @type {HTMLDetailsElement} */ (at("share-part")).open = false;
    const made = shares.find((share) => keyOf(share) === keyOf({ ...whom, role }));
    const done = made?.offered
      ? `Offered to ${granteeOf(made)}, who finds it above the list of robots.`
      : wasChanged
        ? "Changed."
        : "Shared.";
    write("sharing-note", robotTold === false ? `${done} ${untold(robotId)}` : done);
    at("share-summary").focus();
  });
}

/**
 * @param {string} robotId
 */
const untold = (robotId) =>
  `${robotId} could not be told: it may obey its last driver for a while.`;

/**
 * Give the robot to another owner, as the form says.
 *
 * @param {Signal} signal
 * @returns {Promise<{robotId: string, userId: string, robotTold: boolean} | null>} null if it was not
 */
export async function submitTransfer(signal) {
  const userId = input("transfer-id").value.trim();
  if (input("transfer-robot").value.trim() !== open.robotId) {
    complain("transfer", { robot: `Type ${open.robotId} here: it is the robot’s id.` });
    return null;
  }
  const given = await attempt(signal, "transfer", async (robotId) => ({
    robotId,
    userId,
    ...(await signal.transfer(robotId, userId)),
  }));
  return given ?? null;
}

/**
 * Do what one of the forms asks for, once, and say at its fields what is wrong.
 *
 * @template Value
 * @param {Signal} signal
 * @param {"share" | "transfer"} form
 * @param {(robotId: string) => Promise<Value>} act
 * @returns {Promise<Value | undefined>}
 */
async function attempt(signal, form, act) {
  const { robotId } = open;
  if (!setBusy("sharing", true)) return undefined;
  complain(form, {});
  write("sharing-note", "");
  // What was asked before may be answered later, and is old then.
  open.question += 1;
  try {
    return await act(robotId);
  } catch (error) {
    if (robotId === open.robotId) complain(form, error);
    return undefined;
  } finally {
    setBusy("sharing", false);
    if (robotId === open.robotId && !at("sharing").hidden) void ask(signal);
  }
}

/** @type {Record<string, (signal: Signal, share: Share, item: HTMLElement) => Promise<void> | void>} */
const ACTIONS = {
  "change-share": (_signal, share) => changeShare(share),
  "end-share": (signal, share, item) => {
    const isHarmless = share.offered || (share.until !== undefined && share.until <= Date.now());
    if (isHarmless) return endShare(signal, share);
    open.doubted = keyOf(share);
    draw();
    /** @type {HTMLElement} */ (item.querySelector("[data-action=keep-share]")).focus();
  },
  "keep-share": (_signal, _share, item) => {
    open.doubted = "";
    draw();
    /** @type {HTMLElement} */ (item.querySelector("[data-action=end-share]")).focus();
  },
  "end-share-now": (signal, share) => endShare(signal, share),
};

/**
 * @param {Signal} signal
 * @param {Share} share
 */
async function endShare(signal, { userId, group, offered }) {
  const { robotId } = open;
  open.question += 1;
  const reply = await signal.request({ type: "unshare", robotId, userId, group });
  if (robotId !== open.robotId) return;
  const { shares = [], robotTold } = /** @type {Ack} */ (reply);
  open.doubted = "";
  // The button that has the focus goes.
  at("sharing-title").focus();
  if (open.changed === keyOf({ userId, group, role: "operator" })) resetShare();
  show(shares);
  const done = offered ? "Withdrawn." : "Ended.";
  write("sharing-note", robotTold === false ? `${done} ${untold(robotId)}` : done);
}

/**
 * Do what a button of this part of the page says; no-op for other actions.
 *
 * @param {Signal} signal
 * @param {string} action
 * @param {HTMLElement} button
 */
export async function actOnShares(signal, action, button) {
  if (action === "cancel-change") {
    resetShare();
    return at("share-summary").focus();
  }
  const act = ACTIONS[action];
  const item = /** @type {HTMLElement | null} */ (button.closest("li[data-share]"));
  const share = open.shares.find((each) => keyOf(each) === item?.dataset.share);
  if (act === undefined || !item || !share || !setBusy("sharing", true)) return;
  const { robotId } = open;
  try {
    await act(signal, share, item);
  } catch (error) {
    if (robotId === open.robotId) showError(error);
  } finally {
    setBusy("sharing", false);
  }
  if (robotId === open.robotId && !at("sharing").hidden) await ask(signal);
}
