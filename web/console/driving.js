/**
 * The console's video and pad as what drives a session, by the module's own keys. It shows where the
 * knob is and says why the robot stopped; it never knows how a press becomes a command.
 */

import { driveWithKeys } from "../robosignal/index.js";

/** @typedef {import("../robosignal/index.js").Session} Session */

/**
 * Drive a session from the page, until the function returned is called.
 *
 * @param {Session} session
 * @param {object} parts
 * @param {HTMLElement} parts.video
 * @param {HTMLElement} parts.pad
 * @param {HTMLElement} parts.knob
 * @param {(words: string) => void} parts.say
 * @param {(words: string) => void} parts.unsay
 */
export function handleDriving(session, { video, pad, knob, say, unsay }) {
  let said = "";
  return driveWithKeys(session, video, {
    pad,
    onDrive: ({ x, y }) => {
      knob.style.transform = `translate(${x * 100}%, ${-y * 100}%)`;
      if (x || y) unsay(said);
    },
    onLoss: (why) => {
      // The banner says already that this user does not drive any more.
      if (session.view.role === "controller") say((said = `Stopped. ${why} Press again to drive.`));
    },
  });
}
