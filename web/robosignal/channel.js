/**
 * A channel for messages of the application's own, texts and bytes, both ways and in order.
 */

import { Emitter } from "./emitter.js";

/** @import { ChannelEvents } from "./types.js" */

/**
 * A channel that the robot has declared. It lasts as long as its session, through new peer
 * connections; a message that is sent while there is none is lost. `session.channel` returns one.
 *
 * @extends {Emitter<ChannelEvents>}
 */
export class Channel extends Emitter {
  #publish;

  /**
   * @internal
   * @param {string} name
   * @param {(data: string | ArrayBuffer | ArrayBufferView) => boolean} publish
   * @param {(error: unknown) => void} report
   */
  constructor(name, publish, report) {
    super(report);
    this.#publish = publish;
    /**
     * Its name.
     *
     * @type {string}
     * @readonly
     */
    this.name = name;
  }

  /**
   * Send a message to the robot's program. The robot takes it from the driver, and from those who watch
   * only if it says so; else the event `refused` tells.
   *
   * @param {string | ArrayBuffer | ArrayBufferView} data at most as many bytes as `session.send` takes
   * @returns {boolean} whether it was sent: `false` if the channel isn't open, or is full
   * @throws {SignalingError} `too_large`
   */
  publish(data) {
    return this.#publish(data);
  }
}
