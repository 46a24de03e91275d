/**
 * When a session goes along to another connection: between its requests, so that each is answered
 * where it was sent, and before what comes after. It never knows what they ask.
 */

export class Moving {
  #isMoving;
  #move;
  #report;
  #awaited = 0;
  #isToMove = false;
  /** @type {(() => void)[]} */
  #patient = [];

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

  /** It may have moved: who waits for that goes on. */
  look() {
    if (!this.#isMoving()) for (const resolve of this.#patient.splice(0)) resolve();
  }

  /** Wait until the server knows the session on the current connection. */
  async moved() {
    while (this.#isMoving()) await new Promise((/** @type {(moved: void) => void} */ resolve) => this.#patient.push(resolve));
  }

  /** @param {() => Promise<void>} work that awaits a reply */
  async during(work) {
    this.#awaited += 1;
    this.#tell();
    try {
      await work();
    } finally {
      this.#awaited -= 1;
      this.#moveIfClear();
      this.#tell();
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
