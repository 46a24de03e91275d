/** A browser's surroundings by hand: sockets, peer connections and a clock that tests move. */

export const WELCOME = {
  type: "welcome",
  connectionId: "c=",
  userId: "u-me",
  name: "Me",
  iceServers: [],
  heartbeatSeconds: 120,
};

/** What the day is when a world begins, epoch ms. */
export const TODAY = 1_750_000_000_000;

/** Let every promise that can settle do so. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** What a browser tells of a candidate: a peer connection's, or one section's last and empty one. */
export const found = (candidate, sdpMid = "0") => ({
  candidate: { candidate, sdpMid, toJSON: () => ({ candidate, sdpMid }) },
});

class FakeSocket {
  readyState = 0;
  texts = [];

  constructor(url, protocols, sent) {
    if (protocols.some((protocol) => protocol.includes(" "))) throw new SyntaxError("not a token");
    Object.assign(this, { url, protocols, sent });
  }

  get frames() {
    return this.texts.map((text) => JSON.parse(text));
  }

  last(type) {
    return this.frames.findLast((frame) => frame.type === type);
  }

  send(text) {
    this.texts.push(text);
    this.sent(this, JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  shut(code) {
    this.readyState = 3;
    this.onclose({ code });
  }

  receive(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  reply(type, frame) {
    this.receive({ ...frame, replyTo: this.last(type).id });
  }
}

function newChannel() {
  const sent = [];
  return { sent, readyState: "open", bufferedAmount: 0, send: (text) => void sent.push(text) };
}

class FakePeer {
  made = [];
  added = [];
  stats = [];
  remoteDescription = { sdp: "v=0\r\na=group:BUNDLE 0 1\r\n" };
  closed = false;
  localDescription = { type: "offer", sdp: "v=0" };
  channel = newChannel();
  drive = newChannel();
  /** The others, by label. */
  more = {};

  constructor(refuses) {
    this.refuses = refuses;
  }

  createDataChannel(label, options) {
    this.made.push(["channel", label, options]);
    const known = { control: this.channel, drive: this.drive };
    return known[label] ?? (this.more[label] = newChannel());
  }

  addTransceiver(kind, options) {
    this.made.push([kind, options]);
  }

  async setLocalDescription() {
    if (this.refuses) throw new Error("no codec");
  }

  async setRemoteDescription() {}

  async getStats() {
    return new Map(this.stats.map((report, index) => [index, report]));
  }

  async addIceCandidate(init) {
    this.added.push(init);
  }

  close() {
    this.closed = true;
  }
}

export class FakeWorld {
  time = 0;
  sockets = [];
  peers = [];
  timers = new Map();
  refusePeers = false;
  /** Which networks the browser lets the page reach. */
  lets = {};
  /** By how much the clock of this machine is wrong. */
  clockIsAheadMs = 0;
  /** Whether the server answers plain HTTP, and what was asked of it. */
  isReached = true;
  reached = [];
  /** Set to true: the browser's constructor throws. */
  refusesPeers = undefined;
  /** Whether each ping is answered, as a server that is there does. */
  answersPings = false;
  reported = [];
  #names = 0;

  get socket() {
    return this.sockets.at(-1);
  }

  get peer() {
    return this.peers.at(-1);
  }

  /** Move the clock, firing what is due in order. */
  pass(ms) {
    const until = this.time + ms;
    for (;;) {
      const next = [...this.timers]
        .filter(([, { due }]) => due <= until)
        .sort(([, a], [, b]) => a.due - b.due)[0];
      if (!next) break;
      this.timers.delete(next[0]);
      this.time = next[1].due;
      next[1].callback();
    }
    this.time = until;
  }

  answer(socket, { type, id }) {
    if (!this.answersPings || type !== "ping") return;
    this.timers.set((this.#names += 1), {
      callback: () => socket.readyState === 1 && socket.receive({ type: "pong", replyTo: id }),
      due: this.time,
    });
  }

  get parts() {
    const keep = (list, made) => (list.push(made), made);
    const world = this;
    return {
      WebSocket: function (url, protocols) {
        return keep(
          world.sockets,
          new FakeSocket(url, protocols, (socket, frame) => world.answer(socket, frame)),
        );
      },
      RTCPeerConnection: function ({ iceServers = [] }) {
        const refused =
          world.refusesPeers ??
          iceServers.find(({ urls }) =>
            [urls].flat().some((url) => /bad|undefined/.test(String(url))),
          );
        if (refused) throw new SyntaxError("Failed to construct 'RTCPeerConnection'");
        return keep(world.peers, Object.assign(new FakePeer(world.refusePeers), { iceServers }));
      },
      videoCodecs: () => [],
      setTimeout: (callback, ms) => {
        const timer = (this.#names += 1);
        this.timers.set(timer, { callback, due: this.time + ms });
        return timer;
      },
      clearTimeout: (timer) => void this.timers.delete(timer),
      now: () => this.time,
      timeOrigin: TODAY,
      today: () => TODAY + this.time + this.clockIsAheadMs,
      reach: async (url) => {
        this.reached.push(url);
        return this.isReached;
      },
      random: () => 0,
      permissions: async () => this.lets,
      report: (error) => void this.reported.push(error),
      newId: () => `pc-${(this.#names += 1)}`,
    };
  }
}
