/** What the console says: above all, who drives. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bannerOf,
  driverFact,
  driverName,
  quote,
  requestOf,
  rowOf,
  sentence,
} from "../../web/console/banner.js";

const ME = { userId: "u-me", name: "Dana" };
const ALICE = { userId: "u-alice", name: "Alice" };
const LIVE = {
  robotId: "demo",
  state: "live",
  why: null,
  role: "viewer",
  driver: null,
  stale: false,
  lostTo: null,
  epoch: 1,
  requests: [],
  asking: false,
  missing: [],
  commands: "fresh",
  blocked: null,
  stopped: null,
  picture: { state: "live", ageMs: 20 },
};
const ROBOT = { robotId: "demo", online: true, relation: "owner", owner: ME };

test("a viewer reads who has stopped the robot", () => {
  const { text } = bannerOf({ ...LIVE, driver: ALICE, stopped: { by: "Alice" } }, ME);

  assert.equal(text, "Stopped by “Alice”.");
});

test("a driver of an old robot reads that commands may come late", () => {
  const { kind, text } = bannerOf({ ...LIVE, role: "controller", commands: "late" }, ME);

  assert.equal(kind, "you-drive");
  assert.match(text, /late/);
});

const BANNERS = [
  ["no robot was chosen", null, "none", /No robot/],
  ["you drive", { ...LIVE, role: "controller" }, "you-drive", /^You drive demo$/],
  [
    "you drive by a picture that has stopped",
    { ...LIVE, role: "controller", picture: { state: "stale", ageMs: 700 } },
    "waiting",
    /^The picture has stopped$/,
  ],
  [
    "you drive a robot that has frozen",
    { ...LIVE, role: "controller", picture: { state: "frozen", ageMs: 700 } },
    "waiting",
    /^The picture has stopped$/,
  ],
  [
    "you drive a robot that is not heard",
    { ...LIVE, role: "controller", blocked: "silent" },
    "waiting",
    /not heard/,
  ],
  [
    "the robot is stopped",
    { ...LIVE, role: "controller", blocked: "stopped", stopped: { by: "alice" } },
    "waiting",
    /^Stopped by “alice”$/,
  ],
  [
    "your right has ended",
    { ...LIVE, role: "controller", blocked: "right-ended" },
    "waiting",
    /^Your right to drive has ended$/,
  ],
  [
    "the robot waits for a zero command, a moment after each stop",
    { ...LIVE, role: "controller", blocked: "unarmed" },
    "you-drive",
    /^You drive demo$/,
  ],
  ["somebody else drives", { ...LIVE, driver: ALICE }, "watching", /^“Alice” drives — you watch$/],
  ["you drive elsewhere", { ...LIVE, driver: ME }, "watching", /another window/],
  [
    "you have asked for control",
    { ...LIVE, driver: ALICE, asking: true },
    "asking",
    /^“Alice” drives — you have asked for control$/,
  ],
  [
    "you have asked a driver who is unknown",
    { ...LIVE, asking: true },
    "asking",
    /^Somebody drives/,
  ],
  [
    "you ask for what you lost",
    { ...LIVE, driver: ALICE, lostTo: ALICE, asking: true },
    "asking",
    /^“Alice” drives/,
  ],
  ["no one drives", LIVE, "free", /^No one drives demo/],
  [
    "you lost control",
    { ...LIVE, driver: ALICE, lostTo: ALICE },
    "lost",
    /^You lost control to “Alice”$/,
  ],
  [
    "you lost control and are still rejoining",
    { ...LIVE, state: "connecting", driver: ALICE, lostTo: ALICE },
    "lost",
    /Alice/,
  ],
  ["you took over elsewhere", { ...LIVE, driver: ME, lostTo: ME }, "lost", /another window/],
  [
    "the robot is away",
    { ...LIVE, state: "waiting", why: "gone" },
    "waiting",
    /^Waiting for demo$/,
  ],
  [
    "nothing is granted yet",
    { ...LIVE, state: "connecting", role: null },
    "joining",
    /Joining demo/,
  ],
  [
    "a driver's robot is away",
    { ...LIVE, state: "waiting", role: "controller", why: "gone" },
    "waiting",
    /^Waiting for demo$/,
  ],
  [
    "a viewer is cut off from the server",
    { ...LIVE, stale: true, driver: ALICE },
    "unknown",
    /^Who drives is not known/,
  ],
  [
    "a driver is cut off from server and robot",
    { ...LIVE, state: "waiting", role: "controller", stale: true, why: "cut" },
    "waiting",
    /^Not connected to demo$/,
  ],
  [
    "the robot is connected and its picture has yet to come",
    { ...LIVE, state: "connecting", role: "controller", missing: ["picture"] },
    "joining",
    /Joining demo/,
  ],
  [
    "no picture comes",
    { ...LIVE, state: "waiting", role: "controller", missing: ["picture"], why: "late" },
    "waiting",
    /^No picture of demo yet$/,
  ],
  [
    "a channel does not open",
    { ...LIVE, state: "waiting", role: "controller", missing: ["channel"], why: "late" },
    "waiting",
    /^demo cannot be driven yet$/,
  ],
  [
    "a robot has no data channel",
    { ...LIVE, role: "controller", missing: ["channel"] },
    "waiting",
    /^You cannot drive demo$/,
  ],
  [
    "a robot sends no video",
    { ...LIVE, role: "controller", missing: ["picture"] },
    "waiting",
    /^You drive demo without a picture$/,
  ],
  [
    "a displaced driver's session has ended",
    { ...LIVE, state: "ended", role: null, lostTo: ALICE, why: "a seed robot takes no viewers" },
    "ended",
    /^You lost control to “Alice”$/,
  ],
  [
    "the session has ended",
    { ...LIVE, state: "ended", role: null, why: "not allowed" },
    "ended",
    /ended/,
  ],
];

for (const [when, view, kind, title] of BANNERS) {
  test(`the banner when ${when}`, () => {
    const banner = bannerOf(view, ME);

    assert.equal(banner.kind, kind);
    assert.match(banner.title, title);
  });
}

test("who drives by touch alone reads of the pad, and of no keys", () => {
  const view = { ...LIVE, role: "controller" };

  assert.match(bannerOf(view, ME).text, /Arrow keys/);
  assert.equal(bannerOf(view, ME, true).text, "Drive with the pad.");
});

test("a person without a name is called by the user id", () => {
  assert.match(bannerOf({ ...LIVE, driver: { userId: "u-7" } }, ME).title, /^“u-7” drives/);
});

test("a server's message becomes a sentence", () => {
  assert.equal(sentence("not allowed: ask"), "Not allowed: ask.");
});

test("the driver's name is ours while we drive, and only then", () => {
  assert.equal(driverName({ ...LIVE, role: "controller" }, ME), "Dana");
  assert.equal(driverName({ ...LIVE, role: "controller", state: "waiting" }, ME), "");
});

test("what a connection lacks is said, to drivers and to viewers", () => {
  const text = (view) => bannerOf({ ...LIVE, ...view }, ME).text;

  assert.match(text({ state: "connecting", missing: ["picture"] }), /No picture yet/);
  assert.match(text({ state: "connecting", missing: ["channel"] }), /data channel is not open yet/);
  assert.match(
    text({ state: "connecting", missing: ["picture", "channel"] }),
    /No picture and no data channel/,
  );
  assert.match(text({ role: "controller", missing: ["channel"] }), /opened no data channel/);
  assert.match(text({ role: "controller", missing: ["picture"] }), /sends no video/);
  assert.match(text({ driver: ALICE, missing: ["picture"] }), /sends no video/);
});

test("no list says that we drive what no command of ours reaches", () => {
  const { status, takeOver } = rowOf(
    ROBOT,
    { ...LIVE, role: "controller", missing: ["channel"] },
    ME,
  );

  assert.match(status, /^Yours, but takes no commands/);
  assert.equal(takeOver, false);
});

test("a list says who may still be obeyed though control is free", () => {
  const notRenewed = { userId: "u-bob", name: "Bob" };
  const status = (more) => rowOf({ ...ROBOT, ...more }, null, ME).status;

  assert.equal(status({ notRenewed }), "Free (“Bob”, not renewed)");
  assert.equal(status({ notRenewed, controlledBy: ALICE }), "“Alice” drives");
  assert.equal(status({}), "Free");
});

const NAMES = [
  ["No one", "“No one” drives — you watch"],
  ["You", "“You” drives — you watch"],
  ["No one” drives demo — you watch", "“No one' drives demo — you watch” drives — you watch"],
  ["Dana", "“Dana” (u-alice) drives — you watch"],
  ["d a n a.", "“d a n a.” (u-alice) drives — you watch"],
  ["\uff24ANA", "“\uff24ANA” (u-alice) drives — you watch"],
];

for (const [name, title] of NAMES) {
  test(`a name is marked as one, and told apart from yours: ${name}`, () => {
    assert.equal(bannerOf({ ...LIVE, driver: { ...ALICE, name } }, ME).title, title);
  });
}

test("who is called as the robot's owner is told apart from the owner", () => {
  const row = rowOf(
    {
      ...ROBOT,
      relation: "operator",
      owner: ALICE,
      controlledBy: { userId: "u-mallory-42", name: "Alice" },
    },
    null,
    ME,
  );
  assert.equal(row.status, "“Alice” (u-mallor) drives · owned by “Alice” (u-alice)");
  assert.equal(quote(ALICE, ALICE, null), "“Alice”");
  assert.equal(requestOf({ userId: "u-m", name: "You" }), "“You” asks for control");
});

const LAST = [
  [ALICE, /When last heard, “Alice” drove/],
  [ME, /you drove in another window/],
  [null, /no one drove/],
];

for (const [driver, words] of LAST) {
  test(`who is cut off reads who drove when last heard: ${driver?.name ?? "no one"}`, () => {
    assert.match(bannerOf({ ...LIVE, stale: true, driver }, ME).text, words);
  });
}

const FACTS = [
  [null, "–"],
  [{ ...LIVE, role: "controller" }, "You (“Dana”)"],
  [{ ...LIVE, driver: ALICE }, "“Alice”"],
  [LIVE, "No one"],
  [{ ...LIVE, driver: ALICE, stale: true }, "Not known"],
  [{ ...LIVE, state: "waiting", role: "controller" }, "–"],
  [{ ...LIVE, state: "connecting", role: null }, "–"],
  [{ ...LIVE, state: "ended", role: null, stale: true }, "–"],
];

for (const [view, words] of FACTS) {
  test(`the driver as a fact is ${words} when ${view === null ? "no robot is chosen" : `${view.state} as ${view.role}`}`, () => {
    assert.equal(driverFact(view, ME), words);
  });
}

const may = (robot, view = null) => {
  const { drive, watch, takeOver } = rowOf({ ...ROBOT, ...robot }, view, ME);
  return { drive, watch, takeOver };
};

test("a free robot may be driven or watched", () => {
  assert.deepEqual(may({}), { drive: true, watch: true, takeOver: false });
});

test("an offline robot may be nothing", () => {
  assert.deepEqual(may({ online: false, controlledBy: ALICE }), {
    drive: false,
    watch: false,
    takeOver: false,
  });
});

test("a robot that somebody drives may be watched, and taken over by its owner", () => {
  assert.deepEqual(may({ controlledBy: ALICE }), { drive: false, watch: true, takeOver: true });
});

test("a robot that one drives oneself in a window that may be gone is driven at a press, even if another user owns it", () => {
  for (const relation of ["owner", "operator", "admin"]) {
    assert.deepEqual(may({ relation, controlledBy: ME }), {
      drive: true,
      watch: true,
      takeOver: true,
    });
  }
  assert.equal(may({ controlledBy: ME, online: false }).drive, false);
});

test("who watches, and drives in another window, takes over from there", () => {
  assert.deepEqual(may({ controlledBy: ME }, { ...LIVE, driver: ME }), {
    drive: false,
    watch: false,
    takeOver: true,
  });
});

test("an operator takes over only from himself", () => {
  assert.equal(may({ relation: "operator", controlledBy: ALICE }).takeOver, false);
  assert.equal(may({ relation: "operator", controlledBy: ME }).takeOver, true);
});

test("a seed robot takes no viewers, and its control is advisory", () => {
  assert.equal(may({ dialect: "seed" }).watch, false);
  assert.equal(rowOf({ ...ROBOT, dialect: "seed" }, null, ME).advisory, true);
});

const mayRequest = (view, robot = {}) =>
  rowOf({ ...ROBOT, controlledBy: ALICE, ...robot }, { ...LIVE, driver: ALICE, ...view }, ME)
    .request;

test("a viewer asks somebody else for control, once at a time", () => {
  assert.equal(mayRequest({}), true);
  assert.equal(mayRequest({ asking: true }), false);
  assert.equal(mayRequest({ driver: null }), false);
  assert.equal(mayRequest({ driver: ME }), false);
  assert.equal(mayRequest({ stale: true }), false);
  assert.equal(mayRequest({ role: "controller" }), false);
  assert.equal(mayRequest({}, { dialect: "seed" }), false);
  assert.equal(rowOf({ ...ROBOT, controlledBy: ALICE }, null, ME).request, false);
});

const STATUSES = [
  [{}, "Free"],
  [{ online: false }, "Offline"],
  [{ controlledBy: ALICE }, "“Alice” drives"],
  [{ controlledBy: ME }, "You drive in another window"],
  [{ controlledBy: ALICE, stale: true }, "Not known just now"],
  [{ owner: ALICE, relation: "operator" }, "Free · owned by “Alice”"],
];

for (const [robot, status] of STATUSES) {
  test(`the list says: ${status}`, () => {
    assert.equal(rowOf({ ...ROBOT, ...robot }, null, ME).status, status);
  });
}

test("within a session, who drives is what the session says, not the list", () => {
  assert.equal(
    rowOf({ ...ROBOT, controlledBy: ALICE }, { ...LIVE, role: "controller" }, ME).status,
    "You drive",
  );
});

const IN_SESSION = [
  ["the list is behind", { controlledBy: ME }, { driver: ALICE }, "“Alice” drives"],
  [
    "nothing is granted yet",
    { controlledBy: ALICE },
    { state: "connecting", role: null },
    "“Alice” drives",
  ],
  [
    "the server is out of reach",
    { controlledBy: ALICE },
    { driver: ALICE, stale: true },
    "Not known just now",
  ],
  [
    "what we drive is away",
    {},
    { state: "waiting", role: "controller" },
    "Yours to drive, waiting for it",
  ],
];

for (const [when, robot, view, status] of IN_SESSION) {
  test(`within a session the list says, when ${when}: ${status}`, () => {
    assert.equal(rowOf({ ...ROBOT, ...robot }, { ...LIVE, ...view }, ME).status, status);
  });
}

test("what we hold, or whose driver is unknown, is not offered for driving", () => {
  assert.equal(may({}, { ...LIVE, state: "waiting", role: "controller" }).drive, false);
  assert.equal(may({}, { ...LIVE, stale: true }).drive, false);
});

test("a driver whose right has ended does not drive in the list either", () => {
  const view = { ...LIVE, role: "controller", blocked: "right-ended" };

  assert.equal(
    rowOf({ ...ROBOT, controlledBy: ME }, view, ME).status,
    "Your right to drive has ended",
  );
});
