// What keys and buttons do, by name.

import { chooseColors, suitedColors } from "./colour_choice.js";
import { downZoom } from "./paint.js";
/** @import { Display, Grid } from "../types" */
/** @import { FilmPair } from "./film_pair.js" */

/** @typedef {ReturnType<typeof createActions>} Actions */

// `viewer`: the parts that they act on, and `start`, how things are displayed at first.
/**
 * @param {HTMLElement} root @param {{
 *   films: FilmPair, size(): [number, number], start: Display, tables: string[], display(): Display, setDisplay(change: Partial<Display>): void,
 *   setMode(name: string): void, mode(): string, windowBy(dx: number, dy: number): void, peek(rows: Grid | null | undefined): void, controls: { nextPreset(): void, nextFilm(): void },
 *   stepFrame(by: number): void, onBeside?(): void, link(): void }} viewer
 */
export function createActions(root, { films, size, start, tables, display, setDisplay, setMode, mode, windowBy, peek, controls, stepFrame, onBeside, link }) {
  const toggle = (name) => () => setDisplay({ [name]: !display()[name] });
  const change = (name, by) => () => setDisplay({ [name]: display()[name] + by });
  const after = (names, name) => names[(names.indexOf(name) + 1) % names.length];
  const push = (dx, dy) => () => (mode() === "window" ? windowBy(-dx / 2, -dy / 2) : films.active.viewport.panBy(dx, dy));
  const draws = (name) => () => setMode(name);

  // For those who draw by keyboard.
  function drawMiddle() {
    const { image, viewport, annotations } = films.active, [width, height] = size();
    if (image) annotations.addMiddle(viewport.middle(), width / 4 / viewport.at.zoom, height / 4 / downZoom(image, viewport.at));
  }

  return {
    fit() { for (const film of films.moved) film.viewport.fit(); },
    reset() {
      setDisplay({ ...start, colors: display().colors, window: films.current.image?.window ?? start.window });
      films.second?.setWindow(films.second.image.window, false);
      for (const film of films.all) film.viewport.fit();
    },
    invert: toggle("invert"), outline: toggle("outline"), map: toggle("map"), texts: toggle("texts"),
    pan: draws("pan"), window: draws("window"), box: draws("box"), draw: draws("outline"),
    ruler: draws("ruler"), angle: draws("angle"), ratio: draws("ratio"), area: draws("area"),
    preset: () => controls.nextPreset(), film: () => controls.nextFilm(),
    beside: () => onBeside?.(), link,
    colors() { chooseColors(after(tables, display().colors)); setDisplay({ colors: suitedColors(tables, false) }); },
    undo: () => films.active.annotations.undo(), redo: () => films.active.annotations.redo(), remove: () => films.active.annotations.remove(),
    display() { root.querySelector(".display").setAttribute("aria-expanded", String(root.toggleAttribute("data-display"))); },    // on a phone
    full() { document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.(); },
    zoomIn: () => films.active.viewport.zoomBy(1.25), zoomOut: () => films.active.viewport.zoomBy(0.8),
    left: push(40, 0), right: push(-40, 0), up: push(0, 40), down: push(0, -40),
    higher: change("threshold", 0.05), lower: change("threshold", -0.05), stronger: change("opacity", 0.05), fainter: change("opacity", -0.05),
    middle: drawMiddle, previousFrame: () => stepFrame(-1), nextFrame: () => stepFrame(1),
    peek: (/** @type {boolean} */ on) => peek(on ? null : undefined),
  };
}
