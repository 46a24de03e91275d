/**
 * Connects the console's video and pad to the module's keys, and says why the robot has stopped, or
 * does not move.
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
 * @param {(words: string) => void} parts.showNotice
 * @param {(words: string) => void} parts.clearNotice
 */
export function attachKeys(session, { video, pad, knob, showNotice, clearNotice }) {
  let said = "";
  return driveWithKeys(session, video, {
    pad,
    onDrive: ({ x, y }) => {
      knob.style.transform = `translate(${x * 100}%, ${-y * 100}%)`;
      if (x || y) clearNotice(said);
    },
    onLoss: (why) => {
      // The banner says already that this user does not drive any more.
      if (session.view.role === "controller")
        showNotice((said = `Stopped. ${why} Press again to drive.`));
    },
    onIgnored: (why) => {
      if (session.view.role !== "viewer")
        showNotice((said = `Nothing moves. ${why} Press again once that is over.`));
    },
  });
}
