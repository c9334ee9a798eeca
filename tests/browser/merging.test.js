// Two coordinators change one study at once.

import assert from "node:assert/strict";
import test from "node:test";

import { conflicting, differing, merge } from "../../assets/page/study_editor/merging.js";

const BEFORE = { title: "A", repeats: 0, cases: [{ id: "c1" }] };

test("what only one side changed is put together, and nobody has to choose", () => {
  const mine = { ...BEFORE, title: "Mine" }, theirs = { title: "A", cases: [{ id: "c1" }, { id: "c2" }] };
  assert.deepEqual(differing(BEFORE, theirs), ["repeats", "cases"]);
  assert.deepEqual(conflicting(BEFORE, mine, theirs), []);
  assert.deepEqual(merge(BEFORE, mine, theirs), { title: "Mine", cases: [{ id: "c1" }, { id: "c2" }] });
});

test("of what both changed mine stands, and it is said what that is", () => {
  const mine = { ...BEFORE, title: "Mine", repeats: 1 }, theirs = { ...BEFORE, title: "Theirs" };
  assert.deepEqual(conflicting(BEFORE, mine, theirs), ["title"]);
  assert.deepEqual(merge(BEFORE, mine, theirs), { ...BEFORE, title: "Mine", repeats: 1 });
});

test("one's own save whose reply was lost is no conflict", () => {
  const mine = { ...BEFORE, title: "Mine" };
  assert.deepEqual(conflicting(BEFORE, mine, structuredClone(mine)), []);
});
