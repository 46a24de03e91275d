/**
 * Draws what a robot declares: an element for each control, and each field of telemetry as a value.
 * What is held there is sent as commands; whatever may keep a release from the page ends it.
 */

import { at, each, write } from "./draw.js";

/** @typedef {import("../robosignal/index.js").Axis} Axis */
/** @typedef {import("../robosignal/index.js").Control} Control */
/** @typedef {import("../robosignal/index.js").Field} Field */
/** @typedef {import("../robosignal/index.js").Session} Session */
/** @typedef {import("../robosignal/index.js").Value} Value */

/** The robot stops by itself this long after the last command: what was held before no longer counts. */
const WATCHDOG_MS = 500;
/** How long a control that stays where it is may be on its way after it was let go. */
const ON_ITS_WAY_MS = 10_000;
/** How long a control counts as held without any event of its own. */
const HELD_MS = 10_000;
const STEPS = 200;

/**
 * Draw the robot's controls and telemetry, and send what is held, until the function that this
 * returns is called.
 *
 * @param {Session} session
 * @returns {() => void}
 */
export function attachControls(session) {
  const panel = new ControlPanel(session);
  return () => panel.end();
}

class ControlPanel {
  #session;
  #abort = new AbortController();
  #unlisten;
  /** @type {Record<string, Value>} what is asked for, by control */
  #asked = {};
  /** @type {Record<string, number>} when each had its last event, in ms */
  #askedAt = {};
  /** @type {Record<string, number>} until when each that was let go may be on its way, in ms */
  #until = {};
  #interval = 0;
  #tickedAt = 0;

