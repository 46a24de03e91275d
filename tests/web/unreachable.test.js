/** While the server is out of reach: what lives goes on, and nothing is claimed that is unknown. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, PlayedSession, SESSION, doings, live, offerIn } from "./played.js";

/** Cut off from the server. */
function offline(played) {
  played.tell({ type: "offline" });
  return played;
}

const shown = ({ view }) => [view.state, view.role, view.stale];

test("a driver whose robot answers drives on", () => {
  const played = offline(live("controller"));
  played.wait(2500);

  assert.deepEqual(shown(played), ["live", "controller", false]);
});

test("a driver whose peer connection the robot closed is not shown as one who drives", () => {
  const played = offline(live("controller"));
  played.tell({ type: "channel-closed", pcId: played.pcId });
  played.ice("closed");
  const effects = played.wait(1000);

  assert.deepEqual(effects, []);
  assert.deepEqual(shown(played), ["waiting", "controller", true]);
  assert.match(played.view.why, /Neither the server nor the robot/);
});

test("a path that comes back by itself is driven over again", () => {
  const played = offline(live("controller"));
  played.ice("disconnected");
  played.wait(4000);
  const cut = played.view.state;
  played.ice("connected");
  played.pong();
  played.wait(500);

  assert.deepEqual([cut, ...shown(played)], ["waiting", "live", "controller", false]);
});

test("a driver whose media ended offers again once the server knows the session again", () => {
  const played = offline(live("controller", 3));
  played.ice("failed");
  played.wait(500);
  played.tell({ type: "online" });
  const before = played.view.state;
  played.reply("resume", { type: "ack", sessionId: SESSION, role: "controller", epoch: 3 });
  const opened = played.wait(500);

  assert.equal(before, "waiting");
  assert.deepEqual(doings(opened), ["open"]);
  assert.equal(offerIn(played.offered()).role, "controller");
});

test("a viewer does not know who drives until the server has said so again", () => {
  const played = live("viewer");
  played.frame({ type: "control", epoch: 3, sessionId: "demo:alice", person: ALICE });
  const before = played.view.stale;
  offline(played);
  const lost = played.view;
  played.tell({ type: "online" });
  const back = played.view.stale;
  played.reply("resume", { type: "ack", sessionId: SESSION, role: "viewer", epoch: 3 });

  assert.deepEqual([before, lost.stale, back, played.view.stale], [false, true, true, false]);
  assert.deepEqual([lost.state, lost.driver], ["live", ALICE]);
});

test("a viewer whose resume the server could not carry out knows by the next renewal", () => {
  const played = live("viewer");
  offline(played);
  played.tell({ type: "online" });
  played.refuse("resume", "try_again");
  played.wait(2000);
  const before = played.view.stale;
  played.reply("renew", { type: "pong", sessionId: SESSION, role: "viewer", epoch: 0 });

  assert.deepEqual([before, played.view.stale], [true, false]);
});

test("a robot that is away is no server that is out of reach", () => {
  const played = live("controller", 3);
  offline(played);
  played.tell({ type: "online" });
  played.refuse("resume", "no_session");
  played.offered();
  played.refuse("offer", "robot_offline");

  assert.deepEqual([played.view.state, played.view.stale], ["waiting", false]);
});

test("who joins without a server waits for it, and is told so", () => {
  const played = new PlayedSession(false);
  played.tell({ type: "join", role: "viewer" });

  assert.deepEqual([played.view.state, played.view.stale], ["waiting", true]);
  assert.match(played.view.why, /server cannot be reached/);
});

test("a connection that was only slow is none that comes back: nothing is resumed", () => {
  const played = live("controller");

  assert.deepEqual(played.tell({ type: "online" }), []);
});
