/**
 * Keys, and a pointer on a pad, as drive commands of a session. It owns their rhythm, the stop, and
 * every way in which a browser keeps a release from a page; it never knows who may drive.
 */

import {
  NOTHING,
  STOP,
  drag,
  driveOf,
  hear,
  isDoubtful,
  isDriveKey,
  isHolding,
  padToDrive,
  press,
  release,
  repeat,
  withoutKeys,
  withoutPointer,
} from "./input.js";

/** @import { Held } from "./input.js" */
/** @import { Session } from "./session.js" */
/** @import { Drive, DriveOptions } from "./types.js" */

const COMMAND_MS = 50;
/** The robot stops by itself this long after the last command: what was held before does not count any more. */
const WATCHDOG_MS = 500;
const HELD_MS = 10_000;

/** Keys that open something of the system's or the browser's, which then keeps releases to itself. */
const SYSTEM_KEYS =
  /^(Alt|AltGraph|Control|Meta|OS|Super|Hyper|ContextMenu|Escape|PrintScreen|F\d+)$/;

/** Short, so that they fit above a phone's video. */
const LOST = {
  focus: "The focus went elsewhere.",
  window: "The window lost the focus.",
  hidden: "The page was hidden.",
  menu: "A menu, a dialog or a drag began.",
  system: "A system key was pressed, such as Ctrl or Escape.",
  pointer: "The pointer was lost, or a second one came.",
  stall: "The page stopped for half a second or more.",
  doubt: "The held key was not heard of for too long.",
  unsent: "Nothing could be sent for half a second.",
  control: "The control or the connection has changed.",
};

/**
 * Drive a session with W A S D or the arrow keys while `element` has the focus: 20 commands a second
 * while a key is held, and a stop after that. An element that cannot take the focus gets a
 * `tabindex` of 0.
 *
 * A browser does not always tell a page that a key was let go. So whatever is held counts as
 * released when the focus, the window or the page goes, at a menu, a dialog, a drag and a key of the
 * system, when the page has not run or not sent for half a second, and when the session stops
 * driving. After that only a new press drives.
 *
 * @param {Session} session
 * @param {HTMLElement} element
 * @param {DriveOptions} [options]
 * @returns {() => void} stops the robot, and listens no more
 * @throws {TypeError} when `element` is none, or `heldMs` is not a positive number
 */
export function driveWithKeys(session, element, options = {}) {
  if (!element?.ownerDocument?.defaultView)
    throw new TypeError("driveWithKeys: element must be an element of a page");
  const { heldMs = HELD_MS } = options;
  if (!(heldMs > 0))
    throw new TypeError("driveWithKeys: heldMs must be a positive number of milliseconds");
  const input = new Input(session, element, { ...options, heldMs });
  return () => input.end();
}

class Input {
  #session;
  #element;
  #options;
  #document;
  #window;
  #ending = new AbortController();
  #unlisten;
  /** @type {Held} */
  #held = NOTHING;
  #isTouch = false;
  /** The epoch at which what is held was pressed. */
  #epoch = 0;
  /** @type {number | undefined} */
  #rhythm;
  #beatAt;
  #sentAt = 0;

