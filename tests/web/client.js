/** A client on a world by hand, brought as far as a test needs it. */

import { connect } from "../../web/robosignal/index.js";
import { FakeWorld, WELCOME, settled } from "./world.js";

export const URL = "wss://signal.example/prod";
export const SESSION = "demo:AAAAAAAAAAAAAAAAAAAAAA";

/** A client that is online, with its surroundings. */
export async function online(token = "t", welcome = {}) {
  const world = new FakeWorld();
  const signal = connect({ url: URL, token }, world.parts);
  await settled();
  world.socket.open();
  world.socket.receive({ ...WELCOME, ...welcome });
  return { world, signal };
}

/** A driver with an answered offer. */
export async function driving(welcome = {}) {
  const { world, signal } = await online("t", welcome);
  world.answersPings = true;
  const joining = signal.drive("demo");
  await settled();
  world.socket.reply("offer", { type: "ack", sessionId: SESSION, role: "controller", epoch: 1 });
  const session = await joining;
  world.socket.receive({
    type: "answer",
    robotId: "demo",
    sessionId: SESSION,
    pcId: world.socket.last("offer").pcId,
    payload: { type: "answer", sdp: "" },
  });
  await settled();
  world.peer.channel.onopen();
  return { world, signal, session };
}

/** A driver of an old robot, which has not declared how it takes commands. */
export async function drivingOld() {
  const driven = await driving();
  driven.world.pass(1_000);
  return driven;
}

export const CAPABILITIES = {
  type: "capabilities",
  version: 2,
  freshMs: 1_000,
  watchdogMs: 500,
  video: { fps: 30 },
};

/** A robot that proves that it is alive, by hand. */
export class PlayedRobot {
  beats = { t: 1_000, n: null, epoch: 1, driver: "me", armed: true };
  refused = { stale: 0, superseded: 0, refused: 0 };
  /** When a frame was last decoded; null for none. */
  frameAt = null;
  /** Whether it beats and films as time passes. */
  isAlive = true;

  constructor(world) {
    this.world = world;
  }

  tell(message, channel = this.world.peer.channel) {
    channel.onmessage({ data: JSON.stringify(message) });
  }

  beat(more = {}) {
    this.beats = { ...this.beats, ...more };
    const { refused } = this;
    this.tell({ type: "heartbeat", ...this.beats, refused }, this.world.peer.drive);
  }

  /** Its video has begun; a frame comes with each heartbeat unless `frameAt` is null again. */
  film() {
    this.frameAt = this.world.time;
    const getSynchronizationSources = () =>
      this.frameAt === null ? [] : [{ timestamp: this.world.parts.timeOrigin + this.frameAt }];
    this.world.peer.ontrack({
      track: { kind: "video" },
      streams: [{}],
      receiver: { getSynchronizationSources },
    });
  }

  /** Time passes, with a heartbeat every 50 ms and a frame with each unless told otherwise. */
  pass(ms, { beats = true, films = true, moreBeats = {} } = {}) {
    for (let passed = 0; passed < ms; passed += 50) {
      this.world.pass(50);
      this.beats.t += 50;
      if (films && this.frameAt !== null) this.frameAt = this.world.time;
      if (beats) this.beat(moreBeats);
    }
  }

  get commands() {
    return this.world.peer.drive.sent.map((text) => JSON.parse(text));
  }
}

/** A driver of a robot that has declared itself, whose heartbeats and frames come. */
export async function drivingFresh(capabilities = {}) {
  const driven = await driving();
  const robot = new PlayedRobot(driven.world);
  robot.tell({ ...CAPABILITIES, ...capabilities });
  if (capabilities.video !== null) robot.film();
  driven.world.peer.stats.push({ type: "inbound-rtp", kind: "video", framesDecoded: 1 });
  driven.world.peer.connectionState = "connected";
  driven.world.peer.onconnectionstatechange();
  robot.beat();
  robot.pass(200);
  await new Promise((resolve) => setImmediate(resolve));
  return { ...driven, robot };
}
