// Where the image lies in a pane: image pixel (x, y) at (left + x·zoom, top + y·zoom·aspect). `aspect` is the image's: pixels that are
// not square are drawn in their shape, and places stay those of the file.

import { clamp } from "./image_pixels.js";
/** @import { Extent } from "../types" */

const MAX_ZOOM = 40;                // screen pixels per image pixel

// `on`: size() of a pane, image() shown or null; moved() after a move by the user, repaint() after any other.
/** @param {{ size(): [number, number], image(): Extent | null, moved(): void, repaint(): void }} on */
export function createViewport(on) {
  const at = { zoom: 1, left: 0, top: 0 };
  const viewport = { at, fitted: true, fit, set, get, zoomAt, zoomBy, panBy, middle, toImage };
  const down = () => at.zoom * (on.image()?.aspect ?? 1);

  function toImage(x, y) {
    return [(x - at.left) / at.zoom, (y - at.top) / down()];
  }

  function fitting() {
    const [width, height] = on.size(), image = on.image();
    return Math.min(width / image.width, height / (image.height * (image.aspect ?? 1)));
  }

  function fit() {
    const [width, height] = on.size(), image = on.image();
    viewport.fitted = true;
    if (!image || !width) return;
    at.zoom = fitting();
    at.left = (width - image.width * at.zoom) / 2;
    at.top = (height - image.height * down()) / 2;
    on.repaint();
  }

  // Bigger or smaller by a factor, what lies at (x, y) of the pane staying there.
  function zoomAt(x, y, factor) {
    if (!on.image()) return;
    const smallest = fitting() / 2, next = clamp(at.zoom * factor, smallest, Math.max(MAX_ZOOM, smallest));
    at.left = x - (x - at.left) * next / at.zoom;
    at.top = y - (y - at.top) * next / at.zoom;
    at.zoom = next;
    move();
  }

  function zoomBy(factor) {
    const [width, height] = on.size();
    zoomAt(width / 2, height / 2, factor);
  }

  function panBy(dx, dy) {
    at.left += dx; at.top += dy;
    move();
  }

  function move() {
    viewport.fitted = false;
    on.moved();
  }

  // The image pixel in the middle of the pane.
  function middle() {
    const [width, height] = on.size();
    return viewport.toImage(width / 2, height / 2);
  }

  // { x, y, zoom }: the pixel in the middle and the zoom, 1 where the image fits; null while it is fitted.
  function get() {
    if (!on.image() || viewport.fitted) return null;
    const [x, y] = middle();
    return { x, y, zoom: at.zoom / fitting() };
  }

  function set(given) {
    if (!given || !on.image()) return fit();
    const [width, height] = on.size();
    at.zoom = clamp(given.zoom * fitting(), fitting() / 2, Math.max(MAX_ZOOM, fitting()));
    at.left = width / 2 - given.x * at.zoom;
    at.top = height / 2 - given.y * down();
    viewport.fitted = false;
    on.repaint();
  }

  return viewport;
}
