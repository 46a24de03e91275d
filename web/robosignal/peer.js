/**
 * One RTCPeerConnection with its data channel.
 */

import { candidateOf, firstSectionOf } from "./frames.js";
import { SignalingError } from "./errors.js";

/** @import { SessionEvent } from "./session/machine.js" */
/** @import { Description } from "./types.js" */
/** @import { Environment } from "./environment.js" */

const PING_MS = 1_000;
const PONG_MS = 3_000;
const PICTURE_MS = 100;
/** What a peer takes that names no limit (RFC 8841, section 6.1). */
const DEFAULT_MESSAGE_BYTES = 65_536;
/** A late command is worth nothing, so none waits behind a stalled channel. */
const COMMANDS_QUEUED_BYTES = 4_096;
/** The last of those that do wait must be a stop, or the robot obeys a late command, and for longer. */
const STOPS_QUEUED_BYTES = 8_192;

/**
 * @typedef {object} PeerListener
 * @property {(event: SessionEvent) => void} dispatch
 * @property {(error: SignalingError) => void} report a fault that the connection goes on without
 * @property {(stream: MediaStream) => void} stream
 * @property {(ms: number) => void} rtt
 * @property {(message: unknown) => void} message
 * @property {(epoch: number) => void} refused
 * @property {(count: number, error: Error) => void} unusable a candidate of the robot's; `count` with those before
 */

/** @typedef {{resolve: (ms: number) => void, reject: (error: Error) => void, at: number, timer: unknown}} Ping */

export class Peer {
  #pcId;
  #environment;
  #listener;
  #connection;
  #channel;
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
    this.#connection.addTransceiver("video", { direction: "recvonly" });
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
   * @param {{x: number, y: number}} drive
   */
  sendCommand(drive) {
    const isStop = drive.x === 0 && drive.y === 0;
    if (this.#channel.bufferedAmount > (isStop ? STOPS_QUEUED_BYTES : COMMANDS_QUEUED_BYTES))
      return false;
    return this.send(JSON.stringify({ type: "command", n: (this.#said += 1), drive }));
  }

  /**
   * @param {string} message
   * @returns {boolean} false when it was not sent: the channel is not open, or full
   * @throws {SignalingError} `too_large`
   */
  send(message) {
    if (this.#channel.readyState !== "open") return false;
    const bytes = new TextEncoder().encode(message).length;
    const limit = this.#connection.sctp?.maxMessageSize ?? DEFAULT_MESSAGE_BYTES;
    if (bytes > limit) throw tooLarge(bytes, limit);
    try {
      this.#channel.send(message);
      return true;
    } catch {
      return false; // It has closed meanwhile, or the browser's buffer is full.
    }
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
    this.#dropPings();
    Object.assign(this.#connection, {
      onicecandidate: null,
      onconnectionstatechange: null,
      ontrack: null,
    });
    Object.assign(this.#channel, { onopen: null, onclose: null, onmessage: null });
    this.#connection.close();
  }

  #listen() {
    const pcId = this.#pcId;
    this.#connection.onicecandidate = ({ candidate }) => {
      // No robot needs an end of candidates, neither of one section, as in Firefox, nor of all.
      if (candidate?.candidate)
        this.#listener.dispatch({ type: "local-candidate", pcId, payload: candidate.toJSON() });
    };
    this.#connection.onconnectionstatechange = () =>
      this.#listener.dispatch({ type: "ice", pcId, state: this.#connection.connectionState });
    this.#connection.ontrack = ({ track, streams }) => {
      this.stream = streams[0] ?? new MediaStream([track]);
      this.#listener.stream(this.stream);
      if (track.kind === "video") void this.#awaitPicture();
    };
    this.#channel.onopen = () => {
      this.#listener.dispatch({ type: "channel-opened", pcId });
      this.#pingOften();
    };
    this.#channel.onclose = () => this.#listener.dispatch({ type: "channel-closed", pcId });
    this.#channel.onmessage = ({ data }) => this.#hear(data);
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
    const message = channelMessage(data);
    if (message?.type === "pong") return this.#pong(message.n);
    if (message?.type === "refused") {
      this.#listener.refused(message.epoch);
      return this.#listener.dispatch({ type: "refused", pcId: this.#pcId, epoch: message.epoch });
    }
    if (message?.type !== "done") this.#listener.message(data);
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

/**
 * A message of the robot's on the data channel, or null for what is not one of ours.
 *
 * @param {unknown} data
 * @returns {{type: "pong", n: number} | {type: "done"} | {type: "refused", epoch: number} | null}
 */
function channelMessage(data) {
  if (typeof data !== "string") return null;
  try {
    const message = JSON.parse(data);
    if (message?.type === "done") return message;
    if (message?.type === "pong" && Number.isFinite(message.n)) return message;
    return message?.type === "refused" && Number.isFinite(message.epoch) ? message : null;
  } catch {
    return null;
  }
}

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
