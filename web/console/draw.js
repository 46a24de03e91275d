/**
 * Draws the page: the connection, the robots, and the panel with who drives and who asks.
 */

import {
  bannerOf,
  driverFact,
  driverName,
  isDriving,
  joiningBanner,
  quote,
  requestOf,
  rowOf,
} from "./banner.js";
import { focusVideo } from "./focus.js";
import { drawPicture, noteRtt } from "./picture.js";

/** @typedef {import("../robosignal/index.js").Offered} Offered */
/** @typedef {import("../robosignal/index.js").Robot} Robot */
/** @typedef {import("../robosignal/index.js").Session} Session */
/** @typedef {import("../robosignal/index.js").Signal} Signal */
/** @typedef {import("../robosignal/index.js").View} View */
/**
 * @typedef {object} Scene what is on the screen
 * @property {Signal} signal
 * @property {Session | null} session
 * @property {Robot[] | null} robots null before the first list
 * @property {Offered[]} offers robots that are offered to this user
 * @property {string | null} joins the robot that is about to be driven or watched
 * @property {boolean} wasOnline
 * @property {boolean} isAdmin whether this user's token says so
 */

const CONNECTION = { offline: "Offline", connecting: "Connecting…", online: "Online" };
const ROLES = { controller: "Driver", viewer: "Viewer" };

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
export const at = (id) => /** @type {T} */ (document.getElementById(id));

/**
 * Write only what differs: a screen reader would read the same again.
 *
 * @param {string} id
 * @param {string} words
 */
export function write(id, words) {
  if (at(id).textContent !== words) at(id).textContent = words;
}

/**
 * A sentence for the operator, above all else.
 *
 * @param {string} words
 * @param {"bad" | "plain"} [tone]
 */
export function showNotice(words, tone = "bad") {
  at("notice").dataset.tone = tone;
  write("notice", words);
}

/**
 * Clear the notice, if it is still this one.
 *
 * @param {string} words
 */
export function clearNotice(words) {
  if (at("notice").textContent === words) showNotice("");
}

/**
 * @param {Scene} scene
 */
export function draw(scene) {
  drawConnection(scene);
  drawOffers(scene);
  drawRobots(scene);
  drawPanel(scene);
}

/**
 * @param {number} ms
 */
