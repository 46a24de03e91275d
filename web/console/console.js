/**
 * The operators' console: the robots, one session at a time, and who drives. It carries out what the
 * operator presses.
 */

import { SignalingError, connect } from "../robosignal/index.js";
import { invitation, keepInvitation, openAccept, submitAccept } from "./accept.js";
import { addRobot, copyLine, openAdd, showUses } from "./add-robot.js";
import { closeAside } from "./aside.js";
import { attachCameras } from "./cameras.js";
import { attachControls } from "./controls.js";
import { quote, sentence } from "./banner.js";
import {
  at,
  draw,
  drawPanel,
  drawSignedOut,
  drawRtt,
  offer,
  showNotice,
  clearNotice,
} from "./draw.js";
import { attachKeys as attachDriving } from "./driving.js";
import { attachFocus, focusRobots, focusVideo, leavePanel } from "./focus.js";
import { openHistory, searchHistory, showMore } from "./history.js";
import { copyInvite, submitInvite } from "./invite.js";
import { followLinks, link } from "./link.js";
import { showEnd } from "./right-form.js";
import { actOnKeys, doubtForget, forgetRobot, openKeys } from "./robot-keys.js";
import { actOnShares, openSharing, showWith, submitShare, submitTransfer } from "./sharing.js";
import { groupsOf, saysAdmin, visitor } from "./sign-in.js";
import { attachSound } from "./sound.js";
import { REFUSED, TOO_OLD, attachSpace } from "./stop.js";

/** @typedef {import("./draw.js").Scene} Scene */
/** @typedef {import("../robosignal/index.js").Session} Session */
/** @typedef {import("../robosignal/index.js").Signal} Signal */
/** @typedef {import("./sign-in.js").Visitor} Visitor */

const WATCH_AGAIN_MS = 5_000;
/** A robot refuses each of 20 commands a second; once it has refused none for so long, it obeys. */
const REFUSAL_MS = 2_000;
/** Failures that no press has caused and that are worth a sentence; the banner shows what concerns the robot. */
const WORTH_SAYING = [
  "internal",
  "rate_limited",
  "try_again",
  "too_large",
  "bad_message",
  "unknown_type",
  "bad_ice_server",
];

const NO_TOKEN =
  "Open the link that “make run” prints, or the one that your administrator sent you: it signs you in.";
const SIGN_IN_AGAIN =
  "Your sign-in may have expired or been refused. Open a new link: “make run” prints one, or ask your administrator.";
const SIGN_IN_AGAIN_HERE = "Your sign-in may have expired or been refused. Sign in again.";
const NOT_TOLD =
  "The robot does not obey: it has not heard yet that you drive. Telling it again; then press again.";
const NOT_OURS = "The robot did not obey: somebody else drives it. Checking with the server.";
const UNTOLD =
  "The robot is forgotten, but could not be told: it may obey its last driver for a while.";
const UNTOLD_OWNER = "The robot could not be told: it may obey its last driver for a while.";
const INVITED = "Sign in to accept the invitation.";
const INVITED_ELSEWHERE =
  "Then open the invitation in the same tab, or type its code under “I have a code”.";
const UNREACHABLE =
  "The server cannot be reached, or it refuses this sign-in. Check that it runs; if it was set up again, open a new link. Trying again.";

/** What is going on beyond what is drawn. */
const now = {
  pending: false,
  watches: false,
  isAdmin: false,
  /** The groups of the token. */
  groups: /** @type {string[]} */ ([]),
  isCut: false,
  mustSignIn: false,
  refusals: 0,
  stopDriving: () => {},
  hideVideo: () => {},
};

/**
 * @param {unknown} error
 */
function showError(error) {
  if (!(error instanceof SignalingError)) throw error;
  showNotice(sentence(error.message));
}

/**
 * @param {string} words
 */
function showRefusal(words) {
  showNotice(words);
  clearTimeout(now.refusals);
  now.refusals = setTimeout(() => [NOT_OURS, NOT_TOLD].forEach(clearNotice), REFUSAL_MS);
}

/**
 * @param {Scene} scene
 * @param {Session} session
 */
