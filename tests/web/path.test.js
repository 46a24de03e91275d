/** Media: a path that dies, a robot that falls silent, and what is done about each. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PlayedSession, SESSION, doings, live, talking } from "./played.js";

test("a robot that is killed, silent and without a path, is offered to again within 4 seconds", () => {
  const played = live("controller", 3);
  played.ice("disconnected");
  const soon = played.wait(2500);
  const late = played.wait(1000);

  assert.deepEqual(doings(soon), []);
  assert.deepEqual(doings(late), ["open"]);
  assert.equal(played.view.state, "waiting");
});

test("a robot that falls silent is looked up, and offered to again once the list says it is offline", () => {
  const played = live("controller", 3);
  const silent = played.wait(3000);
  played.tell({
    type: "listing",
    askedAt: played.now,
    robot: { robotId: "demo", online: false },
  });
  const after = played.wait(500);

  assert.deepEqual(doings(silent), ["look-up"]);
  assert.deepEqual(doings(after), ["open"]);
});

test("a robot that the list calls offline but that answers is left alone: media outlives signaling", () => {
  const played = live("controller", 3);
  played.tell({ type: "listing", askedAt: 0, robot: { robotId: "demo", online: false } });

  assert.deepEqual(played.wait(2500), []);
});

test("a path that comes back by itself is left alone", () => {
  const played = live("controller", 3);
  played.ice("disconnected");
  played.wait(2500);
  played.ice("connected");
  played.pong();

  assert.deepEqual(talking(played, 4000), []);
});

test("a path that failed is not waited for", () => {
  const played = live("controller", 3);
  played.ice("failed");

  assert.deepEqual(doings(played.wait(500)), ["open"]);
});

test("a robot whose data channel never answered is judged by its path alone", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();
  played.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  played.answer();
  played.ice("connected");

  assert.deepEqual(played.wait(15_000), []);
});

test("a data channel that the robot closed means a new offer, a moment later", () => {
  const played = live("viewer");
  played.tell({ type: "channel-closed", pcId: played.pcId });

  assert.deepEqual(doings(played.wait(500)), []);
  assert.deepEqual(doings(played.wait(500)), ["open"]);
});

test("a dead path is not offered for while signaling is down", () => {
  const played = live("controller", 3);
  played.tell({ type: "offline" });
  played.ice("failed");

  assert.deepEqual(played.wait(10_000), []);
});

test("no answer within 10 seconds says that the robot does not respond, and tries again", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();
  played.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  const within = played.wait(9500);
  const after = played.wait(3000);

  assert.deepEqual(within, []);
  assert.deepEqual(doings(after), ["close", "open"]);
  assert.match(played.view.why, /does not respond/);
});

test("an answer without a path for media says so", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "viewer" });
  played.offered();
  played.reply("offer", { type: "ack", sessionId: SESSION, role: "viewer" });
  played.answer();
  played.wait(15_000);

  assert.match(played.view.why, /TURN/);
});
