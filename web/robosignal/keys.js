/**
 * Keys, and a pointer on a pad, as drive commands of a session: their rhythm, the stop, and every way
 * in which a browser keeps a release from a page.
 */

import {
  NO_INPUT,
  STOP,
  drag,
  driveOf,
  noteKey,
  isReleaseMissed,
  isDriveKey,
  isPressed,
  padToDrive,
  press,
  release,
  repeat,
  withoutKeys,
  withoutPointer,
} from "./input.js";

/** @import { Input } from "./input.js" */
/** @import { Session } from "./session.js" */
/** @import { Drive, DriveOptions } from "./types.js" */

const COMMAND_MS = 50;
/** The robot stops by itself this long after the last command: what was pressed before no longer counts. */
const WATCHDOG_MS = 500;
const HELD_MS = 10_000;

/** Keys that open something of the system or the browser, which then keeps releases to itself. */
const SYSTEM_KEYS =
  /^(Alt|AltGraph|Control|Meta|OS|Super|Hyper|ContextMenu|Escape|PrintScreen|F\d+)$/;

/** Short, so that they fit above a phone's video. */
const REASONS = {
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
  viewer: "You do not drive.",
  connection: "The robot is not connected.",
};

/** The same, by why the session sends no motion. */
const BLOCKED = {
  undeclared: REASONS.control,
  silent: "The robot was not heard.",
  picture: "The picture is too old.",
  stopped: "The robot was stopped.",
  "right-ended": "Your right to drive has ended.",
  unarmed: "The robot has stopped by itself.",
};

/**
 * Drive a session with the arrow keys or W A S D while `element` has the focus: 20 commands a second
 * while a key is pressed, and a stop after that. An element that can't take the focus gets a
 * `tabindex` of 0.
 *
 * A browser doesn't report every release of a key. So everything that is pressed counts as released
 * when the element, the window or the page loses the focus or is hidden; at a menu, a dialog, a drag
 * and a system key; when the page hasn't run, or hasn't sent, for half a second; and when the session
 * stops driving or sends no motion (`view.blocked`). After that only a new press drives. A press
 * while no motion could be sent is ignored, and `onIgnored` says so: it never drives later.
 *
 * @param {Session} session
 * @param {HTMLElement} element
 * @param {DriveOptions} [options]
 * @returns {() => void} a function that stops the robot and removes the listeners
 * @throws {TypeError} if `element` isn't an element of a page, or `heldMs` isn't a positive number
 */
export function driveWithKeys(session, element, options = {}) {
  if (!element?.ownerDocument?.defaultView)
    throw new TypeError("driveWithKeys: element must be an element of a page");
  const { heldMs = HELD_MS } = options;
  if (!(heldMs > 0))
    throw new TypeError("driveWithKeys: heldMs must be a positive number of milliseconds");
  const input = new KeyDriver(session, element, { ...options, heldMs });
  return () => input.end();
}

class KeyDriver {
  #session;
  #element;
  #options;
  #document;
  #window;
  #abort = new AbortController();
  #unlisten;
  /** @type {Input} */
  #input = NO_INPUT;
  #isTouch = false;
  /** The epoch at which the first of what is pressed was pressed. */
  #epoch = 0;
  /** Whether motion was sent since then. */
  #hasMoved = false;
  /** @type {number | undefined} */
  #interval;
  #tickedAt;
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
    this.#tickedAt = this.#clocks();
    if (element.tabIndex < 0) element.tabIndex = 0;
    this.#listenToKeys();
    this.#listenToLosses();
    if (options.pad) this.#listenToPad(options.pad);
    const look = () => void (this.#hasControl() || this.#releaseAll(this.#whyNoControl()));
    this.#unlisten = [
      session.on("control", look),
      session.on("state", look),
      session.on("refused", () => this.#releaseAll(REASONS.control)),
    ];
  }

  end() {
    this.#abort.abort();
    for (const unlisten of this.#unlisten) unlisten();
    this.#window.clearInterval(this.#interval);
    if (this.#interval !== undefined) this.#send(STOP);
  }

  #listenToKeys() {
    // Before the page's own listeners, which may keep an event from going further.
    this.#on(this.#window, "keydown", (event) => this.#noteKey(event), true);
    this.#on(
      this.#window,
      "keyup",
      ({ code }) => this.#update(release(this.#input, code, this.#now())),
      true,
    );
    this.#on(this.#element, "keydown", (event) => {
      if (event.target !== this.#element || !isDriveKey(event.code) || isModified(event)) return;
      event.preventDefault();
      if (!event.repeat && this.#isFocused())
        this.#press(event, (input) => press(input, event.code, this.#now()));
    });
  }

