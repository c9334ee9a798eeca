// Lengths, angles and areas of what is drawn for measuring: in millimetres where the file says how far apart its pixels lie, else in
// pixels. Points are those of the image, pixel i from i to i + 1; pixels need not be square.

import { MICROSCOPIC } from "../viewer/scale_bar.js";
/** @import { Facts, Measurement, PixelImage, Point, Scale, Shape } from "../types" */

const PLANES = { detector: "at the detector", film: "on the film that was scanned", unsaid: "as the file says", object: "" };

/** @param {Pick<Facts, "spacing" | "plane">} facts @param {number} [aspect] height of a pixel over its width @returns {Scale} */
export function scaleOf({ spacing, plane }, aspect = 1) {
  if (!spacing) return { x: 1, y: aspect, unit: "px", plane: null };
  const [y, x] = spacing;
  return x < MICROSCOPIC ? { x: 1000 * x, y: 1000 * y, unit: "µm", plane: plane ?? "unsaid" } : { x, y, unit: "mm", plane: plane ?? "unsaid" };
}

/** @param {Point} from @param {Point} to @param {Scale} scale */
export const lengthOf = (from, to, { x, y }) => Math.hypot((to[0] - from[0]) * x, (to[1] - from[1]) * y);

// Degrees at the corner, 0 … 180; 0 where a leg has no length.
/** @param {Point[]} points @param {Scale} scale */
export function angleOf([first, corner, second], { x, y }) {
  const [ax, ay] = [(first[0] - corner[0]) * x, (first[1] - corner[1]) * y], [bx, by] = [(second[0] - corner[0]) * x, (second[1] - corner[1]) * y];
  return Math.abs(Math.atan2(ax * by - ay * bx, ax * bx + ay * by)) * 180 / Math.PI;
}

/** @param {Point[]} ring @param {Scale} scale */
export function areaOf(ring, { x, y }) {
  let twice = 0;
  ring.forEach(([ax, ay], i) => { const [bx, by] = ring[(i + 1) % ring.length]; twice += ax * by - bx * ay; });
  return Math.abs(twice) / 2 * x * y;
}

// Mean and standard deviation of the stored values whose pixel's centre lies inside an outline, one a channel; null where none does.
/** @param {PixelImage} image @param {Point[]} ring */
export function meanWithin(image, ring) {
  const { width, height, planes } = image.levels[0], ys = ring.map(([, y]) => y);
  const sums = planes.map(() => [0, 0]);
  let count = 0;
  for (let y = Math.max(0, Math.ceil(Math.min(...ys) - 0.5)); y <= Math.min(height - 1, Math.max(...ys) - 0.5); y++) {
    const crossings = crossingsAt(ring, y + 0.5);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const from = Math.max(0, Math.ceil(crossings[i] - 0.5)), to = Math.min(width, Math.ceil(crossings[i + 1] - 0.5));
      count += Math.max(0, to - from);
      planes.forEach((plane, channel) => {
        let sum = 0, squares = 0;
        for (let at = y * width + from, end = y * width + to; at < end; at++) { sum += plane[at]; squares += plane[at] * plane[at]; }
        sums[channel][0] += sum; sums[channel][1] += squares;
      });
    }
  }
  if (!count) return null;
  const means = sums.map(([sum]) => sum / count);
  return { count, means, deviations: sums.map(([, squares], i) => Math.sqrt(Math.max(0, squares / count - means[i] ** 2))) };
}

// Where an outline crosses a row, from left to right.
function crossingsAt(ring, row) {
  const found = [];
  ring.forEach(([ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length];
    if ((ay <= row) !== (by <= row)) found.push(ax + (row - ay) * (bx - ax) / (by - ay));
  });
  return found.sort((a, b) => a - b);
}

// What a shape measures, as it is stored: numbers in `unit`, angles in degrees. `complete` is false while strokes are missing.
/** @param {Shape} shape @param {PixelImage} image @param {Facts} facts @returns {Measurement} */
export function measure({ kind, rings }, image, facts) {
  const scale = scaleOf(facts, image.aspect), { unit, plane } = scale;
  const lines = rings.map((ring) => lengthOf(ring[0], ring[1] ?? ring[0], scale));
  const made = /** @type {Measurement} */ ({ kind, points: rings, unit, plane });
  if (kind === "ruler") return { ...made, length: lines[0] };
  if (kind === "angle") return rings[0].length < 3 ? { ...made, length: lines[0] } : { ...made, degrees: angleOf(rings[0], scale) };
  if (kind === "ratio") return lines.length < 2 ? { ...made, length: lines[0] } : { ...made, lengths: lines, ratio: Math.min(...lines) / Math.max(...lines) };
  const values = meanWithin(image, rings[0]);
  return { ...made, area: areaOf(rings[0], scale), pixels: values?.count ?? 0, mean: values?.means ?? null, deviation: values?.deviations ?? null };
}

const round = (value, digits) => value.toFixed(digits).replace("-", "−");
/** @type {(value: number) => string} */
const long = (value) => round(value, value < 10 ? 2 : 1);

// A measurement as it stands beside its shape.
/** @param {Measurement} measured */
export function measurementInWords({ unit, length, lengths, degrees, ratio, area, mean, deviation }) {
  if (ratio !== undefined) return `${round(ratio, 2)}  (${lengths.map(long).join(" : ")} ${unit})`;
  if (degrees !== undefined) return `${round(degrees, 1)}°`;
  if (length !== undefined) return `${long(length)} ${unit}`;
  const large = unit === "mm" && area >= 100, size = large ? `${long(area / 100)} cm²` : `${long(area)} ${unit}²`;
  return mean ? `${size}  mean ${mean.map((value, i) => `${round(value, 0)} ± ${round(deviation[i], 0)}`).join(", ")}` : size;
}

// Where lengths hold, to be said with them: "" where that goes without saying.
/** @param {Pick<Measurement, "unit" | "plane">} measured */
export const planeInWords = ({ plane }) => PLANES[plane] ?? "";
