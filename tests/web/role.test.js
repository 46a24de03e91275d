/** Who drives, by what was said last: replies and pushes overtake each other. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, PlayedSession, SESSION, doings, frames, live, offerIn } from "./played.js";

const ack = (role, epoch) => ({ type: "ack", sessionId: SESSION, role, epoch });
const pong = (role, epoch) => ({ type: "pong", sessionId: SESSION, role, epoch });
const GRANTED = { type: "control", epoch: 4, sessionId: SESSION, person: { userId: "u-me" } };
const LOST = { type: "control-lost", sessionId: SESSION, by: ALICE, epoch: 4 };

/** A viewer of what Alice drives at epoch 3. */
function viewing() {
  const played = live("viewer");
  played.frame({ type: "control", epoch: 3, sessionId: "demo:alice", person: ALICE });
  return played;
}

/** A session on its way to another connection, whose resume has no reply yet. */
function movingOn(played) {
  played.tell({ type: "socket-changed" });
  played.tell({ type: "migrate" });
  return played;
}

/** One that has asked to renew. */
function renewing(played) {
  for (let n = 0; played.asked.renew === undefined && n < 300; n += 1) {
    played.wait(500);
    played.pong();
  }
  return played;
}

test("a resume's ack that a grant has overtaken takes no control away", () => {
  const played = movingOn(viewing());
  played.frame(GRANTED);
  played.reply("migrate", ack("viewer", 3));

  assert.deepEqual([played.view.role, played.view.epoch], ["controller", 4]);
  assert.equal(played.state.session.renewAt, 20_000);
});

test("an offer's ack that a grant has overtaken takes no control away", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "viewer" });
  played.offered();
  played.frame(GRANTED);
  played.reply("offer", ack("viewer", 3));
  played.answer();
  played.ice("connected");

  assert.deepEqual(
    [played.view.role, played.view.state, played.view.epoch],
    ["controller", "live", 4],
  );
});

test("a resume's ack that the loss of control has overtaken makes no driver of who lost it", () => {
  const played = movingOn(live("controller", 3));
  played.frame(LOST);
  played.reply("migrate", ack("controller", 3));
  const offer = offerIn(played.offered());

  assert.deepEqual([played.view.role, played.view.epoch, played.view.lostTo], ["viewer", 4, ALICE]);
  assert.deepEqual([offer.role, played.state.session.id], ["viewer", null]);
});

test("a refused resume of a session that was lost meanwhile does not undo the new join", () => {
  const played = movingOn(live("controller", 3));
  played.frame(LOST);
  const { pcId } = played;
  const effects = played.refuse("migrate", "no_session");

  assert.deepEqual(doings(effects), []);
  assert.equal(played.pcId, pcId);
  assert.equal(offerIn(played.offered()).role, "viewer");
});

test("an offer's ack that another's control has overtaken makes no driver", () => {
  const played = live("viewer");
  played.tell({ type: "drive" });
  played.offered();
  played.frame({ type: "control", epoch: 6, sessionId: "demo:alice", person: ALICE });
  played.reply("offer", ack("controller", 5));

  assert.deepEqual([played.view.role, played.view.driver, played.view.epoch], ["viewer", ALICE, 6]);
});

test("an offer refused as busy before the control was granted is made again, and releases nothing", () => {
  const played = viewing();
  played.tell({ type: "drive" });
  played.offered();
  played.frame(GRANTED);
  const effects = played.refuse("offer", "robot_busy", { controlledBy: ALICE });
  const again = played.refuse("offer", "robot_busy", { controlledBy: ALICE });

  assert.deepEqual([offerIn(effects).role, offerIn(again).role], ["controller", "viewer"]);
});

test("an epoch that is lower than what was known when the server was asked is a forgotten robot's, and counts", () => {
  const played = live("controller", 9);
  played.refuse("renew", "no_session");
  played.link("controller", 2);

  assert.deepEqual([played.view.role, played.view.epoch], ["controller", 2]);
});

test("a takeover of a forgotten robot counts, and one that was overtaken does not", () => {
  const played = live("viewer");
  played.frame({ type: "control", epoch: 9, person: ALICE });
  played.tell({ type: "taken-over", ack: ack(undefined, 8), asOf: 7 });
  const overtaken = played.view.role;
  played.tell({ type: "taken-over", ack: ack(undefined, 2), asOf: 9 });

  assert.deepEqual([overtaken, played.view.role], ["viewer", "controller"]);
});

test("a renewal that fails while the session moves does not keep it from moving", () => {
  const played = renewing(live("controller", 3));
  played.tell({ type: "socket-changed" });
  played.refuse("renew", "try_again");

  assert.deepEqual(
    frames(played.tell({ type: "migrate" })).map(({ type }) => type),
    ["resume"],
  );
});

test("a renewal of a session that has ended since says nothing of its successor", () => {
  const played = renewing(live("controller", 3));
  played.frame(LOST);

  assert.deepEqual(played.refuse("renew", "no_session"), []);
});

test("a renewal's reply tells a viewer that the control is its own: the push was lost", () => {
  const played = renewing(viewing());
  played.reply("renew", pong("controller", 4));

  assert.deepEqual([played.view.role, played.view.epoch], ["controller", 4]);
  assert.equal(played.state.session.renewAt, played.now + 20_000);
});

test("a renewal's reply tells a driver that the control is gone, and the list to whom", () => {
  const played = renewing(live("controller", 3));
  const effects = played.reply("renew", pong("viewer", 5));
  const before = played.view;
  played.tell({
    type: "listing",
    askedAt: played.now,
    robot: { robotId: "demo", online: true, controlledBy: ALICE },
  });

  assert.deepEqual(doings(effects), ["look-up"]);
  assert.deepEqual([before.role, before.lostTo.name], ["viewer", "somebody else"]);
  assert.deepEqual([played.view.driver, played.view.lostTo], [ALICE, ALICE]);
});

test("a driver whose control is free by now has lost it to no one", () => {
  const played = renewing(live("controller", 3));
  played.reply("renew", pong("viewer", 5));
  played.tell({ type: "listing", askedAt: played.now, robot: { robotId: "demo", online: true } });

  assert.deepEqual(
    [played.view.role, played.view.driver, played.view.lostTo],
    ["viewer", null, null],
  );
});

test("a renewal's reply makes a viewer look up who drives once the epoch has risen", () => {
  const played = renewing(viewing());
  const same = played.reply("renew", pong("viewer", 3));
  const risen = played.reply("renew", pong("viewer", 4));

  assert.deepEqual([doings(same), doings(risen)], [[], ["look-up"]]);
});

for (const [what, frame] of [
  ["of an older epoch", pong("viewer", 2)],
  ["of another session", { ...pong("viewer", 9), sessionId: "demo:other" }],
  ["that tells nothing", { type: "pong" }],
]) {
  test(`a renewal's reply ${what} changes nothing`, () => {
    const played = renewing(live("controller", 3));
    const before = played.state;
    const effects = played.reply("renew", frame);

    assert.equal(played.state, before);
    assert.deepEqual(effects, []);
  });
}
