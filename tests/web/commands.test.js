/** Commands that prove that they are fresh, the stop that latches, and the age of the picture. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readMessage } from "../../web/robosignal/messages.js";
import { ageLimit, figuresBetween, judgePicture, pathOf } from "../../web/robosignal/picture.js";
import { CAPABILITIES, PlayedRobot, SESSION, driving, drivingFresh, drivingOld } from "./client.js";

const AHEAD = { x: 0, y: 1 };
const STILL = { x: 0, y: 0 };
const isMotion = ({ type, drive }) => type === "command" && (drive.x !== 0 || drive.y !== 0);
const motions = (robot) => robot.commands.filter(isMotion);

/** A stick held ahead: what `drive` returns at each 50 ms. */
function hold(session, robot, ms, options) {
  const sent = [];
  for (let passed = 0; passed < ms; passed += 50) {
    sent.push(session.drive(AHEAD));
    robot.pass(50, options);
  }
  return sent;
}

test("a command names the newest heartbeat's clock, the epoch, and a number that rises", async () => {
  const { session, robot } = await drivingFresh();
  const newest = robot.beats.t;
  robot.tell(
    { type: "heartbeat", ...robot.beats, t: newest - 500, refused: robot.refused },
    robot.world.peer.drive,
  );
  assert.equal(session.drive(AHEAD), true);
  assert.equal(session.drive(AHEAD), true);
  const [first, second] = motions(robot);

  assert.deepEqual(first, { type: "command", n: first.n, epoch: 1, t: newest, drive: AHEAD });
  assert.equal(second.n, first.n + 1);
  assert.equal(session.view.commands, "fresh");
});

test("the module sends zero commands 20 times a second while nothing is pressed", async () => {
  const { robot } = await drivingFresh();
  const before = robot.commands.length;
  robot.pass(1_000);
  const sent = robot.commands.slice(before);

  assert.ok(sent.length >= 19 && sent.length <= 21, String(sent.length));
  assert.ok(sent.every(({ drive }) => drive.x === 0 && drive.y === 0));
});

test("zero commands never come between those of an application that drives slowly", async () => {
  const { session, robot } = await drivingFresh();
  session.drive(AHEAD);
  const before = robot.commands.length;
  robot.pass(450);

  assert.deepEqual(
    robot.commands.slice(before).map(({ drive }) => drive),
    [AHEAD],
  );
});

/** What `send` is followed by within 100 ms, beside zero commands. */
async function afterSending(send) {
  const driven = await drivingFresh();
  driven.robot.pass(50);
  driven.session.drive(AHEAD);
  const before = driven.robot.commands.length;
  await send(driven);
  driven.robot.pass(100);
  return driven.robot.commands.slice(before);
}

test("a command goes twice, as two commands, the second 12 to 40 ms later", async () => {
  const { session, robot, world } = await drivingFresh();
  robot.pass(60);
  const sent = [];
  const note = () => sent.push([world.time, robot.commands.at(-1).n]);
  session.drive(AHEAD);
  note();
  const [[at, n]] = sent;
  while (robot.commands.at(-1).n === n) world.pass(1);
  note();
  const again = robot.commands.at(-1);

  assert.deepEqual(again.drive, AHEAD);
  assert.equal(again.n, n + 1);
  const later = sent[1][0] - at;
  assert.ok(later >= 12 && later <= 40, String(later));
});

test("a command that another one has followed is not sent again, and a stop is", async () => {
  const other = { x: 1, y: 0 };
  const turned = await afterSending(({ session }) => session.drive(other));
  const stopped = await afterSending(({ session }) => session.drive(STILL));

  assert.deepEqual(
    turned.map(({ drive }) => drive),
    [other, other],
  );
  assert.ok(stopped.length >= 3, String(stopped.length));
  assert.ok(stopped.every(({ drive }) => drive.x === 0 && drive.y === 0));
});

test("what no longer holds is not sent again", async () => {
  const ways = {
    stop: ({ session }) => session.stop(),
    epoch: ({ world }) =>
      world.socket.receive({
        type: "control",
        robotId: "demo",
        epoch: 2,
        sessionId: SESSION,
        person: { userId: "u" },
      }),
    loss: ({ world }) =>
      world.socket.receive({ type: "control", robotId: "demo", epoch: 2, person: { userId: "a" } }),
    unarmed: ({ robot }) => robot.beat({ armed: false }),
    full: ({ world }) => void (world.peer.drive.bufferedAmount = 1),
  };
  for (const [name, end] of Object.entries(ways))
    assert.deepEqual((await afterSending(end)).filter(isMotion), [], name);
});

