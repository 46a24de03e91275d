/** Who drives, by whoever was told it last: replies and pushes overtake each other. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, Engaged, SESSION, doings, frames, live, offerIn } from "./played.js";

const ack = (role, epoch) => ({ type: "ack", sessionId: SESSION, role, epoch });
const pong = (role, epoch) => ({ type: "pong", sessionId: SESSION, role, epoch });
const GRANTED = { type: "control", epoch: 4, sessionId: SESSION, person: { userId: "u-me" } };
const LOST = { type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 };

/** A viewer of what Alice drives at epoch 3. */
function viewing() {
  const engaged = live("viewer");
  engaged.frame({ type: "control", epoch: 3, sessionId: "demo:alice", person: ALICE });
  return engaged;
}

/** A session on its way to another connection, whose resume has no reply yet. */
function movingOn(engaged) {
  engaged.tell({ type: "socket-changed" });
  engaged.tell({ type: "migrate" });
  return engaged;
}

/** One that has asked to renew. */
function renewing(engaged) {
  for (let n = 0; engaged.asked.renew === undefined && n < 300; n += 1) {
    engaged.wait(500);
    engaged.pong();
  }
  return engaged;
}

test("a resume's ack that a grant has overtaken takes no control away", () => {
  const engaged = movingOn(viewing());
  engaged.frame(GRANTED);
  engaged.reply("migrate", ack("viewer", 3));

  assert.deepEqual([engaged.view.role, engaged.view.epoch], ["controller", 4]);
  assert.equal(engaged.state.session.renewAt, 20_000);
});

test("an offer's ack that a grant has overtaken takes no control away", () => {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "viewer" });
  engaged.offered();
  engaged.frame(GRANTED);
  engaged.reply("offer", ack("viewer", 3));
  engaged.answer();
  engaged.ice("connected");

  assert.deepEqual(
    [engaged.view.role, engaged.view.state, engaged.view.epoch],
    ["controller", "live", 4],
  );
});

test("a resume's ack that the loss of control has overtaken makes no driver of who lost it", () => {
  const engaged = movingOn(live("controller", 3));
  engaged.frame(LOST);
  engaged.reply("migrate", ack("controller", 3));
  const offer = offerIn(engaged.offered());

  assert.deepEqual(
    [engaged.view.role, engaged.view.epoch, engaged.view.lostTo],
    ["viewer", 4, ALICE],
  );
  assert.deepEqual([offer.role, engaged.state.session.id], ["viewer", null]);
});

test("a refused resume of a session that was lost meanwhile does not undo the joining anew", () => {
  const engaged = movingOn(live("controller", 3));
  engaged.frame(LOST);
  const { pcId } = engaged;
  const effects = engaged.refuse("migrate", "no_session");

  assert.deepEqual(doings(effects), []);
  assert.equal(engaged.pcId, pcId);
  assert.equal(offerIn(engaged.offered()).role, "viewer");
});

test("an offer's ack that another's control has overtaken makes no driver", () => {
  const engaged = live("viewer");
  engaged.tell({ type: "drive" });
  engaged.offered();
  engaged.frame({ type: "control", epoch: 6, sessionId: "demo:alice", person: ALICE });
  engaged.reply("offer", ack("controller", 5));

  assert.deepEqual(
    [engaged.view.role, engaged.view.driver, engaged.view.epoch],
    ["viewer", ALICE, 6],
  );
});

test("an offer refused as busy before the control was granted is made again, and releases nothing", () => {
  const engaged = viewing();
  engaged.tell({ type: "drive" });
  engaged.offered();
  engaged.frame(GRANTED);
  const effects = engaged.refuse("offer", "robot_busy", { controlledBy: ALICE });
  const again = engaged.refuse("offer", "robot_busy", { controlledBy: ALICE });

  assert.deepEqual([offerIn(effects).role, offerIn(again).role], ["controller", "viewer"]);
});

test("an epoch that is lower than what was known when the server was asked is a forgotten robot's, and counts", () => {
  const engaged = live("controller", 9);
  engaged.refuse("renew", "no_session");
  engaged.link("controller", 2);

  assert.deepEqual([engaged.view.role, engaged.view.epoch], ["controller", 2]);
});

test("a takeover of a forgotten robot counts, and one that was overtaken does not", () => {
  const engaged = live("viewer");
  engaged.frame({ type: "control", epoch: 9, person: ALICE });
  engaged.tell({ type: "taken-over", ack: ack(undefined, 8), asOf: 7 });
  const overtaken = engaged.view.role;
  engaged.tell({ type: "taken-over", ack: ack(undefined, 2), asOf: 9 });

  assert.deepEqual([overtaken, engaged.view.role], ["viewer", "controller"]);
});

test("a renewal that fails while the session moves does not keep it from moving", () => {
  const engaged = renewing(live("controller", 3));
  engaged.tell({ type: "socket-changed" });
  engaged.refuse("renew", "try_again");

  assert.deepEqual(
    frames(engaged.tell({ type: "migrate" })).map(({ type }) => type),
    ["resume"],
  );
});

test("a renewal of a session that has ended since says nothing of its successor", () => {
  const engaged = renewing(live("controller", 3));
  engaged.frame(LOST);

  assert.deepEqual(engaged.refuse("renew", "no_session"), []);
});

test("a renewal's reply tells a viewer that the control is its own: the push was lost", () => {
  const engaged = renewing(viewing());
  engaged.reply("renew", pong("controller", 4));

  assert.deepEqual([engaged.view.role, engaged.view.epoch], ["controller", 4]);
  assert.equal(engaged.state.session.renewAt, engaged.now + 20_000);
});

test("a renewal's reply tells a driver that the control is gone, and the list to whom", () => {
  const engaged = renewing(live("controller", 3));
  const effects = engaged.reply("renew", pong("viewer", 5));
  const before = engaged.view;
  engaged.tell({
    type: "listing",
    askedAt: engaged.now,
    robot: { robotId: "demo", online: true, controlledBy: ALICE },
  });

  assert.deepEqual(doings(effects), ["look-up"]);
  assert.deepEqual([before.role, before.lostTo.name], ["viewer", "somebody else"]);
  assert.deepEqual([engaged.view.driver, engaged.view.lostTo], [ALICE, ALICE]);
});

test("a driver whose control is free by now has lost it to nobody", () => {
  const engaged = renewing(live("controller", 3));
  engaged.reply("renew", pong("viewer", 5));
  engaged.tell({ type: "listing", askedAt: engaged.now, robot: { robotId: "demo", online: true } });

  assert.deepEqual(
    [engaged.view.role, engaged.view.driver, engaged.view.lostTo],
    ["viewer", null, null],
  );
});

test("a renewal's reply makes a viewer look up who drives once the epoch has risen", () => {
  const engaged = renewing(viewing());
  const same = engaged.reply("renew", pong("viewer", 3));
  const risen = engaged.reply("renew", pong("viewer", 4));

  assert.deepEqual([doings(same), doings(risen)], [[], ["look-up"]]);
});

for (const [what, frame] of [
  ["of an older epoch", pong("viewer", 2)],
  ["of another session", { ...pong("viewer", 9), sessionId: "demo:other" }],
  ["that tells nothing", { type: "pong" }],
]) {
  test(`a renewal's reply ${what} changes nothing`, () => {
    const engaged = renewing(live("controller", 3));
    const before = engaged.state;
    const effects = engaged.reply("renew", frame);

    assert.equal(engaged.state, before);
    assert.deepEqual(effects, []);
  });
}
