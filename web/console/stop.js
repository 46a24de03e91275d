/**
 * The stop that stays: its button and the space bar, which stop the robot from anywhere on the page
 * while a session is open, and the button that clears it.
 */

/** @typedef {import("../robosignal/index.js").Session} Session */

const TYPED_IN = "input, textarea, select, [contenteditable]:not([contenteditable=false])";

/** Only a robot that declares itself knows such a stop. */
export const TOO_OLD =
  "This robot is an older one and cannot stay stopped. It was told to stand if you drive it.";
export const REFUSED = {
  stop: "The robot did not stop: only people who may drive it may stop it.",
  "clear-stop":
    "The robot stays stopped: its driver or its owner may clear a stop, and only what people have stopped.",
};

/**
 * Stop at the space bar, except where something is typed. A button that has the focus is not pressed
 * by it: Enter does that.
 *
 * @param {() => void} stop
 * @param {() => boolean} isOpen whether a session is open
 */
export function attachSpace(stop, isOpen) {
  for (const type of ["keydown", "keyup"])
    addEventListener(
      type,
      (event) => {
        const { code, target, repeat } = /** @type {KeyboardEvent} */ (event);
        const isTyped = target instanceof Element && target.closest(TYPED_IN) !== null;
        if (code !== "Space" || isTyped || !isOpen()) return;
        // On keyup as well: Firefox presses a button then.
        event.preventDefault();
        if (type === "keydown" && !repeat) stop();
      },
      true,
    );
}
