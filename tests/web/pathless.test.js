/** Signaling works, the robot answers, and no path for media opens. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PlayedSession, SESSION, doings, live, offerIn } from "./played.js";

const ACK = { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 };

/** The robot answers whatever is offered, for so long; the times of the offers, and the states that were shown. */
function answered(played, ms, { ice } = {}) {
  const times = [];
  const shown = new Set();
  for (const until = played.now + ms; played.now < until; shown.add(played.view.state)) {
    const opened = doings(played.wait(500)).includes("open");
    if (!opened && times.length > 0) continue;
    times.push(played.now);
    played.offered();
    played.reply("offer", ACK);
    played.answer();
    shown.add(played.view.state);
    if (ice) played.ice(ice);
  }
  return { times, shown: [...shown] };
}

function joining() {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  return played;
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
  const played = joining();
  const { shown } = answered(played, 100_000);

  assert.deepEqual(shown, ["connecting", "waiting"]);
  assert.match(played.view.why, /TURN/);
});

test("that the robot is online makes no try of its own: it was never away", () => {
  const played = joining();
  answered(played, 60_000);
  played.wait(15_000);
  const effects = played.tell({
    type: "listing",
    askedAt: played.now,
    robot: { robotId: "demo", online: true },
  });

  assert.equal(played.state.phase, "waiting");
  assert.deepEqual([effects, played.wait(500)], [[], []]);
});

test("another network is tried at once: signaling was lost and is back", () => {
  const played = joining();
  answered(played, 60_000);
  played.wait(15_000);
  played.tell({ type: "offline" });
  played.tell({ type: "online" });

  assert.deepEqual(doings(played.reply("resume", ACK)), ["open"]);
});

test("a path that opens after all is live, and the count of tries begins again", () => {
  const played = joining();
  answered(played, 100_000);
  while (played.state.phase !== "offering") played.wait(500);
  played.link("controller", 1);
  const { state, why } = played.view;
  played.ice("failed");
  const effects = played.wait(500);

  assert.deepEqual([state, why, played.state.retry.tries], ["live", null, 0]);
  assert.deepEqual(doings(effects), ["open"]);
});

test("an offer that was answered and never acknowledged is not made again as it was: its answer is used up", () => {
  const played = joining();
  played.offered();
  played.answer();

  assert.deepEqual(doings(played.wait(17_000)), ["close", "open"]);
});

test("an answer alone is not live, a path is", () => {
  const played = joining();
  played.offered();
  played.reply("offer", ACK);
  played.answer();
  const before = played.view.state;
  played.ice("connected");

  assert.deepEqual([before, played.view.state], ["connecting", "live"]);
});

test("a driver of before offers as one when a path is tried for again", () => {
  const played = live("controller", 3);
  played.ice("failed");
  played.wait(500);

  assert.equal(offerIn(played.offered()).role, "controller");
});
