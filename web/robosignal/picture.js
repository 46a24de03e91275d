/**
 * How old the robot's picture is, and the figures of its connection. A picture that no longer moves
 * looks like one of a robot that does not move, so its age is measured where it is shown.
 */

/** @import { Environment } from "./environment.js" */
/** @import { Picture } from "./types.js" */

const LIMIT_MS = 500;
const LIMIT_FRAMES = 3;
/** As of a camera of 2 frames a second: a robot that declares no rate may have one. */
const UNDECLARED_MS = 1_500;
const FIGURES_MS = 1_000;
const UPDATE_MS = 1_000;
const OLD_UPDATE_MS = 250;

/** @type {Picture} */
export const NO_PICTURE = Object.freeze({
  state: "none",
  ageMs: null,
  fps: null,
  kbps: null,
  lossPct: null,
  freezes: null,
  path: null,
});

/** @typedef {Pick<Picture, "fps" | "kbps" | "lossPct" | "freezes" | "path">} Figures */

/**
 * @param {{fps: number} | null | undefined} video as the robot declares it; undefined: not at all
 * @returns {number} from which age on a picture is old, in ms
 */
export function ageLimit(video) {
  if (!video) return UNDECLARED_MS;
  return video.fps > 0 ? Math.max(LIMIT_MS, (LIMIT_FRAMES * 1_000) / video.fps) : UNDECLARED_MS;
}

/**
 * What a picture is, by its age and by whether the robot is still heard.
 *
 * @param {object} seen
 * @param {number | null} seen.ageMs of the last frame; null before the first
 * @param {number} seen.limitMs
 * @param {boolean} seen.isHeard whether the robot's messages still come
 * @param {boolean} seen.hasVideo false if the robot declares that it has none
 * @returns {Picture["state"]}
 */
export function judgePicture({ ageMs, limitMs, isHeard, hasVideo }) {
  if (!hasVideo) return isHeard ? "none" : "frozen";
  if (ageMs === null) return "none";
  if (ageMs <= limitMs) return "live";
  return isHeard ? "stale" : "frozen";
}

/** The element on which the application shows the picture, and when a new frame was last on it. */
export class Screen {
  #video;
  #environment;
  #request = 0;
  #abort = new AbortController();
  /** @type {number | null} null until a frame was shown */
  shownAt = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {Environment} environment
   */
  constructor(video, environment) {
    this.#video = video;
    this.#environment = environment;
    this.#await();
    for (const type of ["visibilitychange", "resume"])
      video.ownerDocument.addEventListener(type, () => this.#comeBack(), {
        signal: this.#abort.signal,
      });
  }

  /** Whether the browser tells which frames it shows; it does not for a page that is hidden. */
  get isMeasured() {
    return "requestVideoFrameCallback" in this.#video && !this.#isHidden;
  }

  /**
   * @param {MediaStream | null} stream
   */
  show(stream) {
    if (this.#video.srcObject !== stream) this.#video.srcObject = stream;
  }

  close() {
    this.#abort.abort();
    if ("cancelVideoFrameCallback" in this.#video)
      this.#video.cancelVideoFrameCallback(this.#request);
  }

  get #isHidden() {
    return this.#video.ownerDocument.visibilityState === "hidden";
  }

  #comeBack() {
    if (this.#isHidden) return;
    // It has shown nothing while it was hidden, and the first frame comes a moment later: until then
    // the picture is as old as what was decoded.
    if (this.shownAt !== null) this.shownAt = this.#environment.now();
    // A page that was frozen comes back with its video paused. Where the browser refuses, the picture
    // is old, and said to be.
    if (this.#video.paused) void this.#video.play().catch(() => {});
  }

  #await() {
    if (!("requestVideoFrameCallback" in this.#video)) return;
    this.#request = this.#video.requestVideoFrameCallback(() => {
      this.shownAt = this.#environment.now();
      this.#await();
    });
  }
}

/** Measures the picture of one peer connection. */
export class PictureGauge {
  #connection;
  #environment;
  /** @type {RTCRtpReceiver | null} */
  #receiver = null;
  #receivedAt = 0;
  #decodedAt = -Infinity;
  /** Of the newest frame, by the browser's clock, in epoch ms. */
  #decodedTimestamp = -Infinity;
  #lookedAt = -Infinity;
  /** @type {Figures} */
  #figures = NO_PICTURE;
  /** @type {Counts | null} */
  #counted = null;
  #figuresDueAt = -Infinity;
  /** @type {Picture} */
  #picture = NO_PICTURE;
  #pictureAt = -Infinity;

  /**
   * @param {RTCPeerConnection} connection
   * @param {Environment} environment
   */
  constructor(connection, environment) {
    this.#connection = connection;
    this.#environment = environment;
  }

  /**
   * @param {RTCRtpReceiver} receiver of the robot's video
   */
  receive(receiver) {
    this.#receiver = receiver;
    this.#receivedAt = this.#environment.now();
  }