function show(scene, session) {
  // Each call holds the session it returns: the one that the scene has is held once.
  if (scene.session === session) return session.leave();
  now.stopDriving();
  now.hideVideo();
  scene.session?.leave();
  scene.session = session;
  handle(session);
  const video = /** @type {HTMLVideoElement} */ (at("video"));
  video.dataset.robotId = session.robotId;
  now.hideVideo = session.showOn(video);
  /**
   * @template Value
   * @param {(value: Value) => void} listener
   * @returns {(value: Value) => void}
   */
  const ours = (listener) => (value) => void (scene.session === session && listener(value));
  session.on(
    "state",
    ours(() => {
      if (now.isCut) showNotice(offlineSentence(scene));
      draw(scene);
    }),
  );
  session.on(
    "control",
    ours(() => draw(scene)),
  );
  session.on(
    "control-denied",
    ours(({ by }) => showNotice(`${quote(by)} keeps the control.`, "plain")),
  );
  session.on(
    "control-unanswered",
    ours(({ by }) =>
      showNotice(
        `${by ? quote(by) : "The driver"} has not answered. Ask again, or wait until no one drives.`,
        "plain",
      ),
    ),
  );
  // A driver who has just lost control reads so in the banner; the last commands were on their way.
  session.on(
    "refused",
    ours(
      (epoch) =>
        void (
          session.view.role === "controller" &&
          showRefusal(epoch > session.view.epoch ? NOT_OURS : NOT_TOLD)
        ),
    ),
  );
  session.on("rtt", ours(drawRtt));
  session.on(
    "picture",
    ours(() => drawPanel(scene)),
  );
  session.on(
    "stopped",
    ours(() => draw(scene)),
  );
  session.on(
    "stop-refused",
    ours((what) => showNotice(REFUSED[what])),
  );
}

/**
 * @param {Session} session
 */
function handle(session) {
  const [video, pad, knob] = [at("video"), at("pad"), at("knob")];
  const stopKeys = attachDriving(session, {
    video,
    pad,
    knob,
    showNotice: (words) => showNotice(words, "plain"),
    clearNotice,
  });
  const stops = [stopKeys, attachControls(session), attachCameras(session), attachSound(session)];
  now.stopDriving = () => stops.forEach((stop) => stop());
}

/**
 * @param {Scene} scene
 */
function leave(scene) {
  now.stopDriving();
  now.hideVideo();
  scene.session?.leave();
  scene.session = null;
  const video = /** @type {HTMLVideoElement} */ (at("video"));
  video.srcObject = null;
  delete video.dataset.robotId;
}

/**
 * At once, whatever else is going on.
 *
 * @param {Scene} scene
 */
function stopRobot({ session }) {
  if (session === null || session.stop()) return;
  if (session.view.commands === "late") showNotice(TOO_OLD);
  else showNotice("The stop was not sent: the robot is not connected.");
}

/** @type {Record<string, (scene: Scene, robotId: string, sessionId: string) => Promise<unknown>>} */
const ACTIONS = {
  drive: async (scene, robotId) => show(scene, await scene.signal.drive(robotId)),
  watch: async (scene, robotId) => show(scene, await scene.signal.view(robotId)),
  "take-over": async (scene, robotId) => show(scene, await scene.signal.takeOver(robotId)),
  request: async ({ session }) => session?.requestControl(),
  grant: async ({ session }, _robotId, sessionId) => session?.grant(sessionId),
  deny: async ({ session }, _robotId, sessionId) => session?.deny(sessionId),
  release: async ({ session }) => session?.release(),
  leave: async (scene) => leave(scene),
};

/** @type {Record<string, (signal: Signal, robotId: string) => Promise<void>>} */
const SHARES = {
  "accept-share": async (signal, robotId) => signal.acceptShare(robotId),
  "decline-share": async (signal, robotId) => signal.leaveShare(robotId),
  "leave-share": async (signal, robotId) => {
    const sure = `Leave ${robotId}? Only a new share brings it back into your list.`;
    if (confirm(sure)) await signal.leaveShare(robotId);
  },
};

