// Paints the panes: the image and the map of each, what is drawn on it, the texts in its corners.

import { filmColors } from "./film_colors.js";
import { paintImage, paintMap, scaled } from "./paint.js";
/** @import { Display, Film, Pane, Range } from "../types" */
/** @import { FilmPair } from "./film_pair.js" */
/** @import { Layout } from "./layout.js" */

// `stage`: its films and panes, how they are displayed, and the numbers that 0 and 1 of a map stand for.
/** @param {HTMLElement} root @param {Record<string, Uint8Array>} tables @param {{ films: FilmPair, layout: Layout, display(): Display, scale(): Range }} stage */
export function createPainting(root, tables, { films, layout, display, scale: scaleOfMap }) {
  const { panes } = layout, undo = root.querySelector("[data-act=undo]"), remove = root.querySelector("[data-act=remove]");

  function prepare(context, width, height, scale) {
    const { canvas } = context, columns = Math.round(width * scale), rows = Math.round(height * scale);
    if (canvas.width !== columns || canvas.height !== rows) { canvas.width = columns; canvas.height = rows; }
    else context.clearRect(0, 0, columns, rows);
  }

  /** @param {Film} film */
  const colorsOf = ({ image }) => filmColors(image.levels[0].planes.length, tables).find(({ name }) => name === display().film);

  /** @param {Film} film @param {number} width @param {number} height @param {number} scale */
  function paintFilm(film, width, height, scale) {
    const [first, ...others] = layout.of(film);
    prepare(first.imageContext, width, height, scale);
    if (film.image) paintImage(first.imageContext, film.image, scaled(film.viewport.at, scale), film.shades, colorsOf(film));
    for (const pane of others) {
      prepare(pane.imageContext, width, height, scale);
      if (first.canvas.width && first.canvas.height) pane.imageContext.drawImage(first.canvas, 0, 0);
    }
  }

  /** @param {Pane} pane @param {number} width @param {number} height @param {number} scale */
  function paintPane(pane, width, height, scale) {
    prepare(pane.mapContext, width, height, scale);
    const map = layout.mapOf(pane), shown = display(), colors = tables[shown.colors];
    const { image, viewport } = pane.film, visible = Boolean(image && map && shown.map);
    if (pane === panes[0]) root.dataset.map = visible ? "shown" : "none";
    pane.bar.element.hidden = !visible;
    if (!visible) return;
    pane.bar.show(colors, shown.colors, shown.threshold, scaleOfMap());
    paintMap(pane.mapContext, map, image, scaled(viewport.at, scale), { ...shown, colors });
  }

  return {
    colorsOf,
    // How many times the pixels of a pane are painted, for the image and for the maps.
    layers: () => /** @type {[number, number]} */ ([films.all.reduce((sum, { image }) => sum + (image?.levels[0].planes.length ?? 0), 0), panes.length]),
    images(width, height, scale) { for (const film of films.all) paintFilm(film, width, height, scale); },
    maps(width, height, scale) { for (const pane of panes) paintPane(pane, width, height, scale); },
    // All that is not pixels.
    shapes() {
      for (const film of films.all) film.annotations.render();
      for (const pane of panes) if (pane.film.image) pane.corners.show(pane.film, colorsOf(pane.film)?.said);
      const { state } = films.active.annotations;
      undo.disabled = !state.undo;
      remove.disabled = !state.remove;
    },
  };
}
