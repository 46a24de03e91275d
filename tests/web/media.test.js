/** What a robot declares, what of it has come, and what is said of the rest. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { declaredParts } from "../../web/robosignal/session/media.js";
import { PlayedSession, SESSION, doings } from "./played.js";

const HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
const VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=sendonly\r\na=mid:1\r\n";
const CHANNEL = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n";
const BOTH = HEAD + CHANNEL + VIDEO;

const DECLARED = [
  ["a picture and a channel", BOTH, ["picture", "channel"]],
  ["lines that end in a line feed alone", BOTH.replaceAll("\r", ""), ["picture", "channel"]],
  ["no channel", HEAD + VIDEO, ["picture"]],
  [
    "a channel that is refused by port 0",
    HEAD + CHANNEL.replace(" 9 ", " 0 ") + VIDEO,
    ["picture"],
  ],
  ["no video", HEAD + CHANNEL, ["channel"]],
  ["video that is refused", HEAD + CHANNEL + VIDEO.replace(" 9 ", " 0 "), ["channel"]],
  ["video that is inactive", HEAD + CHANNEL + VIDEO.replace("sendonly", "inactive"), ["channel"]],
  [
    "video that is only received",
    HEAD + CHANNEL + VIDEO.replace("sendonly", "recvonly"),
    ["channel"],
  ],
  ["video both ways", HEAD + VIDEO.replace("sendonly", "sendrecv"), ["picture"]],
  ["video without a direction", HEAD + VIDEO.replace("a=sendonly\r\n", ""), ["picture"]],
  [
    "video with the session's direction",
    `${HEAD}a=inactive\r\n${VIDEO.replace("a=sendonly\r\n", "")}`,
    [],
  ],
  [
    "a bundled section of an offer",
    HEAD + VIDEO.replace(" 9 ", " 0 ").concat("a=bundle-only\r\n"),
    ["picture"],
  ],
  ["sound alone", HEAD + VIDEO.replace("m=video", "m=audio"), []],
  ["nothing", "", []],
  ["no text", undefined, []],
];

for (const [what, sdp, parts] of DECLARED) {
  test(`a description with ${what} declares ${parts.join(" and ") || "nothing"}`, () => {
    assert.deepEqual(declaredParts({ type: "answer", sdp }), parts);
  });
}

/** A driver with a path to a robot that has answered so. */
function connected(sdp) {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });
  played.offered();
  played.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  played.frame({
    type: "answer",
    sessionId: SESSION,
    pcId: played.pcId,
    payload: { type: "answer", sdp },
  });
  played.ice("connected");
  return played;
}

const arrives = (played, type) => played.tell({ type, pcId: played.pcId });
const shown = ({ view: { state, missing } }) => [state, ...missing];

test("nothing is live before the picture and the channel that were declared have come", () => {
  const played = connected(BOTH);
  const [first, , second, , third] = [
    shown(played),
    arrives(played, "channel-opened"),
    shown(played),
    arrives(played, "picture"),
    shown(played),
  ];

  assert.deepEqual(
    [first, second, third],
    [["connecting", "picture", "channel"], ["connecting", "picture"], ["live"]],
  );
});

test("before there is a path nothing is said to be missing from it", () => {
  const played = new PlayedSession();
  played.tell({ type: "join", role: "controller" });

  assert.deepEqual(shown(played), ["connecting"]);
});

for (const [sdp, event, missing] of [
  [HEAD + VIDEO, "picture", "channel"],
  [HEAD + CHANNEL, "channel-opened", "picture"],
]) {
  test(`a robot that declared no ${missing} is live without it, and the view says so`, () => {
    const played = connected(sdp);
    arrives(played, event);

    assert.deepEqual(shown(played), ["live", missing]);
  });
}

for (const [event, why] of [
  ["channel-opened", /no picture has come/],
  ["picture", /data channel is not open/],
  [null, /neither/],
]) {
  test(`what does not come is named after 3 seconds, with ${event ?? "nothing"} there`, () => {
    const played = connected(BOTH);
    if (event) arrives(played, event);
    const soon = played.wait(2_500);
    const before = played.view.state;
    const late = played.wait(500);

    assert.equal(before, "connecting");
    assert.equal(played.view.state, "waiting");
    assert.match(played.view.why, why);
    assert.deepEqual(
      [doings(soon), doings(late)],
      [[], []],
      "nothing is offered again: what is there serves viewers",
    );
  });
}

test("what comes late is live all the same, and nothing is wrong any more", () => {
  const played = connected(BOTH);
  arrives(played, "channel-opened");
  played.wait(5_000);
  arrives(played, "picture");

  assert.deepEqual([played.view.state, played.view.why], ["live", null]);
});

test("a channel that the robot refuses closes at once, and that is no reason to offer again", () => {
  const played = connected(HEAD + VIDEO);
  arrives(played, "picture");
  arrives(played, "channel-closed");

  assert.deepEqual([doings(played.wait(15_000)), shown(played)], [[], ["live", "channel"]]);
});

test("a channel that closes is no longer driven over", () => {
  const played = connected(BOTH);
  arrives(played, "channel-opened");
  arrives(played, "picture");
  arrives(played, "channel-closed");

  assert.notEqual(played.view.state, "live");
});

test("what came over the connection before says nothing of the next one", () => {
  const played = connected(BOTH);
  arrives(played, "channel-opened");
  arrives(played, "picture");
  played.ice("failed");
  played.wait(500);
  played.offered();
  played.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  played.frame({
    type: "answer",
    sessionId: SESSION,
    pcId: played.pcId,
    payload: { type: "answer", sdp: BOTH },
  });
  played.ice("connected");

  assert.notEqual(played.view.state, "live");
});

test("a robot's own offer later on declares again", () => {
  const played = connected(HEAD + VIDEO);
  arrives(played, "picture");
  played.frame({
    type: "offer",
    sessionId: SESSION,
    pcId: played.pcId,
    payload: { type: "offer", sdp: BOTH },
  });

  assert.deepEqual(shown(played), ["connecting", "channel"]);
});
