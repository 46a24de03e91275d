/**
 * One RTCPeerConnection with its data channels, and how fresh what comes over them is.
 */

import { CommandSender, LOOP_MS, write } from "./commands.js";
import { encodeValues, nameValues } from "./controls.js";
import { candidateOf, firstSectionOf } from "./frames.js";
import { SignalingError, unreachable } from "./errors.js";
import { OWN, readMessage } from "./messages.js";
import { NO_LINK } from "./session/state.js";
import { NO_PICTURE, PictureGauge, ageLimit, judgePicture } from "./picture.js";

/** @import { SessionEvent } from "./session/machine.js" */
/** @import { Link } from "./session/state.js" */
/** @import { RobotMessage } from "./messages.js" */
/** @import { Screen } from "./picture.js" */
/** @import { Description, Drive, Picture, Value } from "./types.js" */
/** @import { Capabilities } from "./commands.js" */
/** @import { Environment } from "./environment.js" */

const PING_MS = 1_000;
const PONG_MS = 3_000;
const PICTURE_MS = 100;
/** What a peer takes that names no limit (RFC 8841, section 6.1). */
const DEFAULT_MESSAGE_BYTES = 65_536;
/** The TURN server refuses the password (RFC 8656, section 7.2). Chromium tells, Firefox doesn't. */
const TURN_UNAUTHORIZED = 401;
/** How long a robot may be silent before it counts as not heard: it sends 20 heartbeats a second to
 * its driver, 2 to others, and an old robot answers a ping each second. */
const SILENCE_MS = { driver: 500, viewer: 1_500, old: 3_000 };
/** How many channels of the application's own one peer connection has. */
const MOST_CHANNELS = 8;
/** Past this many times the limit of its age the picture shows too little of where the robot is. */
const TOO_OLD = 2;

/**
 * @typedef {object} PeerListener
 * @property {(event: SessionEvent) => void} dispatch
 * @property {(error: SignalingError) => void} report a fault that the connection goes on without
 * @property {(stream: MediaStream) => void} stream
 * @property {(ms: number) => void} rtt
 * @property {(message: unknown) => void} message
 * @property {(capabilities: Capabilities) => void} declared
 * @property {(name: string, track: MediaStreamTrack) => void} track the video of a camera by its name
 * @property {(values: Record<string, Value>) => void} held
 * @property {(values: Record<string, Value>, isNewest: boolean) => void} telemetry
 * @property {(name: string, data: string | ArrayBuffer) => void} channelMessage
 * @property {(name: string, epoch: number) => void} channelRefused
 * @property {(track: MediaStreamTrack) => void} sound
 * @property {(epoch: number) => void} refused
 * @property {(what: "stop" | "clear-stop") => void} stopRefused
 * @property {() => {isDriver: boolean, epoch: number}} control who drives, as the session knows it
 * @property {() => Screen | null} screen where the application shows the picture
 * @property {(count: number, error: Error) => void} unusable a candidate of the robot's; `count` with those before
 */

/** @typedef {{resolve: (ms: number) => void, reject: (error: Error) => void, at: number, timer: unknown}} Ping */

export class Peer {
  #pcId;
  #environment;
  #listener;
  #connection;
  #channel;
  #driveChannel;
  /** @type {RTCDataChannel | null} once the robot has declared telemetry */
  #telemetryChannel = null;
  #telemetryN = -Infinity;
  /** @type {RTCRtpTransceiver | null} once the robot has declared sound */
  #audio = null;
  /** @type {MediaStreamTrack | null} */
  sound = null;
  /** @type {Map<string, RTCDataChannel>} the application's own, by name */
  #own = new Map();
  /** @type {RTCRtpTransceiver[]} in the order of the robot's cameras */
  #videos;
  /** @type {(MediaStreamTrack | undefined)[]} */
  #videoTracks = [];
  #held = "[]";
  /** @type {CommandSender} */
  #sender;
  #gauge;
  #heardAt = -Infinity;
  /** @type {Link} */
  #link = NO_LINK;
  #picture = NO_PICTURE;
  /** @type {unknown} */
  #loop;
  /** @type {MediaStream | null} */
  stream = null;
  #isOpen = true;
  #said = 0;
  /** @type {Map<number, Ping>} */
  #pings = new Map();
  #unusable = 0;
  /** @type {unknown} */
  #timer;
  /** @type {unknown} */
  #pictureTimer;

