/**
 * Requests that await their replies, matched by `replyTo`. It owns their ids and their patience; it
 * never knows what they ask.
 */

import { SignalingError } from "./words.js";

/** @import { Frame, OutFrame } from "./words.js" */
/** @import { World } from "./world.js" */
/** @typedef {{resolve: (reply: Frame) => void, reject: (error: Error) => void, frame: OutFrame, sent: boolean, timer: unknown}} Request */

const REPLY_MS = 10_000;
const LOST = "The connection to the server was lost before it answered. Try again.";

export class Requests {
  #world;
  #send;
  #lastId = 0;
  /** @type {Map<string, Request>} */
  #open = new Map();

  /** @param {World} world @param {(frame: OutFrame) => void} send throws for a frame that cannot be sent */
  constructor(world, send) {
    this.#world = world;
    this.#send = send;
  }

  /**
   * Make a request; it is sent now if `isOnline`, else by the next `submit`. Patience counts from
   * now in both cases.
   *
   * @param {OutFrame} frame
   * @param {boolean} isOnline
   * @returns {Promise<Frame>}
   */
  make(frame, isOnline) {
    const id = `r${(this.#lastId += 1)}`;
    return new Promise((resolve, reject) => {
      const late = `The server has not answered ${frame.type} within ${REPLY_MS / 1000} seconds. Try again.`;
      const timer = this.#world.setTimeout(() => this.#refuse(id, "timeout", late), REPLY_MS);
      this.#open.set(id, { resolve, reject, timer, sent: false, frame: { ...frame, id } });
      if (isOnline) this.submit();
    });
  }

  /** Send whatever waits for a connection. */
  submit() {
    for (const [id, request] of [...this.#open]) {
      if (request.sent) continue;
      try {
        this.#send(request.frame);
        request.sent = true;
      } catch (error) {
        this.#take(id)?.reject(/** @type {Error} */ (error));
      }
    }
  }

  /**
   * Whether a frame is the reply to one of these requests, which it settles then.
   *
   * @param {Frame} frame
   */
  settle(frame) {
    const request = "replyTo" in frame && frame.replyTo !== undefined ? this.#take(frame.replyTo) : undefined;
    if (frame.type === "error") request?.reject(new SignalingError(frame));
    else request?.resolve(frame);
    return request !== undefined;
  }

  /** The connection is gone, and with it the replies to what was sent. */
  lose() {
    for (const [id, { sent }] of [...this.#open]) if (sent) this.#refuse(id, "offline", LOST);
  }

  /** Nobody will connect any more. */
  abandon() {
    for (const id of [...this.#open.keys()]) this.#refuse(id, "offline", LOST);
  }

  /** @param {string} id @returns {Request | undefined} no longer open */
  #take(id) {
    const request = this.#open.get(id);
    this.#open.delete(id);
    this.#world.clearTimeout(request?.timer);
    return request;
  }

  /** @param {string} id @param {string} code @param {string} message */
  #refuse(id, code, message) {
    this.#take(id)?.reject(new SignalingError({ code, message }));
  }
}
