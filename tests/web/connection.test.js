/** The vectors of the connection, which robot and browser share, and those of a socket that falls silent. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { IDLE, step } from "../../web/robosignal/connection/machine.js";

const read = (name) =>
  JSON.parse(readFileSync(new URL(`../../spec/vectors/${name}.json`, import.meta.url), "utf8"));
const OURS = [...read("connection"), ...read("silence")].filter(({ kind }) => kind !== "robot");

/** The outputs of each step of a vector, in order. */
function play({ random, steps }) {
  let state = IDLE;
  return steps.map(({ at, event }) => {
    const [next, outputs] = step(state, event, at, random);
    state = next;
    return outputs;
  });
}

test("there are vectors to run", () => {
  assert.ok(OURS.length >= 10);
});

for (const vector of OURS) {
  test(`connection: ${vector.name}`, () => {
    assert.deepEqual(
      play(vector),
      vector.steps.map(({ expect }) => expect),
    );
  });
}

test("an event that is none is the caller's fault and throws", () => {
  assert.throws(() => step(IDLE, { type: "elsewhere" }, 0, 0), TypeError);
});
