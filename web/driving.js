/**
 * How hands become drive commands: keys on the video, a finger or a mouse on the pad.
 * It owns the rhythm and the stop; it never knows who is allowed to drive.
 */

/** @typedef {{x: number, y: number}} Drive x to the right, y ahead, each from −1 to 1 */

const STOP = Object.freeze({ x: 0, y: 0 });
const COMMAND_MS = 50;

/** @type {Record<string, Drive>} by `KeyboardEvent.code`, so that W A S D lie together on any layout */
const KEYS = {
  ArrowUp: { x: 0, y: 1 }, KeyW: { x: 0, y: 1 },
  ArrowDown: { x: 0, y: -1 }, KeyS: { x: 0, y: -1 },
  ArrowLeft: { x: -1, y: 0 }, KeyA: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 }, KeyD: { x: 1, y: 0 },
};

/**
 * The command that the held keys mean; opposite keys cancel each other.
 *
 * @param {Iterable<string>} held
 * @returns {Drive}
 */
export function keysToDrive(held) {
  let [x, y] = [0, 0];
  for (const code of held) {
    x += KEYS[code]?.x ?? 0;
    y += KEYS[code]?.y ?? 0;
  }
  return { x: Math.sign(x), y: Math.sign(y) };
}

/** @param {number} value @returns {number} in hundredths, and no negative zero */
const coarse = (value) => Math.round(value * 100) / 100 || 0;

/**
 * The command that a pointer on the pad means: its way from the middle, at most 1 long.
 *
 * @param {{clientX: number, clientY: number}} pointer
 * @param {{left: number, top: number, width: number, height: number}} pad
 * @returns {Drive}
 */
export function padToDrive({ clientX, clientY }, { left, top, width, height }) {
  const x = (clientX - left - width / 2) / (width / 2);
  const y = -(clientY - top - height / 2) / (height / 2);
  const reach = Math.max(1, Math.hypot(x, y));
  return { x: coarse(x / reach), y: coarse(y / reach) };
}

/**
 * Send what the hands mean, 20 times a second while they mean anything, and one stop after that.
 *
 * @param {object} parts
 * @param {HTMLElement} parts.video
 * @param {HTMLElement} parts.pad
 * @param {HTMLElement} parts.knob
 * @param {(drive: Drive) => void} parts.send
 */
export function handleDriving({ video, pad, knob, send }) {
  /** @type {Set<string>} */
  const held = new Set();
  /** @type {Drive} */
  let dragged = STOP;
  /** @type {number | undefined} */
  let rhythm;

  const beat = () => {
    const keys = keysToDrive(held);
    const drive = keys.x || keys.y ? keys : dragged;
    send(drive);
    knob.style.transform = `translate(${drive.x * 100}%, ${-drive.y * 100}%)`;
    if (drive.x || drive.y) return;
    clearInterval(rhythm);
    rhythm = undefined;
  };
  const changed = () => {
    rhythm ??= setInterval(beat, COMMAND_MS);
    beat();
  };
  /** @param {PointerEvent} pointer */
  const drag = (pointer) => {
    dragged = padToDrive(pointer, pad.getBoundingClientRect());
    if (rhythm === undefined) changed();
  };
  const letGo = () => {
    if (rhythm === undefined) return;
    held.clear();
    dragged = STOP;
    changed();
  };

  video.addEventListener("keydown", (event) => {
    if (!(event.code in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.repeat) return;
    held.add(event.code);
    changed();
  });
  video.addEventListener("keyup", (event) => {
    if (held.delete(event.code)) changed();
  });
  video.addEventListener("blur", letGo);
  addEventListener("blur", letGo);
  document.addEventListener("visibilitychange", letGo);

  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    drag(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (pad.hasPointerCapture(event.pointerId)) drag(event);
  });
  pad.addEventListener("lostpointercapture", letGo);
}
