/**
 * When a session goes along to another connection: between its requests, so that each is answered
 * where it was sent, and before what comes after. It never knows what they ask.
 */

import { SignalingError } from "../errors.js";

/** A move that takes longer than a reply may take is not waited for. */
const PATIENCE_MS = 10_000;
const LATE = "The session has not moved to the new connection in time. Try again.";

export class Moving {
  #isMoving;
  #move;
  #report;
  #awaited = 0;
  #isToMove = false;
  /** @type {{resolve: () => void, reject: (error: Error) => void, until: number}[]} */
  #patient = [];
  /** @type {(() => void)[]} */
  #idle = [];

  /**
   * @param {() => boolean} isMoving
   * @param {() => void} move
   * @param {(isSettled: boolean) => void} report whether all that stands on the server stands on the current connection
   */
  constructor(isMoving, move, report) {
    this.#isMoving = isMoving;
    this.#move = move;
    this.#report = report;
  }

  /** Move as soon as no reply is awaited. */
  begin() {
    this.#isToMove = true;
    this.#moveIfClear();
    this.#tell();
  }

  /**
   * It may have moved, or take too long: who waits for that goes on.
   *
   * @param {number} now ms
   */
  look(now) {
    const patient = this.#patient.splice(0);
    if (!this.#isMoving()) return patient.forEach(({ resolve }) => resolve());
    for (const one of patient)
      now < one.until
        ? this.#patient.push(one)
        : one.reject(new SignalingError({ code: "timeout", message: LATE }));
  }

  /**
   * Wait until the server knows the session on the current connection.
   *
   * @param {number} now ms, of the clock that `look` is told
   * @throws {SignalingError} `timeout`
   */
  async moved(now) {
    const until = now + PATIENCE_MS;
    while (this.#isMoving())
      await new Promise((/** @type {(moved: void) => void} */ resolve, reject) =>
        this.#patient.push({ resolve, reject, until }),
      );
  }

  /**
   * @returns {Promise<void> | null} resolves once no reply is awaited; null when none is
   */
  idle() {
    if (this.#awaited === 0) return null;
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /**
   * @param {() => Promise<void>} work that awaits a reply
   */
  async during(work) {
    this.#awaited += 1;
    this.#tell();
    try {
      await work();
    } finally {
      this.#awaited -= 1;
      this.#moveIfClear();
      this.#tell();
      if (this.#awaited === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  #tell() {
    this.#report(!this.#isMoving() && this.#awaited === 0);
  }

  #moveIfClear() {
    if (!this.#isToMove || this.#awaited > 0) return;
    this.#isToMove = false;
    this.#move();
  }
}
