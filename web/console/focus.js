/**
 * Moves the focus between the list of robots and the video: by buttons, and by Escape.
 */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
const at = (id) => /** @type {T} */ (document.getElementById(id));

const hasSession = () => document.body.dataset.session === "open";

/** Give the keys to the video. A list that covers part of the screen closes. */
export function focusVideo() {
  delete document.body.dataset.list;
  const video = at("video");
  video.focus({ preventScroll: true });
  // In a window of no height the panel scrolls away; elsewhere nothing may move.
  const { top, bottom } = video.getBoundingClientRect();
  if (bottom <= 0 || top >= innerHeight) video.scrollIntoView();
}

/**
 * Go to the list: to the row of a robot, else to the first.
 *
 * @param {string | undefined} robotId
 */
export function focusRobots(robotId) {
  document.body.dataset.list = "open";
  const rows = /** @type {HTMLElement[]} */ ([...at("robots").children]);
  (rows.find((row) => row.dataset.robotId === robotId) ?? rows[0])?.focus();
}

/**
 * Go to the list if the focus was in the panel, which has closed.
 *
 * @param {string} robotId
 */
export function leavePanel(robotId) {
  const { activeElement, body } = document;
  if (activeElement === body || at("panel").contains(activeElement)) focusRobots(robotId);
}

/**
 * Listen for Escape and for the two buttons, as long as the page lives.
 *
 * Escape on the video goes to the list, and everywhere else to the video. While another key
 * is held it is the driver's stop, and the focus stays.
 */
export function attachFocus() {
  /** @type {Set<string>} */
  const held = new Set();
  addEventListener("blur", () => held.clear());
  addEventListener("keyup", ({ code }) => held.delete(code), true);
  // Before the session's own listener, which forgets what is held.
  addEventListener(
    "keydown",
    ({ key, code }) => {
      if (key !== "Escape") return void held.add(code);
      const isStop = held.size > 0;
      held.clear();
      if (!isStop && hasSession()) toggle();
    },
    true,
  );
  document.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("button") : null;
    if (button?.dataset.action === "to-video") focusVideo();
    if (button?.dataset.action === "to-robots") focusRobots(at("video").dataset.robotId);
  });
  const measure = () =>
    document.documentElement.style.setProperty("--panel-height", `${at("panel").offsetHeight}px`);
  new ResizeObserver(measure).observe(at("panel"));
}

function toggle() {
  const video = at("video");
  if (document.activeElement === video) focusRobots(video.dataset.robotId);
  else focusVideo();
}
