/**
 * What is shown in place of the list of robots: beside the panel, so that a driver keeps video and
 * STOP.
 */

import { at } from "./draw.js";

const now = { id: "", robotId: "", back: "", leave: () => {} };

/**
 * Show one in place of the list, or of the one that is there.
 *
 * @param {string} id the element's
 * @param {object} options
 * @param {string} [options.robotId] the robot that it tells of
 * @param {string} options.focus the id of the element that gets the focus
 * @param {string} [options.back] the id of the one that gets it afterwards, if no robot's row does
 * @param {() => void} options.leave called when it goes
 */
export function openAside(id, { robotId = "", focus, back = "add-robot", leave }) {
  hide();
  Object.assign(now, { id, robotId, back, leave });
  document.body.dataset.aside = id;
  at(id).hidden = false;
  at(focus).focus();
}

/** Show the list of robots again, with the focus where it was. */
export function closeAside() {
  if (now.id === "") return;
  hide();
  const row = document.querySelector(`#robots li[data-robot-id="${CSS.escape(now.robotId)}"]`);
  /** @type {HTMLElement} */ (row ?? at(now.back)).focus();
}

function hide() {
  if (now.id === "") return;
  delete document.body.dataset.aside;
  at(now.id).hidden = true;
  now.id = "";
  now.leave();
}
