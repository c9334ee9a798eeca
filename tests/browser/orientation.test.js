// The letters at the sides of an image.
import assert from "node:assert/strict";
import { test } from "node:test";

import { sidesOf } from "../../assets/page/viewer/orientation.js";

const NOTHING = { patient_right: null, patient_front: null, view: null, eye: null, source: null };
const shown = (said) => { const { left, right, assumed, tag } = sidesOf({ ...NOTHING, ...said }); return [left, right, assumed, tag]; };

test("the letters are the file's, and assumed only where it says none", () => {
  assert.deepEqual(shown({ patient_right: "left", view: "frontal", source: "assumed" }), ["R", "L", true, ""]);
  assert.deepEqual(shown({ patient_right: "left", view: "frontal", source: "file" }), ["R", "L", false, ""]);
  assert.deepEqual(shown({ patient_right: "right", view: "frontal", source: "file" }), ["L", "R", false, "mirrored"]);
});

test("a lateral film has a front, where the file says so", () => {
  assert.deepEqual(shown({ view: "lateral", source: "file", patient_front: "left" }), ["A", "P", false, "lateral"]);
  assert.deepEqual(shown({ view: "lateral", source: "file", patient_front: "right" }), ["P", "A", false, "lateral"]);
  assert.deepEqual(shown({ view: "lateral", source: "file" }), ["", "", false, "lateral"]);
});

test("an eye is named, and what has no sides has no letters", () => {
  assert.deepEqual(shown({ eye: "right", source: "file" }), ["", "", false, "OD, right eye"]);
  assert.deepEqual(shown({ eye: "left", source: "file" }), ["", "", false, "OS, left eye"]);
  for (const none of [shown({}), Object.values(sidesOf(null)).slice(0, 4)]) assert.deepEqual(none, ["", "", false, ""]);
});
