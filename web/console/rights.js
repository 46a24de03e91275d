/**
 * What the console says of rights to a robot: a share, an end, a refusal in, sentences out.
 */

import { quote, sentence } from "./banner.js";

/** @typedef {import("../robosignal/index.js").Share} Share */

const END = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

/** By which name a form calls a field of the protocol, and which of its inputs that is. */
const FIELDS = {
  userId: ["The user id", "id"],
  group: ["The group", "id"],
  until: ["The end", "until"],
  role: ["The right", "role"],
  uses: ["The number of people", "uses"],
  ttlSeconds: ["The time", "hours"],
  code: ["The code", "code"],
};

/**
 * A date and time with its zone, so that it is never read as another one.
 *
 * @param {number} time epoch ms
 */
export const endWords = (time) => END.format(time);

/**
 * What an input of the type `datetime-local` has for a time: local time, to the minute.
 *
 * @param {number} time epoch ms
 */
export function toLocalInput(time) {
  const date = new Date(time);
  const local = new Date(time - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/**
 * Whom a share is with. People choose the names of groups too, so both are marked.
 *
 * @param {Share} share
 */
export const granteeOf = ({ userId, group }) =>
  group === undefined
    ? quote({ userId: String(userId) })
    : `Everyone in the group ${quote({ userId: group })}`;

/**
 * What a share gives, in words.
 *
 * @param {Share} share
 * @param {number} now epoch ms
 */
export function rightSentence({ role, until, offered }, now) {
  const may = role === "viewer" ? "watch" : "drive";
  if (until !== undefined && until <= now) return `Ended ${endWords(until)}.`;
  const end = until === undefined ? "" : ` until ${endWords(until)}`;
  return offered ? `Offered, not accepted yet: may ${may}${end}.` : `May ${may}${end}.`;
}

/**
 * What happens when a share ends.
 *
 * @param {Share} share
 * @param {string} robotId
 */
export const endWarning = (share, robotId) =>
  `${granteeOf(share)} loses this right to ${robotId} at once, and the sessions by it end, even one that drives.`;

/**
 * The link that brings a code to this console. The code is in the fragment, which no browser sends to
 * a server.
 *
 * @param {string} page the console's address
 * @param {string} code
 */
export const linkOf = (page, code) => `${page}#${new URLSearchParams({ accept: code })}`;

/**
 * How long an invitation lasts, and for whom.
 *
 * @param {number} expiresAt epoch ms
 * @param {number} uses
 */
export const inviteEnds = (expiresAt, uses) =>
  `It lasts until ${endWords(expiresAt)}, for ${uses === 1 ? "one person" : `${uses} people`}, and is not shown again.`;

/**
 * A refusal, with the input that it is about; null for one that is about none.
 *
 * @param {string} message the server's
 * @returns {{where: string | null, words: string}}
 */
export function readRefusal(message) {
  const [, name, problem] = /^(\w+): (.*)$/s.exec(message) ?? [];
  if (name === undefined || !Object.hasOwn(FIELDS, name))
    return { where: null, words: sentence(message) };
  const [label, where] = /** @type {[string, string]} */ (
    FIELDS[/** @type {keyof FIELDS} */ (name)]
  );
  return { where, words: sentence(`${label} ${problem}`) };
}
