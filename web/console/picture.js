/**
 * Says over the video how old the picture is, and marks figures that are old themselves.
 */

import { pictureSentence } from "./banner.js";
import { at, write } from "./draw.js";

/** @typedef {import("../robosignal/index.js").View} View */

/** The module measures the round trip once a second; a robot that is not heard at all has none. */
const RTT_OLD_MS = 2_500;

let rttAt = -Infinity;

/** The round trip was measured just now. */
export function noteRtt() {
  rttAt = performance.now();
}

/**
 * @param {View | null} view
 */
export function drawPicture(view) {
  const picture = view?.picture ?? null;
  const ageMs = picture?.ageMs ?? null;
  const panel = at("panel");
  panel.dataset.picture = picture?.state ?? "none";
  if (ageMs === null) delete panel.dataset.pictureAgeMs;
  else panel.dataset.pictureAgeMs = String(ageMs);
  const words = picture === null ? null : pictureSentence(picture);
  write("picture-words", words ?? "");
  write("picture-age", words === null || ageMs === null ? "" : seconds(ageMs));
  write("fact-picture", ageMs === null ? "–" : seconds(ageMs));
  write("fact-path", pathFact(picture));
  at("fact-picture").dataset.old = String(words !== null);
  const isRttOld = picture?.state === "frozen" || performance.now() - rttAt > RTT_OLD_MS;
  at("fact-rtt").dataset.old = String(isRttOld);
}

/**
 * @param {number} ms
 */
const seconds = (ms) => (ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`);

/**
 * @param {View["picture"] | null} picture
 */
function pathFact(picture) {
  if (picture === null || picture.path === null) return "–";
  const { path, fps, kbps, lossPct } = picture;
  const figures = fps === null ? [] : [`${fps} fps`, `${kbps} kbit/s`, `${lossPct} % lost`];
  // A line ends between two figures, and not within one.
  return [path === "relay" ? "Relayed" : "Direct", ...figures]
    .map((figure) => figure.replaceAll(" ", "\u00a0"))
    .join("\u00a0· ");
}
