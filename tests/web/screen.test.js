/** The element that shows the picture, by hand: its frames, its page and its clock are the test's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PictureGauge, Screen } from "../../web/robosignal/picture.js";

/** A video element in a page; `options` leave out what an older browser does not have. */
function onScreen({ measures = true } = {}) {
  const clock = { time: 1_000 };
  const environment = { now: () => clock.time, timeOrigin: 0 };
  const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const video = { ownerDocument: page, srcObject: null, paused: false, plays: 0, callbacks: [] };
  video.play = () => ((video.plays += 1), Promise.resolve());
  if (measures) {
    video.requestVideoFrameCallback = (callback) => video.callbacks.push(callback);
    video.cancelVideoFrameCallback = (number) => delete video.callbacks[number - 1];
  }
  const screen = new Screen(video, environment);
  const turn = (state) => {
    page.visibilityState = state;
    page.dispatchEvent(new Event("visibilitychange"));
  };
  /** The browser shows a frame. */
  const frame = () => video.callbacks.splice(-1, 1, undefined)[0]?.();
  return { screen, video, clock, environment, page, turn, frame };
}

/** A gauge whose decoder gives a frame at each of these times. */
function gaugeOf(environment, sources) {
  const gauge = new PictureGauge({ getStats: async () => new Map() }, environment);
  gauge.receive({ getSynchronizationSources: () => sources });
  return gauge;
}

test("each frame that the element shows is noted, and the next one awaited", () => {
  const { screen, clock, frame } = onScreen();
  const before = screen.shownAt;
  frame();
  const first = screen.shownAt;
  clock.time = 1_040;
  frame();

  assert.deepEqual([before, first, screen.shownAt], [null, 1_000, 1_040]);
  assert.equal(screen.isMeasured, true);
});

test("a browser that does not tell which frames it shows measures nothing, and fails at nothing", () => {
  const { screen } = onScreen({ measures: false });

  assert.equal(screen.isMeasured, false);
  screen.close();
});

test("a hidden page shows no frames: none counts as missed, nor in the moment after its return", () => {
  const { screen, clock, turn, frame } = onScreen();
  frame();
  turn("hidden");
  clock.time = 59_000;
  const { isMeasured } = screen;
  clock.time = 60_000;
  turn("visible");

  assert.equal(isMeasured, false);
  assert.deepEqual([screen.isMeasured, screen.shownAt], [true, 60_000]);
});

test("in a hidden page the age is that of the last decoded frame", () => {
  const { screen, clock, environment, turn, frame } = onScreen();
  const sources = [{ timestamp: 1_000 }];
  const gauge = gaugeOf(environment, sources);
  frame();
  const seen = gauge.age(screen);
  turn("hidden");
  clock.time = 5_000;
  sources[0] = { timestamp: 4_950 };
  const hidden = gauge.age(screen);
  turn("visible");
  clock.time = 5_010;

  assert.deepEqual([seen, hidden, gauge.age(screen)], [0, 50, 60]);
});

test("a video that no longer shows what is decoded is as old as what it shows", () => {
  const { screen, clock, environment, frame } = onScreen();
  const sources = [{ timestamp: 1_000 }];
  const gauge = gaugeOf(environment, sources);
  frame();
  gauge.age(screen);
  clock.time = 3_000;
  sources[0] = { timestamp: 3_000 };

  assert.equal(gauge.age(screen), 2_000);
});

test("a frame of the connection before says nothing of this one", () => {
  const { screen, clock, environment, frame } = onScreen();
  frame();
  clock.time = 9_000;
  const gauge = gaugeOf(environment, [{ timestamp: 9_000 }]);

  assert.equal(gauge.age(screen), 0);
});

test("a page that comes back plays a video that the browser has paused, and no other", () => {
  const { video, turn } = onScreen();
  turn("visible");
  video.paused = true;
  turn("hidden");
  const before = video.plays;
  turn("visible");

  assert.deepEqual([before, video.plays], [0, 1]);
});

test("a browser that refuses to play is no error", async () => {
  const { video, turn } = onScreen();
  video.paused = true;
  video.play = () => Promise.reject(new Error("not allowed"));
  turn("visible");

  await new Promise((resolve) => setImmediate(resolve));
});

test("a stream is set once, and a closed screen awaits and plays nothing", () => {
  const { screen, video, clock, turn, frame } = onScreen();
  let sets = 0;
  const kept = { stream: null };
  Object.defineProperty(video, "srcObject", {
    get: () => kept.stream,
    set: (stream) => {
      kept.stream = stream;
      sets += 1;
    },
  });
  const stream = {};
  screen.show(stream);
  screen.show(stream);
  screen.close();
  clock.time = 2_000;
  frame();
  video.paused = true;
  turn("visible");

  assert.deepEqual([kept.stream, sets, screen.shownAt, video.plays], [stream, 1, null, 0]);
});
