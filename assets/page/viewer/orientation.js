// How the patient lies in an image: the letters at its left and right side, and a tag for what they do not say.

/** @import { Orientation, Sides } from "../types" */

const ASSUMED = "Assumed, for the file does not say: films are hung with the patient's right on the left.";
const SAID = "By the file.";
const OTHER = { left: "right", right: "left" };
const LETTERS = { patient_right: ["R", "L"], patient_front: ["A", "P"] };
const EYES = { right: "OD, right eye", left: "OS, left eye" };

/** @type {(orientation: Orientation | null) => Sides} */
export function sidesOf(orientation) {
  const sides = { left: "", right: "", assumed: false, tag: "", hint: "" };
  if (!orientation) return sides;
  const { view, eye, source } = orientation, axis = view === "lateral" ? "patient_front" : "patient_right", side = orientation[axis];
  if (side) [sides[side], sides[OTHER[side]]] = LETTERS[axis];
  sides.assumed = source === "assumed";
  sides.hint = sides.assumed ? ASSUMED : SAID;
  sides.tag = EYES[eye] ?? (view === "lateral" ? "lateral" : sides.left === "L" ? "mirrored" : "");
  return sides;
}
