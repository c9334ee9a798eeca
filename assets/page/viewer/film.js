// A film on the stage: one image with its window, its place in a pane, and what is drawn on it. The stage has one, or two side by side.

import { createAnnotations } from "./annotations.js";
import { clamp, shadesOf } from "./image_pixels.js";
import { sidesOf } from "./orientation.js";
import { createViewport } from "./viewport.js";
/** @import { Facts, Film, Orientation, Pane, PixelImage, Range, Shape } from "../types" */

// `stage`: size() of a pane; panes(film) that show it; moved(film) after a move by the user; repaint(image, maps); drawn(shapes) after
// every change by the reader; nameOf?(place) a text beside each box and outline.
/** @param {{ size(): [number, number], panes(film: Film): Pane[], moved(film: Film): void, repaint(image?: boolean, maps?: boolean): void, drawn(shapes: Shape[]): void, nameOf?(place: number): string }} stage @returns {Film} */
export function createFilm(stage) {
  const film = /** @type {Film} */ ({ image: null, shades: null, window: [0, 255], label: "No image", facts: {}, sides: sidesOf(null), frame: 0, frames: 1, show, setWindow, setSides });
  film.viewport = createViewport({ size: stage.size, image: () => film.image, moved: () => stage.moved(film), repaint: () => stage.repaint() });
  film.annotations = createAnnotations({
    panes: () => stage.panes(film), image: () => film.image, facts: () => film.facts, view: () => film.viewport.at, repaint: () => stage.repaint(false, false), nameOf: stage.nameOf,
  }, stage.drawn);

  // Another image takes the place of the one before; whoever calls sets its window next.
  /** @param {PixelImage} image @param {string} label @param {Facts} facts @param {number[]} frames */
  function show(image, label, facts, [frame, frames]) {
    Object.assign(film, { image, label, facts, frame, frames });
    for (const pane of stage.panes(film)) pane.canvas.setAttribute("aria-label", label);
  }

  /** @param {Range} window @param {boolean} invert */
  function setWindow(window, invert) {
    film.window = window;
    if (film.image) film.shades = shadesOf(film.image, window, invert);
  }

  /** @param {Orientation | null} orientation */
  function setSides(orientation) { film.sides = sidesOf(orientation); }

  return film;
}

// The window of a film after a drag: across changes how wide it is, down where its middle lies.
/** @param {Film} film @param {number} dx @param {number} dy @returns {Range} */
export function movedWindow({ image, window: [low, high] }, dx, dy) {
  const top = 1 << image.depth;
  const width = clamp((high - low) * Math.exp(dx / 250), 2, 4 * top);
  const level = clamp((low + high) / 2 + dy * width / 400, -top, 2 * top);
  return [level - width / 2, level + width / 2];
}

// The same window on another film: what lies where between black and white of the one that it opened with.
/** @param {Film} from @param {Film} to @returns {Range} */
export function sameWindow(from, to) {
  if (from.window === from.image.window) return to.image.window;
  const [low, high] = from.image.window, [otherLow, otherHigh] = to.image.window, share = (otherHigh - otherLow) / Math.max(high - low, 1e-9);
  return from.window.map((value) => otherLow + (value - low) * share);
}

// The same place on another film: as far into it, and as much larger than it fits.
/** @param {Film} from @param {Film} to */
export function samePlace(from, to) {
  const place = from.viewport.get();
  return place && { ...place, x: place.x * to.image.width / from.image.width, y: place.y * to.image.height / from.image.height };
}
