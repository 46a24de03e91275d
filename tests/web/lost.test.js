/** What a session does when its signaling, its session or its robot is lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, SESSION, doings, frames, live, offerIn } from "./played.js";

test("a lost signaling connection leaves the media alone and resumes when it is back", () => {
  const played = live("controller");
  const lost = played.tell({ type: "offline" });
  const back = played.tell({ type: "online" });
  const resumed = played.reply("resume", {
    type: "ack",
    sessionId: SESSION,
    role: "controller",
    epoch: 3,
  });

  assert.deepEqual(lost, []);
  assert.deepEqual(frames(back), [{ type: "resume", sessionId: SESSION }]);
  assert.deepEqual(resumed, []);
  assert.equal(played.view.state, "live");
});

test("a session that is gone when signaling is back is opened again in its role", () => {
  const played = live("controller");
  played.tell({ type: "offline" });
  played.tell({ type: "online" });
  const effects = played.refuse("resume", "no_session");

  assert.deepEqual(doings(effects), ["open"]);
  assert.equal(offerIn(played.offered()).role, "controller");
});

test("a session that is gone and whose lease is another's is opened again to watch, and says who took it", () => {
  const played = live("controller");
  played.tell({ type: "offline" });
  played.tell({ type: "online" });
  played.refuse("resume", "no_session");
  played.offered();
  const effects = played.refuse("offer", "robot_busy", { controlledBy: ALICE });

  assert.equal(offerIn(effects).role, "viewer");
  assert.deepEqual(played.view.lostTo, ALICE);
});

test("a resume that is refused for the moment is told apart by a renewal soon after", () => {
  const played = live("controller");
  played.tell({ type: "offline" });
  played.tell({ type: "online" });
  played.refuse("resume", "try_again");

  assert.deepEqual(frames(played.wait(2000)), [{ type: "ping", sessionId: SESSION }]);
});

test("a renewal that finds no session offers again", () => {
  const played = live("controller");

  assert.deepEqual(doings(played.refuse("renew", "no_session")), ["open"]);
});

test("a robot that has restarted is offered to at once, in the former role", () => {
  const played = live("controller", 3);
  const effects = played.frame({
    type: "peer-left",
    sessionId: SESSION,
    epoch: 4,
    reason: "restarted",
  });

  assert.deepEqual(doings(effects), ["open"]);
  assert.equal(played.view.state, "waiting");
  assert.equal(offerIn(played.offered()).role, "controller");
});

test("a robot that went away is waited for, and driven again when it is back", () => {
  const played = live("controller", 3);
  played.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "unregistered" });
  const why = played.view.why;
  played.wait(2000);
  played.offered();
  played.refuse("offer", "robot_offline");
  const again = played.wait(4000);
  played.link("controller", 5);

  assert.match(why, /went away/);
  assert.equal(offerIn(again).role, "controller");
  assert.equal(played.view.state, "live");
  assert.equal(played.view.why, null);
});

test("a robot whose key was revoked is shut out of the call at once, and waited for", () => {
  const played = live("controller", 3);
  const effects = played.frame({
    type: "peer-left",
    sessionId: SESSION,
    epoch: 4,
    reason: "revoked",
  });

  // Media needs no server: a thief's robot would otherwise be seen and driven on.
  assert.ok(doings(effects).includes("close"));
  assert.match(played.view.why, /key was revoked/);
  assert.equal(played.view.state, "waiting");
});

test("the leaving of another session is none of ours", () => {
  const played = live("controller", 3);

  assert.deepEqual(
    played.frame({ type: "peer-left", sessionId: "demo:other", reason: "restarted" }),
    [],
  );
});

test("an offer that was never taken is sent again as it is, and made again after 30 seconds", () => {
  const played = live("controller", 3);
  played.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "unregistered" });
  played.wait(2000);
  played.offered();
  const opened = [];
  for (let tries = 0; tries < 5; tries += 1) {
    played.refuse("offer", "robot_offline");
    opened.push(...played.wait(10_000).filter((effect) => effect.do === "open"));
    if (played.state.peer.offer === null) played.offered();
  }

  assert.equal(opened.length, 1);
});

test("a robot that stays away is tried for less and less often, but every 10 seconds at least", () => {
  const played = live("controller", 3);
  played.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "unregistered" });
  const tries = [];
  for (let passed = 0; passed < 60_000; passed += 500) {
    if (played.wait(500).length > 0) tries.push(played.now);
    if (played.state.phase !== "offering") continue;
    if (played.state.peer.offer === null) played.offered();
    played.refuse("offer", "robot_offline");
  }

  assert.deepEqual(tries, [2000, 6000, 14_000, 24_000, 34_000, 44_000, 54_000]);
});

test("a list that says the robot is back makes the next try at once", () => {
  const played = live("controller", 3);
  played.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "unregistered" });
  played.now = 100;
  played.tell({ type: "listing", askedAt: 50, robot: { robotId: "demo", online: true } });

  assert.deepEqual(doings(played.wait(500)), ["open"]);
});
