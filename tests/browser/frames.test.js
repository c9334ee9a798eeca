// Frames that are chosen faster than they arrive.
import assert from "node:assert/strict";
import { test } from "node:test";

import { newestOnly } from "../../assets/page/viewer/frames.js";

test("of what is wanted while one is on its way only the newest is fetched", async () => {
  const begun = [], arrive = [];
  const choose = newestOnly((frame) => { begun.push(frame); return new Promise((resolve) => arrive.push(resolve)); });
  const done = choose(1);
  for (const frame of [2, 3, 4]) choose(frame);
  assert.deepEqual(begun, [1]);
  arrive[0]();
  await new Promise(setImmediate);
  assert.deepEqual(begun, [1, 4]);
  arrive[1]();
  await done;
  choose(5);
  assert.deepEqual(begun, [1, 4, 5]);
});