/**
 * Accept, decline or leave a share: whatever this page drives or watches goes on.
 *
 * @param {Scene} scene
 * @param {string} action
 * @param {string} robotId
 */
async function decide(scene, action, robotId) {
  try {
    await SHARES[action]?.(scene.signal, robotId);
  } catch (error) {
    showError(error);
  }
  lookAgain(scene);
}

/**
 * @param {Scene} scene
 * @param {string} action
 * @param {string} robotId
 * @param {string} sessionId
 */
async function act(scene, action, robotId, sessionId) {
  if (now.pending) return;
  showNotice("");
  if (scene.session && scene.session.robotId !== robotId) leave(scene);
  now.pending = true;
  scene.joins = scene.session === null ? robotId : null;
  draw(scene);
  at("panel").setAttribute("aria-busy", "true");
  try {
    await ACTIONS[action]?.(scene, robotId, sessionId);
    if (["drive", "watch", "take-over"].includes(action)) focusVideo();
  } catch (error) {
    showError(error);
    // Who drives was not what the list said.
    if (error instanceof SignalingError && error.code === "robot_busy") lookAgain(scene);
  } finally {
    now.pending = false;
    scene.joins = null;
    at("panel").removeAttribute("aria-busy");
    draw(scene);
    if (scene.session === null) leavePanel(robotId);
  }
}

/**
 * Ask to be told of the robots: once, for the module does it again after each redial.
 *
 * @param {Scene} scene
 */
async function watch(scene) {
  if (now.watches || scene.signal.state !== "online") return;
  now.watches = true;
  try {
    await scene.signal.watch({ all: now.isAdmin });
  } catch (error) {
    now.watches = false;
    showError(error);
    setTimeout(() => void watch(scene), WATCH_AGAIN_MS);
  }
}

/**
 * A page that was hidden may have slept through pushes.
 *
 * @param {Scene} scene
 */
function lookAgain({ signal }) {
  if (document.visibilityState !== "visible" || signal.state !== "online" || !now.watches) return;
  signal
    .robots({ all: now.isAdmin })
    .catch((error) => void (error.code !== "offline" && showError(error)));
}

/**
 * The token is kept: the server may take it after all, and the module tries.
 *
 * @param {Scene} scene
 * @param {Visitor} who
 */
function askToSignIn(scene, who) {
  showNotice(who.signIn ? SIGN_IN_AGAIN_HERE : SIGN_IN_AGAIN);
  offer("sign-in", who.signIn !== null);
  // A driver goes on driving: the open connection may last a while.
  if (scene.session === null) drawSignedOut(who.signIn !== null);
}

/**
 * @param {Scene} scene
 * @param {Visitor} who
 * @param {string} url the server's
 */
function listen(scene, who, url) {
  const { signal } = scene;
  signal.on("state", (state) => {
    scene.isAdmin = now.isAdmin;
    if (state !== "connecting") now.isCut = state === "offline";
    if (state === "online") {
      scene.wasOnline = true;
      showNotice("");
      // The token may not have been refused after all.
      now.mustSignIn = false;
      offer("sign-in", false);
      void watch(scene);
    }
    if (state === "offline" && !now.mustSignIn) showNotice(offlineSentence(scene));
    draw(scene);
    if (now.mustSignIn) askToSignIn(scene, who);
  });
  signal.on("presence", (robots) => {
    scene.robots = robots;
    draw(scene);
  });
  signal.on("offers", (offers) => {
    scene.offers = offers;
    draw(scene);
  });
  signal.on("sign-in", () => {
    now.mustSignIn = true;
    askToSignIn(scene, who);
  });
  signal.on("error", (error) => void (WORTH_SAYING.includes(error.code) && showError(error)));
  onAction((action) => {
    if (action === "stop") stopRobot(scene);
    if (action === "clear-stop") scene.session?.clearStop();
  });
  attachHistory(scene);
  attachKeys(scene);
  attachAdd(scene, url);
  attachSharing(scene);
  attachAccept(scene);
  attachSpace(
    () => stopRobot(scene),
    () => scene.session !== null && scene.session.view.state !== "ended",
  );
  onAction((action, button) => {
    const row = /** @type {HTMLElement | null} */ (button.closest("li[data-robot-id]"));
    const request = /** @type {HTMLElement | null} */ (button.closest("li[data-session-id]"));
    const robotId = row?.dataset.robotId ?? scene.session?.robotId;
    if (robotId && action in SHARES) void decide(scene, action, robotId);
    if (robotId && action in ACTIONS)
      void act(scene, action, robotId, request?.dataset.sessionId ?? "");
  });
  document.addEventListener("visibilitychange", () => lookAgain(scene));
  addEventListener("online", () => {
    signal.redial();
    // The network is another one, perhaps: a question finds out whether the socket outlived that.
    lookAgain(scene);
  });
  addEventListener("pagehide", () => signal.close());
  addEventListener("pageshow", ({ persisted }) => void (persisted && location.reload()));
}

