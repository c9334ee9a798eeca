// The image as a picture to keep: at its own size (pixels that are not square are drawn longer, never shorter), with or without what
// lies over it; the colours of the map with their numbers and lines of text below. The letters at its sides, which may be assumed, and
// what names the file stay out.

import { pathOf } from "./shapes.js";
import { colorBarNumbers, drawColorBar } from "./color_bar.js";
import { paintImage, paintMap } from "./paint.js";
import { scaleBar } from "./scale_bar.js";
/** @import { Display, ExportedPicture, Range, RenderOptions } from "../types" */
/** @import { FilmPair } from "./film_pair.js" */
/** @import { Layout } from "./layout.js" */

export const LARGEST = 4096;         // pixels of the longer side, at most
const LEGIBLE = 800;                // and at least, so that texts are read

// A pane of the stage, or the film beside, as the viewer's `render` says.
/** @param {{ films: FilmPair, layout: Layout, painting: ReturnType<typeof import("./painting.js").createPainting>, marks: ReturnType<typeof import("./marks.js").createMarks>, display: Display, colors: Uint8Array, scale: Range }} stage @param {RenderOptions} [options] */
export function renderStage({ films, layout, painting, marks, display, colors, scale }, { overlay = true, caption = [], spacing, pane = -1, largest, beside = false } = {}) {
  const film = beside ? films.second : films.current, { image, shades, facts, annotations } = film, map = overlay && display.map ? (beside ? film.map : layout.maps.at(pane)?.map) : null;
  const drawn = overlay ? { shapes: [...annotations.truth, ...annotations.shapes], ...marks.saidBy(film) } : { shapes: [] };
  return renderPicture({ largest, image, shades, film: painting.colorsOf(film), map, scale, paint: { ...display, colors }, caption, spacing: spacing ?? facts.spacing?.[1] ?? null, ...drawn });
}

// `shown`: { image, shades, film: its colours, map or null, paint, shapes, values: what measures say and where, planes: where lengths hold,
// scale: the numbers that 0 and 1 of the map stand for, caption: lines, spacing: mm between pixel centres across, or null, largest: pixels of the longer side, at most }.
/** @param {ExportedPicture} shown */
function renderPicture({ largest = LARGEST, image, shades, film, map, scale, paint, shapes, values = [], planes = "", caption, spacing }) {
  const own = Math.max(1, 1 / image.aspect), longest = own * Math.max(image.width, image.height * image.aspect);
  const zoom = own * (longest > largest ? largest / longest : Math.ceil(Math.min(LEGIBLE / longest, 16)));
  const width = Math.round(image.width * zoom), height = Math.round(image.height * image.aspect * zoom);
  const size = Math.max(13, Math.round(Math.max(width, height) / 64)), font = `${size}px system-ui, sans-serif`;
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  context.font = font;
  const lines = linesBelow(caption, film, planes).flatMap((line) => breakLine(context, line, Math.max(width, 20 * size) - 2 * size)), bar = map ? 2.6 * size : 0;
  canvas.width = lines.length || bar ? Math.max(width, 20 * size) : width;
  canvas.height = height + bar + (lines.length ? (1.45 * lines.length + 1) * size : 0);
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const view = { zoom, left: 0, top: 0 };
  const layers = [(over) => paintImage(over, image, view, shades, film)];
  if (map) layers.push((over) => paintMap(over, map, image, view, paint));
  for (const layer of layers) {
    const over = new OffscreenCanvas(width, height);
    layer(over.getContext("2d"));
    context.drawImage(over, 0, 0);
  }
  for (const shape of shapes) drawShape(context, shape, zoom, zoom * image.aspect, size);
  context.font = font;
  for (const { text, at: [x, y] } of values) drawText(context, text, x * zoom, y * zoom * image.aspect - size, width, size);
  if (spacing) drawScaleBar(context, spacing / zoom, width, height, size);
  if (map) drawMapColors(context, paint, scale, { x: size, y: height + 0.6 * size, width: Math.min(canvas.width - 2 * size, 18 * size), height: 0.6 * size }, size);
  context.font = font;
  context.textAlign = "left";
  context.fillStyle = "#dfe5e8";
  context.textBaseline = "top";
  lines.forEach((line, i) => context.fillText(line, size, height + bar + (0.6 + 1.45 * i) * size));
  return canvas;
}

function linesBelow(caption, film, planes) {
  const shown = [film?.said && `Image shown: ${film.said}.`, planes].filter(Boolean).join(" ");
  return shown ? [...caption, shown] : caption;
}

function drawShape(context, shape, across, down, size) {
  const path = new Path2D();
  path.addPath(new Path2D(pathOf(shape)), new DOMMatrix([across, 0, 0, down, 0, 0]));
  for (const [style, thickness] of Object.entries({ "#000": size / 4, "#fff": size / 8 })) {
    context.strokeStyle = style;
    context.lineWidth = thickness;
    context.stroke(path);
  }
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

// Light on a dark rim, so that it is read on black and on white.
function drawRimmed(context, text, x, y, size) {
  context.strokeStyle = "#000";
  context.lineWidth = size / 5;
  context.lineJoin = "round";
  context.strokeText(text, x, y);
  context.fillStyle = "#fff";
  context.fillText(text, x, y);
}

// A text from a point on, or up to it where it would not fit.
function drawText(context, text, x, y, width, size) {
  const fits = x + size / 2 + context.measureText(text).width <= width;
  context.textAlign = fits ? "left" : "right";
  context.textBaseline = "middle";
  drawRimmed(context, text, fits ? x + size / 2 : x - size / 2, Math.max(y, size), size);
}

function drawMapColors(context, { colors, threshold }, scale, box, size) {
  drawColorBar(context, colors, threshold, box);
  context.font = `${Math.round(0.9 * size)}px system-ui, sans-serif`;
  context.fillStyle = "#dfe5e8";
  context.textBaseline = "top";
  for (const [at, text] of colorBarNumbers(threshold, scale)) {
    context.textAlign = at === 0 ? "left" : at === 1 ? "right" : "center";
    context.fillText(at === threshold && at > 0 ? `painted from ${text}` : text, box.x + at * box.width, box.y + 1.4 * box.height);
  }
}

function drawScaleBar(context, millimetres, width, height, size) {
  const bar = scaleBar(millimetres, width / 4);
  if (!bar) return;
  const across = bar.pixels, x = width - size - across, y = height - size;
  context.fillStyle = "#000";
  context.fillRect(x - 2, y - size / 5 - 2, across + 4, size / 5 + 4);
  context.fillStyle = "#fff";
  context.fillRect(x, y - size / 5, across, size / 5);
  context.font = `${size}px system-ui, sans-serif`;
  context.textAlign = "right";
  context.textBaseline = "alphabetic";
  drawRimmed(context, bar.text, x + across, y - size / 2, size);
}
