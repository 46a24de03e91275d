/** Media: a path that dies, a robot that falls silent, and what is done about each. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Engaged, SESSION, doings, live, talking } from "./played.js";

test("a robot that is killed, silent and without a path, is offered to anew within 4 seconds", () => {
  const engaged = live("controller", 3);
  engaged.ice("disconnected");
  const soon = engaged.wait(2500);
  const late = engaged.wait(1000);

  assert.deepEqual(doings(soon), []);
  assert.deepEqual(doings(late), ["open"]);
  assert.equal(engaged.view.state, "waiting");
});

test("a robot that falls silent is looked up, and offered to anew once the list says it is offline", () => {
  const engaged = live("controller", 3);
  const silent = engaged.wait(3000);
  engaged.tell({
    type: "listing",
    askedAt: engaged.now,
    robot: { robotId: "demo", online: false },
  });
  const after = engaged.wait(500);

  assert.deepEqual(doings(silent), ["look-up"]);
  assert.deepEqual(doings(after), ["open"]);
});

test("a robot that the list calls offline but that answers is left alone: media outlives signaling", () => {
  const engaged = live("controller", 3);
  engaged.tell({ type: "listing", askedAt: 0, robot: { robotId: "demo", online: false } });

  assert.deepEqual(engaged.wait(2500), []);
});

test("a path that comes back by itself is left alone", () => {
  const engaged = live("controller", 3);
  engaged.ice("disconnected");
  engaged.wait(2500);
  engaged.ice("connected");
  engaged.pong();

  assert.deepEqual(talking(engaged, 4000), []);
});

test("a path that failed is not waited for", () => {
  const engaged = live("controller", 3);
  engaged.ice("failed");

  assert.deepEqual(doings(engaged.wait(500)), ["open"]);
});

test("a robot whose data channel never answered is judged by its path alone", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  engaged.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  engaged.answer();
  engaged.ice("connected");

  assert.deepEqual(engaged.wait(15_000), []);
});

test("a data channel that the robot closed means a new offer, a moment later", () => {
  const engaged = live("viewer");
  engaged.tell({ type: "channel-closed", pcId: engaged.pcId });

  assert.deepEqual(doings(engaged.wait(500)), []);
  assert.deepEqual(doings(engaged.wait(500)), ["open"]);
});

test("a dead path is not offered for while signaling is down", () => {
  const engaged = live("controller", 3);
  engaged.tell({ type: "offline" });
  engaged.ice("failed");

  assert.deepEqual(engaged.wait(10_000), []);
});

test("no answer within 10 seconds says that the robot does not respond, and tries again", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  engaged.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  const within = engaged.wait(9500);
  const after = engaged.wait(3000);

  assert.deepEqual(within, []);
  assert.deepEqual(doings(after), ["close", "open"]);
  assert.match(engaged.view.why, /does not respond/);
});

test("an answer without a path for media says so", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "viewer" });
  engaged.offered();
  engaged.reply("offer", { type: "ack", sessionId: SESSION, role: "viewer" });
  engaged.answer();
  engaged.wait(15_000);

  assert.match(engaged.view.why, /TURN/);
});