test("after a page has not run for a while nothing is sent again", async () => {
  const { session, robot, world } = await drivingFresh();
  session.drive(AHEAD);
  const before = motions(robot).length;
  // Frozen: no timer fires meanwhile.
  world.time += 200;
  for (const timer of world.timers.values()) timer.due += 200;
  robot.pass(100);

  assert.equal(motions(robot).length, before);
});

test("an old robot gets each command once: none of them is lost", async () => {
  const { session, world } = await drivingOld();
  const before = world.peer.channel.sent.length;
  session.drive(AHEAD);
  world.pass(40);

  assert.equal(world.peer.channel.sent.length, before + 1);
});

test("a viewer sends no command", async () => {
  const { world, session, robot } = await drivingFresh();
  world.socket.receive({ type: "control", robotId: "demo", epoch: 2, person: { userId: "a" } });
  const before = robot.commands.length;
  robot.pass(500, { moreBeats: { epoch: 2, driver: "a" } });

  assert.equal(robot.commands.length, before);
  assert.equal(session.drive(AHEAD), false);
  assert.equal(session.view.blocked, null);
});

test("a command is dropped while anything waits in the channel", async () => {
  const { world, session, robot } = await drivingFresh();
  world.peer.drive.bufferedAmount = 1;
  const before = robot.commands.length;

  assert.equal(session.drive(AHEAD), false);
  robot.pass(300);
  assert.equal(robot.commands.length, before);
});

test("before the declaration nothing is sent, and after a second commands are of the old form", async () => {
  const { world, session } = await driving();
  const early = [session.view.commands, session.view.blocked, session.drive(AHEAD)];
  world.pass(1_000);
  const late = [session.view.commands, session.view.blocked, session.drive(AHEAD)];

  assert.deepEqual(early, [null, "undeclared", false]);
  assert.deepEqual(late, ["late", null, true]);
  assert.deepEqual(JSON.parse(world.peer.channel.sent.at(-1)), {
    type: "command",
    n: 1,
    drive: AHEAD,
  });
  assert.deepEqual(world.peer.drive.sent, []);
});

test("a declaration that comes after more than a second counts", async () => {
  const { world, session } = await drivingOld();
  const robot = new PlayedRobot(world);
  robot.tell({ ...CAPABILITIES, video: null });
  robot.beat();
  session.drive(AHEAD);

  assert.equal(session.view.commands, "fresh");
  assert.equal(motions(robot).length, 1);
});

test("without a heartbeat for as long as the robot's limit no motion is sent", async () => {
  const { session, robot } = await drivingFresh({ video: null });
  const sent = hold(session, robot, 1_500, { beats: false });

  assert.deepEqual([sent[19], sent[22], sent.at(-1)], [true, false, false]);
  assert.equal(session.view.blocked, "silent");
});

test("motion that a silence has interrupted does not go on by itself, and a new press does", async () => {
  const { session, robot } = await drivingFresh({ video: null });
  hold(session, robot, 200);
  hold(session, robot, 1_500, { beats: false });
  const after = hold(session, robot, 1_000);
  session.drive(STILL);

  assert.ok(!after.includes(true));
  assert.equal(session.view.blocked, null);
  assert.equal(session.drive(AHEAD), true);
});

test("what the robot has stopped by itself goes on only after a release", async () => {
  const { session, robot } = await drivingFresh();
  hold(session, robot, 200);
  robot.beat({ armed: false });
  const blocked = session.view.blocked;
  const before = robot.commands.length;
  robot.pass(100, { moreBeats: { armed: false } });
  const zeros = robot.commands.slice(before);
  const after = hold(session, robot, 300, { moreBeats: { armed: true } });
  robot.pass(600);

  assert.equal(blocked, "unarmed");
  assert.ok(zeros.length > 0 && !zeros.some(isMotion), "zero commands arm the robot");
  assert.ok(!after.includes(true));
  assert.equal(session.drive(AHEAD), true, "a pause of half a second is a release too");
});

test("a stop goes over both channels at once, and ends what is pressed", async () => {
  const { world, session, robot } = await drivingFresh();
  hold(session, robot, 100);
  const isSent = session.stop();
  const stops = [world.peer.channel, world.peer.drive].map((channel) => channel.sent.at(-1));
  const after = hold(session, robot, 200);

  assert.equal(isSent, true);
  assert.deepEqual(stops, ['{"type":"stop"}', '{"type":"stop"}']);
  assert.ok(!after.includes(true));
});

