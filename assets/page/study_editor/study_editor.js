// Making and running studies, for coordinators. It comes when a coordinator signs in, and opens in the Reader study tab.
// A draft is saved as one types; what is locked is changed at once, with a reason.

import { button, make } from "../shared/dom.js";
import { saveFile } from "../shared/save_file.js";
import { UNHURRIED } from "../shared/saving.js";
import { Refusal, addressOf, post } from "../shared/server.js";
import { createFields, placeFaults } from "./fields.js";
import { conflicting, differing, merge } from "./merging.js";
import { createPreview } from "./preview.js";
import { STEPS, stepOf } from "./steps.js";
import { ask as askName } from "./dialogs.js";
/** @import { EditorWindow, StudyFile, StudyListed } from "../types" */

const SILENT = "The server does not answer. Please try again in a moment.";
const TOML = { type: "application/toml" };
const STATES = { draft: "Draft", open: "Open for readers", paused: "Paused", closed: "Closed" };

function loadStyles() {
  const href = new URL("study_editor.css", import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  const link = Object.assign(make("link"), { rel: "stylesheet", href });
  const loaded = new Promise((resolve) => { link.onload = link.onerror = resolve; });
  document.head.append(link);
  return loaded;
}

// `root`: an empty element. `code`: the coordinator's. `leave()`: signs out. `preview(server)`: shows the reader's page.
/** @param {EditorWindow} given */
export async function openEditor({ root, code, leave, preview }) {
  await loadStyles();
  /** @type {StudyFile | null} */
  let study = null;
  let values = /** @type {any} */ ({}), base = "", step = STEPS[0].id, timer = 0, polling = 0, saving = Promise.resolve();
  let editing = false;                // a locked protocol is opened for a change

  // --- the server ---------------------------------------------------------------------------------------------------

  /** @param {string} action @param {object} question */
  async function ask(action, question = {}) {
    const response = await request(action, question);
    return response.json();
  }
  const request = (action, question) => post(addressOf(`studies/${action}`), JSON.stringify({ code, ...question }), SILENT, { "Content-Type": "application/json" });
  const explain = (error) => (error instanceof Refusal ? error.message : SILENT);

  const locked = () => Boolean(study?.values.protocol);

  // The values change in place: what asked the server meanwhile writes into those that are saved.
  function hold(chosen) {
    for (const key of Object.keys(values)) delete values[key];
    Object.assign(values, structuredClone(chosen));
  }

  const dirty = () => study !== null && JSON.stringify(values) !== base;

  function changed() {
    showBar();
    clearTimeout(timer);
    if (!locked()) timer = window.setTimeout(save, UNHURRIED);
  }

  // Saves one after the other; what is typed meanwhile is saved next.
  function save(reason = "") {
    clearTimeout(timer);
    const name = study?.name;
    saving = saving.then(async () => {
      if (!study || study.name !== name || !dirty()) return;
      say("Saving…");
      const sent = JSON.stringify(values);
      try {
        const reply = await ask("save", { name, token: study.token, values: JSON.parse(sent), reason });
        if (study?.name !== name) return;
        base = sent;
        take(reply);
        editing = false;
        if (reply.lost.length) say(`Saved. ${reply.lost.length} comments of the file went with what was removed.`);
        else say("Saved");
        if (locked()) render();
      } catch (error) {
        if (error instanceof Refusal && error.status === 409) return catchUp();
        say(explain(error), true);
        if (!(error instanceof Refusal)) timer = window.setTimeout(save, 4 * UNHURRIED);
      }
    });
    return saving;
  }

  /** @param {StudyFile} reply */
  function take(reply) {
    study = reply;
    showHead();
    placeFaults(find(".form"), study.faults, values);
    showBar();
    if (step === "run") render();
  }

  // Takes what the server has by now; false where something of one's own waits to be saved.
  async function refresh() {
    const { name } = study, theirs = await ask("open", { name });
    if (study?.name !== name || dirty()) return false;
    base = JSON.stringify(theirs.values);
    hold(theirs.values);
    take(theirs);
    return true;
  }

  // Somebody else has saved: what only one side changed is put together, of the rest one's own choice.
  async function catchUp() {
    const theirs = await ask("open", { name: study.name }).catch((error) => { say(explain(error), true); });
    if (!theirs) return;
    const before = JSON.parse(base), both = conflicting(before, values, theirs.values);
    const others = differing(values, theirs.values).filter((key) => differing(before, theirs.values).includes(key));
    const merged = merge(before, values, theirs.values);
    const settle = (chosen, sentence) => {
      base = JSON.stringify(theirs.values);
      hold(chosen);
      take(theirs);
      render();
      say(sentence);
      if (dirty()) changed();
    };
    if (!both.length) return settle(merged, others.length ? `Somebody else changed ${others.join(", ")} meanwhile. Your changes stand beside theirs.` : "Saved");
    conflict = { keys: both, theirs: () => settle(theirs.values, "This is what somebody else has saved."), mine: () => settle(merged, "Your version stands.") };
    say("");
    showBar();
  }
  /** @type {{ keys: string[], theirs: () => void, mine: () => void } | null} */
  let conflict = null;

  // --- the parts of the screen --------------------------------------------------------------------------------------

  const find = (selector) => /** @type {any} */ (root.querySelector(selector));
  root.className = "editor";
  root.replaceChildren();

  function say(text, failed = false) {
    const state = find(".saved");
    if (!state) return;
    state.textContent = text;
    state.classList.toggle("failed", failed);
  }

  async function showList(problem = "") {
    await save();
    clearTimeout(polling);
    study = null;
    const head = make("header", "top"), list = make("div", "list"), out = button("quiet", "Sign out");
    out.addEventListener("click", end);
    head.append(make("h2", "", "Studies"), out);
    root.replaceChildren(head, list, make("p", "saved"));
    say(problem, Boolean(problem));
    let reply;
    try {
      reply = await ask("list");
    } catch (error) {
      return say(explain(error), true);
    }
    if (reply.all) list.append(makers(reply));
    const rows = make("ul", "studies");
    for (const each of reply.studies) rows.append(listed(each));
    if (!reply.studies.length) list.append(make("p", "hint", "There is no study yet. Make the first one; it stays a draft, which no reader sees, until you start it."));
    list.append(rows);
    sets = reply.sets;
    find(".makers .go, .studies .name")?.focus();
  }
  let sets = [];

  function makers({ template }) {
    const line = make("div", "makers"), fresh = button("go", "New study…"), file = button("quiet bordered", "From a file…"), save = button("quiet bordered", "Template (TOML)");
    const input = Object.assign(make("input"), { type: "file", accept: ".toml", hidden: true });
    fresh.addEventListener("click", () => begin("New study", {}));
    file.addEventListener("click", () => input.click());
    input.addEventListener("change", async () => { if (input.files[0]) begin("Study from a file", { text: await input.files[0].text() }); input.value = ""; });
    save.addEventListener("click", () => saveFile(new Blob([template], TOML), "study-template.toml"));
    line.append(fresh, file, save, input);
    return line;
  }

  function begin(heading, question) {
    askName(root, heading, [
      ["name", "Id", "Letters, digits, hyphens; kept with every answer", "[A-Za-z0-9][A-Za-z0-9_.\\-]{0,59}"],
      ...(question.text === undefined ? [["title", "Title", "What readers see"]] : []),
    ], async (answers) => show(await ask("new", { ...question, ...answers })), explain);
  }

  /** @param {StudyListed} each */
  function listed({ name, title, state, problem }) {
    const row = make("li"), open = button("name", title || name);
    open.addEventListener("click", () => enter(name));
    row.append(open, make("span", "id", name), chip(state));
    if (problem) row.append(make("span", "why", state === "draft" ? "not ready to start" : "not served as it is: open it to see why"));
    return row;
  }

  const chip = (state) => { const made = make("span", `chip ${state}`, STATES[state]); return made; };

  async function enter(name) {
    try {
      show(await ask("open", { name }));
    } catch (error) {
      say(explain(error), true);
    }
  }

  /** @param {StudyFile} reply */
  function show(reply) {
    study = reply;
    values = structuredClone(reply.values);
    base = JSON.stringify(reply.values);
    conflict = null;
    editing = false;
    step = locked() ? "run" : STEPS[0].id;
    const head = make("header", "top"), nav = make("nav", "steps"), form = make("div", "form"), bar = make("div", "bar-change");
    nav.setAttribute("aria-label", "Steps");
    bar.setAttribute("role", "status");
    root.replaceChildren(head, nav, form, bar);
    showHead();
    render();
  }

  function showHead() {
    const head = find(".top"), focused = head.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.do : null;
    const said = find(".top .saved")?.textContent ?? "", back = button("quiet", "‹ Studies"), shown = make("output", "saved", said);
    const look = button("quiet bordered", "Preview as a reader"), text = button("quiet bordered", "TOML"), copy = button("quiet bordered", "Copy…"), out = button("quiet", "Sign out");
    for (const [made, name, act] of /** @type {[HTMLButtonElement, string, () => void][]} */ ([
      [back, "back", () => showList()], [look, "look", showPreview], [text, "toml", () => saveFile(new Blob([study.text], TOML), `${study.name}.toml`)],
      [copy, "copy", () => begin(`Copy of ${values.title}`, { copy_of: study.name })], [out, "out", end],
    ])) { made.dataset.do = name; made.addEventListener("click", act); }
    look.disabled = !study.version;
    look.title = look.disabled ? "Once nothing is missing any more" : "";
    text.title = "The study as its file says; the command line takes it";
    shown.setAttribute("role", "status");
    head.replaceChildren(back, make("h2", "", values.title || study.name), chip(study.state), shown, look, text, copy, out);
    if (focused) head.querySelector(`[data-do=${focused}]`)?.focus();
    const nav = find(".steps");
    nav.replaceChildren(...STEPS.map(({ id, title }) => {
      const made = button("step", title), count = study.faults.filter(({ key }) => stepOf(key, values) === id).length;
      if (id === step) made.setAttribute("aria-current", "step");
      if (count && id !== "run") { const mark = make("span", "count", String(count)); mark.title = `${count} to mend`; made.append(mark); }
      made.addEventListener("click", () => { step = id; render(); find(".form").scrollTop = 0; find(".steps [aria-current]").focus(); });
      return made;
    }));
  }

  function render() {
    if (!study) return;               // what was asked for has come when the list is on the screen again
    clearTimeout(polling);
    showHead();
    const form = find(".form"), top = form.scrollTop;
    const chosen = STEPS.find(({ id }) => id === step);
    const readOnly = locked() && !editing && step !== "run";
    const fields = createFields({ changed, readOnly });
    form.dataset.step = step;
    form.replaceChildren(make("h3", "", chosen.title));
    if (readOnly) form.append(lockNote());
    chosen.build(form, {
      study, values, fields, changed, readOnly, sets, ask, request, render, say, explain, locked: locked(),
      goTo: (id) => { step = id; render(); },
      changeState, remove,
      poll: (act, time) => { polling = window.setTimeout(act, time); },
      refresh,
    });
    placeFaults(form, study.faults, values);
    form.scrollTop = top;
    showBar();
  }

  function lockNote() {
    const note = make("p", "note"), open = button("quiet bordered", "Change the protocol…");
    open.addEventListener("click", () => { editing = true; render(); });
    note.append(make("span", "", "The protocol was locked when the study was started. A change of what readers meet makes a new version, and the reason is kept as a deviation."), open);
    return note;
  }

  // What is not saved by itself: changes of a locked protocol, and a choice where two have changed the same.
  function showBar() {
    const bar = find(".bar-change");
    if (!bar) return;
    bar.hidden = !conflict && !(locked() && dirty());
    if (bar.hidden || (!conflict && bar.querySelector("input"))) return;
    if (conflict) {
      const mine = button("go", "Keep mine"), theirs = button("quiet bordered", "Take theirs"), { keys, ...choose } = conflict;
      for (const [made, act] of /** @type {const} */ ([[mine, choose.mine], [theirs, choose.theirs]])) made.addEventListener("click", () => { conflict = null; act(); });
      return bar.replaceChildren(make("span", "", `Somebody else has changed ${keys.join(", ")} too, since you opened this study. Nothing is saved until you choose.`), theirs, mine);
    }
    const reason = Object.assign(make("input"), { type: "text", maxLength: 2000, placeholder: "Why? It is kept as a deviation from the protocol" }), apply = button("go", "Apply"), drop = button("quiet bordered", "Discard");
    reason.setAttribute("aria-label", "Reason of the change");
    apply.addEventListener("click", () => save(reason.value));
    reason.addEventListener("keydown", (event) => { if (event.key === "Enter") save(reason.value); });
    drop.addEventListener("click", () => { hold(JSON.parse(base)); editing = false; bar.replaceChildren(); render(); });
    bar.replaceChildren(make("span", "", "Not applied yet."), reason, drop, apply);
  }

  // --- what a coordinator does --------------------------------------------------------------------------------------

  async function changeState(state) {
    const { name } = study;
    await save();
    if (study?.name !== name) return;
    try {
      const reply = await ask("state", { name, token: study.token, state });
      if (study?.name !== name) return;
      hold(reply.values);
      base = JSON.stringify(reply.values);
      take(reply);
      render();
      say("");
    } catch (error) {
      if (study?.name !== name) return;
      if (error instanceof Refusal && error.status === 409) return enter(name);
      say(explain(error), true);
    }
  }

  async function remove() {
    const { name } = study;
    try {
      await ask("delete", { name, token: study.token });
      if (study?.name !== name) return;
      base = JSON.stringify(values);
      await showList();
    } catch (error) {
      say(explain(error), true);
    }
  }

  async function showPreview() {
    await save();
    if (study) preview(createPreview(ask, request, study.name, Boolean(values.consent)));
  }

  async function end() {
    await save();
    clearTimeout(polling);
    study = null;
    window.removeEventListener("beforeunload", warn);
    root.replaceChildren();
    leave();
  }

  const warn = (event) => { if (dirty()) event.preventDefault(); };
  window.addEventListener("beforeunload", warn);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden" && !locked()) save(); });
  await showList();
}
