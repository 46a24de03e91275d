/**
 * Plays the robot's sound, and has the driver speak through the robot while a button is held.
 */

import { at, showNotice } from "./draw.js";

/** @typedef {import("../robosignal/index.js").Session} Session */

const NO_MICROPHONE = "No one hears you: the browser has no microphone, or may not use it.";

/**
 * Play the sound of a session, and show the button to talk if the robot has a loudspeaker, until the
 * function that this returns is called.
 *
 * @param {Session} session
 * @returns {() => void}
 */
export function attachSound(session) {
  const abort = new AbortController();
  const audio = new Audio();
  const button = /** @type {HTMLButtonElement} */ (at("talk"));
  /** @type {MediaStreamTrack | null} */
  let microphone = null;
  let isHeld = false;
  const play = () => {
    if (session.sound === null) return;
    audio.srcObject = new MediaStream([session.sound]);
    // A browser that wants a press first plays it with the next new connection.
    void audio.play().catch(() => {});
  };
  const draw = () => {
    button.hidden = session.declaration?.talkBack !== true;
    button.disabled = session.view.role !== "controller" || session.view.state !== "live";
    if (button.disabled) hush();
  };
  const hush = () => {
    isHeld = false;
    session.talk(null);
    // The browser shows that the microphone is on as long as it is open.
    microphone?.stop();
    microphone = null;
    button.dataset.talking = "false";
  };
  const talk = async () => {
    isHeld = true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      microphone = stream.getAudioTracks()[0] ?? null;
    } catch {
      return showNotice(NO_MICROPHONE);
    }
    if (!isHeld || !session.talk(microphone)) return hush();
    button.dataset.talking = "true";
  };
  const { signal } = abort;
  button.addEventListener("pointerdown", ({ button: which }) => void (which === 0 && talk()), {
    signal,
  });
  button.addEventListener(
    "keydown",
    ({ key, repeat }) => void (key === "Enter" && !repeat && talk()),
    {
      signal,
    },
  );
  for (const type of ["pointerup", "pointercancel", "pointerleave", "keyup", "blur"])
    button.addEventListener(type, hush, { signal });
  const unlisten = [
    session.on("sound", play),
    session.on("declaration", draw),
    session.on("view", draw),
  ];
  play();
  draw();
  return () => {
    abort.abort();
    for (const stop of unlisten) stop();
    hush();
    audio.srcObject = null;
    button.hidden = true;
  };
}
