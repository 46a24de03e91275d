/** What is known of the robots that are watched, and until when. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EMPTY,
  markStale,
  markAsked,
  nextDue,
  applyListing,
  applyPush,
  robotsOf,
  robotsToAsk,
} from "../../web/robosignal/presence.js";

const ALICE = { userId: "u-alice", name: "Alice" };
const row = (robotId, more = {}) => ({
  robotId,
  online: true,
  rev: 5,
  validForSeconds: 60,
  relation: "owner",
  ...more,
});
const list = (rows, askedAt = 0, among = null, before = EMPTY) =>
  applyListing(before, rows, { askedAt, now: askedAt, among });
const push = (fleet, more, now = 1) =>
  applyPush(
    fleet,
    { type: "presence", robotId: "a", rev: 6, online: true, validForSeconds: 60, ...more },
    now,
  );
const only = (fleet) => robotsOf(fleet)[0];

test("a push changes presence and control, and leaves the rest of the row", () => {
  const { controlledBy, relation, rev } = only(push(list([row("a")]), { controlledBy: ALICE }));

  assert.deepEqual([controlledBy, relation, rev], [ALICE, "owner", 6]);
});

test("a push without a driver takes the driver away", () => {
  assert.equal(only(push(list([row("a", { controlledBy: ALICE })]), {})).controlledBy, undefined);
});

test("a push says who may still be obeyed, and one that does not takes that away", () => {
  const before = list([row("a", { controlledBy: ALICE })]);
  const lapsed = push(before, { notRenewed: ALICE });

  assert.deepEqual(only(lapsed).notRenewed, ALICE);
  assert.equal(only(lapsed).controlledBy, undefined);
  assert.equal(only(push(lapsed, { rev: 9 })).notRenewed, undefined);
});

test("a push of an older rev changes nothing", () => {
  const fleet = list([row("a")]);

  assert.equal(push(fleet, { rev: 4, online: false }), fleet);
});

test("a push for a robot that no list has named is unknown", () => {
  assert.equal(push(EMPTY, {}), null);
});

test("a list that was asked for before a push does not undo it", () => {
  const told = push(list([row("a")]), { online: false }, 100);

  assert.equal(only(list([row("a")], 50, null, told)).online, false);
});

test("a list that was asked for later counts, even with a lower rev: the robot was forgotten and claimed again", () => {
  const told = push(list([row("a")]), { online: false }, 100);

  assert.equal(only(list([row("a", { rev: 1 })], 150, null, told)).online, true);
});

test("a whole list drops whom it does not name, and keeps the order of the others", () => {
  const fleet = list([row("a"), row("b"), row("c")]);

  assert.deepEqual(
    robotsOf(list([row("c"), row("a")], 1, null, fleet)).map(({ robotId }) => robotId),
    ["a", "c"],
  );
});

test("a list of some drops of these alone", () => {
  const fleet = list([row("a"), row("b"), row("c")]);

  assert.deepEqual(
    robotsOf(list([row("a")], 1, ["a", "b"], fleet)).map(({ robotId }) => robotId),
    ["a", "c"],
  );
});

test("a list that was asked for before a push does not drop whom the push named: the robot is new", () => {
  const fleet = push(list([row("a")]), {}, 100);

  assert.deepEqual(
    robotsOf(list([], 50, null, fleet)).map(({ robotId }) => robotId),
    ["a"],
  );
  assert.deepEqual(robotsOf(list([], 100, null, fleet)), []);
});

test("a robot that was forgotten and registered again is what its newer life says, and a late push of the former is not", () => {
  const ended = push(list([row("a")]), { rev: 10, online: false, validForSeconds: 0 });
  const again = push(ended, { rev: 1_750_000_000_001, controlledBy: ALICE }, 2);
  const late = push(again, { rev: 11, online: false }, 3);

  assert.deepEqual(
    [only(again).online, only(late).online, only(late).controlledBy],
    [true, true, ALICE],
  );
});

test("a robot that is gone without a word is stale after its time, and dropped by the next list of it", () => {
  const fleet = markStale(list([row("a")]), 60_000);
  const stale = only(fleet).stale;

  assert.deepEqual([stale, robotsOf(list([], 60_001, ["a"], fleet))], [true, []]);
});

test("what is said holds as long as the server says, and is asked for again a little before", () => {
  const fleet = list([row("a")]);

  assert.equal(nextDue(fleet), 55_000);
  assert.deepEqual([robotsToAsk(fleet, 54_999), robotsToAsk(fleet, 55_000)], [[], ["a"]]);
  assert.equal(markStale(fleet, 59_999), fleet);
  assert.equal(only(markStale(fleet, 60_000)).stale, true);
});

test("an answer makes it known again", () => {
  const fleet = markStale(list([row("a")]), 60_000);

  assert.equal(only(list([row("a")], 60_001, ["a"], fleet)).stale, false);
});

test("what was asked for is asked for again in 5 seconds, should no answer come", () => {
  const fleet = markStale(markAsked(list([row("a")]), ["a"], 60_000), 60_000);

  assert.equal(nextDue(fleet), 65_000);
});

test("what is about to run out is not asked for more often than every 2 seconds", () => {
  assert.equal(nextDue(list([row("a", { validForSeconds: 0 })])), 2000);
});

test("that a robot is offline has no end, but is asked for after 5 minutes: the push may have been lost", () => {
  assert.equal(nextDue(list([row("a", { online: false, validForSeconds: 0 })])), 295_000);
});

test("one request names those that are due within seconds too, and 50 at most", () => {
  const rows = Array.from({ length: 60 }, (_, n) =>
    row(`r${n}`, { validForSeconds: n === 0 ? 60 : 63 }),
  );

  assert.equal(robotsToAsk(list(rows), 55_000).length, 50);
});

test("nothing is due where nothing is known", () => {
  assert.equal(nextDue(EMPTY), null);
});
