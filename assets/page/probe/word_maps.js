import { button } from "../shared/dom.js";
/** @import { Grid, Word } from "../types" */

// A word's map: hexadecimal text, two digits a cell, row by row, as rows of numbers 0 … 1.
/** @param {string} text @param {number} columns @returns {Grid} */
export function readGrid(text, columns) {
  const cells = Array.from(text.match(/../g), (byte) => parseInt(byte, 16) / 255);
  return Array.from({ length: cells.length / columns }, (_, row) => cells.slice(row * columns, (row + 1) * columns));
}

// The words under the description, tinted by their pull; a word's own map shows for as long as it is pointed at or focused.
// `show(word or null)` is told which; `word` is { text, known, pull, grid: rows }.
/** @param {HTMLElement} root @param {(word: { text: string, grid: Grid } | null) => void} show */
export function createWordMaps(root, show) {
  let words = [];

  const wordOf = (event) => words[[...root.children].indexOf(event.target.closest("button"))] ?? null;
  for (const name of ["pointerover", "focusin"]) root.addEventListener(name, (event) => show(wordOf(event)));
  for (const name of ["pointerleave", "focusout"]) root.addEventListener(name, () => show(null));

  return {
    // A word's map: its cells are those that the model sees in; null without words.
    /** @returns {Grid | null} */
    get grid() { return words[0]?.grid ?? null; },
    // `list` as the server gives it.
    /** @param {Word[]} list */
    put(list) {
      root.classList.remove("more");
      words = list.filter(({ text }) => /[\p{L}\p{N}]/u.test(text)).map((word) => ({ ...word, grid: readGrid(word.grid, word.columns) }));
      root.replaceChildren(...words.map(({ text, known, pull }) => {
        const made = button(known ? "word" : "word unknown", text);
        made.style.setProperty("--pull", pull);
        made.title = known ? `${pull.toFixed(2)} of this word's own map where the whole description's is strongest` : "not a word the model knows";
        return made;
      }));
      root.classList.toggle("more", root.scrollHeight > root.clientHeight + 4);
    },
  };
}
