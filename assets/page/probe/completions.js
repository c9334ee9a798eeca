// Known findings under the description as one types: names and other words for them, in a list for arrow keys and pointer.

import { make } from "../shared/dom.js";

const MOST = 6, LONGEST = 5;        // lines of the list; words that a name may have
const FROM = 2;                     // letters, from which on names are offered

// What a text that is being typed may become: whole texts, each with the known name at its end. None where it ends in a name.
/** @param {string} text @param {string[]} terms @returns {{ term: string, text: string }[]} */
export function complete(text, terms) {
  const starts = [...text.matchAll(/[\p{L}\p{N}][^\s]*/gu)].map(({ index }) => index).slice(-LONGEST);
  const typed = starts.map((start) => text.slice(start).toLowerCase());
  if (!starts.length || typed.some((end) => terms.includes(end))) return [];
  for (const [i, end] of typed.entries()) {
    if (end.trim().length < FROM) continue;
    const first = terms.filter((term) => term.startsWith(end)), within = terms.filter((term) => !first.includes(term) && term.includes(` ${end}`));
    const found = [...first, ...within].slice(0, MOST);
    if (found.length) return found.map((term) => ({ term, text: text.slice(0, starts[i]) + term }));
  }
  return [];
}

// The text with the words that are nearest to `name` replaced by it, so that side and denial stay; `name` alone where none is near.
/** @param {string} text @param {string} name */
export function correct(text, name) {
  const words = [...text.matchAll(/\S+/g)], wanted = name.toLowerCase(), length = wanted.split(" ").length;
  let best = { cost: 0.34, from: 0, to: text.length };
  for (const count of [length - 1, length, length + 1]) {
    for (let i = 0; count > 0 && i + count <= words.length; i++) {
      const last = words[i + count - 1], from = words[i].index, to = last.index + last[0].replace(/[.,;:!?]+$/, "").length;
      const cost = distance(text.slice(from, to).toLowerCase(), wanted) / wanted.length;
      if (cost < best.cost) best = { cost, from, to };
    }
  }
  return text.slice(0, best.from) + name + text.slice(best.to);
}

// Letters to add, drop or change (Levenshtein).
function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1];
    for (let j = 0; j < other.length; j++) next.push(Math.min(row[j] + Number(letter !== other[j]), row[j + 1] + 1, next[j] + 1));
    row = next;
  }
  return row[other.length];
}

// `terms()`: the names of the image's modality; `take(text)`: one was chosen; `closed()`: the list went. A text field of several lines
// may not say by an attribute that a list is open, so a status beside it does.
/** @param {HTMLTextAreaElement} box @param {HTMLElement} list @param {() => string[]} terms @param {(text: string) => void} take @param {() => void} closed */
export function createCompletions(box, list, terms, take, closed) {
  const told = make("p", "offered");
  let offered = [], active = -1;
  told.setAttribute("role", "status");
  list.after(told);

  function show(next) {
    const before = offered.length;
    offered = next;
    active = -1;
    list.hidden = !offered.length;
    told.textContent = offered.length ? `${offered.length} known ${offered.length === 1 ? "finding" : "findings"}: the down arrow chooses.` : "";
    list.replaceChildren(...offered.map(({ term }, i) => {
      const option = make("li", "", term);
      Object.assign(option, { id: `completion-${i}`, role: "option" });
      option.setAttribute("aria-selected", "false");
      option.addEventListener("pointerdown", (event) => { event.preventDefault(); choose(i); });
      return option;
    }));
    point();
    if (before && !offered.length) closed();
  }

  function point() {
    for (const [i, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(i === active));
    active < 0 ? box.removeAttribute("aria-activedescendant") : box.setAttribute("aria-activedescendant", `completion-${active}`);
  }

  function choose(at) {
    const { text } = offered[at];
    show([]);
    take(text);
  }

  const close = () => show([]), open = () => !list.hidden;
  const atEnd = () => box.selectionStart === box.value.length && box.selectionEnd === box.value.length;
  box.addEventListener("input", () => show(atEnd() ? complete(box.value, terms()) : []));
  box.addEventListener("blur", close);

  return {
    close,
    get open() { return open(); },
    takeFirst() { choose(0); },
    // The arrows choose, Enter takes what is chosen, Escape closes the list; true where the key was meant for it.
    key(event) {
      if (!open() || event.isComposing) return false;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) { active = (active + 1 + step + offered.length + 1) % (offered.length + 1) - 1; point(); }
      else if (event.key === "Escape") close();
      else if (event.key === "Enter" && active >= 0) choose(active);
      else return false;
      event.preventDefault();
      return true;
    },
  };
}
