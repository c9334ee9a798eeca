// Small dialogs.

import { button, make } from "../shared/dom.js";

// Asks for texts, each [name, label, hint, pattern]; `act(answers)` may refuse, and `explain(error)` says why.
/** @param {HTMLElement} root @param {string} heading @param {string[][]} asked @param {(answers: any) => Promise<void>} act @param {(error: unknown) => string} explain */
export function ask(root, heading, asked, act, explain) {
  const dialog = make("dialog", "sheet ask"), form = make("form"), problem = make("p", "problem"), line = make("div", "line buttons");
  const cancel = button("back", "Cancel"), go = Object.assign(make("button", "go", "Make it"), { type: "submit" });
  form.autocomplete = "off";
  problem.setAttribute("role", "alert");
  for (const [name, label, hint, pattern] of asked) {
    const field = make("label", "field"), input = Object.assign(make("input"), { name, required: true, maxLength: 200 });
    if (pattern) { input.pattern = pattern; input.title = hint; input.spellcheck = false; }
    field.append(make("span", "", label), input, make("small", "hint", hint));
    form.append(field);
  }
  line.append(cancel, go);
  form.append(problem, line);
  dialog.append(make("h2", "", heading), form);
  dialog.setAttribute("aria-label", heading);
  root.append(dialog);
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      await act(Object.fromEntries(new FormData(form)));
      dialog.close();
    } catch (error) {
      problem.textContent = explain(error);
    }
    go.disabled = false;
  });
  dialog.showModal();
}

// Asks whether something is really wanted; the answer is true where it is.
/** @param {HTMLElement} root @param {string} heading @param {string} text @param {string} yes @returns {Promise<boolean>} */
export function confirm(root, heading, text, yes) {
  const dialog = make("dialog", "sheet ask"), line = make("div", "line buttons"), cancel = button("back", "Cancel"), go = button("go", yes);
  line.append(cancel, go);
  dialog.append(make("h2", "", heading), make("p", "", text), line);
  dialog.setAttribute("aria-label", heading);
  root.append(dialog);
  return new Promise((resolve) => {
    cancel.addEventListener("click", () => dialog.close());
    go.addEventListener("click", () => { resolve(true); dialog.close(); });
    dialog.addEventListener("close", () => { resolve(false); dialog.remove(); });
    dialog.showModal();
  });
}
