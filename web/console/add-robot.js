/**
 * Adds robots: makes a code, shows the line to type on the robot, and tells which robots have enrolled
 * by it.
 */

import { SignalingError } from "../robosignal/index.js";
import { openAside } from "./aside.js";
import { sentence } from "./banner.js";
import { at, each, field, fromTemplate, write } from "./draw.js";

/** @typedef {import("../robosignal/index.js").Robot} Robot */
/** @typedef {import("../robosignal/index.js").Signal} Signal */
/** @typedef {{signal: Signal, url: string, list: () => Promise<Robot[]>}} Server `list`: the robots that this page shows */

const LOOK_MS = 3_000;
const HOUR_S = 3_600;
const UNTIL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const TAKEN =
  "This robot has a key already. To give it another one, tick that its key waits for your approval.";
const NOT_COPIED =
  "The browser does not let this page copy. The line is selected: copy it yourself.";

const open = {
  /** Counts what is asked, so that a late answer to an earlier question is not shown. */
  question: 0,
  timer: 0,
};

/**
 * Show the form in place of the list.
 *
 * @param {boolean} isAdmin who may choose the robots' owner
 */
export function openAdd(isAdmin) {
  openAside("add", { focus: "add-which", leave });
  /** @type {HTMLFormElement} */ (at("add-form")).reset();
  at("add-owner-field").hidden = !isAdmin;
  at("add-code").hidden = true;
  write("add-note", "");
  showUses();
}

function leave() {
  clearTimeout(open.timer);
  open.question += 1;
  // The code is shown once.
  at("add-line").textContent = "";
}

/**
 * @param {string} id
 */
const input = (id) => /** @type {HTMLInputElement} */ (at(id));

/** Ask for the number of robots only where there may be several. */
export function showUses() {
  const isPattern = input("add-which").value.includes("*");
  at("add-uses-field").hidden = !isPattern;
  input("add-uses").disabled = !isPattern;
}

/**
 * Make the code that the form asks for, and show the line.
 *
 * @param {Server} server
 */
export async function addRobot(server) {
  clearTimeout(open.timer);
  const question = ++open.question;
  at("add-code").hidden = true;
  write("add-note", "Making the code…");
  const which = input("add-which").value.trim();
  const approve = input("add-approve").checked;
  const owner = at("add-owner-field").hidden ? "" : input("add-owner").value.trim();
  const isPattern = which.includes("*");
  try {
    const before = await server.list();
    const isKnown = before.some(({ robotId }) => robotId === which);
    const had = isKnown ? (await server.signal.keys(which)).length : 0;
    if (question !== open.question) return;
    if (had > 0 && !approve) return write("add-note", TAKEN);
    const { code, expiresAt } = await server.signal.createCode({
      ...(isPattern ? { pattern: which, uses: input("add-uses").valueAsNumber } : {}),
      ...(isPattern ? {} : { robotId: which }),
      ...(owner === "" ? {} : { ownerUserId: owner }),
      ttlSeconds: Math.round(input("add-hours").valueAsNumber * HOUR_S),
      approve,
    });
    if (question !== open.question) return;
    const known = new Set(before.map(({ robotId }) => robotId));
    showLine(server.url, code, { which, expiresAt });
    look(server, question, { which, approve, known, had });
  } catch (error) {
    if (!(error instanceof SignalingError)) throw error;
    if (question === open.question) write("add-note", sentence(error.message));
  }
}

/**
 * @param {string} url
 * @param {string} code
 * @param {{which: string, expiresAt: number}} about
 */
function showLine(url, code, { which, expiresAt }) {
  const isPattern = which.includes("*");
  const id = isPattern ? " --robot-id ID" : "";
  const whole = document.createElement("span");
  whole.textContent = code;
  at("add-line").replaceChildren(`robosignal robot enroll ${url} `, whole, id);
  at("add-id").textContent = isPattern
    ? `Write each robot’s own id instead of ID, such as ${which.replace("*", "1")}.`
    : "";
  at("add-until").textContent =
    `The code lasts until ${UNTIL.format(expiresAt)}, and is not shown again.`;
  at("added").replaceChildren();
  at("add-code").hidden = false;
  write("add-note", "");
  at("add-copy").focus();
}

/**
 * Copy the line.
 */
export async function copyLine() {
  try {
    await navigator.clipboard.writeText(String(at("add-line").textContent));
    write("add-note", "Copied.");
  } catch {
    getSelection()?.selectAllChildren(at("add-line"));
    write("add-note", NOT_COPIED);
  }
}

/**
 * Look for robots that have enrolled, every 3 s: a robot that waits for approval is offline, and so is
 * pushed to no page.
 *
 * @param {Server} server
 * @param {number} question
 * @param {{which: string, approve: boolean, known: Set<string>, had: number}} about `had`: how many keys
 *   the one robot had before
 */
function look(server, question, about) {
  open.timer = setTimeout(() => {
    void findEnrolled(server, about)
      .catch(() => null)
      .then((enrolled) => {
        if (question !== open.question) return;
        if (enrolled) drawEnrolled(enrolled, about.approve);
        look(server, question, about);
      });
  }, LOOK_MS);
}

/**
 * @param {Server} server
 * @param {{which: string, known: Set<string>, had: number}} about
 * @returns {Promise<string[]>} the robots' ids
 */
async function findEnrolled({ signal, list }, { which, known, had }) {
  const robots = await list();
  if (known.has(which)) return (await signal.keys(which)).length > had ? [which] : [];
  const isOurs = (/** @type {string} */ robotId) =>
    which.endsWith("*") ? robotId.startsWith(which.slice(0, -1)) : robotId === which;
  return robots
    .map(({ robotId }) => robotId)
    .filter((robotId) => isOurs(robotId) && !known.has(robotId));
}

/**
 * @param {string[]} robotIds
 * @param {boolean} isApproved whether someone must approve their keys
 */
function drawEnrolled(robotIds, isApproved) {
  each(
    at("added"),
    robotIds.map((key) => ({ key })),
    "robotId",
    () => fromTemplate("enrolled"),
    (item, { key }) => {
      field(item, "name").textContent = key;
      field(item, "status").textContent = isApproved
        ? "has sent its key. Compare its fingerprint before you approve it."
        : "has enrolled.";
      const button = /** @type {HTMLElement} */ (item.querySelector("button"));
      button.setAttribute("aria-label", `${button.textContent}: ${key}`);
    },
  );
}
