/** Control of one robot, as a page knows it: renewed, asked for, lost, taken, released. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, SESSION, doings, frames, live, offerIn, talking } from "./played.js";

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

  assert.deepEqual(
    engaged.frame({ type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 }),
    [],
  );
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
  engaged.tell({
    type: "listing",
    askedAt: 900,
    robot: { robotId: "demo", online: true, controlledBy: ALICE },
  });

  assert.equal(engaged.view.driver, null);
});

test("a list tells a viewer who drives", () => {
  const engaged = live("viewer");
  engaged.tell({
    type: "listing",
    askedAt: 900,
    robot: { robotId: "demo", online: true, controlledBy: ALICE },
  });

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
  const effects = engaged.tell({
    type: "taken-over",
    ack: { type: "ack", sessionId: SESSION, epoch: 9 },
  });

  assert.deepEqual(effects, []);
  assert.equal(engaged.view.role, "controller");
  assert.equal(engaged.view.epoch, 9);
});

test("taking over after the session was lost offers anew", () => {
  const engaged = live("viewer");
  const effects = engaged.tell({
    type: "taken-over",
    ack: { type: "ack", sessionId: "demo:another", epoch: 9 },
  });

  assert.deepEqual(doings(effects), ["open"]);
});

test("releasing keeps the peer connection and watches", () => {
  const engaged = live("controller", 3);
  const effects = engaged.tell({ type: "released", ack: { type: "ack", epoch: 4 } });

  assert.deepEqual(effects, []);
  assert.equal(engaged.view.role, "viewer");
  assert.equal(engaged.view.epoch, 4);
});

test("a robot that obeys a later epoch tells us that we lost control, and the list to whom", () => {
  const engaged = live("controller", 3);
  const effects = engaged.tell({ type: "refused", pcId: engaged.pcId, epoch: 4 });
  const before = engaged.view;
  engaged.tell({
    type: "listing",
    askedAt: engaged.now,
    robot: { robotId: "demo", online: true, controlledBy: ALICE },
  });

  assert.deepEqual(doings(effects), ["request", "look-up"]);
  assert.deepEqual([before.role, before.lostTo?.name], ["viewer", "somebody else"]);
  assert.deepEqual(engaged.view.lostTo, ALICE);
});
