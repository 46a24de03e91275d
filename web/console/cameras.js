/**
 * Shows a robot's further cameras over its picture: small, and large when they are pressed.
 */

import { at, each } from "./draw.js";

/** @typedef {import("../robosignal/index.js").Session} Session */

/** @type {{key: string, track: MediaStreamTrack}[]} */
const NONE = [];

/**
 * Show the further cameras of a session until the function that this returns is called.
 *
 * @param {Session} session
 * @returns {() => void}
 */
export function attachCameras(session) {
  const draw = () => {
    const [, ...further] = session.declaration?.cameras ?? [];
    const shown = further.flatMap((name) => {
      const track = Object.hasOwn(session.tracks, name) ? session.tracks[name] : undefined;
      return track ? [{ key: name, track }] : [];
    });
    each(at("cameras"), shown, "camera", newCamera, show);
  };
  const unlisten = [session.on("tracks", draw), session.on("declaration", draw)];
  draw();
  return () => {
    for (const stop of unlisten) stop();
    each(at("cameras"), NONE, "camera", newCamera, show);
  };
}

/**
 * @param {{key: string, track: MediaStreamTrack}} camera
 */
function newCamera({ key }) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const video = document.createElement("video");
  const label = document.createElement("span");
  Object.assign(video, { autoplay: true, muted: true, playsInline: true });
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-label", `Camera ${key}, large`);
  label.textContent = key;
  button.append(video, label);
  button.addEventListener("click", () => {
    const isLarge = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!isLarge));
  });
  item.append(button);
  return item;
}

/**
 * @param {HTMLElement} item
 * @param {{key: string, track: MediaStreamTrack}} camera
 */
function show(item, { track }) {
  const video = /** @type {HTMLVideoElement} */ (item.querySelector("video"));
  const shown = /** @type {MediaStream | null} */ (video.srcObject);
  if (shown?.getVideoTracks()[0] !== track) video.srcObject = new MediaStream([track]);
}
