// The questions of a study, as it asks them: scales and choices answered by one press or key, free text, and places to draw.
// `questions` is a list of { id, text, kind: "rating" | "choice" | "text" | "regions", labels, required }; ratings are answered by
// their place from 1 on, choices by their label, regions that have labels by a rating for each region. Digits answer the question
// in turn, which alone shows them. `onChange()` hears of every answer.

import { button, make } from "../shared/dom.js";
/** @import { Question } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

const CALLED = { box: "Box", outline: "Outline" };

/** @param {HTMLElement} root @param {Pick<Viewer, "setMode" | "shapes" | "rate">} viewer @param {() => void} onChange */
export function createQuestions(root, viewer, onChange) {
  let questions = [], answers = {}, locked = false;
  let chosen = null;                  // the question that the reader has gone to, until it is answered
  let complained = null;              // the question that was found without an answer

  const valueOf = (question, place) => (question.kind === "rating" ? place + 1 : question.labels[place]);
  const rates = ({ kind, labels }) => kind === "regions" && labels.length > 0;
  const takesDigits = (question) => question.kind === "rating" || question.kind === "choice" || (rates(question) && viewer.shapes.length > 0);
  const unrated = () => viewer.shapes.find(({ rating }) => rating === undefined);
  const fieldOf = (question) => root.querySelector(`[data-question="${CSS.escape(question.id)}"]`);

  // Whether a question has what may be saved.
  function isAnswered(question) {
    if (question.kind === "regions") return (!question.required || viewer.shapes.length > 0) && !(rates(question) && unrated());
    return !question.required || ![undefined, ""].includes(answers[question.id]);
  }

  // A region just drawn is rated first; then come the scales that have no answer yet.
  function inTurn() {
    const open = questions.filter(takesDigits);
    return open.find(({ id }) => id === chosen) ?? open.find((question) => rates(question) && unrated()) ?? open.find((question) => !rates(question) && answers[question.id] === undefined) ?? open.findLast((question) => !rates(question)) ?? open[0];
  }

  /** @param {Question[]} list */
  function ask(list) {
    questions = list;
    chosen = complained = null;
    root.replaceChildren(...list.map((question) => {
      const field = make("fieldset", question.kind);
      field.dataset.question = question.id;
      field.append(make("legend", "", question.text + (question.required ? "" : " (optional)")));
      if (question.kind === "text") field.append(textField(question));
      else if (question.kind === "regions") field.append(drawingTools(), make("div", "rated"));
      else field.append(options(question, question.labels, (place) => set(question, valueOf(question, place))));
      return field;
    }));
    root.scrollTop = 0;
  }

  // A button for each label; `take(place)` hears of a press.
  /** @param {Question} question @param {string[]} labels @param {(place: number) => void} take */
  function options({ text }, labels, take) {
    const holder = make("div", "options");
    holder.setAttribute("role", "group");
    holder.setAttribute("aria-label", text);
    holder.append(...labels.map((label, place) => {
      const made = button("option");
      made.append(make("kbd", "", place < 9 ? String(place + 1) : ""), make("span", "", label));
      made.title = label;
      made.addEventListener("click", () => take(place));
      return made;
    }));
    return holder;
  }

  /** @param {Question} question */
  function textField(question) {
    const made = make("textarea", "");
    made.maxLength = 4000;
    made.rows = 2;
    made.setAttribute("aria-label", question.text);
    made.addEventListener("input", () => { answers = { ...answers, [question.id]: made.value }; settled(); });
    return made;
  }

  function drawingTools() {
    const holder = make("div", "drawing");
    holder.append(...[["box", "Box", "b"], ["outline", "Outline", "d"]].map(([mode, title, key]) => {
      const made = button("tool");
      made.append(make("kbd", "", key), title);
      made.addEventListener("click", () => viewer.setMode(mode));
      return made;
    }), make("span", "drawn"));
    return holder;
  }

  /** @param {Question} question @param {string | number} value */
  function set(question, value) {
    if (locked) return;
    answers = { ...answers, [question.id]: value };
    settled();
  }

  // The viewer tells of the change, as of every other one of its shapes.
  function rate(shape, rating) {
    if (locked) return;
    chosen = null;
    viewer.rate(shape.id, rating);
  }

  function settled() {
    chosen = null;
    show();
    onChange();
  }

  function show() {
    const turn = locked ? null : inTurn();
    if (complained && isAnswered(complained)) complained = null;
    for (const question of questions) {
      const field = fieldOf(question);
      field.disabled = locked;
      field.classList.toggle("turn", question === turn);
      field.classList.toggle("missing", question === complained);
      const box = field.querySelector("textarea");
      if (box && document.activeElement !== box) box.value = answers[question.id] ?? "";
      if (question.kind === "regions") showRegions(question, field);
      else field.querySelectorAll(".option").forEach((made, place) => made.setAttribute("aria-pressed", String(valueOf(question, place) === answers[question.id])));
    }
  }

  // How many are drawn, and a row of ratings for each; its number stands beside it on the image.
  /** @param {Question} question @param {HTMLElement} field */
  function showRegions(question, field) {
    const { shapes } = viewer, holder = field.querySelector(".rated"), next = unrated() ?? shapes.at(-1);
    field.querySelector(".drawn").textContent = shapes.length ? `${shapes.length} drawn` : "nothing drawn";
    if (!rates(question)) return;
    const ids = shapes.map(({ id }) => id).join();
    if (holder.dataset.ids !== ids) {
      holder.dataset.ids = ids;
      holder.replaceChildren(...shapes.map(({ id, kind }, i) => {
        const row = make("div", "region");
        row.append(make("span", "called", `${CALLED[kind]} ${i + 1}`), options(question, question.labels, (place) => rate({ id }, place + 1)));
        row.querySelector(".options").setAttribute("aria-label", `${question.text} ${CALLED[kind]} ${i + 1}`);
        return row;
      }));
    }
    shapes.forEach((shape, i) => {
      const row = holder.children[i];
      row.classList.toggle("turn", shape === next);
      row.querySelectorAll(".option").forEach((made, place) => made.setAttribute("aria-pressed", String(shape.rating === place + 1)));
    });
  }

  /** @param {Question} question */
  function bringIn(question) {
    fieldOf(question)?.scrollIntoView({ block: "nearest" });
  }

  return {
    ask, show,
    // By question; the ratings of regions in the order in which these were drawn.
    get answers() {
      const rated = questions.filter((question) => rates(question) && viewer.shapes.length).map(({ id }) => [id, viewer.shapes.map(({ rating }) => rating ?? null)]);
      return { ...answers, ...Object.fromEntries(rated) };
    },
    get draws() { return questions.some(({ kind }) => kind === "regions"); },
    get ratesRegions() { return questions.some(rates); },
    // The ratings in what was answered before, one for each region; none where regions have none.
    /** @param {Record<string, any>} given @returns {(number | null)[]} */
    ratingsIn(given) { return questions.filter(rates).flatMap(({ id }) => given[id] ?? []); },
    // What was answered before, and whether it may still be changed.
    load(given, open) {
      answers = Object.fromEntries(Object.entries(given).filter(([id]) => !questions.some((question) => question.id === id && question.kind === "regions")));
      locked = !open;
      /** @type {HTMLElement} */ (document.activeElement)?.blur?.();
      show();
    },
    // The sentence that asks for the first answer that is missing, which is then marked; "" where there is none.
    complain() {
      complained = questions.find((question) => !isAnswered(question)) ?? null;
      show();
      if (!complained) return "";
      bringIn(complained);
      return `${complained.kind === "regions" && viewer.shapes.length ? "Please rate each region that you drew" : "Please answer"}: ${complained.text}`;
    },
    get complains() { return complained !== null; },
    // A digit answers the question in turn, q goes to another one; true when it was one of these.
    key({ key, shiftKey }) {
      const open = questions.filter(takesDigits), question = inTurn();
      if (locked || !question) return false;
      if (key.toLowerCase() === "q") {
        const next = open[(open.indexOf(question) + (shiftKey ? open.length - 1 : 1)) % open.length];
        chosen = next.id;
        show();
        bringIn(next);
        return true;
      }
      if (!(key >= "1" && key <= String(Math.min(9, question.labels.length)))) return false;
      if (rates(question)) rate(unrated() ?? viewer.shapes.at(-1), Number(key));
      else set(question, valueOf(question, Number(key) - 1));
      const following = inTurn();
      if (following) bringIn(following);
      return true;
    },
  };
}
