/** Keys and pad on an element by hand: its window, its clocks and its timers are the test's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { driveWithKeys } from "../../web/robosignal/index.js";
import { Emitter } from "../../web/robosignal/emitter.js";
import {
  NO_INPUT,
  isReleaseMissed,
  keysToDrive,
  padToDrive,
  press,
  repeat,
} from "../../web/robosignal/input.js";

const AHEAD = { x: 0, y: 1 };
const STOP = { x: 0, y: 0 };

/** A session that drives, and notes what it was told. */
class FakeSession extends Emitter {
  view = { role: "controller", state: "live", epoch: 1, blocked: null };
  sent = [];
  isFull = false;

  drive(drive) {
    if (this.view.role !== "controller" || this.isFull) return false;
    this.sent.push(drive);
    return true;
  }

  /** The view changes, and its listeners are told. */
  stand(view) {
    this.view = { ...this.view, ...view };
    this.emit("control", this.view);
  }
}

/** A page with one element, which has the focus. */
class Desk {
  steady = 0;
  wall = 1_750_000_000_000;
  due = null;
  losses = [];
  ignored = [];
  session = new FakeSession((error) => assert.fail(error));

  constructor(options = {}) {
    const desk = this;
    this.window = Object.assign(new EventTarget(), {
      performance: { now: () => this.steady },
      Date: { now: () => this.wall },
      setInterval: (callback, ms) => ((this.due = { callback, ms, at: this.steady + ms }), 1),
      clearInterval: () => void (this.due = null),
    });
    this.document = Object.assign(new EventTarget(), {
      defaultView: this.window,
      visibilityState: "visible",
      hasFocus: () => true,
    });
    this.element = Object.assign(new EventTarget(), {
      ownerDocument: this.document,
      tabIndex: -1,
      getRootNode: () => ({
        get activeElement() {
          return desk.focused;
        },
      }),
    });
    this.focused = this.element;
    this.end = driveWithKeys(this.session, this.element, {
      onLoss: (why) => this.losses.push(why),
      onIgnored: (why) => this.ignored.push(why),
      ...options,
    });
  }

  /** An event as a browser dispatches it: the window's listeners first. */
  key(type, code, more = {}) {
    const event = Object.assign(new Event(type, { cancelable: true }), {
      code,
      key: code,
      repeat: false,
      ctrlKey: false,
      metaKey: false,
      altKey: false,
    });
    Object.defineProperty(event, "timeStamp", { value: more.timeStamp ?? this.steady });
    Object.assign(event, more.repeat ? { repeat: true } : {});
    for (const target of [this.window, this.element]) target.dispatchEvent(event);
  }

  down(code, more) {
    this.key("keydown", code, more);
  }

  up(code) {
    this.key("keyup", code);
  }

  /** Time passes, with each timer in its time; every 40 ms the system repeats `repeats`, if told. */
  pass(ms, repeats = null) {
    for (const until = this.steady + ms; this.steady < until;) {
      this.steady += 10;
      this.wall += 10;
      if (repeats !== null && this.steady % 40 === 0) this.down(repeats, { repeat: true });
      if (this.due !== null && this.steady >= this.due.at) {
        this.due.at += this.due.ms;
        this.due.callback();
      }
    }
  }

  get last() {
    return this.session.sent.at(-1);
  }
}

/** A desk with W held, and the robot moving. */
function held(options) {
  const desk = new Desk(options);
  desk.down("KeyW");
  desk.pass(200);
  assert.deepEqual(desk.last, AHEAD);
  return desk;
}

/** Whether nothing moves any more, however often the held key repeats, and a new press does. */
function assertReleased(desk) {
  const before = desk.session.sent.length;
  desk.pass(1_000, "KeyW");
  assert.ok(
    desk.session.sent.slice(before).every(({ x, y }) => x === 0 && y === 0),
    "moves by itself",
  );
  desk.up("KeyW");
  desk.down("KeyW");
  assert.deepEqual(desk.last, AHEAD);
}

