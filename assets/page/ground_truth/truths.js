// What is marked on an image, a truth for each finding, and what files add to it. A truth without a label is a mask that nobody named yet:
// nothing is measured against it.

/** @import { Marks, Shape, Truth } from "../types" */

const key = (/** @type {string} */ label) => label.toLowerCase().replace(/[\s_-]+/g, " ").replace(/s$/, "").trim();

// Whether two labels name the same finding, in whatever letters.
/** @param {string} one @param {string} other */
export const sameFinding = (one, other) => Boolean(one) && key(one) === key(other);

// The truths after files were opened: a table takes the place of what files brought before, masks stand beside it, and of the same finding
// the newer one counts. `kept`: truths that stay anyhow.
/** @param {Truth[]} before @param {Truth[]} found @param {(truth: Truth) => boolean} kept */
export function mergeTruths(before, found, kept) {
  const onlyMasks = found.every((truth) => truth.mask);
  const stay = before.filter((truth) => !kept(truth) && onlyMasks && truth.from && !found.some((each) => sameFinding(each.label, truth.label)));
  return { truths: [...stay, ...found, ...before.filter(kept)], chosen: stay.length };
}

// Gives what a reader marked to the findings it is of; of a mask without a name, to the one chosen. The labels that no finding has come back.
/** @param {Truth[]} truths @param {number} chosen @param {Truth[]} found @returns {string[]} */
export function addReader(truths, chosen, found) {
  const lost = [];
  for (const { label, boxes, polygons, runs, outline } of found) {
    const target = label ? truths.find((truth) => sameFinding(truth.label, label)) : truths[chosen];
    if (target) (target.readers ??= []).push({ boxes, polygons, runs, outline });
    else lost.push(label);
  }
  return lost;
}

// Marks as shapes of the viewer.
/** @param {Marks} marks @returns {Shape[]} */
export function shapesOf({ boxes, outline }) {
  const shapes = boxes.map(([x, y, width, height]) => ({ kind: "box", x, y, width, height }));
  if (outline.length) shapes.push(/** @type {any} */ ({ kind: "outline", rings: outline }));
  return /** @type {any} */ (shapes);
}

// A truth as the server takes it.
/** @param {Truth} truth */
export function entryOf({ label, phrase, boxes, polygons, runs, descriptions, readers = [] }) {
  const marks = readers.map(({ boxes: own, polygons: rings, runs: mask }) => ({ boxes: own, polygons: rings, runs: mask }));
  return { label, phrase, boxes, polygons, runs, descriptions: descriptions ?? null, readers: marks };
}