  /**
   * How old the last frame is: the last that was shown, where the browser tells, else the last that
   * came out of the decoder.
   *
   * @param {Screen | null} screen
   * @returns {number | null} ms; null before the first frame
   */
  age(screen) {
    const decoded = this.#decodedAge();
    if (decoded === null) return null;
    // A frame of the connection before says nothing of this one.
    const shownAt = screen?.isMeasured ? screen.shownAt : null;
    if (shownAt === null || shownAt < this.#receivedAt) return decoded;
    return Math.max(decoded, this.#environment.now() - shownAt);
  }

  /**
   * @returns {number | null} ms since a frame last came out of the decoder; null before the first
   */
  #decodedAge() {
    const now = this.#environment.now();
    // The browser forgets a source after some seconds of silence (W3C WebRTC, section 5.3).
    for (const { timestamp } of this.#receiver?.getSynchronizationSources() ?? []) {
      if (timestamp <= this.#decodedTimestamp) continue;
      this.#decodedTimestamp = timestamp;
      // It came since the last look: that bounds it where the browser's clock and ours disagree.
      const at = timestamp - this.#environment.timeOrigin;
      this.#decodedAt = Math.min(Math.max(at, this.#lookedAt), now);
    }
    this.#lookedAt = now;
    return this.#decodedAt < 0 ? null : now - this.#decodedAt;
  }

  /**
   * What an application gets: a new value when the state or the path changes, and some times a
   * second for the age and the figures.
   *
   * @param {Picture["state"]} state
   * @param {number | null} ageMs
   * @returns {Picture}
   */
  describe(state, ageMs) {
    const now = this.#environment.now();
    if (now >= this.#figuresDueAt) {
      this.#figuresDueAt = now + FIGURES_MS;
      void this.#count();
    }
    const { path } = this.#figures;
    const isNews = state !== this.#picture.state || path !== this.#picture.path;
    const isOld = state === "stale" || state === "frozen";
    const updateMs = isOld ? OLD_UPDATE_MS : UPDATE_MS;
    if (!isNews && now - this.#pictureAt < updateMs) return this.#picture;
    this.#pictureAt = now;
    const age = state === "none" || ageMs === null ? null : Math.round(ageMs);
    return (this.#picture = Object.freeze({ ...this.#figures, state, ageMs: age }));
  }

  async #count() {
    const stats = await this.#connection.getStats().catch(() => null);
    if (stats === null) return;
    /** @type {any[]} */
    const reports = [...stats.values()];
    const videos = reports.filter(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    const id = this.#receiver?.track?.id;
    const video = videos.find(({ trackIdentifier }) => trackIdentifier === id) ?? videos[0];
    const counted = video && {
      at: this.#environment.now(),
      bytes: video.bytesReceived ?? 0,
      packets: video.packetsReceived ?? 0,
      lost: video.packetsLost ?? 0,
      frames: video.framesDecoded ?? 0,
    };
    this.#figures = {
      ...figuresBetween(this.#counted, counted),
      freezes: video?.freezeCount ?? null,
      path: pathOf(reports, this.#connection.remoteDescription?.sdp),
    };
    this.#counted = counted ?? null;
  }
}

/** @typedef {{at: number, bytes: number, packets: number, lost: number, frames: number}} Counts */

/**
 * @param {Counts | null} before
 * @param {Counts | undefined} after
 * @returns {Pick<Picture, "fps" | "kbps" | "lossPct">}
 */
export function figuresBetween(before, after) {
  if (!before || !after || after.at <= before.at) return { fps: null, kbps: null, lossPct: null };
  const ms = after.at - before.at;
  // Late packets are taken back from those that were lost.
  const lost = Math.max(0, after.lost - before.lost);
  const expected = lost + after.packets - before.packets;
  return {
    fps: Math.round(((after.frames - before.frames) * 1_000) / ms),
    kbps: Math.round(((after.bytes - before.bytes) * 8) / ms),
    lossPct: expected > 0 ? Math.round((lost * 1_000) / expected) / 10 : 0,
  };
}

/**
 * Whether media goes through a TURN server.
 *
 * @param {any[]} reports of `getStats`
 * @param {string} [sdp] the robot's description with its candidates so far
 * @returns {Picture["path"]} null while no path is chosen, or its ends are not reported
 */
export function pathOf(reports, sdp = "") {
  const chosen = reports.find(({ type }) => type === "transport")?.selectedCandidatePairId;
  // Firefox has no such field, and marks the pair.
  const pair = reports.find(
    ({ type, id, selected }) => type === "candidate-pair" && (id === chosen || selected === true),
  );
  const [local, remote] = [pair?.localCandidateId, pair?.remoteCandidateId].map((end) =>
    reports.find(({ id }) => id === end),
  );
  if (!pair || !local || !remote) return null;
  // A check that overtakes the candidate which it comes from makes that `prflx` (RFC 8445, section
  // 7.3.1.3), a relay's too, and Firefox leaves it so.
  const isRelay =
    [local, remote].some(({ candidateType }) => candidateType === "relay") ||
    relaysOf(sdp).includes(`${remote.address} ${remote.port}`);
  return isRelay ? "relay" : "direct";
}

/**
 * @param {string} sdp
 * @returns {string[]} the address and the port of each relay (RFC 8839, section 5.1)
 */
const relaysOf = (sdp) =>
  [...sdp.matchAll(/a=candidate:\S+ \d+ \S+ \d+ (\S+ \d+) typ relay\b/g)].map(
    ([, relay = ""]) => relay,
  );
