// What the stage needs for measuring, loaded when somebody first measures: how measures are drawn, and what they say.

import { measure, measurementInWords, planeInWords, scaleOf } from "./lengths.js";
/** @import { Box, Facts, Measurement, PixelImage, Point, Shape } from "../types" */

const NAMES = { ruler: "Ruler", angle: "Angle", ratio: "Ratio of two lines", area: "Area" };
const CORNERS = 32;                 // of the circle that is put in the middle by keyboard

// The lines of a measure: `first` are those of the stroke before, of a measure that takes two.
/** @param {string} kind @param {Point[][] | undefined} first @param {Point} from @param {Point} to @returns {Point[][]} */
export function strokes(kind, first, from, to) {
  if (!first) return [[from, to]];
  return kind === "angle" ? [[...first[0], to]] : [...first, [from, to]];
}

// A measure that fills a box, to be moved from there.
/** @param {string} kind @param {Box} box @returns {Point[][]} */
export function middle(kind, { x, y, width, height }) {
  const across = (share) => [[x, y + share * height], [x + width, y + share * height]];
  if (kind === "ruler") return [across(0.5)];
  if (kind === "angle") return [[[x + width, y], [x, y + height], [x + width, y + height]]];
  if (kind === "ratio") return [[[x + width / 4, y + height / 3], [x + 3 * width / 4, y + height / 3]], across(2 / 3)];
  const turn = (i) => 2 * Math.PI * i / CORNERS;
  return [Array.from({ length: CORNERS }, (_, i) => [x + width * (1 + Math.cos(turn(i))) / 2, y + height * (1 + Math.sin(turn(i))) / 2])];
}

const known = new WeakMap();        // shapes are never changed, and an area takes a while

/** @param {Shape} shape @param {PixelImage} image @param {Facts} facts @returns {Measurement} */
function measured(shape, image, facts) {
  const found = known.get(shape);
  if (found?.image === image && found.facts === facts) return found.measurement;
  const measurement = measure(shape, image, facts);
  known.set(shape, { image, facts, measurement });
  return measurement;
}

// What stands beside a measure, and at which point of the image.
/** @param {Shape} shape @param {PixelImage} image @param {Facts} facts @returns {{ text: string, at: Point }} */
export function label(shape, image, facts) {
  const points = shape.rings.flat(), at = shape.kind === "angle" && points.length > 2 ? points[1] : points.reduce((best, each) => (each[0] > best[0] ? each : best));
  return { text: measurementInWords(measured(shape, image, facts)), at };
}

// The same for a screen reader and for a picture's caption.
/** @param {Shape} shape @param {PixelImage} image @param {Facts} facts */
export function describe(shape, image, facts) {
  const measurement = measured(shape, image, facts), plane = measurement.degrees === undefined && measurement.ratio === undefined ? planeInWords(measurement) : "";
  return `${NAMES[shape.kind]}: ${measurementInWords(measurement)}${plane && ` ${plane}`}`;
}

// A sentence on where lengths hold, where that does not go without saying and some of the measures are lengths or areas.
/** @param {Shape[]} measures @param {PixelImage} image @param {Facts} facts */
export function planesOf(measures, image, facts) {
  const plane = planeInWords(scaleOf(facts, image.aspect));
  return plane && measures.some(({ kind }) => kind === "ruler" || kind === "area") ? `Lengths ${plane}.` : "";
}

// As it is stored: numbers to a hundredth of a pixel and a ten-thousandth of a unit.
/** @param {Shape} shape @param {PixelImage} image @param {Facts} facts @returns {Measurement} */
export function record(shape, image, facts) {
  const { points, ...measurement } = measured(shape, image, facts), short = (value, digits) => (typeof value === "number" ? Number(value.toFixed(digits)) : value);
  const numbers = Object.entries(measurement).map(([key, value]) => [key, Array.isArray(value) ? value.map((each) => short(each, 4)) : short(value, 4)]);
  return { ...Object.fromEntries(numbers), points: points.map((line) => line.map((point) => point.map((value) => short(value, 2)))) };
}
