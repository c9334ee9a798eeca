// A shape of the viewer as it is stored, and back: { box: [x, y, width, height] } or { outline: [[x, y], …] }, in pixels of the image.

import { boxAround } from "../viewer/shapes.js";
/** @import { Region, Shape } from "../types" */

const round = (value) => Math.round(100 * value) / 100;

/** @param {Shape} shape @returns {Region} */
export function toRegion({ x, y, width, height, rings }) {
  return rings?.[0].length > 2 ? { outline: rings[0].map((point) => point.map(round)) } : { box: [x, y, width, height].map(round) };
}

/** @param {Region} region @returns {Shape} */
export function toShape({ box, outline }) {
  if (outline) return { kind: "outline", ...boxAround(outline), rings: [outline] };
  const [x, y, width, height] = box;
  return { kind: "box", x, y, width, height };
}
