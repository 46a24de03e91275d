/**
 * The error with which calls reject.
 */

/** @import { Person } from "./types.js" */

/**
 * A request was refused, or could not be made. `code` is one of the protocol's error codes or, made
 * here, `timeout` (no reply in time), `offline` (the connection was lost before the reply), `closed`
 * (after `signal.close()`), `unsupported` (the browser lacks what is needed), `bad_ice_server` (the
 * browser refuses one of those that it was given).
 */
export class SignalingError extends Error {
  /**
   * @param {{code: string, message: string, robotId?: string, controlledBy?: Person, you?: boolean}} refusal
   */
  constructor({ code, message, robotId, controlledBy, you }) {
    super(message);
    this.name = "SignalingError";
    this.code = code;
    this.robotId = robotId;
    this.controlledBy = controlledBy;
    this.you = you ?? false;
  }
}

/** The error of each call after `close()`. */
export const closedError = () =>
  new SignalingError({
    code: "closed",
    message: "The connection to the server was closed by this page. Connect again.",
  });

/**
 * @param {never} impossible
 * @returns {never}
 */
export function unreachable(impossible) {
  throw new TypeError(`no such event: ${JSON.stringify(impossible)}`);
}
