// The reference standard: whether the finding is there, and where. No reader's page is told of it but after a training case.

import { button, make, svg } from "../shared/dom.js";
import { fetchPicture, thumbnail } from "./pictures.js";
/** @import { StepContext } from "../types" */

const SIZE = 900;                   // pixels of the picture that boxes are drawn on
const LEAST = 4;                    // pixels of a box on the screen; less is a click

/** @param {HTMLElement} form @param {StepContext} context */
export function buildTruth(form, context) {
  const { study, values, fields, readOnly, changed, render, request } = context;
  const lists = /** @type {const} */ (["training", "cases"]).filter((list) => values[list]?.length);
  const known = (values.cases ?? []).filter(({ truth }) => typeof truth === "boolean").length;
  form.append(make("p", "hint", "Where it is known. It can also be imported when all have read: afloc feedback reference FILE --study ID."));
  if (!lists.length) return form.append(make("p", "note", "There are no cases yet."));
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
    dialog.addEventListener("close", () => { dialog.remove(); changed(); render(); });
    dialog.showModal();
    const picture = await fetchPicture(request, study.name, each.image, SIZE).catch(() => null);
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
    dialog.addEventListener("close", () => { if (!each.boxes.length) delete each.boxes; });
    show();
  }
}