  /**
   * @param {Session} session
   */
  constructor(session) {
    this.#session = session;
    this.#unlisten = [
      session.on("declaration", () => this.#draw()),
      session.on("held", () => this.#drawHeld()),
      session.on("telemetry", () => this.#drawTelemetry()),
      session.on("state", () => this.#look()),
      session.on("control", () => this.#look()),
      session.on("stopped", () => this.#look()),
    ];
    const { signal } = this.#abort;
    // Not as it is captured: elements that lose the focus would count too.
    addEventListener("blur", () => this.#letGoAll(), { signal });
    for (const type of ["pagehide", "contextmenu", "pointercancel", "dragstart"])
      addEventListener(type, () => this.#letGoAll(), { signal, capture: true });
    document.addEventListener("visibilitychange", () => this.#letGoAll(), { signal });
    this.#draw();
  }

  end() {
    this.#abort.abort();
    for (const unlisten of this.#unlisten) unlisten();
    this.#letGoAll();
    this.#drawControls([]);
    this.#drawFields([]);
    showPad(true);
  }

  get #controls() {
    return this.#session.declaration?.controls ?? [];
  }

  #draw() {
    this.#letGoAll();
    this.#drawControls(this.#controls);
    this.#drawFields(this.#session.declaration?.telemetry ?? []);
    showPad(this.#session.declaration?.drive !== false);
    this.#drawHeld();
    this.#drawTelemetry();
    this.#look();
  }

  /**
   * @param {readonly Control[]} controls
   */
  #drawControls(controls) {
    const known = controls.filter(({ type }) => Object.hasOwn(MAKE, type));
    // The key names the whole declaration: a control that has changed is replaced.
    const values = known.map((control) => ({ key: JSON.stringify(control), control }));
    each(
      at("controls"),
      values,
      "key",
      ({ control }) => this.#make(control),
      () => {},
    );
    at("controls").hidden = known.length === 0;
  }

  /**
   * @param {Control} control
   */
  #make(control) {
    const item = document.createElement("div");
    item.dataset.control = control.name;
    MAKE[control.type](item, /** @type {any} */ (control), {
      ask: (value) => this.#ask(control.name, value),
      letGo: () => this.#letGo(control),
    });
    return item;
  }

  /**
   * @param {string} name
   * @param {Value} value
   */
  #ask(name, value) {
    if (!this.#canMove()) return;
    this.#asked[name] = value;
    this.#askedAt[name] = performance.now();
    delete this.#until[name];
    if (this.#interval === 0) {
      this.#tickedAt = performance.now();
      const hz = this.#session.declaration?.commandHz ?? 20;
      this.#interval = setInterval(() => this.#tick(), 1_000 / hz);
    }
    this.#send();
  }

  /**
   * A control that rests is done with; one that stays where it is may be on its way yet.
   *
   * @param {Control} control
   */
  #letGo(control) {
    if (!Object.hasOwn(this.#asked, control.name)) return;
    const { name } = control;
    if (!holds(control)) return this.#drop(name);
    if (!Object.hasOwn(this.#until, name)) this.#until[name] = performance.now() + ON_ITS_WAY_MS;
  }

  /**
   * @param {string} name
   */
  #drop(name) {
    delete this.#asked[name];
    delete this.#until[name];
    this.#send();
    this.#drawAsked();
  }

  #letGoAll() {
    clearInterval(this.#interval);
    this.#interval = 0;
    if (Object.keys(this.#asked).length > 0) {
      [this.#asked, this.#until] = [{}, {}];
      this.#send();
    }
    this.#drawAsked();
  }

  #tick() {
    const now = performance.now();
    const passed = now - this.#tickedAt;
    this.#tickedAt = now;
    if (passed >= WATCHDOG_MS || !this.#canMove()) return this.#letGoAll();
    for (const name of Object.keys(this.#asked))
      if (!Object.hasOwn(this.#until, name) && now - (this.#askedAt[name] ?? 0) >= HELD_MS)
        this.#drop(name);
    for (const [name, until] of Object.entries(this.#until))
      if (now >= until || isThere(valueOf(this.#session.held, name), this.#asked[name]))
        this.#drop(name);
    if (Object.keys(this.#asked).length === 0) return this.#letGoAll();
    this.#send();
  }

  #send() {
    const { view, declaration } = this.#session;
    if (declaration !== null && view.role === "controller") this.#session.command(this.#asked);
  }

  #canMove() {
    const { role, state, blocked } = this.#session.view;
    return role === "controller" && state === "live" && blocked === null;
  }

  #look() {
    const { role, state } = this.#session.view;
    const canMove = this.#canMove();
    if (!canMove) this.#letGoAll();
    at("controls").dataset.active = String(canMove);
    // A robot that has stopped is ready a moment later: the focus stays meanwhile.
    const isOff = role !== "controller" || state !== "live";
    for (const element of at("controls").querySelectorAll("input, select, button"))
      /** @type {HTMLInputElement} */ (element).disabled = isOff;
  }

  /** Each control that was let go shows where it is. */
  #drawAsked() {
    for (const control of this.#controls) {
      const { type, name } = control;
      if (Object.hasOwn(this.#asked, name)) continue;
      const value = valueOf(this.#session.held, name);
      if (type === "axis") show(name, value ?? control.rest, control);
      if (type === "choice" && value !== undefined) show(name, value, control);
    }
  }

  #drawHeld() {
    this.#drawAsked();
  }

  /**
   * @param {readonly Field[]} fields
   */
  #drawFields(fields) {
    each(
      at("telemetry"),
      fields.map(({ name }) => ({ key: name })),
      "field",
      ({ key }) => {
        const item = document.createElement("div");
        const [term, value] = [document.createElement("dt"), document.createElement("dd")];
        term.textContent = labelOf(key);
        value.id = `telemetry-${key}`;
        value.textContent = "–";
        item.append(term, value);
        return item;
      },
      () => {},
    );
    at("telemetry").hidden = fields.length === 0;
  }

  #drawTelemetry() {
    for (const { name, unit } of this.#session.declaration?.telemetry ?? []) {
      const value = valueOf(this.#session.telemetry, name);
      if (value !== undefined) write(`telemetry-${name}`, `${textOf(value)}${unit && ` ${unit}`}`);
    }
  }
}

/**
 * It keeps its place: the stop beside it must not move.
 *
 * @param {boolean} isShown
 */
function showPad(isShown) {
  at("pad").style.visibility = isShown ? "" : "hidden";
}

/** @typedef {{ask: (value: Value) => void, letGo: () => void}} Hand */

/** @type {Record<string, (item: HTMLElement, control: any, hand: Hand) => void>} */
const MAKE = { axis: makeAxis, button: makeButton, choice: makeChoice };

/**
 * @param {HTMLElement} item
 * @param {Axis} axis
 * @param {Hand} hand
 */
function makeAxis(item, { name, least, most, rest }, { ask, letGo }) {
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min: least, max: most, step: (most - least) / STEPS });
  input.valueAsNumber = rest;
  const output = document.createElement("output");
  item.append(labelFor(input, name), input, output);
  let isDown = false;
  const release = () => {
    isDown = false;
    letGo();
  };
  for (const type of ["pointerdown", "keydown"])
    input.addEventListener(type, () => (isDown = true));
  input.addEventListener("input", () => ask(input.valueAsNumber));
  onRelease(input, release);
  // A screen reader sets it without a key and without a pointer.
  input.addEventListener("change", () => void (isDown || release()));
}

/**
 * @param {HTMLElement} item
 * @param {{name: string}} button
 * @param {Hand} hand
 */
function makeButton(item, { name }, { ask, letGo }) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = labelOf(name);
  item.append(button);
  button.addEventListener("pointerdown", ({ button: which, pointerId }) => {
    if (which !== 0) return;
    button.setPointerCapture(pointerId);
    ask(true);
  });
  button.addEventListener("keydown", ({ key, repeat }) => {
    if (key === "Enter" && !repeat) ask(true);
  });
  onRelease(button, letGo);
}

/**
 * Listen for whatever releases an element. While a pointer holds it, the focus may go elsewhere.
 *
 * @param {HTMLElement} element
 * @param {() => void} release
 */
function onRelease(element, release) {
  let isPointed = false;
  element.addEventListener("pointerdown", () => (isPointed = true));
  for (const type of ["pointerup", "lostpointercapture"])
    element.addEventListener(type, () => {
      isPointed = false;
      release();
    });
  element.addEventListener("keyup", release);
  element.addEventListener("blur", () => void (isPointed || release()));
}

/**
 * @param {HTMLElement} item
 * @param {{name: string, options: readonly string[]}} choice
 * @param {Hand} hand
 */
function makeChoice(item, { name, options }, { ask, letGo }) {
  const select = document.createElement("select");
  select.append(...options.map((option) => new Option(option)));
  item.append(labelFor(select, name), select);
  select.addEventListener("change", () => {
    ask(select.value);
    letGo();
  });
}

/**
 * @param {HTMLElement} input
 * @param {string} name
 */
function labelFor(input, name) {
  input.id = `control-${name}`;
  const label = document.createElement("label");
  label.htmlFor = input.id;
  label.textContent = labelOf(name);
  return label;
}

/**
 * @param {string} name
 * @param {Value} value
 * @param {Control} control
 */
function show(name, value, control) {
  const input = /** @type {HTMLInputElement | null} */ (document.getElementById(`control-${name}`));
  if (input === null) return;
  input.value = String(value);
  const output = input.parentElement?.querySelector("output");
  if (output && control.type === "axis") output.textContent = `${textOf(value)} ${control.unit}`;
}

/**
 * A robot may name something as every object has it, such as `constructor`.
 *
 * @param {Readonly<Record<string, Value>>} values
 * @param {string} name
 */
const valueOf = (values, name) => (Object.hasOwn(values, name) ? values[name] : undefined);

/**
 * @param {Control} control
 */
const holds = (control) => control.type === "choice" || (control.type === "axis" && control.holds);

/**
 * @param {Value | undefined} held
 * @param {Value | undefined} asked
 */
const isThere = (held, asked) =>
  typeof held === "number" && typeof asked === "number"
    ? Math.abs(held - asked) < 1e-3
    : held === asked;

/**
 * @param {string} name
 */
const labelOf = (name) => name.replaceAll(/[_-]/g, " ");

/**
 * @param {Value} value
 */
function textOf(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : value;
}