test("a held key is 20 commands a second, and one stop after it", () => {
  const desk = held();
  desk.up("KeyW");
  desk.pass(1_000);

  assert.deepEqual(desk.session.sent, [AHEAD, AHEAD, AHEAD, AHEAD, AHEAD, STOP]);
  assert.deepEqual(desk.losses, []);
});

test("an element that cannot take the focus can after that", () => {
  assert.equal(new Desk().element.tabIndex, 0);
});

for (const [what, lose] of [
  [
    "the wall clock alone went on, as in a sleep on Linux and macOS",
    (desk) => void (desk.wall += 75_000),
  ],
  [
    "both clocks went on, as in a sleep on Windows",
    (desk) => void ((desk.wall += 75_000), (desk.steady += 75_000)),
  ],
  ["the page did not run for half a second", (desk) => void (desk.steady += 500)],
]) {
  test(`a key held while ${what} counts as released`, () => {
    const desk = held();
    lose(desk);
    const before = desk.session.sent.length;
    desk.pass(50);

    assert.deepEqual(
      desk.session.sent.slice(before).filter(({ y }) => y !== 0),
      [],
    );
    assert.match(desk.losses[0], /page stopped/);
    assertReleased(desk);
  });

  test(`another key pressed first after ${what} drives alone`, () => {
    const desk = held();
    lose(desk);
    desk.down("KeyD");

    assert.deepEqual(desk.last, { x: 1, y: 0 });
  });
}

test("a press that waited while the page did not run is none", () => {
  const desk = new Desk();
  desk.steady = 5_000;
  desk.down("KeyW", { timeStamp: 4_000 });
  desk.pass(200);

  assert.deepEqual(desk.session.sent, []);
  assert.match(desk.ignored[0], /page stopped/);
});

for (const [what, view] of [
  ["the control goes to another", { role: "viewer" }],
  ["the connection to the robot is lost", { state: "waiting" }],
  ["another drove in between, and no word of it came", { epoch: 3 }],
]) {
  test(`a key held while ${what} drives no more when all is as before`, () => {
    const desk = held();
    desk.session.stand(view);
    desk.pass(100);
    desk.session.stand({ role: "controller", state: "live" });

    assertReleased(desk);
    assert.match(desk.losses[0], /control/);
  });
}

for (const [blocked, why] of [
  ["silent", /not heard/],
  ["picture", /too old/],
  ["stopped", /was stopped/],
  ["unarmed", /by itself/],
  ["right-ended", /right to drive/],
]) {
  test(`a key held while motion is blocked (${blocked}) drives no more, and the user reads why`, () => {
    const desk = held();
    desk.session.stand({ blocked });
    desk.pass(100);
    desk.session.stand({ blocked: null });

    assertReleased(desk);
    assert.match(desk.losses[0], why);
  });
}

test("a press waits for a robot that is about to be ready, but not for long", () => {
  const [soon, late] = [new Desk(), new Desk()];
  for (const desk of [soon, late]) {
    desk.session.stand({ blocked: "unarmed" });
    desk.session.isFull = true;
    desk.down("KeyW");
    desk.pass(200);
  }
  soon.session.isFull = false;
  soon.session.stand({ blocked: null });
  soon.pass(50);
  late.pass(600);
  late.session.isFull = false;

  assert.deepEqual([soon.last, soon.losses], [AHEAD, []]);
  assert.equal(late.losses.length, 1);
  assertReleased(late);
});

test("a session that finds itself blocked as it sends tells of nothing after the stop", () => {
  const heard = [];
  const desk = held({ onDrive: (drive) => heard.push(drive) });
  const { drive } = desk.session;
  desk.session.drive = (command) => {
    desk.session.drive = drive;
    desk.session.stand({ blocked: "silent" });
    return drive.call(desk.session, command) && false;
  };
  desk.pass(50);

  assert.deepEqual(heard.at(-1), STOP);
  assert.equal(desk.losses.length, 1);
});

test("a key that is pressed before there is control does not drive once there is", () => {
  const desk = new Desk();
  desk.session.stand({ role: "viewer" });
  desk.down("KeyW");
  desk.pass(200);
  desk.session.stand({ role: "controller" });

  assertReleased(desk);
});

