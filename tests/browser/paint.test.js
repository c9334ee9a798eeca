// What is painted where: image, map, contour, letterbox.
import assert from "node:assert/strict";
import { test } from "node:test";

import { context } from "./dom.js";
import { mapAt, paintImage, paintMap, readMap, scaled } from "../../assets/page/viewer/paint.js";
import { readImage, shadesOf } from "../../assets/page/viewer/image_pixels.js";

const gray = (width, height, values) => readImage(Uint8Array.from(values).buffer, { width, height, channels: 1, depth: 8, window: [0, 255] });
const plain = (image) => shadesOf(image, [0, 255], false);
const COLORS = Uint8Array.from({ length: 768 }, (_, i) => (i % 3 === 0 ? Math.floor(i / 3) : 0));     // red, as strong as the value
const IMAGE = { width: 4, height: 4 };
const paint = (rows, options, view = { zoom: 1, left: 0, top: 0 }, size = 4) => {
  const over = context(size, size);
  paintMap(/** @type {any} */ (over), readMap(rows), IMAGE, view, { colors: COLORS, opacity: 1, threshold: 0.5, outline: false, ...options });
  return over;
};

test("every pixel of an enlarged image is a square of its shade", () => {
  const image = gray(2, 2, [0, 100, 200, 255]), over = context(8, 8);
  paintImage(/** @type {any} */ (over), image, { zoom: 4, left: 0, top: 0 }, plain(image));
  assert.deepEqual([over.pixel(0, 0), over.pixel(4, 3), over.pixel(3, 4), over.pixel(7, 7)], [[0, 0, 0, 255], [100, 100, 100, 255], [200, 200, 200, 255], [255, 255, 255, 255]]);
});

test("beside the image nothing is painted", () => {
  const image = gray(2, 2, [9, 9, 9, 9]), over = context(12, 12);
  paintImage(/** @type {any} */ (over), image, { zoom: 4, left: 2, top: 2 }, plain(image));
  assert.deepEqual([over.pixel(1, 5), over.pixel(5, 1), over.pixel(10, 5), over.pixel(5, 10)], Array(4).fill([0, 0, 0, 0]));
  assert.deepEqual([over.pixel(2, 2), over.pixel(9, 9)], Array(2).fill([9, 9, 9, 255]));
});

test("an image beyond the pane is painted as far as it is seen", () => {
  const image = gray(2, 2, [10, 20, 30, 40]), over = context(4, 4);
  paintImage(/** @type {any} */ (over), image, { zoom: 4, left: -4, top: -4 }, plain(image));
  assert.deepEqual(over.pixel(0, 0), [40, 40, 40, 255]);
});

test("an image out of sight costs nothing", () => {
  const image = gray(1, 1, [200]), over = context(4, 4);
  paintImage(/** @type {any} */ (over), image, { zoom: 1, left: 90, top: 0 }, plain(image));
  assert.deepEqual(over.pixel(0, 0), [0, 0, 0, 0]);
});

test("colours are painted channel by channel, through the window", () => {
  const image = readImage(Uint8Array.of(10, 20, 30).buffer, { width: 1, height: 1, channels: 3, depth: 8, window: [0, 255] }), over = context(4, 4);
  paintImage(/** @type {any} */ (over), image, { zoom: 4, left: 0, top: 0 }, shadesOf(image, [0, 255], true));
  assert.deepEqual(over.pixel(2, 2), [245, 235, 225, 255]);
});

test("a map is painted from the threshold on, as opaque as it is high", () => {
  const over = paint([[0.2, 1]], { opacity: 0.5 });
  assert.deepEqual(over.pixel(0, 0), [0, 0, 0, 0]);
  assert.deepEqual(over.pixel(3, 0), [255, 0, 0, 128]);
});

test("a map that is just at the threshold is painted", () => {
  assert.equal(paint([[0.5]], { threshold: 0.5 }).pixel(1, 1)[3], 128);
});

test("a map covers exactly the image, wherever that lies", () => {
  const over = paint([[1]], {}, { zoom: 1, left: 2, top: 3 }, 8);
  assert.deepEqual([over.pixel(2, 3), over.pixel(5, 6)], Array(2).fill([255, 0, 0, 255]));
  assert.deepEqual([over.pixel(1, 3), over.pixel(6, 6), over.pixel(2, 2), over.pixel(5, 7)], Array(4).fill([0, 0, 0, 0]));
});

test("the contour is light inside and dark outside", () => {
  const over = paint([[0, 0, 1, 1]], { outline: true }, { zoom: 2, left: 0, top: 0 }, 8);
  const row = Array.from({ length: 8 }, (_, x) => over.pixel(x, 4));
  assert.equal(row.filter((pixel) => pixel.join() === "255,255,255,255").length, 1);
  assert.equal(row.filter((pixel) => pixel.join() === "20,20,20,255").length, 1);
});

test("a map without a place above the threshold leaves the image as it is", () => {
  const over = paint([[0.1, 0.2], [0.3, 0.4]], { outline: true });
  assert.ok([0, 1, 2, 3].every((x) => over.pixel(x, x)[3] === 0));
});

test("the value under the pointer is the one that is painted", () => {
  const map = readMap([[0, 1], [0, 1]]);
  assert.equal(mapAt(map, IMAGE, 0.5, 2), 0);
  assert.equal(mapAt(map, IMAGE, 2, 2), 0.5);
  assert.equal(mapAt(map, IMAGE, 3.9, 0.1), 1);
});

test("no rows are no map", () => assert.equal(readMap(null), null));

test("a view scales with the canvas", () => {
  assert.deepEqual(scaled({ zoom: 2, left: 10, top: -4 }, 0.5), { zoom: 1, left: 5, top: -2 });
});

test("pixels that are not square are painted in their shape, the map over them too", () => {
  const image = { ...gray(2, 2, [0, 100, 200, 255]), aspect: 2 }, view = { zoom: 4, left: 0, top: 0 }, over = context(8, 16);
  paintImage(/** @type {any} */ (over), image, view, plain(image));
  assert.deepEqual([over.pixel(0, 7)[0], over.pixel(4, 7)[0], over.pixel(3, 8)[0], over.pixel(7, 15)[0]], [0, 100, 200, 255]);
  const map = context(8, 16);
  paintMap(/** @type {any} */ (map), readMap([[0, 0], [1, 1]]), image, view, { colors: COLORS, opacity: 1, threshold: 0.5, outline: false });
  assert.deepEqual([map.pixel(3, 7)[3], map.pixel(3, 15)[3]], [0, 255]);
  assert.equal(mapAt(readMap([[0, 0], [1, 1]]), image, 1, 1), 0.5);
});
