// The Results tab: tables and figures as the server worked them out; nothing is computed here. Plotly comes once a coordinator is in.

import { button, make } from "../shared/dom.js";
import { saveFile } from "../shared/save_file.js";
import { openSheet } from "../shared/key_sheet.js";
import { Refusal, addressOf, post } from "../shared/server.js";
import { isShown } from "../shared/tab_events.js";
import { createErasing } from "./erasing.js";
/** @import { Cell, KeyFigure, Part, ResultsProps, ResultsServer, Tab } from "../types" */

const NAMES = { csv: "CSV", parquet: "Parquet", coco: "COCO", imrmc: "iMRMC", jafroc: "JAFROC" };
const OF_A_STUDY = ["imrmc", "jafroc"];   // the ratings of one study, in one version
const ENDINGS = { svg: "svg", png: "png", table: "csv", report: "html", package: "zip" };   // what is published, one file each
const NARROWEST = 460, GAP = 14;   // pixels: a column of parts, and what is between two
const SILENT = "The server does not answer. Please try again in a moment.";

// Starts the tab in its element. `props` and `server`: what the Python side gives and answers.
/** @param {Tab<ResultsProps, ResultsServer>} tab */
export function mount({ element, props, server }) {
  const find = (selector) => element.querySelector(selector);
  const root = find(".results"), card = find(".card"), which = find(".which"), version = find(".version"), state = find(".state");
  const TOUCHED = matchMedia("(hover: none)").matches;   // there plotly's own buttons would lie over the legend all the time
  let code = null, plotly = null, drawn = [], turn = 0;

  function loadPlotly() {
    plotly ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = addressOf("plotly.js");
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => { plotly = null; reject(new Error("no plotly")); };
      document.head.append(script);
    });
    return plotly;
  }

  async function show(study = null, chosen = null) {
    const mine = ++turn;
    state.textContent = "Working it out…";
    const reply = (await server.results({ code, study, version: chosen }).catch(() => null)) ?? { error: SILENT };
    if (mine !== turn) return;
    state.textContent = "";
    if (reply.error) {
      if (root.dataset.stage === "shown") state.textContent = reply.error;
      else find(".problem").textContent = reply.error;
      return;
    }
    root.dataset.stage = "shown";
    which.replaceChildren(...reply.choices.map(([id, title]) => new Option(title, id)));
    which.value = reply.study;
    version.replaceChildren(...reply.versions.map(([name, title]) => new Option(title, name)));
    version.value = reply.version;
    version.parentElement.hidden = !reply.versions.length;
    for (const format of OF_A_STUDY) find(`[data-format=${format}]`).hidden = reply.study === "";
    find(".key").replaceChildren(...reply.key.map(showKey));
    find(".key").hidden = !reply.key.length;
    find(".publish").hidden = find(".erase").hidden = reply.study === "" || !reply.parts.length;
    erasing.show(reply.study, reply.erasable);
    find(".notes").replaceChildren(...reply.notes.map((note) => make("p", "", note)));
    drawn = [];
    parts = reply.parts.map(showPart);
    if (!reply.parts.some(({ rows }) => rows.length)) parts = [make("p", "nothing", "Nothing was answered yet.")];
    arrange();
    draw();
  }

  // In columns of about one height: the tallest parts are placed first, each in the shortest column, where they keep their order.
  /** @type {HTMLElement[]} */
  let parts = [];
  let across = 0;
  const columnsFor = (width) => Math.max(1, Math.floor((width + GAP) / (NARROWEST + GAP)));
  function arrange() {
    const holder = find(".parts");
    across = columnsFor(holder.clientWidth);
    const columns = Array.from({ length: Math.min(across, parts.length) }, () => make("div", "column"));
    holder.replaceChildren(...columns);
    columns[0].append(...parts);   // to be measured
    const tall = parts.map((part, place) => ({ place, height: part.offsetHeight + GAP })).sort((one, other) => other.height - one.height);
    const filled = columns.map(() => ({ height: 0, places: /** @type {number[]} */ ([]) }));
    for (const { place, height } of tall) {
      const shortest = filled.reduce((least, each) => (each.height < least.height ? each : least));
      shortest.places.push(place);
      shortest.height += height;
    }
    for (const { places } of filled) places.sort((one, other) => one - other);
    filled.sort((one, other) => one.places[0] - other.places[0]);
    columns.forEach((column, n) => { column.append(...filled[n].places.map((place) => parts[place])); column.classList.add("whole"); });
  }
  new ResizeObserver(([{ contentRect }]) => { if (parts.length && contentRect.width && columnsFor(contentRect.width) !== across) arrange(); }).observe(find(".parts"));

  // A figure that the study is about.
  /** @param {KeyFigure} figure */
  function showKey({ label, value, detail }) {
    const shown = make("div", "figure-of");
    shown.append(make("span", "label", label), make("b", "", value), make("span", "detail", detail));
    return shown;
  }

  // What a part can be taken away as.
  /** @param {Part} part */
  function filesOf({ title, plot, table }) {
    const offers = [...(plot ? [["svg", plot, "SVG"], ["png", plot, "PNG, 300 dpi"]] : []), ...(table ? [["table", table, "CSV"]] : [])];
    return offers.map(([format, name, text]) => {
      const made = button("quiet", text);
      made.setAttribute("aria-label", `${title}: ${text}`);
      made.addEventListener("click", () => download(format, name));
      return made;
    });
  }

  /** @param {Part} shown */
  function showPart(shown) {
    const { title, note, columns, rows, more, figure } = shown;
    const part = make("section", figure ? "part drawn" : "part"), holder = make("div", "table"), table = make("table");
    if (title) part.append(make("h2", "", title));
    if (figure) {
      const place = make("div", "figure");
      part.append(place);
      drawn.push([place, figure]);
    }
    table.append(make("thead"), make("tbody"));
    const kinds = columns.map((_, i) => kindOf(rows.map((values) => values[i])));
    table.tHead.append(rowOf("th", columns, kinds));
    table.tBodies[0].append(...rows.map((values) => rowOf("td", values, kinds)));
    holder.append(table);
    holder.tabIndex = 0;
    part.append(holder);
    if (note) part.append(make("p", "more", note));
    if (more) part.append(make("p", "more", `and ${more} more rows, in the file`));
    const files = filesOf(shown);
    if (files.length) {
      const line = make("div", "files");
      line.append(...files);
      part.append(line);
    }
    return part;
  }

  // What a column holds: its numbers all have the same decimals.
  /** @param {Cell[]} values */
  function kindOf(values) {
    const numbers = values.filter((value) => typeof value === "number");
    if (!numbers.length && values.some((value) => value !== null)) return "text";
    return numbers.every(Number.isInteger) ? "count" : "share";
  }

  /** @param {"th" | "td"} name @param {Cell[]} values @param {string[]} kinds */
  function rowOf(name, values, kinds) {
    const row = make("tr"), write = (value, kind) => (value === null ? "–" : typeof value === "number" && kind === "share" ? value.toFixed(3) : String(value));
    row.append(...values.map((value, i) => make(name, kinds[i] === "text" ? "" : "number", write(value, kinds[i]))));
    return row;
  }

  async function draw() {
    if (!drawn.length) return;
    const Plotly = await loadPlotly().catch(() => null);
    if (!Plotly) { state.textContent = "The figures could not be loaded."; return; }
    const style = getComputedStyle(document.documentElement), color = (name) => style.getPropertyValue(`--${name}`).trim();
    for (const [place, { data, layout }] of drawn) {
      const axis = { gridcolor: color("line"), zerolinecolor: color("line"), linecolor: color("line") };
      for (const trace of data) {
        if (trace.showlegend === false) trace.line = { color: color("strong"), width: 1, dash: "dot" };
        if (trace.error_y) trace.error_y.color = color("text");
      }
      Plotly.react(place, data, {
        ...layout, template: null, title: null, margin: { l: 8, r: 8, t: 34, b: 8 }, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, height: 280, autosize: true, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { color: color("soft"), family: "system-ui, sans-serif", size: 12 },
        xaxis: { ...layout.xaxis, ...axis }, yaxis: { ...layout.yaxis, ...axis },
      }, { responsive: true, displaylogo: false, displayModeBar: TOUCHED ? false : "hover", toImageButtonOptions: { format: "svg" } });
    }
  }

  async function work(form) {
    const mine = code, number = (name) => Number(form.elements[name].value), state = find(".plan .state");
    state.textContent = "Working it out…";
    const request = {
      code, pilot: form.elements.from.value === "pilot" ? which.value : "", difference: number("difference"), cases: form.elements.cases.value ? number("cases") : null,
      area: number("area"), positive: number("positive"), reader_range: number("range"),
    };
    const reply = (await server.power(request).catch(() => null)) ?? { error: SILENT };
    if (mine !== code) return;
    state.textContent = reply.error ?? "";
    find(".planned").replaceChildren(...(reply.error ? [] : [showPart(reply)]));
  }

  // `name`: of a figure or a table.
  async function download(format, name = "") {
    const mine = code, whole = !OF_A_STUDY.includes(format) && !(format in ENDINGS);
    state.textContent = format in ENDINGS ? "Writing it…" : "Writing the export…";
    let response;
    try {
      response = await post(addressOf("export"), JSON.stringify({ code, study: which.value, format, name, version: whole ? null : version.value }), SILENT);
    } catch (error) {
      if (mine === code) state.textContent = error instanceof Refusal ? error.message : SILENT;
      return;
    }
    if (mine !== code) return;
    saveFile(await response.blob(), `${[which.value || "afloc", name || format].join("-")}.${ENDINGS[format] ?? "zip"}`);
    state.textContent = "";
  }

  const erasing = createErasing(find(".erase"), (request) => server.erase({ code, ...request }).catch(() => null), () => show(which.value, version.value));
  for (const made of element.querySelectorAll(".publish [data-publish]")) made.addEventListener("click", () => download(made.dataset.publish));
  for (const format of props.formats) {
    const made = button("quiet", NAMES[format]);
    made.dataset.format = format;
    made.addEventListener("click", () => download(format));
    find(".exports").append(made);
  }
  card.addEventListener("submit", (event) => {
    event.preventDefault();
    find(".problem").textContent = "";
    code = card.code.value.trim();
    if (code) show();
  });
  find(".plan form").addEventListener("submit", (event) => {
    event.preventDefault();
    work(event.target);
  });
  which.addEventListener("change", () => show(which.value));
  version.addEventListener("change", () => show(which.value, version.value));
  find(".again").addEventListener("click", () => show(which.value, version.value));
  find(".leave").addEventListener("click", () => {
    code = null;
    turn++;
    state.textContent = card.code.value = "";
    parts = [];
    find(".parts").replaceChildren();
    find(".key").replaceChildren();
    erasing.show("", { readers: [], cases: [] });
    find(".planned").replaceChildren();
    find(".notes").replaceChildren();
    root.dataset.stage = "enter";
  });
  for (const sheet of ["keys", "help"]) document.addEventListener(`afloc:${sheet}`, () => { if (isShown(element)) openSheet(find(".about")); });
  root.dataset.stage = "enter";
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
}