  /**
   * @param {string} pcId
   * @param {RTCIceServer[]} iceServers
   * @param {Environment} environment
   * @param {PeerListener} listener
   * @throws {SignalingError} `unsupported`
   */
  constructor(pcId, iceServers, environment, listener) {
    this.#pcId = pcId;
    this.#environment = environment;
    this.#listener = listener;
    this.#connection = openConnection(iceServers, environment, listener.report);
    this.#channel = this.#connection.createDataChannel("control", { ordered: true });
    this.#driveChannel = this.#connection.createDataChannel("drive", {
      ordered: false,
      maxRetransmits: 0,
    });
    this.#sender = new CommandSender(this.#channel, this.#driveChannel, environment, {
      control: listener.control,
      isPictureTooOld: () => this.#isPictureTooOld(),
      refused: (epoch) => this.#refuse(epoch),
    });
    this.#gauge = new PictureGauge(this.#connection, environment);
    this.#videos = [this.#connection.addTransceiver("video", { direction: "recvonly" })];
    this.#listen();
    void this.#try(async () => {
      await this.#connection.setLocalDescription();
      listener.dispatch({ type: "local-offer", pcId, payload: this.#local() });
    });
  }

  /**
   * @param {Description} payload the robot's answer, or its own offer
   */
  setRemoteDescription(payload) {
    return this.#try(async () => {
      await this.#connection.setRemoteDescription(
        /** @type {RTCSessionDescriptionInit} */ (payload),
      );
      if (payload.type !== "offer") return;
      await this.#connection.setLocalDescription();
      this.#listener.dispatch({ type: "local-answer", pcId: this.#pcId, payload: this.#local() });
    });
  }

  /**
   * @param {object} payload a candidate in any shape that the protocol allows
   */
  async addCandidate(payload) {
    try {
      const candidate = candidateOf(payload);
      // An end of candidates is ignored: candidates may arrive after it.
      if (candidate.candidate !== "")
        await this.#connection.addIceCandidate(this.#withSection(candidate));
    } catch (error) {
      // One bad candidate is no reason to end a connection that others may carry. After `close` none
      // is wanted.
      if (this.#connection.signalingState !== "closed")
        this.#listener.unusable((this.#unusable += 1), /** @type {Error} */ (error));
    }
  }

  /**
   * @param {RTCIceCandidateInit} candidate
   * @returns {RTCIceCandidateInit} with the media section that it is for
   */
  #withSection(candidate) {
    if (typeof candidate.sdpMid === "string" || typeof candidate.sdpMLineIndex === "number")
      return candidate;
    return { ...candidate, ...firstSectionOf(this.#connection.remoteDescription?.sdp ?? "") };
  }

  /**
   * @param {Drive} drive
   */
  sendCommand(drive) {
    return this.#send({ drive });
  }

  /**
   * @param {Record<string, unknown>} values by the names of the robot's controls
   * @returns {boolean} whether it was sent
   * @throws {TypeError}
   */
  sendValues(values) {
    const controls = this.#sender.capabilities?.controls;
    return controls ? this.#send({ values: encodeValues(controls, values) }) : false;
  }

  /**
   * @param {Parameters<CommandSender["send"]>[0]} part
   */
  #send(part) {
    const isSent = this.#sender.send(part);
    this.#tell();
    return isSent;
  }

  /**
   * @returns {boolean} whether it was sent to a robot that knows a stop that latches
   */
  stop() {
    return this.#sender.stop();
  }

  /**
   * @returns {boolean} whether it was sent
   */
  clearStop() {
    return write(this.#channel, JSON.stringify({ type: "clear-stop" }));
  }

  /**
   * @param {string} message
   * @returns {boolean} false when it was not sent: the channel is not open, or full
   * @throws {SignalingError} `too_large`
   */
  send(message) {
    return this.#sendOn(this.#channel, message);
  }

  /**
   * @param {string} name of a channel of the application's own
   * @param {string | ArrayBuffer | ArrayBufferView} data
   * @returns {boolean} as `send`
   * @throws {SignalingError} `too_large`
   */
  publish(name, data) {
    const channel = this.#own.get(name);
    return channel ? this.#sendOn(channel, data) : false;
  }

  /**
   * @param {RTCDataChannel} channel
   * @param {string | ArrayBuffer | ArrayBufferView} data
   */
  #sendOn(channel, data) {
    if (channel.readyState !== "open") return false;
    const bytes =
      typeof data === "string" ? new TextEncoder().encode(data).length : data.byteLength;
    const limit = this.#connection.sctp?.maxMessageSize ?? DEFAULT_MESSAGE_BYTES;
    if (bytes > limit) throw tooLarge(bytes, limit);
    return write(channel, data);
  }

  /**
   * @returns {Promise<number>}
   */
  ping() {
    const n = (this.#said += 1);
    return new Promise((resolve, reject) => {
      const timer = this.#environment.setTimeout(
        () => this.#pings.delete(n) && reject(noAnswer()),
        PONG_MS,
      );
      this.#pings.set(n, { resolve, reject, at: this.#environment.now(), timer });
      if (!this.send(JSON.stringify({ type: "ping", n }))) this.#dropPings();
    });
  }

  close() {
    this.#isOpen = false;
    this.#environment.clearTimeout(this.#timer);
    this.#environment.clearTimeout(this.#pictureTimer);
    this.#environment.clearTimeout(this.#loop);
    this.#dropPings();
    Object.assign(this.#connection, {
      onicecandidate: null,
      onicecandidateerror: null,
      onconnectionstatechange: null,
      ontrack: null,
    });
    const more = [this.#telemetryChannel ?? {}, ...this.#own.values()];
    for (const channel of [this.#channel, this.#driveChannel, ...more])
      Object.assign(channel, { onopen: null, onclose: null, onmessage: null });
    this.#connection.close();
  }

  #listen() {
    const pcId = this.#pcId;
    this.#connection.onicecandidate = ({ candidate }) => {
      // No robot needs an end of candidates, neither of one section, as in Firefox, nor of all.
      if (candidate?.candidate)
        this.#listener.dispatch({ type: "local-candidate", pcId, payload: candidate.toJSON() });
    };
    this.#connection.onicecandidateerror = ({ errorCode }) => {
      if (errorCode === TURN_UNAUTHORIZED) this.#listener.dispatch({ type: "turn-refused", pcId });
    };
    this.#connection.onconnectionstatechange = () =>
      this.#listener.dispatch({ type: "ice", pcId, state: this.#connection.connectionState });
    this.#connection.ontrack = ({ track, streams, receiver, transceiver }) => {
      if (transceiver && transceiver === this.#audio) {
        this.sound = track;
        return this.#listener.sound(track);
      }
      const place = this.#videos.indexOf(transceiver);
      if (place >= 0) this.#videoTracks[place] = track;
      this.#nameTracks();
      if (place > 0) return;
      if (track.kind === "video") this.#gauge.receive(receiver);
      this.stream = streams[0] ?? new MediaStream([track]);
      this.#listener.stream(this.stream);
      if (track.kind === "video") void this.#awaitPicture();
    };
    this.#channel.onopen = () => {
      this.#sender.open();
      this.#listener.dispatch({ type: "channel-opened", pcId });
      this.#pingOften();
      this.#repeat();
    };
    this.#channel.onclose = () => this.#listener.dispatch({ type: "channel-closed", pcId });
    // An old robot may answer on the channel that opened last.
    for (const channel of [this.#channel, this.#driveChannel])
      channel.onmessage = ({ data }) => this.#hear(data);
  }

  /** A timer, since a picture that has stopped calls nothing. */
  #repeat() {
    this.#sender.repeat();
    this.#tell();
    this.#loop = this.#environment.setTimeout(() => this.#repeat(), LOOP_MS);
  }

  /** Tell the session what has changed of how it can drive, and of the picture. */
  #tell() {
    if (!this.#isOpen) return;
    const { kind, stoppedBy } = this.#sender;
    const blocked = this.#sender.update();
    const picture = this.#judgePicture();
    const before = this.#link;
    const isSame =
      kind === before.commands && blocked === before.blocked && stoppedBy === before.stoppedBy;
    if (isSame && picture === this.#picture) return;
    const link = { commands: kind, blocked, stoppedBy };
    [this.#link, this.#picture] = [link, picture];
    this.#listener.dispatch({ type: "link", pcId: this.#pcId, link, picture });
  }

  /**
   * @returns {Picture}
   */
  #judgePicture() {
    const ageMs = this.#gauge.age(this.#listener.screen());
    const state = judgePicture({
      ageMs,
      limitMs: this.#ageLimitMs,
      isHeard: this.#isHeard(),
      hasVideo: this.#sender.capabilities?.video !== null,
    });
    return this.#gauge.describe(state, ageMs);
  }

  get #ageLimitMs() {
    return ageLimit(this.#sender.capabilities?.video);
  }

  #isHeard() {
    const now = this.#environment.now();
    if (!this.#sender.capabilities) return now - this.#heardAt <= SILENCE_MS.old;
    const { isDriver } = this.#listener.control();
    return this.#sender.silenceMs <= (isDriver ? SILENCE_MS.driver : SILENCE_MS.viewer);
  }

  /** Whether the picture shows too little of where the robot is to drive it. */
  #isPictureTooOld() {
    const { capabilities } = this.#sender;
    if (capabilities?.video === null) return false;
    const age = this.#gauge.age(this.#listener.screen());
    // A robot that declares nothing may have no picture either.
    return age === null ? capabilities !== null : age > TOO_OLD * this.#ageLimitMs;
  }

  /** Tell of the first picture that could be shown; whether a page shows it is the page's own matter. */
  async #awaitPicture() {
    const stats = await this.#connection.getStats();
    /** @type {any[]} */
    const reports = [...stats.values()];
    const isThere = reports.some(
      ({ type, kind, framesDecoded }) =>
        type === "inbound-rtp" && kind === "video" && framesDecoded > 0,
    );
    if (isThere) return this.#listener.dispatch({ type: "picture", pcId: this.#pcId });
    this.#environment.clearTimeout(this.#pictureTimer);
    if (this.#isOpen)
      this.#pictureTimer = this.#environment.setTimeout(
        () => void this.#awaitPicture(),
        PICTURE_MS,
      );
  }

  #pingOften() {
    this.ping().catch(ignore);
    this.#timer = this.#environment.setTimeout(() => this.#pingOften(), PING_MS);
  }

  /**
   * @param {unknown} data
   */
  #hear(data) {
    this.#heardAt = this.#environment.now();
    const message = readMessage(data);
    if (message === null) return this.#listener.message(data);
    this.#handle(message);
    this.#tell();
  }

  /**
   * @param {RobotMessage} message
   */
  #handle(message) {
    switch (message.type) {
      case "pong":
        return this.#pong(message.n);
      case "refused":
        return this.#hearRefused(message);
      case "capabilities":
        return this.#declare(message);
      case "heartbeat":
        this.#sender.hearHeartbeat(message);
        return this.#hearHeld(message.held ?? []);
      case "telemetry":
        return this.#hearTelemetry(message);
      case "stopped":
        return void (this.#sender.stoppedBy = message.by);
      case "answer":
        return void this.#try(() => this.#takeAnswer(message));
      case "done":
        return;
      default:
        return unreachable(message);
    }
  }

  /**
   * @param {Capabilities} capabilities
   */
  #declare(capabilities) {
    this.#sender.declare(capabilities);
    if (capabilities.telemetry && this.#telemetryChannel === null) {
      // Only now: an old robot may answer on the channel that opened last.
      this.#telemetryChannel = this.#connection.createDataChannel("telemetry", {
        ordered: false,
        maxRetransmits: 0,
      });
      this.#telemetryChannel.onmessage = ({ data }) => this.#hear(data);
    }
    for (const { name } of capabilities.channels ?? []) this.#openOwn(name);
    this.#listener.declared(capabilities);
    this.#nameTracks();
    // A heartbeat may come before the declaration that says whose values it has.
    const held = this.#held;
    this.#held = "[]";
    this.#hearHeld(JSON.parse(held));
    const { cameras = [], audio = false, talkBack = false } = capabilities;
    const lacksSound = (audio || talkBack) && this.#audio === null;
    if (cameras.length > this.#videos.length || lacksSound) void this.#try(() => this.#addMedia());
  }

  /**
   * @param {MediaStreamTrack | null} track
   * @returns {boolean} whether the robot gets it
   */
  talk(track) {
    const direction = this.#audio?.currentDirection;
    if (!this.#audio || (direction !== "sendrecv" && direction !== "sendonly")) return false;
    void this.#audio.sender.replaceTrack(track).catch(ignore);
    return true;
  }

  /**
   * @param {string} name
   */
  #openOwn(name) {
    // A robot may declare itself again, with other names each time.
    if (this.#own.has(name) || this.#own.size >= MOST_CHANNELS) return;
    const channel = this.#connection.createDataChannel(OWN + name, { ordered: true });
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => this.#listener.channelMessage(name, data);
    this.#own.set(name, channel);
  }

  /**
   * Offer a section for each further camera and for sound, over the data channel: the server has no part in it, and
   * a robot that doesn't ask for it gets the offer that it always got.
   */
  async #addMedia() {
    const { cameras = [], audio, talkBack } = this.#sender.capabilities ?? {};
    if ((audio || talkBack) && this.#audio === null) {
      const direction = !talkBack ? "recvonly" : audio ? "sendrecv" : "sendonly";
      this.#audio = this.#connection.addTransceiver("audio", { direction });
    }
    while (this.#videos.length < cameras.length)
      this.#videos.push(addVideo(this.#connection, this.#environment));
    await this.#connection.setLocalDescription();
    const payload = this.#local();
    this.#listener.dispatch({ type: "renegotiated", pcId: this.#pcId, payload });
    write(this.#channel, JSON.stringify({ type: "offer", sdp: payload.sdp }));
  }

  /**
   * @param {{sdp?: string, message?: string}} answer
   */
  async #takeAnswer({ sdp, message }) {
    if (sdp !== undefined) return this.#connection.setRemoteDescription({ type: "answer", sdp });
    await this.#connection.setLocalDescription({ type: "rollback" });
    this.#listener.report(
      new SignalingError({
        code: "internal",
        message: `The robot sends only its first camera: ${message}.`,
      }),
    );
  }

  #nameTracks() {
    const { cameras = [] } = this.#sender.capabilities ?? {};
    cameras.forEach((name, place) => {
      const track = this.#videoTracks[place];
      if (track) this.#listener.track(name, track);
    });
  }

  /**
   * @param {(Value | null)[]} held
   */
  #hearHeld(held) {
    const text = JSON.stringify(held);
    if (text === this.#held) return;
    this.#held = text;
    this.#listener.held(nameValues(this.#sender.capabilities?.controls ?? [], held));
  }

  /**
   * @param {{n: number, values: (Value | null)[]}} message
   */
  #hearTelemetry({ n, values }) {
    const isNewest = n > this.#telemetryN;
    if (isNewest) this.#telemetryN = n;
    const fields = this.#sender.capabilities?.telemetry ?? [];
    this.#listener.telemetry(nameValues(fields, values), isNewest);
  }

  /**
   * @param {{epoch: number, what?: string}} message
   */
  #hearRefused({ epoch, what }) {
    if (what === undefined) return this.#refuse(epoch);
    if (what === "stop" || what === "clear-stop") return this.#listener.stopRefused(what);
    const name = what.slice(OWN.length);
    if (this.#own.has(name)) this.#listener.channelRefused(name, epoch);
  }

  /**
   * @param {number} epoch at which the robot obeys another session, or none
   */
  #refuse(epoch) {
    this.#listener.refused(epoch);
    this.#listener.dispatch({ type: "refused", pcId: this.#pcId, epoch });
  }

  /**
   * @param {number} n
   */
  #pong(n) {
    this.#listener.dispatch({ type: "pong", pcId: this.#pcId });
    const ping = this.#pings.get(n);
    if (!ping) return;
    this.#pings.delete(n);
    this.#environment.clearTimeout(ping.timer);
    const ms = this.#environment.now() - ping.at;
    ping.resolve(ms);
    this.#listener.rtt(ms);
  }

  #dropPings() {
    for (const { timer, reject } of this.#pings.values()) {
      this.#environment.clearTimeout(timer);
      reject(noAnswer());
    }
    this.#pings.clear();
  }

  /**
   * @returns {Description}
   */
  #local() {
    const { type, sdp } = /** @type {RTCSessionDescription} */ (this.#connection.localDescription);
    return { type, sdp };
  }

  /**
   * @param {() => Promise<void>} work
   */
  async #try(work) {
    try {
      await work();
    } catch (error) {
      // A connection that was closed meanwhile fails too, and no one waits for it.
      const { message } = /** @type {Error} */ (error);
      this.#listener.dispatch({
        type: "failed",
        pcId: this.#pcId,
        message: `The video connection failed: ${message}. Trying again.`,
      });
    }
  }
}