export function drawRtt(ms) {
  noteRtt();
  at("fact-rtt").dataset.old = "false";
  at("panel").dataset.rttMs = ms.toFixed(1);
  at("fact-rtt").textContent = `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/**
 * @param {"sign-in" | "sign-out"} action
 * @param {boolean} isOffered
 */
export function offer(action, isOffered) {
  const button = /** @type {HTMLElement} */ (
    document.querySelector(`header [data-action=${action}]`)
  );
  button.hidden = !isOffered;
}

/**
 * Say that no one is signed in.
 *
 * @param {boolean} isHere whether a button on this page signs in
 */
export function drawSignedOut(isHere) {
  write("banner-title", "You are not signed in");
  write("banner-text", isHere ? "Press Sign in, at the top." : "Open your sign-in link.");
  at("fleet-empty").textContent = "Sign in to see your robots.";
}

/**
 * @param {Scene} scene
 */
function drawConnection({ signal, wasOnline }) {
  document.body.dataset.state = signal.state;
  at("connection-text").textContent =
    signal.state !== "online" && wasOnline ? "Reconnecting…" : CONNECTION[signal.state];
  at("who").textContent = signal.me ? (signal.me.name ?? signal.me.userId) : "";
}

/**
 * @param {Scene} scene
 */
export function drawPanel({ signal, session, joins, robots }) {
  const view = session?.view ?? null;
  const { kind, title, text } =
    view === null && joins !== null
      ? joiningBanner(joins)
      : bannerOf(view, signal.me, isTouchOnly());
  const panel = at("panel");
  const live = view?.state === "live";
  const driver = view ? driverName(view, signal.me) : "";
  document.body.dataset.session = kind === "none" ? "none" : "open";
  panel.dataset.banner = kind;
  panel.dataset.driver = driver;
  if (!live) delete panel.dataset.rttMs;
  write("banner-title", title);
  write("banner-text", text);
  const asked = view?.requests[0];
  document.title = view ? `${asked ? requestOf(asked.by) : title} · robosignal` : "robosignal";
  // A picture that moves is shown, whatever else is missing.
  const isShown =
    live ||
    (view !== null && view.missing.includes("channel") && !view.missing.includes("picture"));
  at("veil").textContent = isShown || !view ? "" : title;
  at("fact-driver").textContent = driverFact(view, signal.me);
  at("fact-role").textContent = view?.role && live ? ROLES[view.role] : "–";
  at("fact-epoch").textContent = view?.epoch ? String(view.epoch) : "–";
  if (!live) at("fact-rtt").textContent = "–";
  at("pad").dataset.active = String(view !== null && isDriving(view) && view.blocked === null);
  drawPicture(view);
  drawRequests(view);
  drawActions(signal, view, robots ?? []);
}

/** A device with a touch screen and no mouse or the like has seldom a keyboard. */
const isTouchOnly = () =>
  matchMedia("(any-pointer: coarse)").matches && !matchMedia("(any-pointer: fine)").matches;

/**
 * @param {View | null} view
 */
function drawRequests(view) {
  const requests = view?.requests ?? [];
  each(
    at("requests"),
    requests.map(({ sessionId, by }) => ({ key: sessionId, by })),
    "sessionId",
    newRequest,
    () => {},
  );
}

/**
 * @param {{key: string, by: import("../robosignal/index.js").Person}} request
 */
function newRequest({ by }) {
  const item = fromTemplate("request");
  const text = requestOf(by);
  field(item, "text").textContent = text;
  for (const button of item.querySelectorAll("button"))
    button.setAttribute("aria-label", `${button.textContent}: ${text}`);
  return item;
}

/**
 * @param {Signal} signal
 * @param {View | null} view
 * @param {Robot[]} robots
 */
function drawActions(signal, view, robots) {
  const row = robots.find(({ robotId }) => robotId === view?.robotId);
  const may = row ? rowOf(row, view, signal.me) : null;
  const isInSession = view !== null && view.state !== "ended";
  const watches = isInSession && view.role === "viewer";
  enable(at("actions"), {
    drive: watches && may?.drive === true,
    request: watches && may?.request === true,
    "take-over": watches && may?.takeOver === true,
    release: isInSession && view.role === "controller" && !may?.advisory,
    leave: isInSession,
  });
  const owns = row?.relation === "owner" || row?.relation === "admin";
  const canClear = isInSession && view.stopped !== null && (view.role === "controller" || owns);
  enable(at("stop"), { stop: isInSession, "clear-stop": canClear });
  at("stop").dataset.stopped = String(view?.stopped?.by ?? "");
}

/**
 * @param {Element} where
 * @param {Record<string, boolean>} actions
 */
function enable(where, actions) {
  for (const button of where.querySelectorAll("button")) {
    const off = !actions[String(button.dataset.action)];
    if (off) keepFocus(button);
    button.disabled = off;
  }
}

/**
 * A focused element that goes, or is disabled, drops the focus to the page, and keys with it.
 *
 * @param {Element} going
 */
function keepFocus(going) {
  if (going.contains(document.activeElement)) focusVideo();
}

/**
 * @param {Scene} scene
 */
function drawRobots({ signal, session, robots, isAdmin }) {
  const rows = (robots ?? []).map((robot) => ({ key: robot.robotId, robot }));
  each(
    at("robots"),
    rows,
    "robotId",
    ({ key }) => newRow(key),
    (row, { robot }) => drawRow(row, robot, { signal, session, isAdmin }),
  );
  const none =
    robots === null ? "Looking for your robots…" : "No robot is yours or shared with you yet.";
  at("fleet-count").textContent = rows.length ? String(rows.length) : "";
  at("fleet-empty").textContent = rows.length
    ? ""
    : signal.state === "online"
      ? none
      : "Not connected yet.";
}

/**
 * @param {string} robotId
 * @param {string} [template]
 */
function newRow(robotId, template = "row") {
  const row = fromTemplate(template);
  for (const button of row.querySelectorAll("button"))
    button.setAttribute("aria-label", `${button.textContent}: ${robotId}`);
  return row;
}

/**
 * @param {HTMLElement} row
 * @param {Robot} robot
 * @param {Pick<Scene, "signal" | "session" | "isAdmin">} scene
 */
function drawRow(row, robot, { signal, session, isAdmin }) {
  const view = session?.robotId === robot.robotId ? session.view : null;
  const may = rowOf(robot, view, signal.me);
  const { driver, status, advisory, drive, watch, takeOver, leaveShare } = may;
  row.dataset.driver = driver;
  row.dataset.online = robot.stale ? "unknown" : String(robot.online);
  row.dataset.chosen = String(view !== null);
  row.setAttribute("aria-label", `${robot.robotId}: ${status}`);
  field(row, "name").textContent = robot.robotId;
  field(row, "status").textContent = status;
  field(row, "advisory").hidden = !advisory;
  // The server refuses these to others. An admin with whom the robot is shared is an operator in lists.
  const mayRead = robot.relation === "owner" || robot.relation === "admin" || isAdmin;
  enable(row, {
    drive,
    watch,
    "take-over": takeOver,
    history: mayRead,
    keys: mayRead,
    sharing: mayRead,
    "leave-share": leaveShare,
  });
  hide(row, {
    drive: !may.mayDrive,
    "take-over": !may.mayDrive,
    history: !mayRead,
    keys: !mayRead,
    sharing: !mayRead,
    "leave-share": !leaveShare,
  });
}

/**
 * @param {Element} where
 * @param {Record<string, boolean>} actions what its user has no right to
 */
function hide(where, actions) {
  for (const [action, hidden] of Object.entries(actions)) {
    const button = where.querySelector(`[data-action="${action}"]`);
    if (!(button instanceof HTMLElement)) continue;
    if (hidden) keepFocus(button);
    button.hidden = hidden;
  }
}

/**
 * @param {Scene} scene
 */
function drawOffers({ signal, offers }) {
  each(
    at("offers"),
    offers.map((offer) => ({ key: offer.robotId, offer })),
    "robotId",
    ({ key }) => newRow(key, "offer"),
    (row, { offer }) => {
      field(row, "name").textContent = offer.robotId;
      const can = offer.role === "viewer" ? "you may watch it" : "you may drive it";
      const end =
        offer.until === undefined ? "" : ` until ${new Date(offer.until).toLocaleString()}`;
      field(row, "status").textContent =
        `Offered by ${quote(offer.owner, signal.me)}: ${can}${end}`;
    },
  );
}

/**
 * Make a list hold one child for each value, and keep the children that stand.
 *
 * @template {{key: string}} Value
 * @param {HTMLElement} list
 * @param {Value[]} values
 * @param {string} mark the data attribute that has the key
 * @param {(value: Value) => HTMLElement} make
 * @param {(child: HTMLElement, value: Value) => void} update
 */
export function each(list, values, mark, make, update) {
  const standing = new Map(
    [...list.children].map((child) => [
      /** @type {HTMLElement} */ (child).dataset[mark],
      /** @type {HTMLElement} */ (child),
    ]),
  );
  for (const value of values) {
    const child = standing.get(value.key) ?? make(value);
    standing.delete(value.key);
    child.dataset[mark] = value.key;
    update(child, value);
    if (!child.isConnected) list.append(child);
  }
  for (const gone of standing.values()) {
    keepFocus(gone);
    gone.remove();
  }
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function fromTemplate(id) {
  const template = /** @type {HTMLTemplateElement} */ (at(id));
  return /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
}

/**
 * @param {HTMLElement} within
 * @param {string} name
 * @returns {HTMLElement}
 */
export const field = (within, name) =>
  /** @type {HTMLElement} */ (within.querySelector(`[data-field="${name}"]`));
