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
