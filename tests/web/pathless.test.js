/** Signaling works, the robot answers, and no path for media opens. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Engaged, SESSION, doings, live, offerIn } from "./played.js";

const ACK = { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 };

/** The robot answers whatever is offered, for so long; the times of the offers, and the states that were shown. */
function answered(engaged, ms, { ice } = {}) {
  const times = [];
  const shown = new Set();
  for (const until = engaged.now + ms; engaged.now < until; shown.add(engaged.view.state)) {
    const opened = doings(engaged.wait(500)).includes("open");
    if (!opened && times.length > 0) continue;
    times.push(engaged.now);
    engaged.offered();
    engaged.reply("offer", ACK);
    engaged.answer();
    shown.add(engaged.view.state);
    if (ice) engaged.ice(ice);
  }
  return { times, shown: [...shown] };
}

function joining() {
  const engaged = new Engaged();
  engaged.tell({ type: "join", role: "controller" });
  return engaged;
}

const gaps = (times) => times.slice(1).map((time, n) => time - times[n]);

test("tries come less and less often, down to one in a minute and the 15 seconds that it takes", () => {
  const { times } = answered(joining(), 600_000);

  assert.deepEqual(
    gaps(times).slice(0, 7),
    [17_000, 19_000, 23_000, 31_000, 47_000, 75_000, 75_000],
  );
});

test("a path that fails at once is tried no more often for that", () => {
  const { times } = answered(joining(), 600_000, { ice: "failed" });

  assert.ok(times.length <= 15, String(times));
});

test("nothing is shown as live, and why not is said while the next try is under way", () => {
  const engaged = joining();
  const { shown } = answered(engaged, 100_000);

  assert.deepEqual(shown, ["connecting", "waiting"]);
  assert.match(engaged.view.why, /TURN/);
});

test("that the robot is online makes no try of its own: it was never away", () => {
  const engaged = joining();
  answered(engaged, 60_000);
  engaged.wait(15_000);
  const effects = engaged.tell({
    type: "listing",
    askedAt: engaged.now,
    robot: { robotId: "demo", online: true },
  });

  assert.equal(engaged.state.phase, "waiting");
  assert.deepEqual([effects, engaged.wait(500)], [[], []]);
});

test("another network is tried at once: signaling was lost and is back", () => {
  const engaged = joining();
  answered(engaged, 60_000);
  engaged.wait(15_000);
  engaged.tell({ type: "offline" });
  engaged.tell({ type: "online" });

  assert.deepEqual(doings(engaged.reply("resume", ACK)), ["open"]);
});

test("a path that opens after all is live, and the count of tries begins anew", () => {
  const engaged = joining();
  answered(engaged, 100_000);
  while (engaged.state.phase !== "offering") engaged.wait(500);
  engaged.link("controller", 1);
  const { state, why } = engaged.view;
  engaged.ice("failed");
  const effects = engaged.wait(500);

  assert.deepEqual([state, why, engaged.state.retry.tries], ["live", null, 0]);
  assert.deepEqual(doings(effects), ["open"]);
});

test("an offer that was answered and never acknowledged is not made again as it was: its answer is used up", () => {
  const engaged = joining();
  engaged.offered();
  engaged.answer();

  assert.deepEqual(doings(engaged.wait(17_000)), ["close", "open"]);
});

test("an answer alone is not live, a path is", () => {
  const engaged = joining();
  engaged.offered();
  engaged.reply("offer", ACK);
  engaged.answer();
  const before = engaged.view.state;
  engaged.ice("connected");

  assert.deepEqual([before, engaged.view.state], ["connecting", "live"]);
});

test("a driver of before offers as one when a path is tried for again", () => {
  const engaged = live("controller", 3);
  engaged.ice("failed");
  engaged.wait(500);

  assert.equal(offerIn(engaged.offered()).role, "controller");
});
