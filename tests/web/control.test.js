/** Control of one robot, as a page knows it: renewed, asked for, lost, taken, released. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, SESSION, doings, frames, live, offerIn, talking } from "./played.js";

test("a viewer that asks for the control and finds it taken goes on watching", () => {
  const played = live("viewer");
  played.tell({ type: "drive" });
  played.offered();
  const effects = played.refuse("offer", "robot_busy", { controlledBy: ALICE });

  assert.equal(effects[0].error.code, "robot_busy");
  assert.equal(offerIn(effects).role, "viewer");
  assert.deepEqual(played.view.driver, ALICE);
});

test("a viewer that asks for the control of a robot that is away does not get it later", () => {
  const played = live("viewer");
  played.tell({ type: "drive" });
  played.offered();
  played.refuse("offer", "robot_offline");

  assert.equal(offerIn(played.wait(2000)).role, "viewer");
});

test("a viewer that asks for the free control gets it", () => {
  const played = live("viewer");
  played.tell({ type: "drive" });
  played.link("controller", 4);

  assert.equal(played.view.role, "controller");
  assert.equal(played.view.epoch, 4);
});

test("a holder renews its lease every 20 seconds", () => {
  const played = live("controller");
  const early = talking(played, 19_500);
  const due = talking(played, 500);

  assert.deepEqual(early, []);
  assert.deepEqual(frames(due), [{ type: "ping", sessionId: SESSION }]);
});

test("a viewer renews its place every 120 seconds", () => {
  const played = live("viewer");
  const sent = frames(talking(played, 125_000));

  assert.deepEqual(sent, [{ type: "ping", sessionId: SESSION }]);
});

test("control that is lost to another is told, and the session goes on as a viewer", () => {
  const played = live("controller", 3);
  const effects = played.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 });
  const offer = offerIn(played.offered());

  assert.deepEqual(doings(effects), ["open"]);
  assert.equal(offer.role, "viewer");
  assert.notEqual(offer.pcId, "pc-1");
  assert.deepEqual(played.view.lostTo, ALICE);
  assert.deepEqual(played.view.driver, ALICE);
});

test("a control-lost of an older epoch changes nothing", () => {
  const played = live("controller", 5);

  assert.deepEqual(
    played.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 }),
    [],
  );
  assert.equal(played.view.role, "controller");
});

test("a control push of an older epoch changes nothing", () => {
  const played = live("viewer");
  played.frame({ type: "control", epoch: 7, sessionId: "demo:other", person: ALICE });
  played.frame({ type: "control", epoch: 6 });

  assert.deepEqual(played.view.driver, ALICE);
});

test("a control push that names our session makes us the driver", () => {
  const played = live("viewer");
  played.frame({ type: "control", epoch: 7, sessionId: SESSION });

  assert.equal(played.view.role, "controller");
});

test("a list that was asked for before the last push does not bring the old driver back", () => {
  const played = live("viewer");
  played.now = 1000;
  played.frame({ type: "control", epoch: 7 });
  played.tell({
    type: "listing",
    askedAt: 900,
    robot: { robotId: "demo", online: true, controlledBy: ALICE },
  });

  assert.equal(played.view.driver, null);
});

test("a list tells a viewer who drives", () => {
  const played = live("viewer");
  played.tell({
    type: "listing",
    askedAt: 900,
    robot: { robotId: "demo", online: true, controlledBy: ALICE },
  });

  assert.deepEqual(played.view.driver, ALICE);
});

test("who lost control and sees it move on is told so no longer", () => {
  const played = live("controller", 3);
  played.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 });
  played.link("viewer");
  played.frame({ type: "control", epoch: 5 });

  assert.equal(played.view.lostTo, null);
  assert.equal(played.view.driver, null);
});

test("taking over keeps the peer connection and raises the epoch", () => {
  const played = live("viewer");
  const effects = played.tell({
    type: "taken-over",
    ack: { type: "ack", sessionId: SESSION, epoch: 9 },
  });

  assert.deepEqual(effects, []);
  assert.equal(played.view.role, "controller");
  assert.equal(played.view.epoch, 9);
});

test("taking over after the session was lost offers again", () => {
  const played = live("viewer");
  const effects = played.tell({
    type: "taken-over",
    ack: { type: "ack", sessionId: "demo:another", epoch: 9 },
  });

  assert.deepEqual(doings(effects), ["open"]);
});

test("releasing keeps the peer connection and watches", () => {
  const played = live("controller", 3);
  const effects = played.tell({ type: "released", ack: { type: "ack", epoch: 4 } });

  assert.deepEqual(effects, []);
  assert.equal(played.view.role, "viewer");
  assert.equal(played.view.epoch, 4);
});

test("a robot that obeys a later epoch tells us that we lost control, and the list to whom", () => {
  const played = live("controller", 3);
  const effects = played.tell({ type: "refused", pcId: played.pcId, epoch: 4 });
  const before = played.view;
  played.tell({
    type: "listing",
    askedAt: played.now,
    robot: { robotId: "demo", online: true, controlledBy: ALICE },
  });

  assert.deepEqual(doings(effects), ["request", "look-up"]);
  assert.deepEqual([before.role, before.lostTo?.name], ["viewer", "somebody else"]);
  assert.deepEqual(played.view.lostTo, ALICE);
});
