/** While the server is out of reach: what lives goes on, and nothing is claimed that nobody knows. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, Engaged, SESSION, doings, live, offerIn } from "./played.js";

/** Cut off from the server. */
function offline(engaged) {
  engaged.tell({ type: "offline" });
  return engaged;
}

const shown = ({ view }) => [view.state, view.role, view.stale];

test("a driver whose robot answers drives on", () => {
  const engaged = offline(live("controller"));
  engaged.wait(2500);

  assert.deepEqual(shown(engaged), ["live", "controller", false]);
});

test("a driver whose peer connection the robot closed is not shown as one who drives", () => {
  const engaged = offline(live("controller"));
  engaged.tell({ type: "channel-closed", pcId: engaged.pcId });
  engaged.ice("closed");
  const effects = engaged.wait(1000);

  assert.deepEqual(effects, []);
  assert.deepEqual(shown(engaged), ["waiting", "controller", true]);
  assert.match(engaged.view.why, /Neither the server nor the robot/);
});

test("a path that comes back by itself is driven over again", () => {
  const engaged = offline(live("controller"));
  engaged.ice("disconnected");
  engaged.wait(4000);
  const cut = engaged.view.state;
  engaged.ice("connected");
  engaged.pong();
  engaged.wait(500);

  assert.deepEqual([cut, ...shown(engaged)], ["waiting", "live", "controller", false]);
});

test("a driver whose media ended offers anew once the server knows the session again", () => {
  const engaged = offline(live("controller", 3));
  engaged.ice("failed");
  engaged.wait(500);
  engaged.tell({ type: "online" });
  const before = engaged.view.state;
  engaged.reply("resume", { type: "ack", sessionId: SESSION, role: "controller", epoch: 3 });
  const opened = engaged.wait(500);

  assert.equal(before, "waiting");
  assert.deepEqual(doings(opened), ["open"]);
  assert.equal(offerIn(engaged.offered()).role, "controller");
});

test("a viewer does not know who drives until the server has said so again", () => {
  const engaged = live("viewer");
  engaged.frame({ type: "control", epoch: 3, sessionId: "demo:alice", person: ALICE });
  const before = engaged.view.stale;
  offline(engaged);
  const lost = engaged.view;
  engaged.tell({ type: "online" });
  const back = engaged.view.stale;
  engaged.reply("resume", { type: "ack", sessionId: SESSION, role: "viewer", epoch: 3 });

  assert.deepEqual([before, lost.stale, back, engaged.view.stale], [false, true, true, false]);
  assert.deepEqual([lost.state, lost.driver], ["live", ALICE]);
});

test("a viewer whose resume the server could not carry out knows by the next renewal", () => {
  const engaged = live("viewer");
  offline(engaged);
  engaged.tell({ type: "online" });
  engaged.refuse("resume", "try_again");
  engaged.wait(2000);
  const before = engaged.view.stale;
  engaged.reply("renew", { type: "pong", sessionId: SESSION, role: "viewer", epoch: 0 });

  assert.deepEqual([before, engaged.view.stale], [true, false]);
});

test("a robot that is away is no server that is out of reach", () => {
  const engaged = live("controller", 3);
  offline(engaged);
  engaged.tell({ type: "online" });
  engaged.refuse("resume", "no_session");
  engaged.offered();
  engaged.refuse("offer", "robot_offline");

  assert.deepEqual([engaged.view.state, engaged.view.stale], ["waiting", false]);
});

test("who joins without a server waits for it, and is told so", () => {
  const engaged = new Engaged(false);
  engaged.tell({ type: "join", role: "viewer" });

  assert.deepEqual([engaged.view.state, engaged.view.stale], ["waiting", true]);
  assert.match(engaged.view.why, /server cannot be reached/);
});

test("a connection that was only slow is none that comes back: nothing is resumed", () => {
  const engaged = live("controller");

  assert.deepEqual(engaged.tell({ type: "online" }), []);
});
