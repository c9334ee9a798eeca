// What is asked on each case.

import { button, make } from "../shared/dom.js";
/** @import { StepContext } from "../types" */

const KINDS = [["rating", "Rating: an ordered scale"], ["choice", "Choice: one of several"], ["regions", "Regions: boxes and outlines"], ["text", "Text"]];
const LABELLED = ["rating", "choice"];

/** @param {HTMLElement} form @param {StepContext} context */
export function buildQuestions(form, context) {
  const { values, fields, readOnly, changed, render } = context;
  values.questions ??= [];
  const list = make("div", "questions-list");
  values.questions.forEach((question, place) => list.append(one(question, place)));
  const line = make("div", "line-buttons");
  line.append(fields.action("Add a question", () => {
    const taken = new Set(values.questions.map(({ id }) => id));
    let number = values.questions.length + 1;
    while (taken.has(`q${number}`)) number++;
    values.questions.push({ id: `q${number}`, text: "", kind: "rating", labels: ["no", "perhaps", "yes"] });
    changed();
    render();
    /** @type {HTMLElement} */ (form.querySelector(".question:last-child input")).focus();
  }, "go"));
  form.append(list, line);
  const ratings = values.questions.filter(({ kind }) => kind === "rating");
  if (ratings.length > 1) {
    form.append(fields.choice("How sure the reader is that the finding is there (for ROC)", values, "presence", [["", "the first rating"], ...ratings.map(({ id, text }) => [id, text || id])], { key: "presence" }));
  }

  function one(question, place) {
    const key = `questions[${place + 1}]`, box = make("fieldset", "question"), head = make("div", "row");
    box.dataset.key = key;
    box.append(make("legend", "", `Question ${place + 1}`));
    head.append(
      fields.text("Question", question, "text", { key: `${key}.text`, longest: 500, kept: true }),
      fields.choice("Kind", question, "kind", KINDS, {
        key: `${key}.kind`, then: () => {
          if (!LABELLED.includes(question.kind)) delete question.labels;
          else question.labels ??= ["no", "perhaps", "yes"];
          if (question.kind === "regions" || question.kind === "text") question.required = false;
          else delete question.required;
          changed();
          render();
        },
      }),
      fields.text("Id", question, "id", { key: `${key}.id`, longest: 60, kept: true }),
    );
    box.append(head);
    if (question.labels) {
      const labels = { text: question.labels.join("\n") }, field = fields.text("Answers, one a line, from the first to the last", labels, "text", { key: `${key}.labels`, lines: Math.min(8, question.labels.length + 1), kept: true });
      field.querySelector("textarea").addEventListener("input", () => {
        question.labels = labels.text.split("\n").map((label) => label.trim()).filter(Boolean);
        changed();
      });
      box.append(field);
    }
    const tools = make("div", "line-buttons"), required = make("label", "inline"), control = Object.assign(make("input"), { type: "checkbox", disabled: readOnly, checked: question.required ?? LABELLED.includes(question.kind) });
    control.addEventListener("change", () => { question.required = control.checked; changed(); });
    required.append(control, "must be answered");
    tools.append(required, move(place, -1, "Up"), move(place, 1, "Down"), fields.action("Remove", () => { values.questions.splice(place, 1); changed(); render(); }, "quiet"));
    box.append(tools);
    return box;
  }

  function move(place, by, title) {
    const made = button("quiet", title), to = place + by;
    made.disabled = readOnly || to < 0 || to >= values.questions.length;
    made.setAttribute("aria-label", `${title}: question ${place + 1}`);
    made.addEventListener("click", () => {
      const [question] = values.questions.splice(place, 1);
      values.questions.splice(to, 0, question);
      changed();
      render();
    });
    return made;
  }
}