/**
 * A peer connection with those ICE servers that the browser accepts. A browser refuses the whole list
 * for one wrong URL, so then each URL is tried by itself, and those left out are reported.
 *
 * @param {RTCIceServer[]} iceServers
 * @param {Environment} environment
 * @param {(error: SignalingError) => void} report
 * @returns {RTCPeerConnection}
 * @throws {SignalingError} `unsupported`
 */
function openConnection(iceServers, environment, report) {
  requireWebRtc(environment);
  try {
    return new environment.RTCPeerConnection({ iceServers });
  } catch {
    return openWithout(iceServers, environment, report);
  }
}

/**
 * @param {RTCIceServer[]} iceServers
 * @param {Environment} environment
 * @param {(error: SignalingError) => void} report
 */
function openWithout(iceServers, environment, report) {
  const isGood = (/** @type {RTCIceServer} */ server) => {
    try {
      new environment.RTCPeerConnection({ iceServers: [server] }).close();
      return true;
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      report(
        new SignalingError({
          code: "bad_ice_server",
          message: `The browser refuses the ICE server ${server.urls || "without URLs"}, which is left out: ${message}. The server's operator should correct it.`,
        }),
      );
      return false;
    }
  };
  try {
    // First without any: where that throws as well, the servers are not at fault.
    new environment.RTCPeerConnection({ iceServers: [] }).close();
    return new environment.RTCPeerConnection({
      iceServers: iceServers.flatMap(each).filter(isGood),
    });
  } catch (error) {
    throw unsupported(
      `it refuses to make a peer connection (${/** @type {Error} */ (error).message})`,
    );
  }
}

