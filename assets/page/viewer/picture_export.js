// The image as a picture to keep: at its own size (pixels that are not square are drawn longer, never shorter), with or without what lies over it, and lines of text below. The letters at its
// sides, which may be assumed, stay out.

import { pathOf } from "./annotations.js";
import { paintImage, paintMap } from "./paint.js";
/** @import { ExportedPicture } from "../types" */

export const LARGEST = 4096, LEGIBLE = 800;                // pixels of the longer side
const LENGTHS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];   // mm of a scale bar

// `shown`: { image, shades, map or null, paint, shapes, caption: lines, spacing: mm between pixel centres across, or null,
// largest: pixels of the longer side, at most }.
/** @param {ExportedPicture} shown */
export function renderPicture({ largest = LARGEST, image, shades, map, paint, shapes, caption, spacing }) {
  const own = Math.max(1, 1 / image.aspect), longest = own * Math.max(image.width, image.height * image.aspect);
  const zoom = own * (longest > largest ? largest / longest : Math.ceil(Math.min(LEGIBLE / longest, 16)));
  const width = Math.round(image.width * zoom), height = Math.round(image.height * image.aspect * zoom);
  const size = Math.max(13, Math.round(Math.max(width, height) / 64)), font = `${size}px system-ui, sans-serif`;
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  context.font = font;
  const lines = caption.flatMap((line) => breakLine(context, line, Math.max(width, 20 * size) - 2 * size));
  canvas.width = lines.length ? Math.max(width, 20 * size) : width;
  canvas.height = height + (lines.length ? (1.45 * lines.length + 1) * size : 0);
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const view = { zoom, left: 0, top: 0 };
  const layers = [(over) => paintImage(over, image, view, shades)];
  if (map) layers.push((over) => paintMap(over, map, image, view, paint));
  for (const layer of layers) {
    const over = new OffscreenCanvas(width, height);
    layer(over.getContext("2d"));
    context.drawImage(over, 0, 0);
  }
  for (const shape of shapes) {
    const path = new Path2D();
    path.addPath(new Path2D(pathOf(shape)), new DOMMatrix([zoom, 0, 0, zoom * image.aspect, 0, 0]));
    for (const [style, thickness] of Object.entries({ "#000": size / 4, "#fff": size / 8 })) {
      context.strokeStyle = style;
      context.lineWidth = thickness;
      context.stroke(path);
    }
  }
  if (spacing) drawScaleBar(context, spacing / zoom, width, height, size);
  context.font = font;
  context.fillStyle = "#dfe5e8";
  context.textBaseline = "top";
  lines.forEach((line, i) => context.fillText(line, size, height + (0.6 + 1.45 * i) * size));
  return canvas;
}

// Pictures of one size side by side, in as many columns as rows or one more.
/** @param {HTMLCanvasElement[]} pictures */
export function joinPictures(pictures) {
  const columns = Math.ceil(Math.sqrt(pictures.length)), width = Math.max(...pictures.map((each) => each.width)), height = Math.max(...pictures.map((each) => each.height));
  const canvas = Object.assign(document.createElement("canvas"), { width: columns * width, height: Math.ceil(pictures.length / columns) * height });
  const context = canvas.getContext("2d");
  context.fillRect(0, 0, canvas.width, canvas.height);
  pictures.forEach((each, i) => context.drawImage(each, i % columns * width, Math.floor(i / columns) * height));
  return canvas;
}

function breakLine(context, text, width) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (lines.at(-1) && context.measureText(longer).width > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

function drawScaleBar(context, millimetres, width, height, size) {
  const length = LENGTHS.findLast((each) => each / millimetres <= width / 4);
  if (!length) return;
  const across = length / millimetres, x = width - size - across, y = height - size;
  context.fillStyle = "#000";
  context.fillRect(x - 2, y - size / 5 - 2, across + 4, size / 5 + 4);
  context.fillStyle = "#fff";
  context.fillRect(x, y - size / 5, across, size / 5);
  context.font = `${size}px system-ui, sans-serif`;
  context.textAlign = "right";
  context.strokeStyle = "#000";
  context.lineWidth = size / 5;
  context.strokeText(`${length} mm`, x + across, y - size / 2);
  context.fillText(`${length} mm`, x + across, y - size / 2);
  context.textAlign = "left";
}
