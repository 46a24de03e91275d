/**
 * The operators' console: the robots, one session at a time, and never a doubt who drives.
 * It draws what `robosignal.js` says; it never decides who may do what.
 */

import { SignalingError, connect } from "./robosignal.js";
import { bannerOf, driverName, rowOf, sentence } from "./banner.js";
import { handleDriving } from "./driving.js";
import { dropToken, followLinks, saysAdmin, takeToken } from "./sign-in.js";

/** @typedef {import("./robosignal.js").Robot} Robot */
/** @typedef {import("./robosignal.js").Session} Session */
/** @typedef {import("./robosignal.js").Signal} Signal */

const POLL_MS = 2_000;
const CONNECTION = { offline: "Offline", connecting: "Connecting…", online: "Online" };
const ROLES = { controller: "Driver", viewer: "Viewer" };
/** Unasked failures that are worth a sentence; what concerns the robot shows in the banner. */
const WORTH_SAYING = ["internal", "rate_limited", "try_again", "too_large", "bad_message", "unknown_type"];

const NO_TOKEN = "Open the link that “make run” prints, or the one that your administrator sent you: it signs you in.";
const SIGN_IN_AGAIN = "Your sign-in has expired or was refused. Open a new link: “make run” prints one, or ask your administrator.";
const UNREACHABLE = "The server cannot be reached, or it refuses this sign-in. Check that it runs; if it was set up anew, open a new link. Trying again.";

/** @template {HTMLElement} T @param {string} id @returns {T} */
const at = (id) => /** @type {T} */ (document.getElementById(id));

/** What is on the screen beyond the markup. */
const shown = {
  /** @type {Session | null} */ session: null,
  /** @type {Robot[]} */ robots: [],
  asAdmin: false,
  wasOnline: false,
  pending: false,
};

/** Write only what differs: a screen reader would read the same again. @param {string} id @param {string} words */
function write(id, words) {
  if (at(id).textContent !== words) at(id).textContent = words;
}

/** @param {string} words */
const say = (words) => write("notice", words);

/** @param {string} words that say how to sign in */
function askSignIn(words) {
  say(words);
  write("banner-title", "You are not signed in");
  write("banner-text", "Open your sign-in link.");
  at("fleet-empty").textContent = "Sign in to see your robots.";
}

/** @param {unknown} error */
function sayError(error) {
  if (!(error instanceof SignalingError)) throw error;
  say(sentence(error.message));
}

/** @param {Signal} signal */
function drawConnection(signal) {
  document.body.dataset.state = signal.state;
  at("connection-text").textContent = signal.state !== "online" && shown.wasOnline ? "Reconnecting…" : CONNECTION[signal.state];
  at("who").textContent = signal.me ? (signal.me.name ?? signal.me.userId) : "";
}

/** @param {Signal} signal */
function drawPanel(signal) {
  const view = shown.session?.view ?? null;
  const { kind, title, text } = bannerOf(view, signal.me);
  const panel = at("panel");
  const live = view?.state === "live";
  const driver = view ? driverName(view, signal.me) : "";
  panel.dataset.banner = kind;
  panel.dataset.driver = driver;
  if (!live) delete panel.dataset.rttMs;
  write("banner-title", title);
  write("banner-text", text);
  document.title = view ? `${title} · robosignal` : "robosignal";
  at("veil").textContent = live || !view ? "" : title;
  at("fact-driver").textContent = !view ? "–" : kind === "you-drive" ? `You (${driver})` : driver || "Nobody";
  at("fact-role").textContent = view?.role ? ROLES[view.role] : "–";
  at("fact-epoch").textContent = view ? String(view.epoch) : "–";
  if (!live) at("fact-rtt").textContent = "–";
  at("pad").dataset.active = String(kind === "you-drive");
  drawActions(signal);
}

/** @param {Signal} signal */
function drawActions(signal) {
  const view = shown.session?.view ?? null;
  const row = shown.robots.find(({ robotId }) => robotId === view?.robotId);
  const may = row ? rowOf(row, view, signal.me) : null;
  const seated = view !== null && view.state !== "ended";
  enable(at("actions"), {
    drive: seated && view.role === "viewer" && may?.drive === true,
    "take-over": seated && view.role === "viewer" && may?.takeOver === true,
    release: seated && view.role === "controller" && !may?.advisory,
    leave: seated,
  });
}

/** @param {Element} where @param {Record<string, boolean>} actions */
function enable(where, actions) {
  for (const button of where.querySelectorAll("button")) {
    const off = !actions[String(button.dataset.action)];
    // A focused button that is disabled drops the focus to the page, and keys with it.
    if (off && document.activeElement === button) at("video").focus({ preventScroll: true });
    button.disabled = off;
  }
}

/** @param {Signal} signal */
function drawRobots(signal) {
  const list = at("robots");
  const standing = new Map([...list.children].map((row) => [/** @type {HTMLElement} */ (row).dataset.robotId, row]));
  for (const robot of shown.robots) {
    const row = /** @type {HTMLElement} */ (standing.get(robot.robotId) ?? newRow(robot.robotId));
    standing.delete(robot.robotId);
    drawRow(row, robot, signal);
    if (!row.isConnected) list.append(row);
  }
  for (const gone of standing.values()) gone.remove();
  at("fleet-count").textContent = shown.robots.length ? String(shown.robots.length) : "";
  at("fleet-empty").textContent = shown.robots.length ? "" : signal.state === "online" ? "No robot is yours or shared with you yet." : "Not connected yet.";
}

/** @param {string} robotId */
function newRow(robotId) {
  const template = /** @type {HTMLTemplateElement} */ (at("row"));
  const row = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  row.dataset.robotId = robotId;
  for (const button of row.querySelectorAll("button")) button.setAttribute("aria-label", `${button.textContent}: ${robotId}`);
  return row;
}

