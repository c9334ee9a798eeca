// Where an event lies in its pane and in the image, and what the image and the map are there.

import { mapAt } from "./paint.js";
/** @import { Display, Film, Pane, PixelImage, Point } from "../types" */
/** @import { Layout } from "./layout.js" */

// `stage`: its panes, how they are displayed, a value of the map in the numbers of its scale, and the pane where a drag began.
/** @param {HTMLElement} element @param {{ layout: Layout, display(): Display, inScale(value: number): string, dragged(): Pane | null }} stage */
export function createReadout(element, { layout, display, inScale, dragged }) {
  const { panes } = layout;

  /** @param {MouseEvent} event */
  function paneOf({ target }) {
    const hit = /** @type {Element} */ (target).closest?.(".pane");
    return panes.find((pane) => pane.element === hit) ?? dragged() ?? panes[0];
  }

  /** @param {MouseEvent} event @returns {Point} */
  function toImage(event) {
    const pane = paneOf(event), box = pane.element.getBoundingClientRect();
    return pane.film.viewport.toImage(event.clientX - box.left, event.clientY - box.top);
  }

  /** @param {number} x @param {number} y @param {Film} film */
  const within = (x, y, { image }) => image && x >= 0 && y >= 0 && x < image.width && y < image.height;

  function valueAt(x, y, pane = panes[0]) {
    const map = layout.mapOf(pane);
    return within(x, y, pane.film) && map ? mapAt(map, pane.film.image, x, y) : null;
  }

  /** @param {number} x @param {number} y @param {PixelImage} image */
  function pixelAt(x, y, { levels: [{ width, planes }] }) {
    const at = Math.floor(y) * width + Math.floor(x);
    return planes.map((plane) => plane[at]).join(" ");
  }

  function clear() { element.textContent = ""; }

  /** @param {MouseEvent} event */
  function read(event) {
    const pane = paneOf(event), { film } = pane, [x, y] = film.image ? toImage(event) : [-1, -1];
    if (!within(x, y, film)) return clear();
    const value = display().map ? valueAt(x, y, pane) : null;
    element.textContent = `x ${Math.floor(x)}  y ${Math.floor(y)}  px ${pixelAt(x, y, film.image)}${value === null ? "" : `  map ${inScale(value)}`}`;
  }

  return { paneOf, toImage, valueAt, read, clear };
}
