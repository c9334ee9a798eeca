// The films on the stage: the one that is asked about, and one beside it. While the two are linked, what is done to one happens to the other.

import { createFilm, samePlace, sameWindow } from "./film.js";
/** @import { Facts, Film, Orientation, PixelImage } from "../types" */

/** @typedef {ReturnType<typeof createFilmPair>} FilmPair */

// Of a film beside one that has an R, where its own file is silent.
/** @type {Orientation} */
const ASSUMED = { patient_right: "left", patient_front: null, view: "frontal", eye: null, source: "assumed" };
const saysSides = (/** @type {Orientation} */ { patient_right, patient_front, eye, view }) => Boolean(patient_right || patient_front || eye || view === "lateral");

// `stage`: as createFilm has it; `activated(film)` hears which one was touched last.
/** @param {Parameters<typeof createFilm>[0]} stage @param {(film: Film) => void} activated */
export function createFilmPair(stage, activated) {
  const current = createFilm(stage), all = [current];
  let active = current;               // the one that was touched last: keys and presets are for it
  let linked = true;

  const others = (/** @type {Film} */ from) => (linked ? all.filter((film) => film !== from && film.image) : []);

  /** @param {Film} film */
  function activate(film) {
    if (active === film) return;
    active = film;
    activated(film);
  }

  return {
    current, all, activate,
    get second() { return all.at(1) ?? null; },
    get active() { return active; },
    get linked() { return linked; },
    set linked(on) { linked = on; },
    // The films that a key moves.
    get moved() { return linked ? all : [active]; },
    /** @param {Film} from */
    follow(from) { for (const film of others(from)) film.viewport.set(samePlace(from, film)); },
    /** @param {Film} from @param {boolean} invert */
    followWindow(from, invert) { for (const film of others(from)) film.setWindow(sameWindow(from, film), invert); },
    // A second film beside the first, linked with it.
    /** @param {PixelImage} image @param {string} label @param {number[]} which @param {Facts} facts @param {Orientation | null} orientation @param {{ step(by: number): void, close(): void }} own */
    add(image, label, which, facts, orientation, own) {
      const film = Object.assign(createFilm(stage), own);
      all.push(film);
      film.show(image, label, facts, which);
      film.setSides(orientation && saysSides(orientation) ? orientation : [current.sides.left, current.sides.right].includes("R") ? ASSUMED : null);
      linked = true;
      return film;
    },
    removeSecond() {
      all.pop().close();
      activate(current);
    },
  };
}
