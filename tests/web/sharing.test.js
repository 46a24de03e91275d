/** A session that several calls share, as the components of a page do, and the view that they show. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SESSION, driving, drivingOld, online } from "./client.js";
import { ALICE } from "./played.js";
import { settled } from "./world.js";

const OTHER = "demo:BBBBBBBBBBBBBBBBBBBBBB";
const BUSY = { type: "error", code: "robot_busy", message: "busy", controlledBy: ALICE };

const types = ({ socket }) => socket.frames.map(({ type }) => type);

const granted = (epoch, sessionId = SESSION, role = "controller") => ({
  type: "ack",
  sessionId,
  role,
  epoch,
});

/** Answer the last request of a type, and let what follows from it happen. */
async function reply(world, type, frame) {
  world.socket.reply(type, frame);
  await settled();
}

// How long a session lasts.

test("a session that was taken twice lasts until both have left", async () => {
  const { world, signal, session } = await driving();
  const again = await signal.drive("demo");
  again.leave();
  await settled();
  const between = [session.view.state, types(world).includes("bye")];
  session.leave();

  assert.deepEqual(between, ["connecting", false]);
  assert.deepEqual([session.view.state, world.socket.last("bye").sessionId], ["ended", SESSION]);
});

test("a call that is refused holds nothing", async () => {
  const { world, signal } = await online();
  const viewing = signal.view("demo");
  await settled();
  await reply(world, "offer", granted(undefined, SESSION, "viewer"));
  const session = await viewing;
  const refused = assert.rejects(signal.drive("demo"), { code: "robot_busy" });
  await settled();
  await reply(world, "offer", BUSY);
  await refused;
  session.leave();

  assert.equal(session.view.state, "ended");
});

test("a holder that leaves while another call waits leaves it the session", async () => {
  const { world, signal } = await online();
  const viewing = signal.view("demo");
  await settled();
  await reply(world, "offer", granted(undefined, SESSION, "viewer"));
  const viewer = await viewing;
  const driven = signal.drive("demo");
  await settled();
  viewer.leave();
  await reply(world, "offer", granted(1));

  const driver = await driven;
  assert.deepEqual([driver.view.role, types(world).includes("bye")], ["controller", false]);
  driver.leave();
  assert.equal(driver.view.state, "ended");
});

// What React does to a component: mounted, unmounted and mounted again, at any moment.

/** A component's effect: it drives until its clean-up, which aborts a call that waits, or leaves. */
function mount(signal) {
  const abort = new AbortController();
  const component = { session: null, error: null, unmount: () => {} };
  signal.drive("demo", { signal: abort.signal }).then(
    (session) => (component.session = session),
    (error) => (component.error = error),
  );
  component.unmount = () => {
    abort.abort();
    component.session?.leave();
  };
  return component;
}

test("a component that is mounted twice at once drives, and its last unmount gives all back", async () => {
  const { world, signal } = await online();
  mount(signal).unmount();
  const second = mount(signal);
  await settled();
  await reply(world, "offer", granted(1));
  const driven = second.session.view.role;
  second.unmount();

  assert.deepEqual([driven, world.socket.last("bye").sessionId], ["controller", SESSION]);
  assert.equal(types(world).filter((type) => type === "offer").length, 1);
});

test("a component that is mounted again while its offer is on its way offers after the goodbye", async () => {
  const { world, signal } = await online();
  const first = mount(signal);
  await settled();
  first.unmount();
  const second = mount(signal);
  await settled();
  const before = types(world);
  await reply(world, "offer", granted(1));
  const between = types(world);
  await reply(world, "bye", { type: "ack" });
  await reply(world, "offer", granted(2, OTHER));

  assert.deepEqual(before, ["ready", "offer"]);
  assert.deepEqual(between, ["ready", "offer", "bye"]);
  assert.deepEqual(types(world), ["ready", "offer", "bye", "offer"]);
  assert.equal(first.error.name, "AbortError");
  assert.deepEqual(
    [second.session.view.role, second.session.view.state],
    ["controller", "connecting"],
  );
});

test("a takeover that was aborted is given back before the robot is asked for again", async () => {
  const { world, signal } = await online();
  const abort = new AbortController();
  const taking = signal.takeOver("demo", { signal: abort.signal });
  await settled();
  abort.abort();
  await assert.rejects(taking, { name: "AbortError" });
  const driven = signal.drive("demo");
  await settled();
  await reply(world, "takeover", granted(1));
  await reply(world, "bye", { type: "ack" });
  await reply(world, "offer", granted(2, OTHER));

  assert.deepEqual(types(world), ["ready", "takeover", "bye", "offer"]);
  assert.equal((await driven).view.role, "controller");
});

// A call to view beside one to drive.

test("a call to view beside a refused one to drive gets a viewer", async () => {
  const { world, signal } = await online();
  const driven = signal.drive("demo");
  const viewing = signal.view("demo");
  await settled();
  world.socket.reply("offer", BUSY);
  await assert.rejects(driven, { code: "robot_busy" });
  await settled();
  await reply(world, "offer", granted(undefined, SESSION, "viewer"));

  assert.equal((await viewing).view.role, "viewer");
  assert.equal(world.socket.last("offer").role, "viewer");
});

test("a call to view a robot that this page drives says that it drives", async () => {
  const { signal } = await driving();

  assert.equal((await signal.view("demo")).view.role, "controller");
});

// After the page has closed the connection.

test("a call after close() says so, even where the browser lacks WebRTC", async () => {
  const { world, signal } = await online();
  world.refusesPeers = true;
  signal.close();

  for (const method of ["drive", "view", "takeOver"]) {
    await assert.rejects(signal[method]("demo"), { code: "closed" });
  }
});

// The view.

test("the view is the same object until something in it changes", async () => {
  const { world, session } = await drivingOld();
  const before = session.view;
  world.pass(1_000);
  world.socket.receive({ type: "control", robotId: "demo", epoch: 1, sessionId: SESSION });
  const after = session.view;
  world.socket.receive({
    type: "control",
    robotId: "demo",
    epoch: 2,
    sessionId: OTHER,
    person: ALICE,
  });

  assert.equal(after, before);
  assert.notEqual(session.view, before);
  assert.equal(session.view.requests, before.requests);
  assert.ok(Object.isFrozen(session.view));
});

test("the event `view` tells of each change of the view, and of nothing else", async () => {
  const { world, session } = await drivingOld();
  const seen = [];
  session.on("view", (view) => seen.push(view));
  world.pass(1_000);
  const quiet = seen.length;
  world.socket.receive({
    type: "control",
    robotId: "demo",
    epoch: 2,
    sessionId: OTHER,
    person: ALICE,
  });
  world.socket.receive({
    type: "control",
    robotId: "demo",
    epoch: 2,
    sessionId: OTHER,
    person: { ...ALICE },
  });

  assert.equal(quiet, 0);
  assert.deepEqual(seen, [session.view]);
});