/**
 * @param {Scene} scene
 */
function attachHistory({ signal }) {
  onAction((action, button) => {
    const row = /** @type {HTMLElement | null} */ (button.closest("li[data-robot-id]"));
    if (action === "history" && row) openHistory(signal, String(row.dataset.robotId));
    if (action === "more-history") void showMore(signal);
    if (["close-aside", "to-robots"].includes(action)) closeAside();
  });
  at("history-form").addEventListener("submit", (event) => {
    event.preventDefault();
    searchHistory(signal);
  });
}

/**
 * @param {Scene} scene
 */
function attachKeys({ signal }) {
  onAction(async (action, button) => {
    const row = /** @type {HTMLElement | null} */ (button.closest("li[data-robot-id]"));
    if (action === "keys" && row) openKeys(signal, String(row.dataset.robotId));
    if (action === "forget-robot") doubtForget(true);
    if (action === "keep-robot") doubtForget(false);
    await actOnKeys(signal, action, button);
    const forgotten = action === "forget-for-good" ? await forgetRobot(signal) : null;
    if (forgotten) {
      if (!forgotten.robotTold) showNotice(UNTOLD);
      // The row that would get the focus goes first.
      await signal.robots({ all: now.isAdmin }).catch(showError);
      closeAside();
    }
  });
}

/**
 * @param {Scene} scene
 */
function attachSharing(scene) {
  const { signal } = scene;
  onAction(async (action, button) => {
    const row = /** @type {HTMLElement | null} */ (button.closest("li[data-robot-id]"));
    const robot = scene.robots?.find(({ robotId }) => robotId === row?.dataset.robotId);
    if (action === "sharing" && robot) openSharing(signal, robot, now.groups);
    if (action === "copy-link") void copyInvite("invite-link");
    if (action === "copy-code") void copyInvite("invite-text");
    await actOnShares(signal, action, button);
  });
  at("share-with").addEventListener("change", showWith);
  at("share-until").addEventListener("input", () => showEnd("share"));
  at("invite-until").addEventListener("input", () => showEnd("invite"));
  onSubmit("share-form", () => submitShare(signal));
  onSubmit("invite-form", () => submitInvite(signal));
  onSubmit("transfer-form", async () => {
    const given = await submitTransfer(signal);
    if (!given) return;
    const { robotId, userId, robotTold } = given;
    // The row that would get the focus goes first, unless an admin still sees it.
    await signal.robots({ all: now.isAdmin }).catch(showError);
    closeAside();
    showNotice(
      `${robotId} belongs to ${quote({ userId })} now.${robotTold ? "" : ` ${UNTOLD_OWNER}`}`,
      "plain",
    );
  });
}

/**
 * @param {Scene} scene
 */
function attachAccept({ signal }) {
  at("have-code").hidden = false;
  onAction((action) => {
    if (action === "have-code") openAccept(signal);
  });
  onSubmit("accept-form", async () => {
    const accepted = await submitAccept(signal);
    if (!accepted) return;
    const { robotId, role } = accepted;
    await signal.robots({ all: now.isAdmin }).catch(showError);
    showNotice(
      `${robotId} is in your list: you may ${role === "viewer" ? "watch" : "drive"} it.`,
      "plain",
    );
    focusRobots(robotId);
  });
}

