/** What an engagement does when its signaling, its session or its robot is lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, SESSION, doings, frames, live, offerIn } from "./played.js";

test("a lost signaling connection leaves the media alone and resumes when it is back", () => {
  const engaged = live("controller");
  const lost = engaged.tell({ type: "offline" });
  const back = engaged.tell({ type: "online" });
  const resumed = engaged.reply("resume", {
    type: "ack",
    sessionId: SESSION,
    role: "controller",
    epoch: 3,
  });

  assert.deepEqual(lost, []);
  assert.deepEqual(frames(back), [{ type: "resume", sessionId: SESSION }]);
  assert.deepEqual(resumed, []);
  assert.equal(engaged.view.state, "live");
});

test("a session that is gone when signaling is back is opened anew in its role", () => {
  const engaged = live("controller");
  engaged.tell({ type: "offline" });
  engaged.tell({ type: "online" });
  const effects = engaged.refuse("resume", "no_session");

  assert.deepEqual(doings(effects), ["open"]);
  assert.equal(offerIn(engaged.offered()).role, "controller");
});

test("a session that is gone and whose lease is another's is opened anew to watch, and says who took it", () => {
  const engaged = live("controller");
  engaged.tell({ type: "offline" });
  engaged.tell({ type: "online" });
  engaged.refuse("resume", "no_session");
  engaged.offered();
  const effects = engaged.refuse("offer", "robot_busy", { controlledBy: ALICE });

  assert.equal(offerIn(effects).role, "viewer");
  assert.deepEqual(engaged.view.lostTo, ALICE);
});

test("a resume that is refused for the moment is told apart by a renewal soon after", () => {
  const engaged = live("controller");
  engaged.tell({ type: "offline" });
  engaged.tell({ type: "online" });
  engaged.refuse("resume", "try_again");

  assert.deepEqual(frames(engaged.wait(2000)), [{ type: "ping", sessionId: SESSION }]);
});

test("a renewal that finds no session offers anew", () => {
  const engaged = live("controller");

  assert.deepEqual(doings(engaged.refuse("renew", "no_session")), ["open"]);
});

test("a robot that has restarted is offered to at once, in the former role", () => {
  const engaged = live("controller", 3);
  const effects = engaged.frame({
    type: "peer-left",
    sessionId: SESSION,
    epoch: 4,
    reason: "restarted",
  });

  assert.deepEqual(doings(effects), ["open"]);
  assert.equal(engaged.view.state, "waiting");
  assert.equal(offerIn(engaged.offered()).role, "controller");
});

test("a robot that went away is waited for, and driven again when it is back", () => {
  const engaged = live("controller", 3);
  engaged.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "unregistered" });
  const why = engaged.view.why;
  engaged.wait(2000);
  engaged.offered();
  engaged.refuse("offer", "robot_offline");
  const again = engaged.wait(4000);
  engaged.link("controller", 5);

  assert.match(why, /went away/);
  assert.equal(offerIn(again).role, "controller");
  assert.equal(engaged.view.state, "live");
  assert.equal(engaged.view.why, null);
});

test("the leaving of another session is none of ours", () => {
  const engaged = live("controller", 3);

  assert.deepEqual(
    engaged.frame({ type: "peer-left", sessionId: "demo:other", reason: "restarted" }),
    [],
  );
});

test("an offer that was never taken is sent again as it is, and made anew after 30 seconds", () => {
  const engaged = live("controller", 3);
  engaged.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "unregistered" });
  engaged.wait(2000);
  engaged.offered();
  const opened = [];
  for (let tries = 0; tries < 5; tries += 1) {
    engaged.refuse("offer", "robot_offline");
    opened.push(...engaged.wait(10_000).filter((effect) => effect.do === "open"));
    if (engaged.state.peer.offer === null) engaged.offered();
  }

  assert.equal(opened.length, 1);
});

test("a robot that stays away is tried for less and less often, but every 10 seconds at least", () => {
  const engaged = live("controller", 3);
  engaged.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "unregistered" });
  const tries = [];
  for (let passed = 0; passed < 60_000; passed += 500) {
    if (engaged.wait(500).length > 0) tries.push(engaged.now);
    if (engaged.state.phase !== "offering") continue;
    if (engaged.state.peer.offer === null) engaged.offered();
    engaged.refuse("offer", "robot_offline");
  }

  assert.deepEqual(tries, [2000, 6000, 14_000, 24_000, 34_000, 44_000, 54_000]);
});

test("a list that says the robot is back makes the next try at once", () => {
  const engaged = live("controller", 3);
  engaged.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "unregistered" });
  engaged.now = 100;
  engaged.tell({ type: "listing", askedAt: 50, robot: { robotId: "demo", online: true } });

  assert.deepEqual(doings(engaged.wait(500)), ["open"]);
});
