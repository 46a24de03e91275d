/** The engagement with one robot: joining, losing, coming back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, ANSWER, Engaged, OFFER, SESSION, doings, frames, live, offerIn } from "./engagement.js";

/** Passes time during which the robot's data channel answers. */
function talking(engaged, ms) {
  const effects = [];
  for (let passed = 0; passed < ms; passed += 500) {
    effects.push(...engaged.wait(500));
    engaged.pong();
  }
  return effects;
}

const CANDIDATE = { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0 };

test("joining opens a peer connection and offers in the role that was asked for", () => {
  const engaged = new Engaged();
  const opened = engaged.tell({ type: "join", role: "controller" });
  const offered = engaged.offered();

  assert.deepEqual(opened, [{ do: "open", pcId: "pc-1" }]);
  assert.deepEqual(offerIn(offered), { type: "offer", robotId: "demo", role: "controller", pcId: "pc-1", payload: OFFER });
});

test("joining while signaling is down offers as soon as it is up", () => {
  const engaged = new Engaged(false);
  const before = engaged.tell({ type: "join", role: "viewer" });
  const after = engaged.tell({ type: "online" });

  assert.deepEqual(doings(before), ["close"]);
  assert.deepEqual(doings(after), ["open"]);
});

test("candidates are held until the offer's ack, then sent in order with rising seq", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  const early = engaged.tell({ type: "candidate", pcId: engaged.pcId, payload: CANDIDATE });
  engaged.tell({ type: "candidate", pcId: engaged.pcId, payload: { candidate: "" } });
  const acked = engaged.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });

  assert.deepEqual(early, []);
  assert.deepEqual(
    frames(acked).map(({ type, seq, payload, sessionId }) => [type, seq, payload.candidate, sessionId]),
    [["ice-candidate", 1, "candidate:1", SESSION], ["ice-candidate", 2, "", SESSION]],
  );
});

test("the robot's candidates wait for its answer", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  const early = engaged.frame({ type: "ice-candidate", pcId: engaged.pcId, payload: CANDIDATE });
  const answered = engaged.answer();

  assert.deepEqual(early, []);
  assert.deepEqual(answered, [{ do: "remote", payload: ANSWER }, { do: "add", payload: CANDIDATE }]);
});

test("an answer for another peer connection is not taken", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();

  assert.deepEqual(engaged.frame({ type: "answer", pcId: "pc-of-before", payload: ANSWER }), []);
});

test("an answer that names no peer connection is taken: a seed robot has but one", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();

  assert.deepEqual(doings(engaged.frame({ type: "answer", payload: ANSWER })), ["remote"]);
});

test("an offer of the robot's is obeyed, ours rolled back", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  const theirs = engaged.frame({ type: "offer", pcId: engaged.pcId, payload: OFFER });

  assert.deepEqual(theirs, [{ do: "remote", payload: OFFER }]);
  assert.equal(engaged.state.phase, "linked");
});

test("a first offer that finds the robot busy ends the engagement and tells who drives", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  engaged.offered();
  const effects = engaged.refuse("offer", "robot_busy", { controlledBy: ALICE });

  assert.deepEqual(effects.at(-1).error.controlledBy, ALICE);
  assert.equal(engaged.view.state, "ended");
});

test("a viewer that asks for the control and finds it taken goes on watching", () => {
  const engaged = live("viewer");
  engaged.tell({ type: "drive" });
  engaged.offered();
  const effects = engaged.refuse("offer", "robot_busy", { controlledBy: ALICE });

  assert.equal(effects[0].error.code, "robot_busy");
  assert.equal(offerIn(effects).role, "viewer");
  assert.deepEqual(engaged.view.driver, ALICE);
});

test("a viewer that asks for the control of a robot that is away does not get it later", () => {
  const engaged = live("viewer");
  engaged.tell({ type: "drive" });
  engaged.offered();
  engaged.refuse("offer", "robot_offline");

  assert.equal(offerIn(engaged.wait(2000)).role, "viewer");
});

