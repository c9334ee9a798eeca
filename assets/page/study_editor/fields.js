// The fields of the form: each says which key of the study file it writes, so that what is wrong stands beside it.

import { button, make } from "../shared/dom.js";
/** @import { Fields, StudyFault } from "../types" */

const NAMED = { washout_days: "wash-out", blocks_each: "blocks for each reader", training_feedback: "truth after training", by: "by whom", end: "text at the end" };   // keys that are no words of the form
let numbers = 0;

// Fields that write into an object. `changed()` hears of every change; with `readOnly` none can be made.
/** @param {{ changed: () => void, readOnly: boolean }} given @returns {Fields} */
export function createFields({ changed, readOnly }) {
  // A field around a control: its label, what is said of it, and room for what is wrong.
  function wrap(label, control, { key = "", hint = "", inline = false } = {}) {
    const field = make("div", inline ? "field inline" : "field"), name = make("label", "", label), id = `field-${++numbers}`;
    control.id = id;
    name.htmlFor = id;
    if (key) field.dataset.key = key;
    control.disabled = readOnly;
    field.append(...(inline ? [control, name] : [name, control]));
    if (hint) {
      const said = Object.assign(make("small", "hint", hint), { id: `${id}-hint` });
      control.setAttribute("aria-describedby", said.id);
      field.append(said);
    }
    return field;
  }

  // `bare`: the control alone, in a table whose head says what it is; `label` is then its spoken name.
  function place(label, control, options) {
    if (!options.bare) return wrap(label, control, options);
    const field = make("div", "field");
    if (options.key) field.dataset.key = options.key;
    control.setAttribute("aria-label", label);
    control.disabled = readOnly;
    field.append(control);
    return field;
  }

  function set(owner, name, value) {
    if (value === undefined || (value === "" && !Object.getOwnPropertyDescriptor(owner, name)?.set)) delete owner[name];
    else owner[name] = value;
    changed();
  }

  return {
    text(label, owner, name, { lines = 1, longest = 4000, kept = false, ...options } = {}) {
      const control = lines > 1 ? Object.assign(make("textarea"), { rows: lines }) : Object.assign(make("input"), { type: "text" });
      control.maxLength = longest;
      control.value = owner[name] ?? "";
      control.addEventListener("input", () => { if (kept) { owner[name] = control.value; changed(); } else set(owner, name, control.value); });
      return place(label, control, options);
    },
    number(label, owner, name, { least = 0, most = 1e6, step = 1, otherwise = 0, ...options } = {}) {
      const control = Object.assign(make("input", "number"), { type: "number", min: String(least), max: String(most), step: String(step) });
      control.value = String(owner[name] ?? otherwise);
      control.addEventListener("input", () => set(owner, name, control.value === "" ? undefined : Number(control.value)));
      return place(label, control, options);
    },
    check(label, owner, name, options = {}) {
      const control = Object.assign(make("input"), { type: "checkbox", checked: owner[name] === true });
      control.addEventListener("change", () => set(owner, name, control.checked ? true : undefined));
      return wrap(label, control, { ...options, inline: true });
    },
    choice(label, owner, name, choices, { then = () => {}, ...options } = {}) {
      const control = make("select");
      control.append(...choices.map(([value, title]) => new Option(title, value)));
      control.value = owner[name] ?? choices[0][0];
      control.addEventListener("change", () => { set(owner, name, control.value); then(); });
      return place(label, control, options);
    },
    action(title, act, className = "quiet bordered") {
      const made = button(className, title);
      made.disabled = readOnly;
      made.addEventListener("click", act);
      return made;
    },
  };
}

// What is wrong with a key, without the key: the field says which one it is.
/** @param {StudyFault} fault */
export function reasonOf({ key, sentence }) {
  const reason = key && sentence.startsWith(key) ? sentence.slice(key.length).replace(/^[:\s]+/, "") : sentence;
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
}

// A key of the file in the words of the form: "cases[2].image" is the image of case c02.
/** @param {string} key @param {any} values */
export function keyInWords(key, values) {
  const [, list, place, rest = ""] = key.match(/^(\w+)\[(\d+)\]\.?(.*)$/) ?? [];
  if (!list) return NAMED[key] ?? key.replace("readers.", "reader ").replaceAll("_", " ");
  const entry = values[list]?.[Number(place) - 1], what = { cases: "case", training: "training case", questions: "question" }[list] ?? list;
  return `${what} ${entry?.id || place}${rest ? `, ${rest}` : ""}`;
}

/** @param {HTMLElement} form @param {StudyFault[]} faults @param {any} values */
export function placeFaults(form, faults, values) {
  for (const old of form.querySelectorAll(".fault")) old.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const fault of faults) {
    const exact = form.querySelector(`[data-key="${CSS.escape(fault.key)}"]`), field = exact ?? form.querySelector(`[data-key="${CSS.escape(fault.key.replace(/\.[^.]*$/, ""))}"]`);
    if (!field) continue;
    const said = make("p", "fault", exact ? reasonOf(fault) : `${keyInWords(fault.key, values)}: ${reasonOf(fault)}`), control = field.querySelector("input, select, textarea");
    said.id = `fault-${++numbers}`;
    field.append(said);
    control?.setAttribute("aria-invalid", "true");
    if (control && !control.getAttribute("aria-describedby")) control.setAttribute("aria-describedby", said.id);
  }
}
