// A shape is { id, kind, x, y, width, height, label?, rings?, rating? }, in pixels of the image; `rings` of an outline are lists of [x, y], the
// first ring the outer one. A measure's rings are its lines: a ruler's two points, an angle's three, a ratio's two lines, an area's
// outline. Shapes are never changed, only replaced, so a list of them can be kept for undo.

/** @import { Box, Point, Shape } from "../types" */

export const LINES = ["ruler", "angle", "ratio"];   // measures made of lines, which have a handle at each point
const MEASURES = [...LINES, "area"];

/** @param {Pick<Shape, "kind">} shape */
export const isMeasure = ({ kind }) => MEASURES.includes(kind);
/** @param {Pick<Shape, "kind">} shape */
export const hasLines = ({ kind }) => LINES.includes(kind);

/** @param {Point} first @param {Point} second @returns {Box} */
export function boxOf(first, second) {
  const x = Math.min(first[0], second[0]), y = Math.min(first[1], second[1]);
  return { x, y, width: Math.abs(first[0] - second[0]), height: Math.abs(first[1] - second[1]) };
}

/** @param {Point[]} points @returns {Box} */
export function boxAround(points) {
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  return boxOf([Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]);
}

// The shape with another box around it; an outline is stretched along.
/** @param {Shape} shape @param {Box} box @returns {Shape} */
export function reshape(shape, box) {
  const moved = { ...shape, ...box };
  if (!shape.rings) return moved;
  const across = box.width / (shape.width || 1), down = box.height / (shape.height || 1);
  moved.rings = shape.rings.map((ring) => ring.map(([x, y]) => [box.x + (x - shape.x) * across, box.y + (y - shape.y) * down]));
  return moved;
}

/** @param {Shape} shape */
export function pathOf(shape) {
  const { x, y, width, height } = shape;
  const rings = shape.rings ?? [[[x, y], [x + width, y], [x + width, y + height], [x, y + height]]];
  return rings.map((ring) => `M${ring.map(([px, py]) => `${px.toFixed(2)} ${py.toFixed(2)}`).join("L")}${hasLines(shape) ? "" : "Z"}`).join("");
}

// A shape of these rings, with the box around them.
/** @param {Partial<Shape>} shape @param {Point[][]} rings @returns {Shape} */
export const withRings = (shape, rings) => /** @type {Shape} */ ({ ...shape, rings, ...boxAround(rings.flat()) });
