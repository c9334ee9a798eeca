// A film of a list: where it comes from, what it was asked and answered, and in what state it is.

import { listed, shortVerdict } from "../shared/verdict.js";
import { isFlagged } from "./order.js";
/** @import { Checked, Doubt, FilmLeft, Finding } from "../types" */
/** @import { Found } from "./intake.js" */

const MOST_ANSWERS = 200;           // kept of a film, the newest

/** @typedef {ReturnType<typeof createFilm>} Film */
/** @typedef {"" | "read" | "asked" | "flagged" | "doubt" | "failed"} State */

/** @param {Found} found @param {number} number that no other film of the page has */
export function createFilm(found, number) {
  return {
    number, path: found.path, key: found.key, head: found.head, name: found.path.slice(found.path.lastIndexOf("/") + 1), source: found.source, problem: found.problem,
    seen: false,
    thumbnail: "",                                              // an object URL
    doubt: /** @type {Doubt | null} */ (null),
    last: /** @type {Checked | null} */ (null),                 // the answer to what it was asked last
    answers: /** @type {Map<string, Checked>} */ (new Map()),   // by description
    left: /** @type {FilmLeft | null} */ (null),                // what it was left with
  };
}

// An answer that may be kept for long: without its map.
/** @param {Finding} finding @returns {Checked} */
export function withoutMap({ grid, ...rest }) {
  return rest;
}

/** @param {Film} film @param {string} description @param {Checked} finding */
export function keepAnswer(film, description, finding) {
  film.answers.delete(description);
  film.answers.set(description, finding);
  if (film.answers.size > MOST_ANSWERS) film.answers.delete(film.answers.keys().next().value);
}

// What counts of a film: its answers to what the whole list was asked, or to what it was asked last.
/** @param {Film} film @param {string[]} asked @returns {Checked[]} */
export const answersOf = (film, asked) => (asked.length ? asked.map((text) => film.answers.get(text)).filter(Boolean) : film.last ? [film.last] : []);

// A film's state, and what stands beside its name: `about` says of which finding, `cautions` go with it.
/** @param {Film} film @param {string[]} asked @returns {{ state: State, about: string, text: string, cautions: string[] }} */
export function stateOf(film, asked) {
  const none = { about: "", cautions: [] };
  if (film.problem) return { ...none, state: "failed", text: film.problem };
  const answers = answersOf(film, asked), flagged = answers.filter(isFlagged);
  if (film.doubt?.degree === "stopped" && !answers.some(({ present }) => present !== null)) return { ...none, state: "doubt", text: "not the right kind", cautions: [film.doubt.sentence] };
  if (!answers.length) return film.seen ? { ...none, state: "read", text: "read" } : { ...none, state: "", text: "" };
  const cautions = [...new Set(answers.flatMap((finding) => finding.cautions))], state = flagged.length ? "flagged" : "asked";
  if (asked.length < 2) return { state, about: answers[0].asked?.name ?? answers[0].text, text: shortVerdict(answers[0]), cautions };
  return { state, about: listed(flagged.map(({ asked: said, text }) => said?.name ?? text)), text: `${flagged.length || "none"} of ${answers.length} flagged`, cautions };
}