  /**
   * @param {KeyboardEvent} event
   */
  #noteKey(event) {
    if (SYSTEM_KEYS.test(event.key) || isModified(event)) return this.#releaseAll(REASONS.system);
    this.#input = event.repeat
      ? repeat(this.#input, event.code, this.#now())
      : noteKey(this.#input, this.#now());
  }

  #listenToLosses() {
    this.#on(this.#element, "blur", () => this.#releaseKeys());
    this.#on(this.#window, "blur", () => this.#releaseAll(REASONS.window));
    for (const type of ["visibilitychange", "freeze"])
      this.#on(this.#document, type, () => this.#releaseAll(REASONS.hidden));
    this.#on(this.#window, "pagehide", () => this.#releaseAll(REASONS.hidden));
    for (const type of ["dragstart", "beforeunload", "beforeprint"])
      this.#on(this.#window, type, () => this.#releaseAll(REASONS.menu), true);
    // Firefox opens its menu without an event when Shift is down.
    this.#on(
      this.#window,
      "mousedown",
      ({ button }) => void (button !== 0 && this.#releaseAll(REASONS.menu)),
      true,
    );
    this.#on(this.#window, "contextmenu", (event) => this.#menu(event), true);
    this.#on(this.#window, "pointercancel", () => this.#releaseAll(REASONS.pointer), true);
  }

  /**
   * @param {MouseEvent} event
   */
  #menu(event) {
    const isOnPad =
      this.#options.pad !== undefined && event.composedPath().includes(this.#options.pad);
    if (isOnPad) event.preventDefault();
    // A finger that rests on the pad asks for a menu too: where none opens, nothing is lost.
    if (!isOnPad || !this.#isTouch) this.#releaseAll(REASONS.menu);
  }

