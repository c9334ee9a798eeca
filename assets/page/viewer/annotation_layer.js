// How shapes come to the screen: as SVG over each pane that shows their film.

import { svg } from "../shared/dom.js";
import { hasLines, isMeasure, pathOf } from "./shapes.js";
/** @import { DrawnShapes, Facts, Pane, PixelImage, View } from "../types" */

const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const HANDLE = matchMedia("(pointer: coarse)").matches ? 18 : 8;   // screen pixels of a handle's side

// `stage`: { panes(), image(), facts(), view(), nameOf?(place) }, the last a text beside each box and outline; `select(id)`: a shape came into focus.
/** @param {{ panes(): Pane[], image(): PixelImage | null, facts(): Facts, view(): View, nameOf?(place: number): string }} stage @param {(id: number) => void} select */
export function createLayer(stage, select) {
  const aspect = () => stage.image()?.aspect ?? 1;

  /** @param {DrawnShapes} drawn */
  function render(drawn) {
    for (const pane of stage.panes()) {
      clear(pane, drawn);
      if (stage.image()) renderPane(pane, drawn);
    }
  }

  // The elements of the reader's shapes are kept from one painting to the next, so that one in focus stays in focus.
  function clear(pane, { shapes, selected }) {
    pane.group ??= svg("g", {}, pane.shapes);
    pane.own ??= new Map();
    pane.vertices ??= new Map();
    const kept = new Set(shapes.map(({ id }) => id));
    for (const [id, path] of pane.own) if (!kept.has(id)) { path.remove(); pane.own.delete(id); }
    for (const [id, vertices] of pane.vertices) if (id !== selected || !kept.has(id)) { for (const each of vertices) each.remove(); pane.vertices.delete(id); }
    for (const passing of pane.shapes.querySelectorAll(".halo, .truth, .drawing, .handle, text")) passing.remove();
  }

  /** @param {Pane} pane @param {DrawnShapes} drawn */
  function renderPane(pane, { shapes, truth, selected, drawing, tools }) {
    const { zoom, left, top } = stage.view();
    pane.group.setAttribute("transform", `translate(${left} ${top}) scale(${zoom} ${zoom * aspect()})`);
    if (pane.truth) for (const shape of truth) { renderPath(pane.group, shape, shape.reader ? "truth reader" : "truth"); renderLabel(pane.shapes, shape); }
    shapes.filter((shape) => !isMeasure(shape)).forEach((shape, place) => renderLabel(pane.shapes, { ...shape, label: stage.nameOf?.(place) ?? "" }));
    for (const shape of shapes) renderOwn(pane, shape, shape.id === selected, tools);
    if (!drawing) return;
    renderPath(pane.group, drawing, "drawing");
    if (hasLines(drawing)) renderValue(pane, drawing, tools);
  }

  function renderOwn(pane, shape, isSelected, tools) {
    if (!pane.own.has(shape.id)) pane.own.set(shape.id, makeOwn(pane.group, shape.id));
    const path = pane.own.get(shape.id);
    path.setAttribute("d", pathOf(shape));
    path.setAttribute("class", `own${isMeasure(shape) ? " measure" : ""}${isSelected ? " selected" : ""}`);
    path.setAttribute("aria-label", describe(shape, tools));
    path.before(svg("path", { d: pathOf(shape), class: "halo" }));
    if (isMeasure(shape)) renderValue(pane, shape, tools);
    if (isSelected) hasLines(shape) ? renderVertices(pane, shape) : renderHandles(pane.shapes, shape);
  }

  // What a measure says, beside its end.
  function renderValue(pane, shape, tools) {
    if (!tools) return;
    const { zoom, left, top } = stage.view(), { text, at } = tools.label(shape, stage.image(), stage.facts());
    const x = left + at[0] * zoom, y = top + at[1] * zoom * aspect(), toLeft = x > 0.7 * (pane.element?.clientWidth ?? Infinity);
    svg("text", { x: x + (toLeft ? -8 : 8), y: Math.max(y - 8, 14), class: "value", "text-anchor": toLeft ? "end" : "start" }, pane.shapes).textContent = text;
  }

  // The points of a measure, kept while it is selected so that one in focus stays in focus.
  function renderVertices(pane, shape) {
    const points = shape.rings.flat();
    if (!pane.vertices.has(shape.id)) {
      let after = pane.own.get(shape.id);
      pane.vertices.set(shape.id, points.map((_, i) => {
        const vertex = svg("path", { class: "vertex", "data-shape": shape.id, "data-vertex": i, tabindex: 0, role: "button" });
        after.after(vertex);
        return (after = vertex);
      }));
    }
    pane.vertices.get(shape.id).forEach((vertex, i) => {
      const [x, y] = points[i];
      vertex.setAttribute("d", `M${x.toFixed(2)} ${y.toFixed(2)}h.01`);
      vertex.setAttribute("aria-label", `Point ${i + 1} of ${points.length}, at ${x.toFixed(1)}, ${y.toFixed(1)}; arrows move it by a pixel, Shift and arrows by ten`);
    });
  }

  function makeOwn(group, id) {
    const path = svg("path", { "data-shape": id, tabindex: 0, role: "button", "fill-rule": "evenodd" }, group);
    path.addEventListener("focus", () => select(id));
    return path;
  }

  function renderPath(group, shape, className) {
    svg("path", { d: pathOf(shape), class: "halo" }, group);
    svg("path", { d: pathOf(shape), class: className, "fill-rule": "evenodd" }, group);
  }

  function renderLabel(holder, shape) {
    if (!shape.label) return;
    const { zoom, left, top } = stage.view();
    svg("text", { x: left + shape.x * zoom + 4, y: Math.max(top + shape.y * zoom * aspect() - 5, 12) }, holder).textContent = shape.label;
  }

  function renderHandles(holder, shape) {
    const { zoom, left, top } = stage.view();
    for (const handle of HANDLES) {
      const across = handle.includes("w") ? 0 : handle.includes("e") ? 1 : 0.5, down = handle.includes("n") ? 0 : handle.includes("s") ? 1 : 0.5;
      const x = left + (shape.x + across * shape.width) * zoom, y = top + (shape.y + down * shape.height) * zoom * aspect();
      svg("rect", { x: x - HANDLE / 2, y: y - HANDLE / 2, width: HANDLE, height: HANDLE, class: `handle ${handle}`, "data-shape": shape.id, "data-handle": handle }, holder);
    }
  }

  function describe(shape, tools) {
    const { kind: name, x, y, width, height } = shape;
    if (isMeasure(shape)) return `${tools?.describe(shape, stage.image(), stage.facts()) ?? name}; arrows move it, Delete removes it`;
    return `${name}, ${Math.round(width)} by ${Math.round(height)} pixels at ${Math.round(x)}, ${Math.round(y)}; arrows move it, Shift and arrows resize it, Delete removes it`;
  }

  return { render };
}