/**
 * @param {string} id a form's
 * @param {() => Promise<void>} listener
 */
function onSubmit(id, listener) {
  at(id).addEventListener("submit", (event) => {
    event.preventDefault();
    void listener();
  });
}

/**
 * @param {Scene} scene
 * @param {string} url
 */
function attachAdd({ signal }, url) {
  const list = () => signal.robots({ all: now.isAdmin });
  at("add-robot").hidden = false;
  onAction((action) => {
    if (action === "add-robot") openAdd(now.isAdmin);
    if (action === "copy-line") void copyLine();
  });
  at("add-which").addEventListener("input", showUses);
  at("add-form").addEventListener("submit", (event) => {
    event.preventDefault();
    void addRobot({ signal, url, list });
  });
}

/**
 * @param {(action: string, button: HTMLElement) => void} listener
 */
function onAction(listener) {
  document.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("button[data-action]") : null;
    if (button instanceof HTMLElement) listener(String(button.dataset.action), button);
  });
}

/**
 * @param {Scene} scene
 */
function offlineSentence({ wasOnline, session }) {
  if (!wasOnline) return UNREACHABLE;
  const live = session?.view.state === "live";
  return `The connection to the server is lost${live ? "; the video goes on" : ""}. Reconnecting by itself.`;
}

/**
 * @returns {Promise<Record<string, unknown>>} what `config.json` says; nothing where there is none
 */
async function readConfig() {
  try {
    return (await (await fetch("config.json")).json()) ?? {};
  } catch {
    return {};
  }
}

/**
 * @param {Record<string, unknown>} config
 */
function serverUrl({ webSocketUrl }) {
  const own = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/prod`;
  return typeof webSocketUrl === "string" ? webSocketUrl : own;
}

/**
 * @param {Visitor} who
 */
function offerSigns(who) {
  /** @type {(() => Promise<string>) | null} */
  let goes = null;
  onAction(async (action) => {
    const go = action === "sign-in" ? who.signIn : action === "sign-out" ? who.signOut : null;
    if (go === null || goes !== null) return;
    goes = go;
    try {
      location.assign(await go());
    } catch (error) {
      goes = null;
      showNotice(error instanceof Error ? error.message : String(error));
    }
  });
}

async function main() {
  if (link.accept) keepInvitation(link.accept);
  /** @type {Signal | null} */
  let signal = null;
  followLinks((code) => {
    keepInvitation(code);
    if (signal) openAccept(signal);
    else showNotice(INVITED, "plain");
  });
  attachFocus();
  const config = await readConfig();
  const who = await visitor(config);
  offerSigns(who);
  offer("sign-in", !who.isSignedIn && who.signIn !== null);
  offer("sign-out", who.isSignedIn);
  if (!who.isSignedIn) {
    const isInvited = invitation() !== null;
    const after = isInvited && !who.signIn ? ` ${INVITED_ELSEWHERE}` : "";
    if (who.failed || !who.signIn) showNotice(`${who.failed ?? NO_TOKEN}${after}`);
    else if (isInvited) showNotice(INVITED, "plain");
    return drawSignedOut(who.signIn !== null);
  }
  /**
   * @param {string} [refused]
   */
  const token = async (refused) => {
    const given = await who.token(refused);
    now.isAdmin = saysAdmin(given);
    now.groups = groupsOf(given);
    return given;
  };
  const url = serverUrl(config);
  /** @type {Scene} */
  const scene = {
    signal: connect({ url, token }),
    session: null,
    joins: null,
    robots: null,
    offers: [],
    wasOnline: false,
    isAdmin: false,
  };
  signal = scene.signal;
  listen(scene, who, url);
  draw(scene);
  if (invitation() !== null) openAccept(signal);
}

try {
  await main();
} catch (error) {
  const { message } = /** @type {Error} */ (error);
  showNotice(
    error instanceof SignalingError
      ? message
      : `The console could not start: ${message}. Reload the page; if that does not help, report this to the server's operator.`,
  );
  if (!(error instanceof SignalingError)) throw error;
}
