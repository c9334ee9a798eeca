// Pixels as they were stored, smaller copies of them, and windows.
import assert from "node:assert/strict";
import { test } from "node:test";

import { axis, clamp, percentiles, readColors, readImage, sampleRows, shadesOf } from "../../assets/page/viewer/image_pixels.js";

const about = (width, height, channels = 1, depth = 8) => ({ width, height, channels, depth, window: [0, 255] });
const bytes = (...values) => Uint8Array.from(values).buffer;

test("a number is kept within its bounds", () => {
  assert.deepEqual([-1, 0.5, 9].map((value) => clamp(value, 0, 1)), [0, 0.5, 1]);
});

test("grey pixels come as they were sent", () => {
  const image = readImage(bytes(1, 2, 3, 4, 5, 6), about(3, 2));
  assert.deepEqual([...image.levels[0].planes[0]], [1, 2, 3, 4, 5, 6]);
  assert.equal(image.levels.length, 1);
});

test("16 bits are read as 16 bits", () => {
  const image = readImage(Uint16Array.from([0, 65535, 4096, 1]).buffer, about(2, 2, 1, 16));
  assert.deepEqual([...image.levels[0].planes[0]], [0, 65535, 4096, 1]);
});

test("colours come apart into planes", () => {
  const image = readImage(bytes(1, 2, 3, 4, 5, 6), about(2, 1, 3));
  assert.deepEqual(image.levels[0].planes.map((plane) => [...plane]), [[1, 4], [2, 5], [3, 6]]);
});

test("an image that arrived in part is refused", () => {
  assert.throws(() => readImage(bytes(1, 2, 3), about(2, 2)), /incomplete/);
});

test("smaller copies hold the means of two by two, the last row and column alone", () => {
  const width = 301, height = 3, values = new Uint8Array(width * height);
  for (let i = 0; i < values.length; i++) values[i] = i % width < 2 ? [10, 20, 30, 40, 50, 60][2 * Math.floor(i / width) + (i % width)] : 7;
  const { levels } = readImage(values.buffer, about(width, height));
  assert.deepEqual(levels.map((level) => [level.width, level.height]), [[301, 3], [151, 2]]);
  assert.equal(levels[1].planes[0][0], 25);                  // of 10, 20, 30, 40
  assert.equal(levels[1].planes[0][151], 55);                // of 50, 60, 50, 60
  assert.equal(levels[1].planes[0][150], 7);
});

test("smaller copies go on until the longer side is 256 at most", () => {
  const { levels } = readImage(new ArrayBuffer(1100 * 40), about(1100, 40));
  assert.deepEqual(levels.map(({ width }) => width), [1100, 550, 275, 138]);
});

test("percentiles are values of the image", () => {
  const image = readImage(bytes(50, 10, 40, 20, 30), about(5, 1));
  assert.deepEqual(percentiles(image, [0, 0.5, 1]), [10, 30, 50]);
});

test("a window maps low to black and high to white, or the other way round", () => {
  const image = { depth: /** @type {8} */ (8) };
  const shades = shadesOf(image, [100, 200], false);
  assert.deepEqual([shades[0], shades[100], shades[150], shades[200], shades[255]], [0, 0, 128, 255, 255]);
  assert.equal(shadesOf(image, [100, 200], true)[150], 127);
  assert.equal(shadesOf({ depth: 16 }, [0, 65535], false).length, 65536);
});

test("a window without width is a step, not a division by zero", () => {
  const shades = shadesOf({ depth: 8 }, [100, 100], false);
  assert.deepEqual([shades[100], shades[101]], [0, 255]);
});

test("screen pixels between the centres of two cells mix them", () => {
  const { low, high, share } = axis(0, 4, 0, 2, 2);          // two cells of two screen pixels each
  assert.deepEqual([...low], [0, 0, 0, 0]);
  assert.deepEqual([...high], [1, 1, 1, 1]);
  assert.deepEqual([...share], [0, 0.25, 0.75, 1]);
});

test("not smooth, every screen pixel takes the cell it lies in", () => {
  const { low, share } = axis(-1, 6, 0, 2, 2, false);
  assert.deepEqual([...low], [0, 0, 0, 1, 1, 1]);
  assert.deepEqual([...share], [0, 0, 0, 0, 0, 0]);
});

test("an axis of a single cell is level", () => {
  const { low, high } = axis(0, 3, 0, 3, 1);
  assert.deepEqual([...low, ...high], [0, 0, 0, 0, 0, 0]);
});

test("rows are sampled bilinearly", () => {
  const rows = [];
  sampleRows([0, 1, 2, 3], 2, axis(0, 4, 0, 2, 2), axis(0, 4, 0, 2, 2), (row) => rows.push([...row]));
  assert.deepEqual(rows[0], [0, 0.25, 0.75, 1]);
  assert.deepEqual(rows[1], [0.5, 0.75, 1.25, 1.5]);
  assert.deepEqual(rows[3], [2, 2.25, 2.75, 3]);
});

test("colour tables are read from hexadecimal text", () => {
  assert.deepEqual([...readColors("00ff10")], [0, 255, 16]);
});