for (const [what, view, why] of [
  ["another drives", { role: "viewer" }, /do not drive/],
  ["the first picture is awaited", { state: "connecting", blocked: "undeclared" }, /not connected/],
  ["the server's answer is awaited", { role: null, state: "connecting" }, /not connected/],
  ["the connection is lost", { state: "waiting" }, /not connected/],
  ["the picture is too old", { blocked: "picture" }, /too old/],
  ["the robot is silent", { blocked: "silent" }, /not heard/],
  ["the robot is stopped", { blocked: "stopped" }, /was stopped/],
  ["the right has ended", { blocked: "right-ended" }, /right to drive/],
]) {
  test(`a press while ${what} is ignored, which is said once, and never drives later`, () => {
    const desk = new Desk();
    desk.session.stand(view);
    desk.down("KeyW");
    desk.pass(200, "KeyW");
    const { ignored } = desk;
    desk.session.stand({ role: "controller", state: "live", blocked: null });

    assertReleased(desk);
    assert.equal(ignored.length, 1);
    assert.match(ignored[0], why);
    assert.deepEqual(desk.losses, []);
  });
}

test("a robot that refuses is not moved by a held key once it obeys", () => {
  const desk = held();
  desk.session.emit("refused", 1);

  assertReleased(desk);
});

test("a key held for half a second in which nothing could be sent counts as released", () => {
  const desk = held();
  desk.session.isFull = true;
  desk.pass(600);
  desk.session.isFull = false;

  assertReleased(desk);
  assert.match(desk.losses[0], /could be sent/);
});

test("a stop that could not be sent is sent as soon as it can be", () => {
  const desk = held();
  desk.session.isFull = true;
  desk.up("KeyW");
  desk.pass(200);
  desk.session.isFull = false;
  desk.pass(100);

  assert.deepEqual(desk.last, STOP);
});

test("a key that repeated and was lost is up within some seconds; one that never did, within ten", () => {
  const repeated = held();
  repeated.pass(400, "KeyW");
  repeated.pass(1_100);
  const silent = held();
  silent.pass(9_000);
  const before = silent.last;
  silent.pass(1_000);

  assert.deepEqual([repeated.last, before, silent.last], [STOP, AHEAD, STOP]);
  assertReleased(repeated);
  assertReleased(silent);
});

test("a key that repeats is held for as long as it does", () => {
  const desk = held();
  desk.pass(60_000, "KeyW");

  assert.deepEqual([desk.last, desk.losses], [AHEAD, []]);
});

test("a key that repeats no more because another was pressed after it is still held", () => {
  const desk = held();
  desk.pass(400, "KeyW");
  desk.down("KeyD");
  desk.pass(400, "KeyD");
  desk.up("KeyD");
  desk.pass(5_000);

  assert.deepEqual([desk.last, desk.losses], [AHEAD, []]);
});

test("a key of which nothing is heard is up within half a minute, however many others are pressed", () => {
  const desk = held();
  for (let second = 0; second < 29; second += 1) {
    desk.down("KeyD");
    desk.pass(500, "KeyD");
    desk.up("KeyD");
    desk.pass(500);
  }
  const before = desk.last;
  desk.pass(1_000);

  assert.deepEqual([before, desk.last], [AHEAD, STOP]);
  assertReleased(desk);
});

test("how long a silent key counts as held is the application's to say", () => {
  const desk = held({ heldMs: 2_000 });
  desk.pass(2_000);

  assert.deepEqual(desk.last, STOP);
});

for (const heldMs of [0, -1, NaN, "soon"]) {
  test(`heldMs of ${heldMs} is refused`, () => {
    assert.throws(() => new Desk({ heldMs }), { name: "TypeError", message: /heldMs/ });
  });
}

test("what is no element is refused", () => {
  assert.throws(() => driveWithKeys(new FakeSession(() => {}), null), {
    name: "TypeError",
    message: /element/,
  });
});

for (const key of [
  "Meta",
  "OS",
  "Super",
  "Alt",
  "AltGraph",
  "Control",
  "ContextMenu",
  "Escape",
  "PrintScreen",
  "F10",
]) {
  test(`${key} pressed while another key is held is a loss: what is let go after it may not be told`, () => {
    const desk = held();
    desk.down(key);

    assert.deepEqual(desk.last, STOP);
    assertReleased(desk);
  });
}

