// The sheet that asks a whole list the same: what is asked, how far it is, and the table of what was answered.

import { cautionMark } from "../shared/caution_mark.js";
import { button, make } from "../shared/dom.js";
import { openSheet } from "../shared/key_sheet.js";
import { saveFile } from "../shared/save_file.js";
import { shortVerdict } from "../shared/verdict.js";
import { asText, createChecklists, linesOf, nameIn } from "./checklists.js";
import { isFlagged } from "./order.js";
import { askAll } from "./run.js";
import { toCsv } from "./table.js";
/** @import { Checked, Reading } from "../types" */
/** @import { Film } from "./film.js" */

const MOST_CELLS = 6000;            // of the table on the screen; the copied one has all

// `list`: its films in the order shown; `token(film)` under which the server has it open, or null; told when asking begins and ends, and of
// every film that was answered.
/** @param {Reading} reading @param {{ films(): Film[], token(film: Film): string | null, update(film: Film): void, say(text: string): void, began(asked: string[]): void, ended(): void, choose(film: Film): void }} list */
export function createSheet(reading, list) {
  const { props } = reading, checklists = createChecklists();
  const sheet = Object.assign(make("dialog", "sheet asking"), { ariaLabel: "Ask all films" });
  const which = make("select"), text = make("textarea"), named = make("input"), save = button("quiet", "Save"), remove = button("quiet", "Delete"), give = button("quiet", "Export"), load = make("input");
  const loading = button("quiet", "Import…"), start = button("primary", "Ask"), stop = button("quiet", "Stop"), bar = make("progress"), progress = make("output", "progress");
  const results = make("div", "results"), done = make("output", "done"), copy = button("quiet", "Copy table as CSV"), closing = make("form");
  const hint = make("p", "hint");
  let asked = /** @type {string[]} */ ([]), running = false, stopped = false;

  function build() {
    const choice = make("label", "which", "Checklist "), name = make("label", "named", "Name "), line = make("div", "line kept"), go = make("div", "line go");
    choice.append(which);
    named.type = "text";
    named.maxLength = 80;
    named.placeholder = "to keep it";
    name.append(named);
    text.rows = 5;
    text.setAttribute("aria-label", "Findings to ask, one a line");
    text.placeholder = "one finding a line:\npneumothorax\nleft pleural effusion";
    text.spellcheck = false;
    load.type = "file";
    load.accept = ".txt,text/plain";
    load.hidden = true;
    line.append(choice, name, save, remove, give, loading, load);
    bar.hidden = true;
    stop.hidden = true;
    progress.setAttribute("role", "status");
    bar.setAttribute("aria-label", "Films asked");
    go.append(start, stop, bar, progress);
    results.tabIndex = 0;
    results.setAttribute("role", "region");
    results.setAttribute("aria-label", "Answers of the films");
    done.setAttribute("role", "status");
    closing.method = "dialog";
    closing.append(done, copy, make("button", "quiet", "Close"));
    sheet.append(make("h2", "", "Ask all films"), text, line, hint, go, results, closing);
    reading.element.append(sheet);
  }

  // --- what is asked ---------------------------------------------------------------------------------------------------

  function showChecklists(chosen = "") {
    which.replaceChildren(new Option("none", ""), ...checklists.all.map(({ name }) => new Option(name, name)));
    which.value = chosen;
    remove.disabled = !which.value;
  }

  const lines = () => linesOf(text.value, props.most_checked);

  function offer() {
    const count = lines().length, films = list.films().filter(({ problem }) => !problem).length, more = linesOf(text.value, Infinity).length - count;
    start.disabled = running || !count || !films;
    start.textContent = `Ask ${films} ${films === 1 ? "film" : "films"}`;
    hint.textContent = more > 0 ? `Only the first ${props.most_checked} findings are asked.` : "Every film is asked each line. Checklists stay in this browser.";
    save.disabled = !count || !named.value.trim();
    give.disabled = !count;
  }

  // --- asking ------------------------------------------------------------------------------------------------------------

  async function run() {
    asked = lines();
    if (running || !asked.length) return;
    running = true;
    stopped = false;
    list.began(asked);
    show();
    bar.hidden = stop.hidden = false;
    tell({ done: 0, of: list.films().filter(({ problem }) => !problem).length, waiting: false });
    await askAll(list.films(), asked, { server: reading.server, token: list.token, stopped: () => stopped, changed(film, far) { if (film) list.update(film); tell(far); } });
    running = false;
    bar.hidden = stop.hidden = true;
    const read = list.films().filter(({ problem }) => !problem), unread = list.films().length - read.length;
    const flagged = read.filter((film) => asked.some((line) => film.answers.has(line) && isFlagged(film.answers.get(line)))).length;
    progress.textContent = `${stopped ? "Stopped. " : ""}${flagged} of ${read.length} films flagged.${unread ? ` ${unread} cannot be opened.` : ""}`;
    list.say(progress.textContent);
    list.ended();
    show();
  }

  function tell({ done: far, of, waiting }) {
    bar.max = of;
    bar.value = far;
    progress.textContent = waiting ? "The server does not answer. Trying again…" : `${far} of ${of}`;
    list.say(waiting ? progress.textContent : `Asking: ${progress.textContent}`);
    if (sheet.open) show();
  }

  // --- the table ------------------------------------------------------------------------------------------------------------

  function show() {
    offer();
    copy.disabled = !asked.length;
    results.hidden = !asked.length;
    if (!asked.length) return;
    const films = list.films(), shown = films.slice(0, Math.max(1, Math.floor(MOST_CELLS / asked.length))), table = make("table"), top = make("tr"), body = make("tbody"), header = make("thead");
    top.append(...["Film", ...asked].map((title) => Object.assign(make("th", "", title), { scope: "col", title })));
    header.append(top);
    body.append(...shown.map(rowOf));
    table.append(header, body);
    results.replaceChildren(table, ...(shown.length < films.length ? [make("p", "", `${films.length - shown.length} more films are in the copied table.`)] : []));
  }

  /** @param {Film} film */
  function rowOf(film) {
    const row = make("tr"), first = Object.assign(make("th"), { scope: "row" }), open = button("name", film.name);
    open.title = film.path;
    open.addEventListener("click", () => { sheet.close(); list.choose(film); });
    first.append(open);
    row.append(first, ...asked.map((line) => cellOf(film, film.answers.get(line))));
    return row;
  }

  /** @param {Film} film @param {Checked} [finding] */
  function cellOf(film, finding) {
    if (!finding) return film.problem ? make("td", "failed", film.problem) : make("td", "", "–");
    const cell = Object.assign(make("td", isFlagged(finding) ? "flagged" : "", shortVerdict(finding)), { title: shortVerdict(finding) }), marked = cautionMark(finding.cautions);
    if (marked) cell.prepend(marked.mark, " ");
    if (marked) cell.append(marked.text);
    return cell;
  }

  async function copyTable() {
    const table = toCsv(list.films(), asked, { model: props.model, fingerprint: props.fingerprint });
    try {
      await navigator.clipboard.writeText(table);
      done.textContent = `Copied: ${list.films().length} films.`;
    } catch { done.textContent = "The browser refused to copy."; }
  }

  function exportText() {
    const name = named.value.trim() || "checklist";
    saveFile(new Blob([asText({ name, findings: lines() })], { type: "text/plain" }), `${name.replace(/[^\p{L}\p{N}]+/gu, "-")}.txt`);
  }

  build();
  showChecklists();
  text.addEventListener("input", offer);
  named.addEventListener("input", offer);
  which.addEventListener("change", () => {
    const chosen = checklists.all.find(({ name }) => name === which.value);
    if (chosen) { text.value = chosen.findings.join("\n"); named.value = chosen.name; }
    remove.disabled = !chosen;
    offer();
  });
  save.addEventListener("click", () => { checklists.save({ name: named.value, findings: lines() }); showChecklists(named.value.trim()); done.textContent = "Saved in this browser."; });
  remove.addEventListener("click", () => { checklists.remove(which.value); showChecklists(); done.textContent = "Deleted."; });
  give.addEventListener("click", exportText);
  loading.addEventListener("click", () => load.click());
  load.addEventListener("change", async () => {
    const given = await load.files[0]?.text() ?? "";
    load.value = "";
    text.value = linesOf(given, props.most_checked).join("\n");
    named.value = nameIn(given) || named.value;
    offer();
  });
  start.addEventListener("click", run);
  stop.addEventListener("click", () => { stopped = true; });
  copy.addEventListener("click", copyTable);

  return {
    open() {
      if (!text.value) text.value = reading.description();
      done.textContent = "";
      show();
      openSheet(sheet);
      text.focus();
    },
    close() { stopped = true; sheet.remove(); },
  };
}
