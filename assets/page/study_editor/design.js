// How the study is built: arms and order, repeats, training, blocks; and how many readers and cases find what is looked for.

import { make } from "../shared/dom.js";
/** @import { StepContext } from "../types" */

const DESIGNS = [
  ["crossover", "Crossover", "Each case in both arms, half of them without the model first; the other arm follows after the wash-out."],
  ["unaided_then_aided", "Without, then with", "Each case without the model and at once again with it."],
  ["unaided", "Without the model", "The image alone."],
  ["aided", "With the model", "The image with the model's map and score."],
];

/** @param {HTMLElement} form @param {StepContext} context */
export function buildDesign(form, context) {
  const { values, fields, readOnly, changed, render } = context;
  form.append(fields.text("Title", values, "title", { key: "title", longest: 200, hint: "Readers see it when they sign in." }));

  const arms = make("fieldset", "field designs");
  arms.dataset.key = "design";
  arms.append(make("legend", "", "Arms and order"));
  for (const [name, title, said] of DESIGNS) {
    const label = make("label", "design"), control = Object.assign(make("input"), { type: "radio", name: "design", value: name, checked: values.design === name, disabled: readOnly });
    control.addEventListener("change", () => {
      values.design = name;
      if (name !== "crossover") delete values.washout_days;
      else values.washout_days ??= 28;
      changed();
      render();
      /** @type {HTMLElement} */ (form.querySelector("[name=design]:checked")).focus();
    });
    label.append(control, make("b", "", title), make("small", "hint", said));
    arms.append(label);
  }
  form.append(arms);

  const row = make("div", "row");
  if (values.design === "crossover") row.append(fields.number("Wash-out, days", values, "washout_days", { key: "washout_days", step: 1, most: 3650, hint: "Between the two periods; 28 is usual." }));
  row.append(fields.number("Repeated cases", values, "repeats", { key: "repeats", hint: "Come a second time, unannounced: each reader's agreement with themselves." }));
  if (values.cases?.some(({ block }) => block) || values.blocks_each > 1) {
    row.append(fields.number("Blocks for each reader", values, "blocks_each", { key: "blocks_each", least: 1, otherwise: 1, hint: "Of the rotating blocks named with the cases; cases without a block are read by all." }));
  }
  form.append(row, fields.check("Readers may go back to earlier cases", values, "back", { key: "back" }), fields.check("and change their answers; a change is kept beside the first answer", values, "edit", { key: "edit" }));
  form.append(fields.check("After a training case readers see the truth", values, "training_feedback", { key: "training_feedback", hint: "Training cases come first and count nowhere; the step Cases says which they are." }));
  form.append(fields.check("Only coordinators may use Probe, Ground truth and Results while the study is open", values, "exclusive", {
    key: "exclusive", hint: "So that no reader tries a case elsewhere. It holds for everybody at this page, and for direct calls.",
  }));
  const more = make("details", "further"), inside = make("div", "row");
  more.append(make("summary", "", "More"), inside);
  inside.append(
    fields.number("Seed of the orders", values, "seed", { key: "seed", most: 2 ** 53, hint: "Anyone can work the orders out again from it." }),
    fields.number("Threshold of the map", values, "threshold", { key: "threshold", most: 1, step: 0.05, otherwise: 0.5, hint: "For the regions of the model." }),
  );
  form.append(more, planning(context));
}

// As `afloc study power`.
/** @param {StepContext} context */
function planning({ ask, explain }) {
  const plan = make("details", "plan"), form = make("form"), out = make("div", "planned");
  const inputs = {};
  for (const [name, label, value, least, most] of /** @type {[string, string, string, number, number][]} */ ([
    ["difference", "Difference in AUC", "0.05", 0.005, 0.49], ["cases", "Cases, if known", "", 10, 100000], ["area", "AUC", "0.85", 0.51, 0.99],
    ["positive", "Share positive", "0.5", 0.05, 0.95], ["reader_range", "Readers differ by", "0.05", 0, 0.5],
  ])) {
    const field = make("label", "field"), input = Object.assign(make("input", "number"), { type: "number", name, value, min: String(least), max: String(most), step: "any", required: name !== "cases" });
    field.append(make("span", "", label), input);
    inputs[name] = input;
    form.append(field);
  }
  const go = Object.assign(make("button", "quiet bordered", "Work it out"), { type: "submit" });
  form.append(go);
  form.className = "row";
  out.setAttribute("role", "status");
  plan.append(make("summary", "", "How many readers and cases does it take?"), form, out);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const numbers = Object.fromEntries(Object.entries(inputs).map(([name, { value }]) => [name, value === "" ? null : Number(value)]));
    try {
      const { rows } = await ask("power", numbers);
      const table = make("table"), head = make("tr"), known = numbers.cases !== null;
      head.append(...["Readers", "Cases needed", ...(known ? [`Power with ${numbers.cases} cases`] : [])].map((title) => make("th", "", title)));
      table.append(make("thead"), make("tbody"));
      table.tHead.append(head);
      for (const [readers, cases, power] of rows) {
        const line = make("tr");
        line.append(...[readers, cases ?? "too many", ...(known ? [power?.toFixed(2) ?? "–"] : [])].map((value) => make("td", "", String(value))));
        table.tBodies[0].append(line);
      }
      out.replaceChildren(table, make("p", "hint", "For a power of 0.8 at the 5% level, where every reader reads every case in both arms; readers and cases are samples."));
    } catch (error) {
      out.replaceChildren(make("p", "fault", explain(error)));
    }
  });
  return plan;
}