/** What robots encode: a section with every codec of the browser is three times as long. */
const CODECS = /^video\/(VP8|H264|rtx)$/i;

/**
 * @param {RTCPeerConnection} connection
 * @param {Environment} environment
 * @returns {RTCRtpTransceiver} one that receives video
 */
function addVideo(connection, environment) {
  const transceiver = connection.addTransceiver("video", { direction: "recvonly" });
  const codecs = environment.videoCodecs().filter(({ mimeType }) => CODECS.test(mimeType));
  if (codecs.length > 0) transceiver.setCodecPreferences?.(codecs);
  return transceiver;
}

/**
 * @param {RTCIceServer} server
 * @returns {RTCIceServer[]} one for each of its URLs
 */
const each = (server) =>
  Array.isArray(server.urls) ? server.urls.map((urls) => ({ ...server, urls })) : [server];

/**
 * Make sure that the browser has what a peer connection needs here.
 *
 * @param {Environment} environment
 * @throws {SignalingError} `unsupported`
 */
export function requireWebRtc({ RTCPeerConnection }) {
  if (typeof RTCPeerConnection !== "function")
    throw unsupported("it has no WebRTC, or WebRTC is switched off in it");
}

/**
 * @param {string} why
 */
const unsupported = (why) =>
  new SignalingError({
    code: "unsupported",
    message: `This browser cannot show or drive a robot: ${why}. Allow WebRTC, or use another browser.`,
  });

export const noAnswer = () =>
  new SignalingError({
    code: "timeout",
    message: "The robot's data channel does not answer. Wait until the video is back.",
  });

/**
 * @param {number} bytes
 * @param {number} limit
 */
const tooLarge = (bytes, limit) =>
  new SignalingError({
    code: "too_large",
    message: `The message has ${bytes} bytes, and the robot's data channel takes ${limit} at most. Send it in parts.`,
  });

/** Deliberately nothing: the failure shows in another way. */
function ignore() {}
