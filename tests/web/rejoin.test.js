/** Control that is lost while something that may win it has no reply yet: the reply decides. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { driving } from "./client.js";
import { ALICE, SESSION, doings, live, offerIn } from "./played.js";
import { settled } from "./world.js";

const NEW = "demo:NNNNNNNNNNNNNNNNNNNNNN";
const LOST = { type: "control-lost", robotId: "demo", sessionId: SESSION, by: ALICE, epoch: 4 };

/** The roles that were offered in since control was first won. */
const offers = ({ socket }) =>
  socket.frames
    .filter(({ type }) => type === "offer")
    .slice(1)
    .map(({ role }) => role);

/** A driver who lost control while a request of that type had no reply yet. */
async function losing(act, { role } = {}) {
  const { world, session } = await driving();
  if (role === "viewer")
    world.socket.receive({ type: "control", robotId: "demo", epoch: 2, person: ALICE });
  const done = act(session);
  await settled();
  world.socket.receive(LOST);
  await settled();
  return { world, session, done };
}

/** One who drove, and lost it while an offer to drive on had no reply. */
function losingAnOffer() {
  const played = live("controller", 3);
  played.ice("failed");
  played.wait(500);
  played.offered();
  return { played, effects: played.frame(LOST) };
}

test("a takeover that is won after the loss is not given back by joining again to watch", async () => {
  const { world, session, done } = await losing((one) => one.takeOver());
  const before = offers(world);
  world.socket.reply("takeover", { type: "ack", sessionId: NEW, epoch: 5 });
  await done;
  await settled();

  assert.deepEqual([before, offers(world)], [[], ["controller"]]);
  assert.deepEqual([session.view.role, session.view.epoch], ["controller", 5]);
  assert.equal(world.peers.length, 2);
});

test("a takeover that came before the loss is none: the page joins again to watch", async () => {
  const { world, session, done } = await losing((one) => one.takeOver());
  world.socket.reply("takeover", { type: "ack", sessionId: SESSION, epoch: 3 });
  await done;
  await settled();

  assert.deepEqual(offers(world), ["viewer"]);
  assert.deepEqual([session.view.role, session.view.lostTo], ["viewer", ALICE]);
});

test("a takeover that is refused after the loss lets the page join again to watch", async () => {
  const { world, done } = await losing((one) => one.takeOver());
  world.socket.reply("takeover", { type: "error", code: "forbidden", message: "no" });

  await assert.rejects(done, { code: "forbidden" });
  assert.deepEqual(offers(world), ["viewer"]);
});

test("a takeover that has no reply within 10 seconds lets the page join again to watch", async () => {
  const { world, done } = await losing((one) => one.takeOver());
  done.catch(() => {});
  world.pass(9000);
  const before = offers(world);
  world.pass(1000);
  await settled();

  assert.deepEqual([before, offers(world)], [[], ["viewer"]]);
});

test("a request for control that finds it free after the loss is not given back either", async () => {
  const { world, session, done } = await losing((one) => one.requestControl(), { role: "viewer" });
  const before = offers(world);
  world.socket.reply("request-control", { type: "ack", sessionId: NEW, epoch: 5 });
  await done;
  await settled();

  assert.deepEqual([before, offers(world)], [[], ["controller"]]);
  assert.equal(session.view.role, "controller");
});

test("an offer that has no reply is not followed by another: it tells who drives", () => {
  const { played, effects } = losingAnOffer();
  const before = played.view;
  played.reply("offer", { type: "ack", sessionId: NEW, role: "controller", epoch: 5 });

  assert.deepEqual(effects, []);
  assert.deepEqual([before.role, before.lostTo], ["viewer", ALICE]);
  assert.deepEqual(
    [played.view.role, played.view.epoch, played.state.session.id],
    ["controller", 5, NEW],
  );
});

test("an offer that was taken before the loss is followed by one to watch", () => {
  const { played } = losingAnOffer();
  const effects = played.reply("offer", {
    type: "ack",
    sessionId: SESSION,
    role: "controller",
    epoch: 3,
  });

  assert.deepEqual(doings(effects), ["open"]);
  assert.deepEqual([played.view.role, played.state.session.id], ["viewer", null]);
  assert.equal(offerIn(played.offered()).role, "viewer");
});

for (const code of ["robot_busy", "timeout", "no_session"]) {
  test(`an offer that is refused after the loss with ${code} is followed by one to watch`, () => {
    const { played } = losingAnOffer();
    const effects = played.refuse("offer", code, { controlledBy: ALICE });
    const offer = offerIn([...effects, ...played.wait(3000)]);

    assert.deepEqual([offer.role, played.view.lostTo], ["viewer", ALICE]);
  });
}
