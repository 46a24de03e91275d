/** Plays a session by hand: each call is one event, and gives the effects. */

import { step } from "../../web/robosignal/session/machine.js";
import { newState } from "../../web/robosignal/session/state.js";
import { viewOf } from "../../web/robosignal/session/view.js";

export const ALICE = { userId: "u-alice", name: "Alice" };
export const OFFER = { type: "offer", sdp: "v=0" };
export const ANSWER = { type: "answer", sdp: "v=0" };
export const SESSION = "demo:AAAAAAAAAAAAAAAAAAAAAA";

export class PlayedSession {
  now = 0;
  opened = 0;
  /** The last request of each kind, and the epoch that was known then. */
  asked = {};

  constructor(online = true) {
    this.state = newState("demo", online);
  }

  get view() {
    return viewOf(this.state);
  }

  get pcId() {
    return this.state.peer.id;
  }

  /** The effects of one event. */
  tell(event) {
    const [state, effects] = step(this.state, event, {
      now: this.now,
      id: `pc-${(this.opened += 1)}`,
    });
    this.state = state;
    for (const { do: what, to, frame } of effects)
      if (what === "request") this.asked[to] = { sent: frame, asOf: state.control.epoch };
    return effects;
  }

  frame(frame) {
    return this.tell({ type: "frame", frame: { robotId: "demo", ...frame } });
  }

  /** The reply to the last request of that kind; to one of just now if there was none. */
  reply(to, frame) {
    const { sent, asOf } = this.asked[to] ?? {
      sent: { sessionId: this.state.session.id },
      asOf: this.state.control.epoch,
    };
    return this.tell({ type: "reply", to, pcId: sent.pcId ?? null, sent, asOf, frame });
  }

  refuse(to, code, more = {}) {
    return this.reply(to, { type: "error", code, message: `refused: ${code}`, ...more });
  }

  offered() {
    return this.tell({ type: "local-offer", pcId: this.pcId, payload: OFFER });
  }

  answer() {
    return this.frame({ type: "answer", sessionId: SESSION, pcId: this.pcId, payload: ANSWER });
  }

  ice(state) {
    return this.tell({ type: "ice", pcId: this.pcId, state });
  }

  pong() {
    return this.tell({ type: "pong", pcId: this.pcId });
  }

  /** Ticks until `ms` from now, as the shell does; the effects of all. */
  wait(ms) {
    const effects = [];
    for (const until = this.now + ms; this.now < until;) {
      this.now += 500;
      effects.push(...this.tell({ type: "tick" }));
    }
    return effects;
  }

  /** From an opened peer connection to media, in a role. */
  link(role, epoch) {
    this.offered();
    this.reply("offer", { type: "ack", sessionId: SESSION, role, epoch });
    this.answer();
    this.ice("connected");
    this.pong();
    return this;
  }
}

/** A session with media, in a role. */
export function live(role = "controller", epoch = 3) {
  const played = new PlayedSession();
  played.tell({ type: "join", role });
  return played.link(role, role === "controller" ? epoch : undefined);
}

/** The frames that effects send, requests included. */
export const frames = (effects) => effects.filter(({ frame }) => frame).map(({ frame }) => frame);

/** The offer among effects. */
export const offerIn = (effects) => frames(effects).find(({ type }) => type === "offer");

/** What effects do, in order. */
export const doings = (effects) => effects.map((effect) => effect.do);

/** Passes time during which the robot's data channel answers. */
export function talking(played, ms) {
  const effects = [];
  for (let passed = 0; passed < ms; passed += 500) {
    effects.push(...played.wait(500));
    played.pong();
  }
  return effects;
}