  /**
   * @param {Session} session
   * @param {HTMLElement} element
   * @param {DriveOptions & {heldMs: number}} options
   */
  constructor(session, element, options) {
    this.#session = session;
    this.#element = element;
    this.#options = options;
    this.#document = element.ownerDocument;
    this.#window = /** @type {Window & typeof globalThis} */ (this.#document.defaultView);
    this.#beatAt = this.#clocks();
    if (element.tabIndex < 0) element.tabIndex = 0;
    this.#listenToKeys();
    this.#listenToLosses();
    if (options.pad) this.#listenToPad(options.pad);
    const look = () => void (this.#hasControl() || this.#drop(LOST.control));
    this.#unlisten = [
      session.on("control", look),
      session.on("state", look),
      session.on("refused", () => this.#drop(LOST.control)),
    ];
  }

  end() {
    this.#ending.abort();
    for (const unlisten of this.#unlisten) unlisten();
    this.#window.clearInterval(this.#rhythm);
    if (this.#rhythm !== undefined) this.#send(STOP);
  }

  #listenToKeys() {
    // Before the page's own listeners, which may keep an event from going further.
    this.#on(this.#window, "keydown", (event) => this.#hear(event), true);
    this.#on(
      this.#window,
      "keyup",
      ({ code }) => this.#let(release(this.#held, code, this.#now())),
      true,
    );
    this.#on(this.#element, "keydown", (event) => {
      if (event.target !== this.#element || !isDriveKey(event.code) || isModified(event)) return;
      event.preventDefault();
      if (!event.repeat && !this.#isLate(event) && this.#isFocused())
        this.#take((held) => press(held, event.code, this.#now()));
    });
  }

  /**
   * @param {KeyboardEvent} event
   */
  #hear(event) {
    if (SYSTEM_KEYS.test(event.key) || isModified(event)) return this.#drop(LOST.system);
    this.#held = event.repeat
      ? repeat(this.#held, event.code, this.#now())
      : hear(this.#held, this.#now());
  }

  #listenToLosses() {
    this.#on(this.#element, "blur", () => this.#dropKeys());
    this.#on(this.#window, "blur", () => this.#drop(LOST.window));
    for (const type of ["visibilitychange", "freeze"])
      this.#on(this.#document, type, () => this.#drop(LOST.hidden));
    this.#on(this.#window, "pagehide", () => this.#drop(LOST.hidden));
    for (const type of ["dragstart", "beforeunload", "beforeprint"])
      this.#on(this.#window, type, () => this.#drop(LOST.menu), true);
    // Firefox opens its menu without an event when Shift is down.
    this.#on(
      this.#window,
      "mousedown",
      ({ button }) => void (button !== 0 && this.#drop(LOST.menu)),
      true,
    );
    this.#on(this.#window, "contextmenu", (event) => this.#menu(event), true);
    this.#on(this.#window, "pointercancel", () => this.#drop(LOST.pointer), true);
  }

  /**
   * @param {MouseEvent} event
   */
  #menu(event) {
    const isOnPad =
      this.#options.pad !== undefined && event.composedPath().includes(this.#options.pad);
    if (isOnPad) event.preventDefault();
    // A finger that rests on the pad asks for a menu too: where none opens, nothing is lost.
    if (!isOnPad || !this.#isTouch) this.#drop(LOST.menu);
  }

  /**
   * @param {HTMLElement} pad
   */
  #listenToPad(pad) {
    // Otherwise a browser takes the finger's movement for scrolling, and cancels the pointer.
    pad.style.touchAction = "none";
    this.#on(this.#window, "pointerdown", (event) => this.#pointerDown(pad, event), true);
    this.#on(pad, "pointermove", (event) => {
      if (event.pointerId !== this.#held.pointer?.id) return;
      if ((event.buttons & 1) === 0) return this.#let(withoutPointer(this.#held));
      this.#held = this.#dragged(this.#held, pad, event);
    });
    this.#on(
      pad,
      "lostpointercapture",
      (event) =>
        void (event.pointerId === this.#held.pointer?.id && this.#let(withoutPointer(this.#held))),
    );
  }

  /**
   * @param {HTMLElement} pad
   * @param {PointerEvent} event
   */
  #pointerDown(pad, event) {
    const { pointer } = this.#held;
    // Two pointers are a gesture, or a hand that slipped: neither drives.
    if (pointer !== null) return void (pointer.id !== event.pointerId && this.#drop(LOST.pointer));
    if (
      !event.composedPath().includes(pad) ||
      event.button !== 0 ||
      isModified(event) ||
      this.#isLate(event)
    )
      return;
    try {
      pad.setPointerCapture(event.pointerId);
    } catch {
      return; // It is up already.
    }
    this.#isTouch = event.pointerType === "touch";
    this.#take((held) => this.#dragged(held, pad, event));
  }

  /**
   * Something is pressed.
   *
   * @param {(held: Held) => Held} press
   */
  #take(press) {
    // What was held while the page did not run is not held any more, whatever is pressed now.
    if (this.#sinceBeatMs() >= WATCHDOG_MS) this.#drop(LOST.stall);
    if (!this.#hasControl()) return;
    if (this.#rhythm === undefined)
      this.#rhythm = this.#window.setInterval(() => this.#beat(), COMMAND_MS);
    if (!isHolding(this.#held))
      [this.#sentAt, this.#epoch, this.#beatAt] = [
        this.#now(),
        this.#session.view.epoch,
        this.#clocks(),
      ];
    this.#held = press(this.#held);
    this.#beat();
  }

  /**
   * Drop one key or the pointer.
   *
   * @param {Held} held
   */
  #let(held) {
    const isNews =
      held.keys.length !== this.#held.keys.length || held.pointer !== this.#held.pointer;
    this.#held = held;
    if (isNews) this.#beat();
  }

  #dropKeys() {
    const { keys } = this.#held;
    this.#let(withoutKeys(this.#held));
    if (keys.length > 0) this.#options.onLoss?.(LOST.focus);
  }

  /**
   * @param {string} why
   */
  #drop(why) {
    if (!isHolding(this.#held)) return;
    this.#let(NOTHING);
    this.#options.onLoss?.(why);
  }

  #beat() {
    const why = isHolding(this.#held) ? this.#doubt() : null;
    this.#beatAt = this.#clocks();
    if (why !== null) return this.#drop(why);
    const isSent = this.#send(driveOf(this.#held));
    const isOver = isSent || !this.#hasControl() || this.#now() - this.#sentAt >= WATCHDOG_MS;
    if (isHolding(this.#held) || !isOver) return;
    this.#window.clearInterval(this.#rhythm);
    this.#rhythm = undefined;
  }

  /**
   * @returns {string | null} why what is held cannot be believed any more
   */
  #doubt() {
    const { keys, pointer } = this.#held;
    const now = this.#now();
    if (this.#sinceBeatMs() >= WATCHDOG_MS) return LOST.stall;
    if (!this.#hasControl()) return LOST.control;
    if (this.#document.visibilityState !== "visible") return LOST.hidden;
    // Not every way in which an element loses the focus fires `blur`: its removal does not.
    if (keys.length > 0 && !this.#isFocused()) return LOST.focus;
    if (pointer !== null && !this.#options.pad?.hasPointerCapture(pointer.id)) return LOST.pointer;
    if (isDoubtful(this.#held, this.#options.heldMs, now)) return LOST.doubt;
    return now - this.#sentAt >= WATCHDOG_MS ? LOST.unsent : null;
  }

  /**
   * @param {Drive} drive
   */
  #send(drive) {
    const isSent = this.#session.drive(drive);
    if (isSent) this.#sentAt = this.#now();
    this.#options.onDrive?.(drive);
    return isSent;
  }

  /** Whether the session drives, and has done so since what is held was pressed. */
  #hasControl() {
    const { role, state, epoch } = this.#session.view;
    return (
      role === "controller" && state === "live" && (!isHolding(this.#held) || epoch === this.#epoch)
    );
  }

  #isFocused() {
    const root = /** @type {Document | ShadowRoot} */ (this.#element.getRootNode());
    return root.activeElement === this.#element && this.#document.hasFocus();
  }

  /**
   * @param {EventTarget} target
   * @param {string} type
   * @param {(event: any) => void} listener
   * @param {boolean} [capture]
   */
  #on(target, type, listener, capture = false) {
    target.addEventListener(type, listener, { capture, signal: this.#ending.signal });
  }

  /**
   * @param {Held} held
   * @param {HTMLElement} pad
   * @param {PointerEvent} event
   */
  #dragged(held, pad, event) {
    return drag(held, event.pointerId, padToDrive(event, pad.getBoundingClientRect()), this.#now());
  }

  /**
   * Whether an event waited while the page did not run: what was pressed then may be up by now.
   *
   * @param {Event} event
   */
  #isLate({ timeStamp }) {
    return this.#now() - timeStamp >= WATCHDOG_MS;
  }

  #sinceBeatMs() {
    const { steady, wall } = this.#clocks();
    return Math.max(steady - this.#beatAt.steady, wall - this.#beatAt.wall);
  }

  /** Only the first of the two never jumps, and only the second goes on in a sleep on every system. */
  #clocks() {
    return { steady: this.#now(), wall: this.#window.Date.now() };
  }

  #now() {
    return this.#window.performance.now();
  }
}

/**
 * @param {{ctrlKey: boolean, metaKey: boolean, altKey: boolean}} event
 */
const isModified = ({ ctrlKey, metaKey, altKey }) => ctrlKey || metaKey || altKey;