test("a viewer that asks for the free control gets it", () => {
  const engaged = live("viewer");
  engaged.tell({ type: "drive" });
  engaged.link("controller", 4);

  assert.equal(engaged.view.role, "controller");
  assert.equal(engaged.view.epoch, 4);
});

test("a holder renews its lease every 20 seconds", () => {
  const engaged = live("controller");
  const early = talking(engaged, 19_500);
  const due = talking(engaged, 500);

  assert.deepEqual(early, []);
  assert.deepEqual(frames(due), [{ type: "ping", sessionId: SESSION }]);
});

test("a viewer renews its place every 120 seconds", () => {
  const engaged = live("viewer");
  const sent = frames(talking(engaged, 125_000));

  assert.deepEqual(sent, [{ type: "ping", sessionId: SESSION }]);
});

test("control that is lost to another is told, and the engagement goes on as a viewer", () => {
  const engaged = live("controller", 3);
  const effects = engaged.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 });
  const offer = offerIn(engaged.offered());

  assert.deepEqual(doings(effects), ["open"]);
  assert.equal(offer.role, "viewer");
  assert.notEqual(offer.pcId, "pc-1");
  assert.deepEqual(engaged.view.lostTo, ALICE);
  assert.deepEqual(engaged.view.driver, ALICE);
});

test("a control-lost of an older epoch changes nothing", () => {
  const engaged = live("controller", 5);

  assert.deepEqual(engaged.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 }), []);
  assert.equal(engaged.view.role, "controller");
});

test("a control push of an older epoch changes nothing", () => {
  const engaged = live("viewer");
  engaged.frame({ type: "control", epoch: 7, sessionId: "demo:other", person: ALICE });
  engaged.frame({ type: "control", epoch: 6 });

  assert.deepEqual(engaged.view.driver, ALICE);
});

test("a control push that names our session makes us the driver", () => {
  const engaged = live("viewer");
  engaged.frame({ type: "control", epoch: 7, sessionId: SESSION });

  assert.equal(engaged.view.role, "controller");
});

test("a list that was asked for before the last push does not bring the old driver back", () => {
  const engaged = live("viewer");
  engaged.now = 1000;
  engaged.frame({ type: "control", epoch: 7 });
  engaged.tell({ type: "listed", askedAt: 900, robot: { robotId: "demo", online: true, controlledBy: ALICE } });

  assert.equal(engaged.view.driver, null);
});

test("a list tells a viewer who drives", () => {
  const engaged = live("viewer");
  engaged.tell({ type: "listed", askedAt: 900, robot: { robotId: "demo", online: true, controlledBy: ALICE } });

  assert.deepEqual(engaged.view.driver, ALICE);
});

test("who lost control and sees it move on is told so no longer", () => {
  const engaged = live("controller", 3);
  engaged.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 });
  engaged.link("viewer");
  engaged.frame({ type: "control", epoch: 5 });

  assert.equal(engaged.view.lostTo, null);
  assert.equal(engaged.view.driver, null);
});

test("taking over keeps the peer connection and raises the epoch", () => {
  const engaged = live("viewer");
  const effects = engaged.tell({ type: "took", ack: { type: "ack", sessionId: SESSION, epoch: 9 } });

  assert.deepEqual(effects, []);
  assert.equal(engaged.view.role, "controller");
  assert.equal(engaged.view.epoch, 9);
});

test("taking over after the session was lost offers anew", () => {
  const engaged = live("viewer");
  const effects = engaged.tell({ type: "took", ack: { type: "ack", sessionId: "demo:another", epoch: 9 } });

  assert.deepEqual(doings(effects), ["open"]);
});

test("releasing keeps the peer connection and watches", () => {
  const engaged = live("controller", 3);
  const effects = engaged.tell({ type: "released", ack: { type: "ack", epoch: 4 } });

  assert.deepEqual(effects, []);
  assert.equal(engaged.view.role, "viewer");
  assert.equal(engaged.view.epoch, 4);
});

