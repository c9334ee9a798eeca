// The questions of a study, as it asks them: scales and choices answered by one press or key, free text, and places to draw.
// `questions` is a list of { id, text, kind: "rating" | "choice" | "text" | "regions", labels, required }; ratings are answered by
// their place from 1 on, choices by their label. `onChange()` hears of every answer.

import { button, make } from "../shared/dom.js";
/** @import { Question } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

/** @param {HTMLElement} root @param {Pick<Viewer, "setMode" | "shapes">} viewer @param {() => void} onChange */
export function createQuestions(root, viewer, onChange) {
  let questions = [], answers = {}, locked = false;

  const valueOf = (question, place) => (question.kind === "rating" ? place + 1 : question.labels[place]);
  const scaled = () => questions.filter(({ kind }) => kind === "rating" || kind === "choice");

  /** @param {Question[]} list */
  function ask(list) {
    questions = list;
    root.replaceChildren(...list.map((question) => {
      const field = make("fieldset", question.kind);
      field.dataset.question = question.id;
      field.append(make("legend", "", question.text + (question.required ? "" : " (optional)")));
      if (question.kind === "text") field.append(textField(question));
      else if (question.kind === "regions") field.append(...drawingTools());
      else field.append(...question.labels.map((label, place) => option(question, label, place)));
      return field;
    }));
  }

  /** @param {Question} question @param {string} label @param {number} place */
  function option(question, label, place) {
    const made = button("option"), key = make("kbd", "", String(place + 1));
    made.append(key, label);
    made.addEventListener("click", () => set(question, valueOf(question, place)));
    return made;
  }

  /** @param {Question} question */
  function textField(question) {
    const made = make("textarea", "");
    made.maxLength = 4000;
    made.rows = 2;
    made.setAttribute("aria-label", question.text);
    made.addEventListener("input", () => { answers = { ...answers, [question.id]: made.value }; onChange(); });
    return made;
  }

  function drawingTools() {
    const tools = [["box", "Box", "b"], ["outline", "Outline", "d"]].map(([mode, title, key]) => {
      const made = button("tool");
      made.append(make("kbd", "", key), title);
      made.addEventListener("click", () => viewer.setMode(mode));
      return made;
    });
    return [...tools, make("span", "drawn")];
  }

  /** @param {Question} question @param {string | number} value */
  function set(question, value) {
    if (locked) return;
    answers = { ...answers, [question.id]: value };
    show();
    onChange();
  }

  function show() {
    for (const question of questions) {
      const field = root.querySelector(`[data-question="${CSS.escape(question.id)}"]`);
      field.disabled = locked;
      const box = field.querySelector("textarea");
      if (box && document.activeElement !== box) box.value = answers[question.id] ?? "";
      field.querySelectorAll(".option").forEach((made, place) => made.setAttribute("aria-pressed", String(valueOf(question, place) === answers[question.id])));
      const drawn = field.querySelector(".drawn"), count = viewer.shapes.length;
      if (drawn) drawn.textContent = count ? `${count} drawn` : "nothing drawn";
    }
  }

  return {
    ask, show,
    get answers() { return answers; },
    get draws() { return questions.some(({ kind }) => kind === "regions"); },
    // What was answered before, and whether it may still be changed.
    load(given, open) { answers = { ...given }; locked = !open; /** @type {HTMLElement} */ (document.activeElement)?.blur?.(); show(); },
    // A digit answers the first scale that has no answer yet, or the only one; true when it did.
    key({ key }) {
      const open = scaled(), question = open.find(({ id }) => answers[id] === undefined) ?? open.at(-1);
      if (locked || !question || !(key >= "1" && key <= String(Math.min(9, question.labels.length)))) return false;
      set(question, valueOf(question, Number(key) - 1));
      return true;
    },
  };
}