for (const [where, type, more] of [
  ["window", "mousedown", { button: 2 }],
  ["window", "mousedown", { button: 1 }],
  ["window", "contextmenu", { composedPath: () => [] }],
  ["window", "blur", {}],
  ["window", "pagehide", {}],
  ["window", "beforeunload", {}],
  ["window", "beforeprint", {}],
  ["window", "dragstart", {}],
  ["window", "pointercancel", {}],
  ["document", "visibilitychange", {}],
  ["document", "freeze", {}],
  ["element", "blur", {}],
]) {
  test(`${type} on the ${where} is a loss${"button" in more ? `, with button ${more.button}` : ""}`, () => {
    const desk = held();
    desk[where].dispatchEvent(Object.assign(new Event(type, { cancelable: true }), more));

    assert.deepEqual(desk.last, STOP);
    assert.equal(desk.losses.length, 1);
    assertReleased(desk);
  });
}

for (const [what, lose, restore] of [
  [
    "the focus is elsewhere, and no event said so",
    (desk) => void (desk.focused = null),
    (desk) => void (desk.focused = desk.element),
  ],
  [
    "the document has no focus, and no event said so",
    (desk) => void (desk.document.hasFocus = () => false),
    (desk) => void (desk.document.hasFocus = () => true),
  ],
  [
    "the page is hidden, and no event said so",
    (desk) => void (desk.document.visibilityState = "hidden"),
    (desk) => void (desk.document.visibilityState = "visible"),
  ],
]) {
  test(`a key is lost when ${what}`, () => {
    const desk = held();
    lose(desk);
    desk.pass(50);
    const { last } = desk;
    restore(desk);

    assert.deepEqual(last, STOP);
    assertReleased(desk);
  });
}

test("other keys, and keys for something within the element, are left to the page", () => {
  const desk = new Desk();
  desk.down("KeyQ");
  const within = Object.assign(new Event("keydown", { cancelable: true }), {
    code: "KeyW",
    key: "w",
  });
  Object.defineProperty(within, "target", { value: {} });
  desk.element.dispatchEvent(within);

  assert.deepEqual([desk.session.sent, within.defaultPrevented], [[], false]);
});

test("a main button elsewhere on the element is no loss", () => {
  const desk = held();
  desk.window.dispatchEvent(Object.assign(new Event("mousedown"), { button: 0 }));

  assert.deepEqual([desk.last, desk.losses], [AHEAD, []]);
});

test("the end stops the robot, and listens to nothing more", () => {
  const desk = held();
  desk.end();
  const sent = [...desk.session.sent];
  desk.down("KeyW");
  desk.pass(1_000);

  assert.deepEqual([sent.at(-1), desk.session.sent], [STOP, sent]);
});

test("a system that repeats slowly is given as much longer", () => {
  let state = press(NO_INPUT, "KeyW", 0);
  for (const at of [500, 2_300, 4_100]) state = repeat(state, "KeyW", at);

  assert.deepEqual(
    [7_000, 9_400, 9_600].map((now) => isReleaseMissed(state, 10_000, now)),
    [false, false, true],
  );
});

test("opposite keys cancel each other, and keys of two directions add up", () => {
  assert.deepEqual(keysToDrive(["KeyW", "ArrowDown", "KeyD"]), { x: 1, y: 0 });
  assert.deepEqual(keysToDrive(["ArrowUp", "KeyA"]), { x: -1, y: 1 });
});

test("the pad's middle is a stop, its top full ahead, and beyond its rim no more than that", () => {
  const pad = { left: 0, top: 0, width: 100, height: 100 };

  assert.deepEqual(padToDrive({ clientX: 50, clientY: 50 }, pad), { x: 0, y: 0 });
  assert.deepEqual(padToDrive({ clientX: 50, clientY: 0 }, pad), { x: 0, y: 1 });
  assert.deepEqual(padToDrive({ clientX: 50, clientY: -500 }, pad), { x: 0, y: 1 });
});
