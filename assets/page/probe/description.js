// The description: what is typed into its field or chosen for it, and whether these are the user's own words.

import { correct, createCompletions } from "./completions.js";
/** @import { ShownAnswer } from "./shown_answer.js" */

// `probe`: ask() at once, soon() once nobody types any more; terms(), the names of the image's modality; typing() hears of every key.
/** @param {HTMLElement} element @param {{ ask(): void, soon(): void, typing(): void, terms(): string[], answer(): ShownAnswer }} probe */
export function createDescription(element, { ask, soon, typing, terms, answer }) {
  const box = element.querySelector("textarea");
  let own = false;                    // these are the user's words, not those of an example
  let typed = false;                  // they were typed, not chosen

  /** @param {string} text */
  function set(text, isOwn = true, isTyped = false) {
    box.value = text;
    own = isOwn;
    typed = isTyped;
  }

  /** @param {string} text */
  function propose(text) { set(text); ask(); }

  const completions = createCompletions(box, element.querySelector(".completions"), terms, propose, () => answer().showVerdict());

  box.addEventListener("input", (event) => { own = typed = box.value !== ""; typing(); if (!event.isComposing) soon(); });
  box.addEventListener("compositionend", soon);
  box.addEventListener("keydown", (event) => {
    if (completions.key(event)) return;
    if (event.key === "Escape") box.blur();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    const { finding } = answer(), unknownYet = finding?.text === box.value.trim() && finding.asked?.status === "unknown", [meant] = unknownYet ? finding.suggestions : [];
    if (completions.open && unknownYet) return completions.takeFirst();
    completions.close();
    meant ? propose(correct(box.value, meant)) : ask();
  });

  return {
    set,
    // Asks a description from a chip, the scan or the list of recent ones.
    propose,
    // Asks a known name in the place of what was typed for it.
    /** @param {string} name */
    correct(name) { propose(correct(box.value, name)); },
    clear() { set("", false); ask(); },
    empty() { box.value = ""; },
    focus() { box.focus(); },
    // What was asked in own words stays for the next image; an example brings its own.
    /** @param {string | null | undefined} text */
    offer(text) {
      if (text != null) set(text, false);
      else if (!own) box.value = "";
    },
    get text() { return box.value; },
    get typed() { return typed; },
    get completing() { return completions.open; },
  };
}
