// The reference standard: whether the finding is there, and where. No reader's page is told of it but after a training case.

import { button, make, svg } from "../shared/dom.js";
import { saveFile } from "../shared/save_file.js";
import { fetchPicture, thumbnail } from "./pictures.js";
/** @import { StepContext } from "../types" */

const SIZE = 900;                   // pixels of the picture that boxes are drawn on
const MOST_FAULTS = 50;             // of a table, named
const LEAST = 4;                    // pixels of a box on the screen; less is a click

const EXAMPLE = `case,truth,boxes
c001,1,"[[120,80,60,40]]"
c002,1,
c003,0,`;
const told = new Map();             // what was said of the last table, by study, until the next one or an answer by hand

// The truth of all cases as a table: taken away, filled in elsewhere, and read back.
/** @param {StepContext} context */
function tableOfTruths({ study, values, fields, changed, render, ask, say, explain }) {
  const box = make("div", "truth-table"), line = make("div", "line-buttons"), how = make("details", "further");
  const cases = () => [...(values.training ?? []), ...(values.cases ?? [])];
  const input = Object.assign(make("input"), { type: "file", accept: ".csv,.tsv,.txt", hidden: true });
  const save = button("quiet bordered", "As CSV");
  save.title = "A line for each case, to be filled in and read back here";
  save.addEventListener("click", () => saveFile(new Blob([asTable(cases())], { type: "text/csv" }), `${study.name}-truth.csv`));
  line.append(input, fields.action("From a CSV…", () => input.click()), save);
  how.append(make("summary", "", "How the table looks"), make("pre", "", EXAMPLE), make("p", "hint", "truth: 1 the finding is there, 0 it is not; a line without one says nothing. boxes: x, y, width and height in pixels of the image, a list of boxes; it may be missing. Cases that are not in the table stay as they are."));
  input.addEventListener("change", () => { if (input.files[0]) read(input.files[0]); input.value = ""; });

  // The step may be drawn anew before the server has answered: what it said is kept, and is shown by what is drawn then.
  async function read(file) {
    say("Reading the table…");
    const reply = await file.text().then((table) => ask("truth", { name: study.name, table, cases: cases().map(({ id }) => id) })).catch((error) => ({ faults: [explain(error)] }));
    say("");
    told.set(study.name, reply.faults.length ? { taken: "", faults: reply.faults } : { taken: takeOver(reply.truths), faults: [] });
    render();
  }

  function takeOver(truths) {
    const byId = new Map(cases().map((each) => [each.id, each]));
    const read = Object.entries(truths).filter(([id]) => byId.has(id)), left = byId.size - read.length;
    for (const [id, { truth, boxes }] of read) {
      const each = byId.get(id);
      each.truth = truth;
      if (boxes.length) each.boxes = boxes; else delete each.boxes;
    }
    changed();
    return `The truth of ${read.length} ${read.length === 1 ? "case" : "cases"} was read${left ? `; ${left} ${left === 1 ? "is" : "are"} not in the table and ${left === 1 ? "stays" : "stay"} as before` : ""}.`;
  }

  const { taken, faults } = told.get(study.name) ?? { taken: "", faults: [] };
  const status = make("p", "hint", taken), problem = make("div", "problem");
  status.setAttribute("role", "status");
  problem.setAttribute("role", "alert");
  if (faults.length) {
    const list = make("ul", "faults");
    list.append(...faults.slice(0, MOST_FAULTS).map((sentence) => make("li", "", sentence)));
    problem.append(make("p", "", `Nothing of the table was taken over. ${faults.length === 1 ? "One thing is" : `${faults.length} things are`} wrong:`), list);
    if (faults.length > MOST_FAULTS) problem.append(make("p", "", `And ${faults.length - MOST_FAULTS} more.`));
  }
  box.append(line, status, problem, how);
  return box;
}

/** @param {{ id: string, truth?: boolean, boxes?: number[][] }[]} cases */
function asTable(cases) {
  const quote = (text) => `"${text.replaceAll('"', '""')}"`;
  const rows = cases.map(({ id, truth, boxes }) => [id, truth === undefined ? "" : Number(truth), boxes?.length ? quote(JSON.stringify(boxes)) : ""].join(","));
  return ["case,truth,boxes", ...rows, ""].join("\n");
}

