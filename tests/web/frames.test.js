/** What is believed of the server, and what is never sent to it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hasExpired } from "../../web/robosignal/connection/token-policy.js";
import { FRAME_BYTES, encodeFrame, parseFrame } from "../../web/robosignal/frames.js";
import { SignalingError } from "../../web/robosignal/index.js";

const jwt = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;

test("a frame of a known type with all that it needs is read", () => {
  const frame = { type: "control", robotId: "demo", epoch: 3 };

  assert.deepEqual(parseFrame(JSON.stringify(frame)), frame);
});

const IGNORED = {
  "no JSON": "{",
  "no text": new ArrayBuffer(2),
  "a list": "[]",
  null: "null",
  "an unknown type": '{"type":"presence-of-mind"}',
  "a type that every object inherits": '{"type":"constructor"}',
  "a type that is no string": '{"type":7}',
  "a push without its epoch": '{"type":"control","robotId":"demo"}',
  "an epoch that is a text": '{"type":"control","robotId":"demo","epoch":"3"}',
  "a person without an id":
    '{"type":"control-lost","robotId":"demo","epoch":1,"by":{"name":"Alice"}}',
  "a payload that is a text": '{"type":"answer","robotId":"demo","payload":"v=0"}',
  "a robot without presence": '{"type":"robots","robots":[{"robotId":"demo"}]}',
  "a reply to something odd": '{"type":"ack","replyTo":{}}',
};

for (const [what, data] of Object.entries(IGNORED)) {
  test(`ignored: ${what}`, () => {
    assert.equal(parseFrame(data), null);
  });
}

test("API Gateway's own frame, which has no type, is an internal error", () => {
  const frame = parseFrame(
    '{"message":"Internal server error","connectionId":"c=","requestId":"r="}',
  );

  assert.equal(frame?.type, "error");
  assert.equal(frame?.code, "internal");
});

test("a frame of exactly 32 KiB is sent", () => {
  const frame = { type: "offer", payload: "" };
  frame.payload = "x".repeat(FRAME_BYTES - JSON.stringify(frame).length);

  assert.equal(encodeFrame(frame).length, FRAME_BYTES);
});

test("a frame over 32 KiB, counted in bytes, is refused with the limit in the sentence", () => {
  const frame = { type: "offer", payload: "é".repeat(FRAME_BYTES / 2) };

  assert.throws(
    () => encodeFrame(frame),
    (error) =>
      error instanceof SignalingError &&
      error.code === "too_large" &&
      error.message.includes("32768"),
  );
});

test("a token is over from its exp on", () => {
  assert.equal(hasExpired(jwt({ exp: 100 }), 99_999), false);
  assert.equal(hasExpired(jwt({ exp: 100 }), 100_000), true);
});

test("a token that cannot be read is left to the server to judge", () => {
  assert.equal(hasExpired("opaque", 0), false);
  assert.equal(hasExpired(jwt({}), 0), false);
});
