// A set, of the server or uploaded: run, its table, its cases.

import { button, make, number } from "../shared/dom.js";
import { Refusal, addressOf, post } from "../shared/server.js";
import { LISTED, meanCells, measureHeads } from "./agreement_tables.js";
import { addressOfFile, createGallery } from "./gallery.js";
/** @import { Measures, SetCase, SetState, SummaryRow } from "../types" */

const ASK_AGAIN = 1500;             // ms between looks at a run under way

// `stage`: the element for its figures. `asks`: { state(question) -> what Sets.state says, open(set, row, truth, style, place) }; `place`: which of how many listed cases, from 1.
/** @param {HTMLElement} root @param {HTMLElement} stage @param {Measures} measures @param {{ state(question: { set: string, style: string, run: boolean }): Promise<SetState>, open(set: string, row: number, truth: number, style: string, place: [number, number]): void }} asks */
export function createDataset(root, stage, measures, asks) {
  const find = (selector) => root.querySelector(selector);
  const gallery = createGallery(stage, measures);
  const choice = find(".sets"), own = [];             // uploaded from this page
  let style = "simple", timer = 0, turn = 0;
  let sending = null;                                 // the files on their way to the server
  let cases = [], only = null;                        // the finding whose cases are listed; null for every one
  let listed = [], opened = null;                     // the cases in the list, and the one that was opened
  let run = { set: "", style: "" };                   // what the list is of: another may be chosen already

  const cell = (name, text, title = "") => Object.assign(make(name, "", text), { title });

  const same = (one, other) => one?.row === other?.row && one?.truth === other?.truth;
  const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

  async function show(run = false) {
    clearTimeout(timer);
    if (sending) return;
    const mine = ++turn, set = choice.value;
    if (!set) return say("empty", "No set is open.");
    const reply = (await asks.state({ set, style, run }).catch(() => null)) ?? { error: "The server does not answer. Trying again…", state: "running" };
    if (mine !== turn) return;
    find("progress").value = reply.of ? reply.done / reply.of : 0;
    say(reply.state ?? "failed", reply.error ?? {
      new: reply.done ? `${reply.done} of ${counted(reply.of, "image")} are measured; it goes on from there.` : `${counted(reply.of, "image")}, not evaluated yet.`,
      running: `${reply.done} of ${counted(reply.of, "image")} measured`,
      done: reply.summary && `${counted(reply.summary.n_images, "image")}, ${counted(reply.summary.n_cases, "case")}`,
    }[reply.state]);
    if (reply.state === "running") timer = setTimeout(show, ASK_AGAIN);
    if (reply.state === "done") showSummary(reply, set);
  }

  /** @param {SetState} done @param {string} set */
  function showSummary(done, set) {
    if (set !== run.set) only = opened = null;
    run = { set, style };
    cases = done.cases;
    find(".lowest").textContent = cases.length < done.summary.n_cases ? `The ${cases.length} cases with the lowest IoU` : "The lowest IoU first";
    find(".summary tbody").replaceChildren(...done.summary.rows.map(summaryRow));
    list(root.dataset.list ?? "summary");
    gallery.show(done, run);
    Object.assign(find(".everything"), { href: addressOfFile("figures.zip", run), download: "figures.zip" });
    find(".tables").replaceChildren(...done.tables.map((file) => {
      const link = Object.assign(make("a", "", file), { href: addressOfFile(file, run), download: file });
      link.dataset.file = file;
      return link;
    }));
  }

  function say(state, text) {
    root.dataset.state = state;
    find(".state").textContent = text;
    if (state !== "done") gallery.say(state === "running" ? "The figures of the set will stand here." : state === "failed" ? "This set could not be evaluated." : state === "empty" ? "The figures of a set stand here once one is open." : text);
    find(".run").disabled = state !== "new" && state !== "failed";
  }

  // A table with the files it names, or a ZIP file of them, one after the other.
  async function upload(files) {
    clearTimeout(timer);
    turn++;
    sending = files;
    const all = files.reduce((sum, { size }) => sum + size, 0) || 1;
    let set = null, sent = 0;
    try {
      for (const file of files) {
        say("running", `Sending ${file.name}`);
        const named = { name: file.webkitRelativePath || file.name, ...(set && { set }) };
        const response = await post(`${addressOf("sets")}?${new URLSearchParams(named)}`, file, "The server could not take this set.");
        const reply = await response.json();
        if (!set) own.push(set = reply.set);
        sent += file.size;
        find("progress").value = sent / all;
        if (sending !== files) return drop(set);
      }
    } catch (error) {
      if (sending !== files) return;
      sending = null;
      return say("failed", error instanceof Refusal ? error.message : "The server does not answer. Open the set again.");
    }
    sending = null;
    choice.add(new Option(files.find(({ name }) => /\.(zip|csv|json)$/i.test(name))?.name ?? files[0].name, set));
    choice.value = set;
    show();
  }

  const drop = (set) => { fetch(addressOf(`sets/${set}`), { method: "DELETE", keepalive: true }).catch(() => {}); };

  function list(name) {
    root.dataset.list = name;
    for (const other of root.querySelectorAll("[data-list]")) other.setAttribute("aria-pressed", String(other.dataset.list === name));
    for (const part of root.querySelectorAll("[data-part]")) part.hidden = part.dataset.part !== name;
    listed = cases.filter(({ label }) => only === null || label === only);
    find(".cases tbody").replaceChildren(...listed.map(caseRow));
    find(".cases [aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  function openCase(at) {
    opened = listed[at];
    find(".cases [aria-current]")?.removeAttribute("aria-current");
    find(".cases tbody").rows[at].setAttribute("aria-current", "true");
    asks.open(run.set, opened.row, opened.truth, run.style, [at + 1, listed.length]);
  }

  /** @param {SummaryRow} each */
  function summaryRow(each) {
    const row = make("tr"), name = make("td"), listed = cases.some(({ label }) => label === each.name);
    name.title = each.name;
    name.append(listed ? button("pick", each.name) : each.name);
    row.append(name, cell("td", each.n ?? ""));
    if (listed) row.addEventListener("click", () => { only = each.name; list("cases"); });
    row.append(...meanCells(each, LISTED, measures));
    return row;
  }

  /** @param {SetCase} each @param {number} at */
  function caseRow(each, at) {
    const row = make("tr"), open = button("pick", each.image.split("/").at(-1)), first = make("td");
    open.title = each.image;
    open.dataset.row = String(each.row);
    first.append(open);
    row.append(first, cell("td", each.label, each.label), cell("td", number(each.iou, 3)), cell("td", number(each.cnr, 2)));
    row.addEventListener("click", () => openCase(at));
    if (same(each, opened)) row.setAttribute("aria-current", "true");
    return row;
  }

  find(".summary thead tr").append(...measureHeads(LISTED, measures));
  find(".cases thead tr").append(...measureHeads(["iou", "cnr"], measures));
  choice.addEventListener("change", () => show());
  find(".run").addEventListener("click", () => show(true));
  for (const wording of root.querySelectorAll("[data-style]")) wording.addEventListener("click", () => {
    for (const other of root.querySelectorAll("[data-style]")) other.setAttribute("aria-pressed", String(other === wording));
    style = wording.dataset.style;
    show();
  });
  for (const listed of root.querySelectorAll("[data-list]")) listed.addEventListener("click", () => { only = null; list(listed.dataset.list); });
  find(".open-set").addEventListener("click", () => find(".of-set").click());
  find(".of-set").addEventListener("change", ({ target }) => { if (target.files.length) upload([...target.files]); target.value = ""; });
  window.addEventListener("pagehide", () => own.forEach(drop));
  return {
    upload, show: () => show(),
    // To another case of the list, `by` places on.
    step(by) {
      const at = listed.findIndex((each) => same(each, opened)) + by;
      if (opened && listed[at]) openCase(at);
    },
  };
}
