// What the reader draws on the films: boxes and outlines, which belong to what is asked, and measures, which only say what they measure.

import { isMeasure } from "./shapes.js";
/** @import { Film, MeasuringTools, Shape } from "../types" */
/** @import { FilmPair } from "./film_pair.js" */

// `on`: shapes(shapes) after every change of the boxes and outlines; said(text) what the last measure says.
/** @param {FilmPair} films @param {{ shapes(shapes: Shape[]): void, said(text: string): void }} on */
export function createMarks(films, on) {
  const { current } = films;
  let mode = /** @type {string} */ ("pan");           // what dragging does
  let tools = /** @type {MeasuringTools | null} */ (null);        // for measuring, once somebody measures
  let told = /** @type {Shape[]} */ ([]);             // the boxes and outlines, as last told
  const measuresOf = new Map();                       // of the frames that are not shown, by their number

  const own = () => current.annotations.shapes.filter((shape) => !isMeasure(shape));
  const measures = () => current.annotations.shapes.filter(isMeasure);

  // What a drag draws on a film; on the one beside only measures.
  /** @type {(film: Film) => Shape["kind"] | null} */
  const kindOf = (film) => /** @type {any} */ (isMeasure(/** @type {any} */ ({ kind: mode })) || (film === current && ["box", "outline"].includes(mode)) ? mode : null);

  async function loadTools() {
    tools ??= await import("../measuring/tools.js");
    for (const film of films.all) film.annotations.tools = tools;
  }

  /** @param {Shape[]} list @param {Shape[]} measured */
  function load(list, measured) {
    current.annotations.load([...list, ...measured]);
    told = own();
    if (measured.length) loadTools();
  }

  return {
    measures, load,
    get shapes() { return own(); },
    get measured() { return tools ? measures().map((shape) => tools.record(shape, current.image, current.facts)) : []; },
    get drawing() { return mode !== "pan"; },
    get mode() { return mode; },
    // The first measuring waits for its tools; false where something else was chosen meanwhile.
    /** @param {string} name */
    async choose(name) {
      mode = name;
      if (isMeasure(/** @type {any} */ ({ kind: name }))) await loadTools();
      if (mode !== name) return false;
      for (const film of films.all) this.prepare(film);
      return true;
    },
    // What a drag on a film draws.
    /** @param {Film} film */
    prepare(film) { film.annotations.kind = kindOf(film); },
    // The same for a film that was just put on the stage.
    /** @param {Film} film */
    equip(film) {
      film.annotations.tools = tools;
      this.prepare(film);
    },
    // The reader drew, changed or deleted something on a film.
    /** @param {Shape[]} shapes */
    drawn(shapes) {
      const now = own(), last = shapes.at(-1), { active } = films;
      if (last && isMeasure(last)) on.said(tools.describe(last, active.image, active.facts));
      if (now.length === told.length && now.every((shape, i) => shape === told[i])) return;
      told = now;
      on.shapes(now);
    },
    // Another image: nothing is drawn on it.
    forget() { load([], []); measuresOf.clear(); },
    // Another frame of the file: measures are of their own frame, and come back with it.
    keepFrame() { measuresOf.set(current.frame, measures()); },
    /** @param {number} frame */
    showFrame(frame) {
      const kept = measuresOf.get(frame) ?? [];
      if (kept.length || measures().length) load(own(), kept);
    },
    // What the measures on a film say, for a picture of it.
    /** @param {Film} film */
    saidBy({ image, facts, annotations }) {
      const drawn = annotations.shapes.filter(isMeasure);
      return tools ? { values: drawn.map((shape) => tools.label(shape, image, facts)), planes: tools.planesOf(drawn, image, facts) } : {};
    },
  };
}
