// All that is wrong, what to think of, the lock of the protocol, and how far the readers are.

import { button, make } from "../shared/dom.js";
import { confirm } from "./dialogs.js";
import { keyInWords, reasonOf } from "./fields.js";
import { STEPS, stepOf } from "./steps.js";
/** @import { StepContext } from "../types" */

const EVERY = 5000;                 // ms between two looks at the progress

/** @param {HTMLElement} form @param {StepContext} context */
export function buildRun(form, context) {
  const { study, values } = context, { faults, advice } = study;
  if (study.problem) form.append(make("p", "fault", study.problem));
  form.append(...(faults.length ? toMend(context) : [make("p", "sound", sentenceOf(study, values))]));
  if (study.unknown.length) form.append(make("p", "note", `The file has keys that are not known here: ${study.unknown.join(", ")}. They stay in the file, but it cannot start with them.`));
  if (advice.length) {
    const list = make("ul", "advice");
    list.append(...advice.map((sentence) => make("li", "", spoken(sentence, values))));
    form.append(make("h4", "", "Think of this"), list);
  }
  form.append(orders(form, context));
  const lock = about(study);
  if (lock.children.length) form.append(lock);
  if (study.version && study.state !== "draft") form.append(progress(context));
}

// Advice in the words of the form.
/** @param {string} sentence @param {any} values */
function spoken(sentence, values) {
  const named = sentence.replace(/(cases|training)\[\d+\]/g, (key) => keyInWords(key, values));
  return named.charAt(0).toUpperCase() + named.slice(1);
}

/** @param {any} study @param {any} values */
function sentenceOf({ totals: [least, most] }, { training }) {
  return `Nothing is wrong. Each reader gives ${least === most ? least : `${least} to ${most}`} readings${training?.length ? ", training included" : ""}.`;
}

/** @param {StepContext} context */
function toMend({ study: { faults }, values, goTo }) {
  const list = make("ul", "faults");
  for (const fault of faults) {
    const item = make("li"), step = stepOf(fault.key, values), way = button("link", STEPS.find(({ id }) => id === step).title);
    item.append(make("b", "", keyInWords(fault.key, values) || "the study"), ` ${reasonOf(fault)} `);
    if (step !== "run") { way.addEventListener("click", () => goTo(step)); item.append(way); }
    list.append(item);
  }
  return [make("h4", "", `To mend before it can start: ${faults.length}`), list];
}

// The buttons that start, pause, close and delete.
/** @param {HTMLElement} form @param {StepContext} context */
function orders(form, { study: { state, faults, answers }, values, changeState, remove }) {
  const line = make("div", "line-buttons"), sound = !faults.length;
  const act = (title, order, className = "quiet bordered", ready = true) => {
    const made = button(className, title);
    made.disabled = !ready;
    made.addEventListener("click", order);
    line.append(made);
  };
  const start = async () => {
    const sure = await confirm(form, "Start the study", "From now on readers can sign in with their codes. The protocol is locked by its hash: each later change of what readers meet makes a new version with a stated reason.", "Start");
    if (sure) changeState("open");
  };
  const drop = async () => {
    const sure = await confirm(form, "Delete the study", `The study file and the images that were sent for it are removed from the server.${answers ? ` The ${answers} readings stay in the store.` : ""} This cannot be undone.`, "Delete");
    if (sure) remove();
  };
  if (state === "draft") act("Start the study…", start, "go", sound);
  if (state === "open") {
    if (!values.protocol) act("Lock the protocol", () => changeState("open"), "go", sound);
    act("Pause", () => changeState("paused"));
  }
  if (state === "paused") act("Go on", () => changeState("open"), "go");
  if (state === "closed") act("Open again", () => changeState("open"));
  if (state === "open" || state === "paused") act("Close", () => changeState("closed"));
  if (state !== "open") act("Delete…", drop, "quiet");
  return line;
}

// What the server says of the file: no form writes the lock and the deviations.
function about(study) {
  const { values } = study;
  const list = make("dl", "lock"), say = (term, text, className = "") => list.append(make("dt", "", term), make("dd", className, text));
  if (study.version) say("Version", study.version, "digest");
  if (values.protocol) {
    say("Protocol locked", new Date(values.protocol.started).toLocaleString());
    say("SHA-256", values.protocol.sha256, "digest");
    for (const { time, version, reason } of values.deviations ?? []) say("Deviation", `${new Date(time).toLocaleString()}, version ${version}: ${reason}`);
  }
  if (study.comments) say("The file", `${study.comments} comments in it are kept.`);
  return list;
}

/** @param {StepContext} context */
function progress({ study, ask, poll, refresh, say, explain }) {
  const section = make("section", "progress-of-readers"), body = make("tbody"), table = make("table", "readers"), head = make("tr");
  for (const title of ["Reader", "Agreed", "Done", "", "Last answer"]) head.append(make("th", "", title));
  table.append(make("thead"), body);
  table.tHead.append(head);
  section.append(make("h4", "", "Readers"), table, make("p", "hint", "Looked at again every five seconds. Agreement, times and accuracy are in the tab Results."));

  async function show() {
    try {
      const { readers, token } = await ask("progress", { name: study.name });
      if (!section.isConnected) return;
      body.replaceChildren(...readers.map(({ reader, consented, done, total, last }) => {
        const line = make("tr"), bar = Object.assign(make("progress"), { value: done, max: total });
        bar.setAttribute("aria-label", `${reader}: ${done} of ${total}`);
        const cells = [reader, consented ? "yes" : "no", `${done} of ${total}`, bar, last ? new Date(last).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "–"];
        for (const inside of cells) { const cell = make("td"); cell.append(inside); line.append(cell); }
        return line;
      }));
      if (token !== study.token && await refresh()) return;   // all is drawn anew
    } catch (error) {
      say(explain(error), true);
    }
    if (section.isConnected) poll(show, EVERY);
  }
  poll(show, 0);
  return section;
}