test("a stop is sent though commands wait in the channel", async () => {
  const { world, session } = await drivingFresh();
  world.peer.drive.bufferedAmount = 10_000;
  session.stop();

  assert.equal(world.peer.drive.sent.at(-1), '{"type":"stop"}');
});

test("an old robot that is stopped is told to stand, and the call says that it does not stay so", async () => {
  const { world, session } = await drivingOld();
  session.drive(AHEAD);

  assert.equal(session.stop(), false);
  assert.deepEqual(JSON.parse(world.peer.channel.sent.at(-1)).drive, STILL);
});

test("who has stopped the robot is told, blocks motion, and is cleared", async () => {
  const { world, session, robot } = await drivingFresh();
  const heard = [];
  session.on("stopped", (stopped) => heard.push(stopped));
  robot.tell({ type: "stopped", by: "alice" });
  const during = [session.view.stopped, session.view.blocked, session.drive(AHEAD)];
  const isSent = session.clearStop();
  const sent = world.peer.channel.sent.at(-1);
  robot.tell({ type: "stopped", by: null });

  assert.deepEqual(during, [{ by: "alice" }, "stopped", false]);
  assert.deepEqual([isSent, sent], [true, '{"type":"clear-stop"}']);
  assert.deepEqual(heard, [{ by: "alice" }, null]);
  assert.deepEqual([session.view.stopped, session.view.blocked], [null, null]);
});

test("a stop that is refused is told, and says nothing of who drives", async () => {
  const { session, robot } = await drivingFresh();
  const heard = [];
  session.on("stop-refused", (what) => heard.push(what));
  session.on("refused", () => assert.fail("no command was refused"));
  robot.tell({ type: "refused", what: "stop", epoch: 7 });

  assert.deepEqual([heard, session.view.role], [["stop"], "controller"]);
});

test("zero commands that the robot refuses at our own epoch say that our right has ended", async () => {
  const { session, robot } = await drivingFresh();
  const { n } = robot.beats;
  robot.beats.driver = undefined;
  robot.pass(50);
  const early = session.view.blocked;
  robot.refused = { ...robot.refused, refused: 1 };
  robot.pass(50);
  const ended = session.view.blocked;
  robot.pass(50, { moreBeats: { driver: "me", n } });

  assert.deepEqual([early, ended, session.view.blocked], [null, "right-ended", null]);
});

for (const [what, epoch, doubts] of [
  ["an epoch above ours, for half a second, is looked into", 4, true],
  ["our own epoch says nothing of another driver", 1, false],
]) {
  test(`a robot that refuses at ${what}`, async () => {
    const { session, robot } = await drivingFresh();
    const heard = [];
    session.on("refused", (refusedAt) => heard.push(refusedAt));
    for (let count = 1; count <= 12; count += 1) {
      robot.refused = { ...robot.refused, refused: count };
      robot.pass(50, { moreBeats: { epoch } });
    }

    assert.deepEqual(heard, doubts ? [4] : []);
  });
}

for (const [what, options, state] of [
  ["does not move while the robot is heard", { films: false }, "stale"],
  ["does not move and the robot is silent", { films: false, beats: false }, "frozen"],
]) {
  test(`a picture that ${what} is marked within 200 ms of its limit`, async () => {
    const { session, robot } = await drivingFresh();
    const seen = [];
    session.on("picture", (picture) => seen.push([robot.world.time, picture]));
    const begun = robot.world.time;
    robot.pass(450, options);
    const before = session.view.picture.state;
    robot.pass(1_000, options);
    const [at, marked] = seen.find(([, picture]) => picture.state !== "live");

    assert.equal(before, "live");
    assert.equal(session.view.picture.state, state);
    assert.ok(at - begun > 500 && at - begun <= 700, String(at - begun));
    assert.ok(marked.ageMs > 500 && marked.ageMs <= 700, String(marked.ageMs));
  });
}

test("past twice the limit no motion is sent, and a new picture alone moves nothing", async () => {
  const { session, robot } = await drivingFresh();
  const sent = hold(session, robot, 1_500, { films: false });
  const { blocked } = session.view;
  const after = hold(session, robot, 500);

  assert.deepEqual([sent[18], sent[23]], [true, false]);
  assert.equal(blocked, "picture");
  assert.equal(session.view.picture.state, "live");
  assert.ok(!after.includes(true));
});

