/**
 * Requests that wait for their replies, which `replyTo` names.
 */

import { SignalingError, closedError } from "../errors.js";

/** @import { ErrorFrame, Frame, OutFrame } from "../types.js" */
/** @import { Environment } from "../environment.js" */
/** @typedef {{resolve: (reply: Frame) => void, reject: (error: Error) => void, frame: OutFrame, via: object | null, timer: unknown}} Request `via`: the socket that it was sent over */

const REPLY_MS = 10_000;
const LOST = "The connection to the server was lost before it answered. Try again.";

export class Requests {
  #environment;
  #send;
  #lastId = 0;
  /** @type {Map<string, Request>} */
  #open = new Map();

  /**
   * @param {Environment} environment
   * @param {(frame: OutFrame) => void} send over the current socket; throws for a frame that cannot be sent
   */
  constructor(environment, send) {
    this.#environment = environment;
    this.#send = send;
  }

  /**
   * Send a request over the socket `via`, or with the next `submit` without one. It has 10 s from now
   * in both cases.
   *
   * @param {OutFrame} frame
   * @param {object | null} via
   * @returns {Promise<Frame>}
   */
  send(frame, via) {
    const id = `r${(this.#lastId += 1)}`;
    return new Promise((resolve, reject) => {
      const late = `The server has not answered ${frame.type} within ${REPLY_MS / 1000} seconds. Try again.`;
      const timer = this.#environment.setTimeout(() => this.#refuse(id, "timeout", late), REPLY_MS);
      this.#open.set(id, { resolve, reject, timer, via: null, frame: { ...frame, id } });
      if (via !== null) this.submit(via);
    });
  }

  /**
   * Send whatever waits for a connection.
   *
   * @param {object} via the socket that it goes over
   */
  submit(via) {
    for (const [id, request] of [...this.#open]) {
      if (request.via !== null) continue;
      try {
        this.#send(request.frame);
        request.via = via;
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
    const request =
      "replyTo" in frame && frame.replyTo !== undefined ? this.#take(frame.replyTo) : undefined;
    if (frame.type === "error") request?.reject(new SignalingError(frame));
    else request?.resolve(frame);
    return request !== undefined;
  }

  /**
   * A socket is gone, and with it the replies to what was sent over it.
   *
   * @param {object} socket
   */
  lose(socket) {
    for (const [id, { via }] of [...this.#open])
      if (via === socket) this.#refuse(id, "offline", LOST);
  }

  /**
   * Whether every reply that is still awaited comes over this socket.
   *
   * @param {object | null} socket
   */
  areAllOn(socket) {
    return [...this.#open.values()].every(({ via }) => via === null || via === socket);
  }

  /** The application has closed the connection. */
  close() {
    for (const id of [...this.#open.keys()]) this.#take(id)?.reject(closedError());
  }

  /**
   * @param {string} id
   * @returns {Request | undefined} no longer open
   */
  #take(id) {
    const request = this.#open.get(id);
    this.#open.delete(id);
    this.#environment.clearTimeout(request?.timer);
    return request;
  }

  /**
   * @param {string} id
   * @param {string} code
   * @param {string} message
   */
  #refuse(id, code, message) {
    this.#take(id)?.reject(new SignalingError({ code, message }));
  }
}

/**
 * The error frame that explains a failed request.
 *
 * @param {unknown} error
 * @returns {ErrorFrame}
 */
export function frameOf(error) {
  if (error instanceof SignalingError) {
    const { code, message, robotId, controlledBy, you } = error;
    return { type: "error", code, message, robotId, controlledBy, you };
  }
  return { type: "error", code: "bad_message", message: String(error) };
}