test("leaving says bye and closes", () => {
  const engaged = live("controller");
  const effects = engaged.tell({ type: "leave" });

  assert.deepEqual(frames(effects), [{ type: "bye", sessionId: SESSION }]);
  assert.equal(doings(effects).at(-1), "close");
});

test("a lost signaling connection leaves the media alone and resumes when it is back", () => {
  const engaged = live("controller");
  const lost = engaged.tell({ type: "offline" });
  const back = engaged.tell({ type: "online" });
  const resumed = engaged.reply("resume", { type: "ack", sessionId: SESSION, role: "controller", epoch: 3 });

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
  const effects = engaged.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "restarted" });

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

  assert.deepEqual(engaged.frame({ type: "peer-left", sessionId: "demo:other", reason: "restarted" }), []);
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
    if (engaged.state.offer === null) engaged.offered();
  }

  assert.equal(opened.length, 1);
});

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
  engaged.tell({ type: "listed", askedAt: engaged.now, robot: { robotId: "demo", online: false } });
  const after = engaged.wait(500);

  assert.deepEqual(doings(silent), ["look"]);
  assert.deepEqual(doings(after), ["open"]);
});

test("a robot that the list calls offline but that answers is left alone: media outlives signaling", () => {
  const engaged = live("controller", 3);
  engaged.tell({ type: "listed", askedAt: 0, robot: { robotId: "demo", online: false } });

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

test("access that is withdrawn ends the engagement with the server's sentence", () => {
  const engaged = live("viewer");
  engaged.frame({ type: "peer-left", sessionId: SESSION, reason: "evicted" });
  engaged.wait(2000);
  engaged.offered();
  engaged.refuse("offer", "forbidden");

  assert.equal(engaged.view.state, "ended");
  assert.equal(engaged.view.why, "refused: forbidden");
});

test("a robot that obeys a later epoch tells us that we lost control, and the list to whom", () => {
  const engaged = live("controller", 3);
  const effects = engaged.tell({ type: "refused", pcId: engaged.pcId, epoch: 4 });
  const before = engaged.view;
  engaged.tell({ type: "listed", askedAt: engaged.now, robot: { robotId: "demo", online: true, controlledBy: ALICE } });

  assert.deepEqual(doings(effects), ["request", "look"]);
  assert.deepEqual([before.role, before.lostTo?.name], ["viewer", "somebody else"]);
  assert.deepEqual(engaged.view.lostTo, ALICE);
});

test("a robot that stays away is tried for less and less often, but every 10 seconds at least", () => {
  const engaged = live("controller", 3);
  engaged.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "unregistered" });
  const tries = [];
  for (let passed = 0; passed < 60_000; passed += 500) {
    if (engaged.wait(500).length > 0) tries.push(engaged.now);
    if (engaged.state.phase !== "offering") continue;
    if (engaged.state.offer === null) engaged.offered();
    engaged.refuse("offer", "robot_offline");
  }

  assert.deepEqual(tries, [2000, 6000, 14_000, 24_000, 34_000, 44_000, 54_000]);
});

test("a list that says the robot is back makes the next try at once", () => {
  const engaged = live("controller", 3);
  engaged.frame({ type: "peer-left", sessionId: SESSION, epoch: 4, reason: "unregistered" });
  engaged.now = 100;
  engaged.tell({ type: "listed", askedAt: 50, robot: { robotId: "demo", online: true } });

  assert.deepEqual(doings(engaged.wait(500)), ["open"]);
});

test("what another peer connection of before reports is not heard", () => {
  const engaged = live("controller", 3);

  assert.deepEqual(engaged.tell({ type: "ice", pcId: "pc-of-before", state: "failed" }), []);
  assert.deepEqual(engaged.wait(1000), []);
});
