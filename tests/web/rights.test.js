/** What the console says of rights: shares, ends, invitations and refusals. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  endWarning,
  endWords,
  granteeOf,
  inviteEnds,
  linkOf,
  readRefusal,
  rightSentence,
  toLocalInput,
} from "../../web/console/rights.js";

const NOW = 1_800_000_000_000;
const LATER = NOW + 3_600_000;

test("a share says its right, its end, and whether it waits", () => {
  const said = [
    { role: "operator" },
    { role: "viewer" },
    { role: "viewer", until: LATER },
    { role: "operator", offered: true },
    { role: "operator", until: LATER, offered: true },
    { role: "operator", until: NOW },
    { role: "viewer", until: NOW - 1, offered: true },
  ].map((share) => rightSentence({ userId: "bob", ...share }, NOW));

  assert.deepEqual(said, [
    "May drive.",
    "May watch.",
    `May watch until ${endWords(LATER)}.`,
    "Offered, not accepted yet: may drive.",
    `Offered, not accepted yet: may drive until ${endWords(LATER)}.`,
    `Ended ${endWords(NOW)}.`,
    `Ended ${endWords(NOW - 1)}.`,
  ]);
});

test("users and groups are told apart, and neither writes words of the page", () => {
  assert.equal(granteeOf({ userId: "bob", role: "viewer" }), "“bob”");
  assert.equal(granteeOf({ group: "crew", role: "viewer" }), "Everyone in the group “crew”");
  assert.equal(granteeOf({ userId: "a” owns “b", role: "viewer" }), "“a' owns 'b”");
});

test("ending a share says what happens", () => {
  const warning = endWarning({ userId: "bob", role: "operator" }, "rover-1");

  assert.match(warning, /^“bob” loses this right to rover-1 at once, and the sessions by it end/);
});

test("an end names its time zone", () => {
  assert.match(endWords(NOW), /(UTC|GMT|[A-Z]{2,5}|[+-]\d)[^,]*$/);
});

test("an input's local time is read back as the same minute", () => {
  // Both sides of each change of summer time too, wherever this runs.
  for (let day = 0; day < 366; day += 1) {
    const time = NOW + day * 86_400_000;
    assert.equal(new Date(toLocalInput(time)).getTime(), Math.floor(time / 60_000) * 60_000);
  }
});

test("the link has the code in its fragment alone", () => {
  const link = new URL(linkOf("https://host/console/", "ABCD-EFGH+& /?#"));

  assert.equal(link.origin + link.pathname + link.search, "https://host/console/");
  assert.equal(new URLSearchParams(link.hash.slice(1)).get("accept"), "ABCD-EFGH+& /?#");
});

test("an invitation says for how many it is", () => {
  assert.match(inviteEnds(LATER, 1), /for one person/);
  assert.match(inviteEnds(LATER, 12), /for 12 people/);
});

test("a refusal is said at its field, in a sentence", () => {
  assert.deepEqual(readRefusal("userId: is the owner, who needs no share"), {
    where: "id",
    words: "The user id is the owner, who needs no share.",
  });
  assert.deepEqual(readRefusal("until: must be in the future"), {
    where: "until",
    words: "The end must be in the future.",
  });
  assert.deepEqual(readRefusal("not allowed: ask the robot's owner, or an admin"), {
    where: null,
    words: "Not allowed: ask the robot's owner, or an admin.",
  });
  assert.deepEqual(readRefusal("constructor: is odd"), {
    where: null,
    words: "Constructor: is odd.",
  });
});
