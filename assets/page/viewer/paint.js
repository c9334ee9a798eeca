// Painting a part of an image or of a map into a canvas. `view` is { zoom, left, top }: image pixel (x, y) lies at
// (left + x·zoom, top + y·zoom·aspect) of the canvas. The cost is that of the canvas, not of the image.

import { axis, clamp, sampleRows } from "./image_pixels.js";
/** @import { Box, Context, Extent, FilmColors, Grid, HeatMap, PaintOptions, PixelImage, View } from "../types" */

export const PAINT_FROM = 0.5;      // of the map, as regions() has it
const SHARP_FROM = 4;               // from this zoom on, image pixels are shown as squares
const buffers = new WeakMap();

// An ImageData for a canvas, the last one where it fits: it holds what was painted then.
function bufferOf(context, width, height) {
  const last = buffers.get(context);
  if (last?.width === width && last.height === height) return last;
  buffers.set(context, context.createImageData(width, height));
  return buffers.get(context);
}

/** @type {(view: View, scale: number) => View} */
export const scaled = (view, scale) => ({ zoom: view.zoom * scale, left: view.left * scale, top: view.top * scale });

// Screen pixels of an image pixel's height; its width has `view.zoom`.
/** @type {(image: Extent, view: View) => number} */
export const downZoom = (image, view) => view.zoom * (image.aspect ?? 1);

// The part of a canvas that an image covers, in whole pixels; null where none.
/** @param {Extent} image @param {View} view @param {number} width @param {number} height @returns {Box | null} */
function covered(image, view, width, height) {
  const x0 = Math.max(0, Math.round(view.left)), y0 = Math.max(0, Math.round(view.top));
  const x1 = Math.min(width, Math.round(view.left + image.width * view.zoom));
  const y1 = Math.min(height, Math.round(view.top + image.height * downZoom(image, view)));
  return x1 > x0 && y1 > y0 ? { x: x0, y: y0, width: x1 - x0, height: y1 - y0 } : null;
}

// `film`: a colour table for gray pixels, or the one channel of colour ones that is shown in gray.
/** @param {Context} context @param {PixelImage} image @param {View} view @param {Uint8Array} shades @param {Pick<FilmColors, "table" | "channel">} film */
export function paintImage(context, image, view, shades, { table, channel } = {}) {
  const part = covered(image, view, context.canvas.width, context.canvas.height);
  if (!part) return;
  // The copy whose cells are just not larger than a screen pixel either way: nothing is blurred, and little is read.
  const depth = clamp(Math.floor(Math.log2(1 / Math.max(view.zoom, downZoom(image, view)))), 0, image.levels.length - 1);
  const level = image.levels[depth], step = view.zoom * 2 ** depth, smooth = view.zoom < SHARP_FROM;
  const across = axis(part.x, part.width, view.left, step, level.width, smooth);
  const down = axis(part.y, part.height, view.top, step * (image.aspect ?? 1), level.height, smooth);
  const pixels = bufferOf(context, part.width, part.height), { data } = pixels;
  if (level.planes.length === 1 || channel !== undefined) {
    const words = new Int32Array(data.buffer), inks = inksOf(table);
    sampleRows(level.planes[channel ?? 0], level.width, across, down, (row, y) => {
      for (let x = 0, i = y * part.width; x < part.width; x++, i++) words[i] = inks[shades[(row[x] + 0.5) | 0]];
    });
  } else {
    data.fill(255);
    level.planes.forEach((plane, channel) => sampleRows(plane, level.width, across, down, (row, y) => {
      for (let x = 0, i = 4 * y * part.width + channel; x < part.width; x++, i += 4) data[i] = shades[(row[x] + 0.5) | 0];
    }));
  }
  context.putImageData(pixels, part.x, part.y);
}

// The opaque colours of shades 0 … 255 as an ImageData has them, gray without a table.
function inksOf(table) {
  return Int32Array.from({ length: 256 }, (_, i) => -0x1000000 | (table ? table[3 * i] | (table[3 * i + 1] << 8) | (table[3 * i + 2] << 16) : i * 0x010101));
}

// A map: { rows, columns, cells }, values 0 … 1 that cover exactly the image. From `threshold` on, the paint is as opaque as the
// map is high, `opacity` at 1.
/** @param {Context} context @param {HeatMap} map @param {Extent} image @param {View} view @param {PaintOptions} options */
export function paintMap(context, map, image, view, { colors, opacity, threshold, outline }) {
  const part = covered(image, view, context.canvas.width, context.canvas.height);
  if (!part) return;
  const across = axis(part.x, part.width, view.left, image.width * view.zoom / map.columns, map.columns);
  const down = axis(part.y, part.height, view.top, image.height * downZoom(image, view) / map.rows, map.rows);
  const pixels = bufferOf(context, part.width, part.height), words = new Uint32Array(pixels.data.buffer);
  const inside = new Uint8Array(part.width * part.height);
  const table = Uint32Array.from({ length: 256 }, (_, i) => (Math.round(opacity * i) << 24) | (colors[3 * i + 2] << 16) | (colors[3 * i + 1] << 8) | colors[3 * i]);
  sampleRows(map.cells, map.columns, across, down, (row, y) => {
    for (let x = 0, i = y * part.width; x < part.width; x++, i++) {
      const value = row[x], above = value >= threshold;
      inside[i] = above ? 1 : 0;
      words[i] = above ? table[(255 * value + 0.5) | 0] : 0;
    }
  });
  if (outline) drawContour(inside, part, words);
  context.putImageData(pixels, part.x, part.y);
}

// Where neighbours lie on different sides of the threshold: a light line with a dark one beside it, seen on black and on white.
function drawContour(inside, { width, height }, words) {
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1, i = y * width + 1; x < width - 1; x++, i++) {
      const own = inside[i];
      if (inside[i - 1] + inside[i + 1] + inside[i - width] + inside[i + width] !== 4 * own) words[i] = own ? 0xffffffff : 0xff141414;
    }
  }
}

// A map of rows of numbers, ready to be painted.
/** @param {Grid | null} rows @returns {HeatMap | null} */
export function readMap(rows) {
  return rows && { rows: rows.length, columns: rows[0].length, cells: Float32Array.from(rows.flat()) };
}

// The map's value at a point of the image, bilinear as painted.
/** @param {HeatMap} map @param {{ width: number, height: number }} image @param {number} x @param {number} y */
export function mapAt(map, image, x, y) {
  const across = axis(0, 1, 0.5 - x, image.width / map.columns, map.columns);
  const down = axis(0, 1, 0.5 - y, image.height / map.rows, map.rows);
  let value;
  sampleRows(map.cells, map.columns, across, down, (row) => { value = row[0]; });
  return value;
}

// A small picture of an image, with a map over it where one is given.
/** @param {HTMLCanvasElement} canvas @param {PixelImage} image @param {Uint8Array} shades @param {HeatMap | null} map @param {PaintOptions} paint */
export function paintThumbnail(canvas, image, shades, map, paint) {
  const zoom = Math.max(canvas.width / image.width, canvas.height / (image.height * image.aspect));
  const view = { zoom, left: (canvas.width - image.width * zoom) / 2, top: (canvas.height - image.height * image.aspect * zoom) / 2 };
  const context = canvas.getContext("2d");
  paintImage(context, image, view, shades);
  if (!map) return;
  const over = new OffscreenCanvas(canvas.width, canvas.height);
  paintMap(over.getContext("2d"), map, image, view, { ...paint, outline: false });
  context.drawImage(over, 0, 0);
}