  /**
   * @param {HTMLElement} pad
   */
  #listenToPad(pad) {
    // Otherwise a browser takes the finger's movement for scrolling, and cancels the pointer.
    pad.style.touchAction = "none";
    this.#on(this.#window, "pointerdown", (event) => this.#pointerDown(pad, event), true);
    this.#on(pad, "pointermove", (event) => {
      if (event.pointerId !== this.#input.pointer?.id) return;
      if ((event.buttons & 1) === 0) return this.#update(withoutPointer(this.#input));
      this.#input = this.#drag(this.#input, pad, event);
    });
    this.#on(
      pad,
      "lostpointercapture",
      (event) =>
        void (
          event.pointerId === this.#input.pointer?.id && this.#update(withoutPointer(this.#input))
        ),
    );
  }

  /**
   * @param {HTMLElement} pad
   * @param {PointerEvent} event
   */
  #pointerDown(pad, event) {
    const { pointer } = this.#input;
    // Two pointers are a gesture, or a hand that slipped: neither drives.
    if (pointer !== null)
      return void (pointer.id !== event.pointerId && this.#releaseAll(REASONS.pointer));
    if (!event.composedPath().includes(pad) || event.button !== 0 || isModified(event)) return;
    try {
      pad.setPointerCapture(event.pointerId);
    } catch {
      return; // It is up already.
    }
    this.#isTouch = event.pointerType === "touch";
    this.#press(event, (input) => this.#drag(input, pad, event));
  }

  /**
   * Something is pressed.
   *
   * @param {Event} event
   * @param {(input: Input) => Input} press
   */
  #press(event, press) {
    if (this.#isLate(event)) return this.#options.onIgnored?.(REASONS.stall);
    // What was pressed while the page did not run no longer counts, whatever is pressed now.
    if (this.#sinceTickMs() >= WATCHDOG_MS) this.#releaseAll(REASONS.stall);
    if (!this.#hasControl()) return this.#options.onIgnored?.(this.#whyIgnored());
    if (this.#interval === undefined)
      this.#interval = this.#window.setInterval(() => this.#tick(), COMMAND_MS);
    if (!isPressed(this.#input)) {
      [this.#sentAt, this.#epoch] = [this.#now(), this.#session.view.epoch];
      [this.#hasMoved, this.#tickedAt] = [false, this.#clocks()];
    }
    this.#input = press(this.#input);
    this.#tick();
  }

  /**
   * Drop one key or the pointer.
   *
   * @param {Input} input
   */
  #update(input) {
    const isNews =
      input.keys.length !== this.#input.keys.length || input.pointer !== this.#input.pointer;
    this.#input = input;
    if (isNews) this.#tick();
  }

  #releaseKeys() {
    const { keys } = this.#input;
    this.#update(withoutKeys(this.#input));
    if (keys.length > 0) this.#options.onLoss?.(REASONS.focus);
  }

  /**
   * @param {string} why
   */
  #releaseAll(why) {
    if (!isPressed(this.#input)) return;
    this.#update(NO_INPUT);
    this.#options.onLoss?.(why);
  }

  #tick() {
    const why = isPressed(this.#input) ? this.#findReason() : null;
    this.#tickedAt = this.#clocks();
    if (why !== null) return this.#releaseAll(why);
    const isSent = this.#send(driveOf(this.#input));
    const isOver = isSent || !this.#hasControl() || this.#now() - this.#sentAt >= WATCHDOG_MS;
    if (isPressed(this.#input) || !isOver) return;
    this.#window.clearInterval(this.#interval);
    this.#interval = undefined;
  }

  /**
   * @returns {string | null} why what is pressed can no longer be believed; null if it can
   */
  #findReason() {
    const { keys, pointer } = this.#input;
    const now = this.#now();
    if (this.#sinceTickMs() >= WATCHDOG_MS) return REASONS.stall;
    if (!this.#hasControl()) return this.#whyNoControl();
    if (this.#document.visibilityState !== "visible") return REASONS.hidden;
    // Not every way in which an element loses the focus fires `blur`: its removal does not.
    if (keys.length > 0 && !this.#isFocused()) return REASONS.focus;
    if (pointer !== null && !this.#options.pad?.hasPointerCapture(pointer.id))
      return REASONS.pointer;
    if (isReleaseMissed(this.#input, this.#options.heldMs, now)) return REASONS.doubt;
    return now - this.#sentAt >= WATCHDOG_MS ? REASONS.unsent : null;
  }

  /**
   * @param {Drive} drive
   */
  #send(drive) {
    const input = this.#input;
    const isSent = this.#session.drive(drive);
    if (isSent || this.#isUndeclared()) this.#sentAt = this.#now();
    if (isSent) this.#hasMoved ||= drive.x !== 0 || drive.y !== 0;
    // The session may find that it is blocked, and so release what is pressed: a stop was told then.
    if (input === this.#input) this.#options.onDrive?.(drive);
    return isSent;
  }

  /** Whether the session drives, and has done so since the first of what is pressed was pressed. */
  #hasControl() {
    const { role, state, epoch, blocked } = this.#session.view;
    // A robot that has just become ours, or has stopped, is ready a moment later: a new press waits.
    const isReady =
      blocked === null || this.#isUndeclared() || (blocked === "unarmed" && !this.#isMoving());
    return (
      role === "controller" &&
      state === "live" &&
      isReady &&
      (!isPressed(this.#input) || epoch === this.#epoch)
    );
  }

  #isMoving() {
    return isPressed(this.#input) && this.#hasMoved;
  }

  /** Whether the robot may still say how it takes commands: what is pressed meanwhile waits for that. */
  #isUndeclared() {
    return this.#session.view.blocked === "undeclared";
  }

  #whyNoControl() {
    const { role, blocked } = this.#session.view;
    return role === "controller" && blocked !== null ? BLOCKED[blocked] : REASONS.control;
  }

  #whyIgnored() {
    const { role, state } = this.#session.view;
    if (role === "viewer") return REASONS.viewer;
    return role === null || state !== "live" ? REASONS.connection : this.#whyNoControl();
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
    target.addEventListener(type, listener, { capture, signal: this.#abort.signal });
  }

  /**
   * @param {Input} input
   * @param {HTMLElement} pad
   * @param {PointerEvent} event
   */
  #drag(input, pad, event) {
    return drag(
      input,
      event.pointerId,
      padToDrive(event, pad.getBoundingClientRect()),
      this.#now(),
    );
  }

  /**
   * Whether an event waited while the page did not run: what was pressed then may be up by now.
   *
   * @param {Event} event
   */
  #isLate({ timeStamp }) {
    return this.#now() - timeStamp >= WATCHDOG_MS;
  }

  #sinceTickMs() {
    const { steady, wall } = this.#clocks();
    return Math.max(steady - this.#tickedAt.steady, wall - this.#tickedAt.wall);
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