/** @param {HTMLElement} row @param {Robot} robot @param {Signal} signal */
function drawRow(row, robot, signal) {
  const view = shown.session?.robotId === robot.robotId ? shown.session.view : null;
  const { driver, status, advisory, drive, watch, takeOver } = rowOf(robot, view, signal.me);
  row.dataset.driver = driver;
  row.dataset.online = String(robot.online);
  row.dataset.chosen = String(view !== null);
  /** @param {string} name */
  const field = (name) => /** @type {HTMLElement} */ (row.querySelector(`[data-field="${name}"]`));
  field("name").textContent = robot.robotId;
  field("status").textContent = status;
  field("advisory").hidden = !advisory;
  enable(row, { drive, watch, "take-over": takeOver });
}

/** @param {Signal} signal */
function draw(signal) {
  drawConnection(signal);
  drawRobots(signal);
  drawPanel(signal);
}

/** @param {Signal} signal @param {Session} session */
function show(signal, session) {
  if (shown.session === session) return;
  shown.session?.leave();
  shown.session = session;
  const video = /** @type {HTMLVideoElement} */ (at("video"));
  video.dataset.robotId = session.robotId;
  video.srcObject = session.stream;
  /** @param {() => void} listener */
  const ours = (listener) => () => void (shown.session === session && listener());
  session.on("stream", (stream) => void (shown.session === session && (video.srcObject = stream)));
  session.on("state", ours(() => draw(signal)));
  session.on("control", ours(() => draw(signal)));
  session.on("refused", ours(() => say("The robot did not obey: somebody else drives it. Checking with the server.")));
  session.on("rtt", (ms) => void (shown.session === session && drawRtt(ms)));
}

/** @param {number} ms */
function drawRtt(ms) {
  at("panel").dataset.rttMs = ms.toFixed(1);
  at("fact-rtt").textContent = `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function leave() {
  shown.session?.leave();
  shown.session = null;
  const video = /** @type {HTMLVideoElement} */ (at("video"));
  video.srcObject = null;
  delete video.dataset.robotId;
}

/** @type {Record<string, (signal: Signal, robotId: string) => Promise<unknown>>} */
const ACTIONS = {
  drive: async (signal, robotId) => show(signal, await signal.drive(robotId)),
  watch: async (signal, robotId) => show(signal, await signal.watch(robotId)),
  "take-over": async (signal, robotId) => show(signal, await signal.takeOver(robotId)),
  release: async () => shown.session?.release(),
  leave: async () => leave(),
};

/** @param {Signal} signal @param {string} action @param {string} robotId */
async function act(signal, action, robotId) {
  if (shown.pending) return;
  say("");
  if (shown.session && shown.session.robotId !== robotId) leave();
  shown.pending = true;
  at("panel").setAttribute("aria-busy", "true");
  try {
    await ACTIONS[action]?.(signal, robotId);
    if (action === "drive" || action === "take-over") at("video").focus({ preventScroll: true });
  } catch (error) {
    sayError(error);
  } finally {
    shown.pending = false;
    at("panel").removeAttribute("aria-busy");
    draw(signal);
  }
  await refresh(signal);
}

/** @param {Signal} signal */
async function refresh(signal) {
  if (signal.state !== "online") return;
  try {
    shown.robots = await signal.robots(shown.asAdmin ? { all: true } : {});
    draw(signal);
  } catch (error) {
    // The next poll is two seconds away: only what it cannot mend is worth a sentence.
    if (!(error instanceof SignalingError) || error.code !== "offline") sayError(error);
  }
}

/** @param {Signal} signal */
function listen(signal) {
  signal.on("state", (state) => {
    if (state === "online") {
      shown.wasOnline = true;
      say("");
      void refresh(signal);
    }
    if (state === "offline") say(offlineSentence());
    draw(signal);
  });
  signal.on("sign-in", () => {
    dropToken();
    askSignIn(SIGN_IN_AGAIN);
  });
  signal.on("error", (error) => void (WORTH_SAYING.includes(error.code) && sayError(error)));
  document.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("button[data-action]") : null;
    if (!(button instanceof HTMLElement)) return;
    const row = /** @type {HTMLElement | null} */ (button.closest("li[data-robot-id]"));
    const robotId = row?.dataset.robotId ?? shown.session?.robotId;
    if (robotId) void act(signal, String(button.dataset.action), robotId);
  });
  setInterval(() => void (document.visibilityState === "visible" && !shown.pending && refresh(signal)), POLL_MS);
  addEventListener("online", () => signal.redial());
  addEventListener("pagehide", () => signal.close());
  addEventListener("pageshow", ({ persisted }) => void (persisted && location.reload()));
}

function offlineSentence() {
  if (!shown.wasOnline) return UNREACHABLE;
  const live = shown.session?.view.state === "live";
  return `The connection to the server is lost${live ? "; the video goes on" : ""}. Reconnecting by itself.`;
}

/** @returns {Promise<string>} the server's WebSocket address: this page's own host unless `config.json` names another */
async function serverUrl() {
  const own = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/prod`;
  try {
    const { url } = await (await fetch("config.json")).json();
    return typeof url === "string" ? url : own;
  } catch {
    return own;
  }
}

async function main() {
  followLinks();
  const token = takeToken();
  if (!token) return askSignIn(NO_TOKEN);
  shown.asAdmin = saysAdmin(token);
  const signal = connect({ url: await serverUrl(), token });
  const [video, pad, knob] = [at("video"), at("pad"), at("knob")];
  handleDriving({ video, pad, knob, send: (drive) => void shown.session?.drive(drive) });
  listen(signal);
  draw(signal);
}

await main();
