/**
 * What the console says of a session, above all who drives: a view in, sentences out.
 */

/** @typedef {import("../robosignal/index.js").View} View */
/** @typedef {import("../robosignal/index.js").Person} Person */
/** @typedef {import("../robosignal/index.js").Robot} Robot */
/** @typedef {"none" | "joining" | "you-drive" | "watching" | "lost" | "asking" | "free" | "unknown" | "waiting" | "ended"} Kind */
/** @typedef {{kind: Kind, title: string, text: string}} Banner */

/**
 * @param {Person} person
 */
export const nameOf = (person) => person.name ?? person.userId;

/** What would end the quotation marks of a name. */
const QUOTES = /["\u00ab\u00bb\u201c-\u201f]/g;

const ID_CHARACTERS = 8;

/**
 * A person's name, marked as one: people choose their names, and may be called "No one" or "You".
 * Two people with the same name are told apart by the first characters of their user ids.
 *
 * @param {Person} person
 * @param {(Person | null | undefined)[]} others
 */
export function quote(person, ...others) {
  const name = `\u201c${nameOf(person).replace(QUOTES, "'")}\u201d`;
  const isShared = others.some(
    (other) => other && other.userId !== person.userId && foldName(other) === foldName(person),
  );
  return isShared ? `${name} (${person.userId.slice(0, ID_CHARACTERS)})` : name;
}

/**
 * @param {Person} person
 */
const foldName = (person) =>
  nameOf(person)
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");

/**
 * A server's message as a sentence.
 *
 * @param {string} message
 */
export function sentence(message) {
  const begun = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(begun) || begun === "" ? begun : `${begun}.`;
}

/**
 * The banner above the video.
 *
 * @param {View | null} view
 * @param {Person | null} me
 * @param {boolean} [isTouchOnly] whether this device has no keys to speak of
 * @returns {Banner}
 */
export function bannerOf(view, me, isTouchOnly = false) {
  if (view === null)
    return { kind: "none", title: "No robot chosen", text: "Choose Drive or Watch on a robot." };
  const { robotId, state, why, role } = view;
  if (state === "ended") {
    // A seed robot takes no viewers: the session of a driver who was displaced ends with that.
    const title = view.lostTo
      ? lostBanner(view.lostTo, me).title
      : `The session with ${robotId} has ended`;
    return { kind: "ended", title, text: sentence(why ?? "") };
  }
  if (view.lostTo && !view.asking) return lostBanner(view.lostTo, me);
  if (state === "waiting")
    return { kind: "waiting", title: titleWhileWaiting(view), text: sentence(why ?? "") };
  if (state === "connecting" || role === null)
    return {
      ...joiningBanner(robotId),
      text: describeMissing(view.missing) ?? "Waiting for the robot's answer.",
    };
  if (role === "controller") return driverBanner(view, isTouchOnly);
  return view.stale ? unknownBanner(view, me) : viewerBanner(view, me);
}

/**
 * @param {View} view
 */
function titleWhileWaiting({ robotId, stale, missing }) {
  if (stale) return `Not connected to ${robotId}`;
  if (missing.includes("picture")) return `No picture of ${robotId} yet`;
  return missing.includes("channel") ? `${robotId} cannot be driven yet` : `Waiting for ${robotId}`;
}

/**
 * What has not come over a connection that is open, or null.
 *
 * @param {View["missing"]} missing
 */
function describeMissing(missing) {
  if (missing.length > 1) return "The robot is connected. No picture and no data channel yet.";
  if (missing.length === 0) return null;
  return missing[0] === "picture"
    ? "The robot is connected. No picture yet."
    : "The robot is connected. Its data channel is not open yet.";
}

/** Why no motion is sent, where the banner says nothing more general. */
const BLOCKED = {
  undeclared: ["Joining", "Waiting for the robot to say how it takes commands."],
  silent: ["The robot is not heard", "No motion is sent. It stops by itself."],
  picture: ["The picture is too old", "No motion is sent until a new one comes."],
};

/**
 * Who has stopped the robot, in words.
 *
 * @param {{by: string}} stopped
 */
export const stopSentence = ({ by }) => `Stopped by ${quote({ userId: by })}`;

/**
 * We have the control. What a robot has not declared never comes.
 *
 * @param {View} view
 * @param {boolean} isTouchOnly
 * @returns {Banner}
 */
function driverBanner(view, isTouchOnly) {
  const { robotId, missing, blocked, stopped, picture, commands } = view;
  if (missing.includes("channel")) {
    return {
      kind: "waiting",
      title: `You cannot drive ${robotId}`,
      text: "You have control, but the robot has opened no data channel, so no command reaches it.",
    };
  }
  if (stopped)
    return {
      kind: "waiting",
      title: stopSentence(stopped),
      text: `${robotId} obeys no one until the stop is cleared.`,
    };
  if (blocked === "right-ended")
    return {
      kind: "waiting",
      title: "Your right to drive has ended",
      text: "The robot obeys you no more. Sign in again, or ask its owner.",
    };
  if (blocked === "undeclared" || blocked === "silent" || blocked === "picture") {
    const [title, text] = /** @type {[string, string]} */ (BLOCKED[blocked]);
    return {
      kind: "waiting",
      title: blocked === "undeclared" ? `${title} ${robotId}…` : title,
      text,
    };
  }
  if (picture.state === "stale" || picture.state === "frozen")
    return {
      kind: "waiting",
      title: "The picture has stopped",
      text: pictureSentence(picture) ?? "",
    };
  if (missing.includes("picture"))
    return {
      kind: "waiting",
      title: `You drive ${robotId} without a picture`,
      text: "The robot sends no video.",
    };
  return {
    kind: "you-drive",
    title: `You drive ${robotId}`,
    text:
      commands === "late"
        ? "This robot is an older one: commands may reach it late."
        : isTouchOnly
          ? "Drive with the pad."
          : "Arrow keys or W A S D while the video has focus, or the pad.",
  };
}

const PICTURES = {
  stale: "The robot is heard, but no new picture comes from its camera.",
  frozen: "Neither the robot nor its picture is heard of. The connection may be lost.",
};

/**
 * What is wrong with the picture, or null.
 *
 * @param {View["picture"]} picture
 */
export const pictureSentence = ({ state }) =>
  state === "stale" || state === "frozen" ? PICTURES[state] : null;

/**
 * @param {View} view
 * @param {Person | null} me
 * @returns {Banner}
 */
function unknownBanner({ driver }, me) {
  const last =
    driver === null
      ? "no one drove"
      : driver.userId === me?.userId
        ? "you drove in another window"
        : `${quote(driver, me)} drove`;
  return {
    kind: "unknown",
    title: "Who drives is not known — you watch",
    text: `The server cannot be reached. When last heard, ${last}.`,
  };
}

/**
 * @param {string} robotId
 * @returns {Banner}
 */
export const joiningBanner = (robotId) => ({
  kind: "joining",
  title: `Joining ${robotId}…`,
  text: "Waiting for the robot's answer.",
});

/**
 * @param {Person} by
 * @param {Person | null} me
 * @returns {Banner}
 */
function lostBanner(by, me) {
  const title =
    by.userId === me?.userId
      ? "You took over in another window"
      : `You lost control to ${quote(by, me)}`;
  return {
    kind: "lost",
    title,
    text: "You watch now. To drive again, ask for control, or take over if you may.",
  };
}

/**
 * @param {View} view
 * @param {Person | null} me
 * @returns {Banner}
 */
function viewerBanner({ robotId, driver, asking, missing, stopped }, me) {
  if (asking) {
    const whom = driver === null ? "the driver" : quote(driver, me);
    return {
      kind: "asking",
      title: `${driver === null ? "Somebody" : whom} drives — you have asked for control`,
      text: `Waiting for ${whom} to hand it over, 30 seconds at most.`,
    };
  }
  if (driver === null)
    return {
      kind: "free",
      title: `No one drives ${robotId} — you watch`,
      text: stopped ? `${stopSentence(stopped)}.` : "Control is free: press Drive to take it.",
    };
  if (driver.userId === me?.userId) {
    return {
      kind: "watching",
      title: "You drive in another window — this one watches",
      text: "Take over to drive from here.",
    };
  }
  const name = quote(driver, me);
  return {
    kind: "watching",
    title: `${name} drives — you watch`,
    text: stopped
      ? `${stopSentence(stopped)}.`
      : missing.includes("picture")
        ? "The robot sends no video."
        : `Only commands of ${name} reach ${robotId}.`,
  };
}

/**
 * Whether our commands can reach the robot.
 *
 * @param {View} view
 */
export const isDriving = ({ role, state, missing }) =>
  role === "controller" && state === "live" && !missing.includes("channel");

/**
 * The driver's name; empty if no one drives, or if the driver is unknown.
 *
 * @param {View} view
 * @param {Person | null} me
 */
export function driverName(view, me) {
  if (view.role === "controller" && view.state === "live") return me ? nameOf(me) : "you";
  return view.driver && !view.stale ? nameOf(view.driver) : "";
}

/**
 * The same as a fact for the eye.
 *
 * @param {View | null} view
 * @param {Person | null} me
 */
export function driverFact(view, me) {
  if (view === null || view.state === "ended") return "–";
  if (view.stale) return "Not known";
  if (view.role === "controller" && view.state === "live") return me ? `You (${quote(me)})` : "You";
  if (view.driver) return quote(view.driver, me);
  return view.role === "viewer" && view.state === "live" ? "No one" : "–";
}

/**
 * What a driver reads of who asks for the control.
 *
 * @param {Person} by
 */
export const requestOf = (by) => `${quote(by)} asks for control`;

/**
 * What may be done with a robot of the list, and what the list says of it.
 *
 * @param {Robot} robot
 * @param {View | null} view of the session with this robot, if there is one
 * @param {Person | null} me
 */
export function rowOf(robot, view, me) {
  const inSession = view !== null && view.state !== "ended";
  const holds = inSession && view.role === "controller";
  const youDrive = holds && isDriving(view);
  // Within a session, who drives is what the session says: it hears first.
  const knows = inSession && view.role !== null;
  const driver = knows
    ? driverName(view, me)
    : robot.controlledBy
      ? nameOf(robot.controlledBy)
      : "";
  const drives = knows ? view.driver : robot.controlledBy;
  const yours = drives?.userId === me?.userId;
  const stale = inSession ? view.stale : robot.stale === true;
  // That window may be gone, as after a reload: the server knows, and gives control at once.
  const mayBeGone = !inSession && driver !== "" && yours;
  const isDeaf = holds && view.state === "live" && !youDrive;
  const status = isDeaf
    ? "Yours, but takes no commands"
    : holds && view.blocked === "right-ended"
      ? "Your right to drive has ended"
      : statusOf(robot, {
          stale,
          holds,
          youDrive,
          driver: drives ? quote(drives, me, robot.owner) : "",
          elsewhere: yours && !youDrive,
          notRenewed: !knows && robot.notRenewed ? quote(robot.notRenewed, me, robot.owner) : "",
        });
  const mayDrive = robot.relation !== "viewer";
  const right = rightOf(robot);
  return {
    driver,
    status:
      robot.relation === "owner" || !robot.owner
        ? status
        : `${status} · owned by ${quote(robot.owner, me, drives)}${right}`,
    advisory: robot.dialect === "seed",
    drive:
      mayDrive && robot.online && !holds && (driver === "" || mayBeGone) && !(inSession && stale),
    request:
      mayDrive &&
      inSession &&
      view.role === "viewer" &&
      !stale &&
      view.driver !== null &&
      view.driver.userId !== me?.userId &&
      !view.asking &&
      robot.dialect !== "seed",
    watch: robot.online && !inSession && robot.dialect !== "seed",
    takeOver:
      mayDrive &&
      robot.online &&
      !holds &&
      driver !== "" &&
      (robot.relation !== "operator" || yours),
    mayDrive,
    leaveShare: ["operator", "viewer"].includes(robot.relation ?? "") && robot.group === undefined,
  };
}

/**
 * Say what a share gives, where that is not all, and until when.
 *
 * @param {{relation?: string, role?: string, until?: number}} share
 */
export function rightOf({ relation, role, until }) {
  const views = relation === "viewer" || role === "viewer";
  const end = until === undefined ? "" : ` until ${new Date(until).toLocaleString()}`;
  if (views) return ` · you may watch${end}`;
  return end && ` · yours to drive${end}`;
}

/**
 * @param {Robot} robot
 * @param {{stale: boolean, holds: boolean, youDrive: boolean, driver: string, elsewhere: boolean, notRenewed: string}} control
 */
function statusOf({ online }, { stale, holds, youDrive, driver, elsewhere, notRenewed }) {
  if (stale) return "Not known just now";
  if (!online) return "Offline";
  if (youDrive) return "You drive";
  if (holds) return "Yours to drive, waiting for it";
  if (driver === "") return notRenewed === "" ? "Free" : `Free (${notRenewed}, not renewed)`;
  return elsewhere ? "You drive in another window" : `${driver} drives`;
}
