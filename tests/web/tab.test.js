/** What the tab keeps, where the browser lets it, denies it, or runs out. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Cognito, SignInError } from "../../web/console/cognito.js";
import { TabStorage, readStored } from "../../web/console/tab.js";

/** A browser's storage that holds so many characters. */
function limited(room) {
  const kept = new Map();
  const size = () => [...kept].reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return {
    kept,
    getItem: (key) => kept.get(key) ?? null,
    removeItem: (key) => void kept.delete(key),
    setItem: (key, value) => {
      if (size() + key.length + value.length > room)
        throw new DOMException("full", "QuotaExceededError");
      kept.set(key, value);
    },
  };
}

const denied = () => {
  throw new DOMException("denied", "SecurityError");
};

test("what the browser takes is kept there", () => {
  const storage = limited(100);
  const tab = new TabStorage(() => storage);
  tab.setItem("a", "1");

  assert.deepEqual(
    [tab.getItem("a"), tab.getItem("b"), storage.kept.get("a"), tab.isLasting],
    ["1", null, "1", true],
  );
});

test("what the browser denies is kept in memory, and said to be so", () => {
  const tab = new TabStorage(denied);
  tab.setItem("a", "1");
  const before = tab.getItem("a");
  tab.removeItem("a");

  assert.deepEqual([before, tab.getItem("a"), tab.isLasting], ["1", null, false]);
});

test("what is too much is kept in memory, and the value before it does not come back", () => {
  const storage = limited(10);
  const tab = new TabStorage(() => storage);
  tab.setItem("a", "old");
  tab.setItem("a", "x".repeat(20));
  const [value, isLasting] = [tab.getItem("a"), tab.isLasting];
  tab.setItem("a", "new");

  assert.deepEqual(
    [value.length, isLasting, tab.getItem("a"), tab.isLasting, storage.kept.get("a")],
    [20, false, "new", true, "new"],
  );
});

for (const text of ["no json", "7", '"text"', "true", "null", ""]) {
  test(`what is stored and is no object is nothing: ${text}`, () => {
    assert.equal(readStored({ getItem: () => text }, "a"), null);
  });
}

test("a sign-in that could not come back is not begun", async () => {
  const world = { storage: new TabStorage(denied), now: () => 0, mint: () => "m", fetch: denied };
  const cognito = new Cognito(
    { origin: "https://pool.example", clientId: "c" },
    "https://console.example/",
    world,
  );

  await assert.rejects(
    cognito.begin(),
    (error) =>
      error instanceof SignInError && error.message.includes("keeps nothing for this page"),
  );
});