/** @param {HTMLElement} form @param {StepContext} context */
export function buildTruth(form, context) {
  const { study, values, fields, readOnly, changed, render, request } = context;
  const lists = /** @type {const} */ (["training", "cases"]).filter((list) => values[list]?.length);
  const known = (values.cases ?? []).filter(({ truth }) => typeof truth === "boolean").length;
  form.append(make("p", "hint", "Where it is known. It can also be imported when all have read: afloc feedback reference FILE --study ID."));
  if (!lists.length) return form.append(make("p", "note", "There are no cases yet."));
  form.append(tableOfTruths(context));
  form.append(make("p", "count", `${known} of ${values.cases?.length ?? 0} cases have a truth, ${(values.cases ?? []).filter(({ truth }) => truth === true).length} with the finding.`));
  const table = make("table", "cases"), head = make("tr");
  for (const title of ["Image", "Case", "The finding is", "Where", ...(values.training?.length ? ["Said after the answer"] : [])]) head.append(make("th", "", title));
  table.append(make("thead"), make("tbody"));
  table.tHead.append(head);
  for (const list of lists) values[list].forEach((each, place) => table.tBodies[0].append(row(each, `${list}[${place + 1}]`, list)));
  form.append(table);

  function row(each, key, list) {
    const line = make("tr"), cell = (...inside) => { const made = make("td"); made.append(...inside); line.append(made); return made; };
    line.dataset.key = key;
    cell(thumbnail(request, study.name, each.image ?? "", ""));
    const named = cell(make("b", "", each.id), make("span", "asked", each.description || "nothing is asked"));
    named.className = "named";
    if (list === "training") named.append(make("small", "hint", "training"));
    const said = { truth: each.truth === true ? "yes" : each.truth === false ? "no" : "" };
    cell(fields.choice(`The finding of ${each.id}`, said, "truth", [["", "not known"], ["yes", "there"], ["no", "not there"]], { bare: true, key: `${key}.truth`, then: () => {
      if (said.truth) each.truth = said.truth === "yes"; else delete each.truth;
      if (each.truth !== true) delete each.boxes;
      told.delete(study.name);
      changed();
      render();
    } }));
    const count = each.boxes?.length ?? 0, where = cell(), draw = fields.action(count ? `${count} ${count === 1 ? "box" : "boxes"}…` : "Draw…", () => drawBoxes(each));
    draw.setAttribute("aria-label", `Boxes of ${each.id}: ${count}`);
    where.dataset.key = `${key}.boxes`;
    if (each.truth === true) where.append(draw);
    if (values.training?.length) cell(...(list === "training" ? [fields.text(`What is said after ${each.id}`, each, "explanation", { bare: true, key: `${key}.explanation`, longest: 1000 })] : []));
    return line;
  }

  async function drawBoxes(each) {
    const dialog = make("dialog", "sheet boxes"), stage = make("div", "stage"), line = make("div", "line buttons"), list = make("ul", "numbers");
    const add = button("quiet bordered", "Add a box by numbers"), done = button("go", "Done");
    dialog.setAttribute("aria-label", `Boxes of ${each.id}`);
    line.append(add, done);
    dialog.append(make("h2", "", `Where: ${each.description}`), make("p", "hint", "Drag a box over the picture. The numbers are x, y, width and height in pixels of the image."), stage, list, line);
    form.append(dialog);
    done.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (!each.boxes?.length) delete each.boxes;
      changed();
      render();
    });
    dialog.showModal();
    const picture = await fetchPicture(request, study.name, each.image, SIZE).catch(() => null);
    if (!dialog.open) return;
    if (!picture) return stage.append(make("p", "fault", "The image cannot be shown."));
    const shown = new Image(), over = svg("svg", { viewBox: `0 0 ${picture.width} ${picture.height}`, class: "over" });
    shown.src = picture.url;
    shown.alt = `The image of ${each.id}`;
    shown.draggable = false;
    stage.append(shown, over);
    each.boxes ??= [];

    function show() {
      over.replaceChildren(...each.boxes.map(([x, y, width, height]) => svg("rect", { x, y, width, height })));
      list.replaceChildren(...each.boxes.map((box, place) => {
        const item = make("li"), gone = button("quiet", "Remove");
        item.append(...["x", "y", "width", "height"].map((name, n) => {
          const control = Object.assign(make("input", "number"), { type: "number", value: String(box[n]), step: "any" });
          control.setAttribute("aria-label", `Box ${place + 1}, ${name}`);
          control.addEventListener("change", () => { box[n] = Number(control.value); over.children[place].setAttribute(name, control.value); });
          return control;
        }), gone);
        gone.addEventListener("click", () => { each.boxes.splice(place, 1); show(); });
        return item;
      }));
    }

    const place = (event) => {
      const { left, top, width, height } = stage.getBoundingClientRect();
      return [(event.clientX - left) / width * picture.width, (event.clientY - top) / height * picture.height];
    };
    stage.addEventListener("pointerdown", (event) => {
      if (readOnly) return;
      event.preventDefault();
      stage.setPointerCapture(event.pointerId);
      const [x, y] = place(event), begun = [event.clientX, event.clientY], drawn = svg("rect", { x, y, width: 0, height: 0 }, over);
      const boxTo = (to) => {
        const [ax, ay] = [Math.max(0, Math.min(x, to[0])), Math.max(0, Math.min(y, to[1]))], [bx, by] = [Math.min(picture.width, Math.max(x, to[0])), Math.min(picture.height, Math.max(y, to[1]))];
        return [ax, ay, bx - ax, by - ay].map(Math.round);
      };
      stage.onpointermove = (moved) => { boxTo(place(moved)).forEach((value, n) => drawn.setAttribute(["x", "y", "width", "height"][n], String(value))); };
      stage.onpointerup = stage.onpointercancel = (ended) => {
        stage.onpointermove = stage.onpointerup = stage.onpointercancel = null;
        const box = boxTo(place(ended));
        if (ended.type === "pointerup" && Math.hypot(ended.clientX - begun[0], ended.clientY - begun[1]) >= LEAST && box[2] && box[3]) each.boxes.push(box);
        show();
      };
    });
    add.addEventListener("click", () => {
      each.boxes.push([picture.width / 4, picture.height / 4, picture.width / 2, picture.height / 2].map(Math.round));
      show();
      /** @type {HTMLElement} */ (list.querySelector("li:last-child input")).focus();
    });
    show();
  }
}