test("a robot that declares no video is judged by its heartbeats", async () => {
  const { session, robot } = await drivingFresh({ video: null });
  robot.pass(1_000);
  const { state } = session.view.picture;
  const isSent = session.drive(AHEAD);
  robot.pass(700, { beats: false });

  assert.deepEqual([state, isSent, session.view.picture.state], ["none", true, "frozen"]);
});

test("a live picture makes a new view about once a second, and each is frozen", async () => {
  const { session, robot } = await drivingFresh();
  const seen = [];
  session.on("view", (view) => seen.push(view));
  robot.pass(5_000);

  assert.ok(seen.length <= 6, String(seen.length));
  assert.ok(seen.every((view) => Object.isFrozen(view) && Object.isFrozen(view.picture)));
});

test("the limit is three declared frames, and half a second at least", () => {
  assert.deepEqual(
    [{ fps: 30 }, { fps: 2 }, { fps: 0 }, undefined].map(ageLimit),
    [500, 1_500, 1_500, 1_500],
  );
});

test("a frame that never came is none, however silent the robot is", () => {
  const seen = { ageMs: null, limitMs: 500, isHeard: false, hasVideo: true };

  assert.equal(judgePicture(seen), "none");
});

test("the figures are of the time between two counts", () => {
  const before = { at: 1_000, bytes: 10_000, packets: 100, lost: 2, frames: 30 };
  const after = { at: 2_000, bytes: 135_000, packets: 190, lost: 12, frames: 55 };

  assert.deepEqual(figuresBetween(before, after), { fps: 25, kbps: 1_000, lossPct: 10 });
  assert.deepEqual(figuresBetween(null, after), { fps: null, kbps: null, lossPct: null });
});

for (const [what, reports, path] of [
  ["a relayed pair", [{ type: "transport", selectedCandidatePairId: "p" }], "relay"],
  ["a pair that Firefox marks", [], "relay"],
]) {
  test(`${what} is a relay's`, () => {
    const pair = { type: "candidate-pair", id: "p", selected: true };
    const ends = { localCandidateId: "l", remoteCandidateId: "r" };
    const candidate = { type: "local-candidate", id: "l", candidateType: "relay" };
    const remote = { type: "remote-candidate", id: "r", candidateType: "host" };

    assert.equal(pathOf([...reports, { ...pair, ...ends }, remote, candidate]), path);
    assert.equal(
      pathOf([...reports, { ...pair, ...ends }, remote, { ...candidate, candidateType: "host" }]),
      "direct",
    );
  });
}

test("without a chosen pair the path is not known", () => {
  assert.equal(pathOf([]), null);
});

test("a robot's relay that was heard before its candidate came is a relay's", () => {
  const reports = [
    { type: "transport", selectedCandidatePairId: "p" },
    { type: "candidate-pair", id: "p", localCandidateId: "l", remoteCandidateId: "r" },
    { type: "local-candidate", id: "l", candidateType: "host" },
  ];
  const heard = { id: "r", candidateType: "prflx", address: "10.9.0.1", port: 61010 };
  const remote = { type: "remote-candidate", ...heard };
  const line = "a=candidate:1 1 udp 1677 10.9.0.1 61010 typ relay raddr 10.9.0.1 rport 5\r\n";

  assert.equal(pathOf([...reports, remote], "v=0\r\n"), "direct");
  assert.equal(pathOf([...reports, remote], `v=0\r\n${line}`), "relay");
  assert.equal(pathOf([...reports, { ...remote, port: 6101 }], `v=0\r\n${line}`), "direct");
  assert.equal(pathOf(reports, line), null);
});

test("what is no message of ours, or lacks what it needs, goes to the application", () => {
  const good = { type: "heartbeat", t: 1, n: null, epoch: 1, armed: true, refused: { refused: 0 } };

  assert.deepEqual(readMessage(JSON.stringify(good)), good);
  for (const bad of [
    { ...good, t: "1" },
    { ...good, armed: 1 },
    { ...good, refused: null },
    { type: "capabilities", version: 1, freshMs: 1, watchdogMs: 1, video: null },
    { type: "capabilities", version: 2, freshMs: 0, watchdogMs: 1, video: null },
    { type: "stopped" },
    { type: "refused", epoch: 1, what: "else" },
    { type: "constructor" },
    null,
  ])
    assert.equal(readMessage(JSON.stringify(bad)), null);
});
