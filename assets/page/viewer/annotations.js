// Boxes and outlines over the image, drawn as SVG: the reader's own (drawn, moved, resized, deleted, undone) and given ground truth.
//
// A shape is { id, kind: "box" | "outline", x, y, width, height, label?, rings?, rating? }, in pixels of the image; `rings` of an outline
// are lists of [x, y], the first ring the outer one. Shapes are never changed, only replaced, so a list of them can be kept for undo.

import { svg } from "../shared/dom.js";
import { clamp } from "./image_pixels.js";
/** @import { Box, Extent, Gesture, Pane, Point, Shape, View } from "../types" */

const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const HANDLE = matchMedia("(pointer: coarse)").matches ? 18 : 8;   // screen pixels of a handle's side
const SMALLEST = 4;                 // screen pixels: a press that moves less draws nothing

/** @param {Point} first @param {Point} second @returns {Box} */
function boxOf(first, second) {
  const x = Math.min(first[0], second[0]), y = Math.min(first[1], second[1]);
  return { x, y, width: Math.abs(first[0] - second[0]), height: Math.abs(first[1] - second[1]) };
}

/** @param {Point[]} points @returns {Box} */
export function boxAround(points) {
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  return boxOf([Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]);
}

// The shape with another box around it; an outline is stretched along.
/** @param {Shape} shape @param {Box} box @returns {Shape} */
function reshape(shape, box) {
  const moved = { ...shape, ...box };
  if (!shape.rings) return moved;
  const across = box.width / (shape.width || 1), down = box.height / (shape.height || 1);
  moved.rings = shape.rings.map((ring) => ring.map(([x, y]) => [box.x + (x - shape.x) * across, box.y + (y - shape.y) * down]));
  return moved;
}

/** @param {Shape} shape */
export function pathOf(shape) {
  const { x, y, width, height } = shape;
  const rings = shape.rings ?? [[[x, y], [x + width, y], [x + width, y + height], [x, y + height]]];
  return rings.map((ring) => `M${ring.map(([px, py]) => `${px.toFixed(2)} ${py.toFixed(2)}`).join("L")}Z`).join("");
}

// `stage` gives them what it needs: { panes(), image(), view(), repaint(), nameOf?(place) }, the last a text beside each; `onChange` hears of every change by the reader.
/** @param {{ panes(): Pane[], image(): Extent | null, view(): View, repaint(): void, nameOf?(place: number): string }} stage @param {(shapes: Shape[]) => void} onChange */
export function createAnnotations(stage, onChange) {
  let shapes = [], truth = [], selected = null, drawing = null, kind = null, next = 1;
  let past = [], future = [];

  const find = (id) => shapes.find((shape) => shape.id === id);
  const aspect = () => stage.image()?.aspect ?? 1;

  function keepInside(shape) {
    const { width, height } = stage.image();
    const kept = { width: Math.min(shape.width, width), height: Math.min(shape.height, height) };
    return reshape(shape, { ...kept, x: clamp(shape.x, 0, width - kept.width), y: clamp(shape.y, 0, height - kept.height) });
  }

  // `list` replaces the shapes as one step that can be undone.
  function change(list, select = selected) {
    past.push(shapes);
    future = [];
    show(list, select);
    onChange(shapes);
  }

  function show(list, select) {
    shapes = list;
    selected = shapes.some((shape) => shape.id === select) ? select : null;
    stage.repaint();
  }

  function step(from, to) {
    if (!from.length) return;
    to.push(shapes);
    show(from.pop(), selected);
    onChange(shapes);
  }

  const swap = (changed) => shapes.map((shape) => (shape.id === changed.id ? changed : shape));

  // --- gestures: { move(point), end(), cancel() } -----------------------------------------------------------------

  /** @param {HTMLElement | SVGElement} target @param {Point} point @returns {Gesture | null} */
  function begin(target, point) {
    if (kind) return kind === "box" ? drawBox(point) : drawOutline(point);
    const shape = find(Number(target.dataset?.shape));
    if (!shape) { if (selected !== null) { selected = null; stage.repaint(); } return null; }
    selected = shape.id;
    stage.repaint();
    return edit(shape, (to) => (target.dataset.handle ? dragHandle(shape, target.dataset.handle, to) : {
      ...shape, x: shape.x + to[0] - point[0], y: shape.y + to[1] - point[1], width: shape.width, height: shape.height,
    }));
  }

  function edit(shape, moved) {
    const before = shapes;
    return {
      move(to) {
        const { x, y, width, height } = moved(to);
        shapes = swap(keepInside(reshape(shape, { x, y, width, height })));
        stage.repaint();
      },
      end() {
        if (shapes === before) return;
        const after = shapes;
        shapes = before;
        change(after);
      },
      cancel() { shapes = before; stage.repaint(); },
    };
  }

  function dragHandle(shape, handle, [x, y]) {
    const right = shape.x + shape.width, bottom = shape.y + shape.height, { width, height } = stage.image();
    const px = clamp(x, 0, width), py = clamp(y, 0, height);
    return boxOf(
      [handle.includes("w") ? px : shape.x, handle.includes("n") ? py : shape.y],
      [handle.includes("e") ? px : right, handle.includes("s") ? py : bottom],
    );
  }

  const inside = ([x, y]) => [clamp(x, 0, stage.image().width), clamp(y, 0, stage.image().height)];

  function drawBox(start) {
    const corner = inside(start);
    return {
      move(to) { drawing = { kind: "box", ...boxOf(corner, inside(to)) }; stage.repaint(); },
      end: finish, cancel,
    };
  }

  function drawOutline(start) {
    const points = [inside(start)];
    return {
      move(to) {
        const point = inside(to), [x, y] = points.at(-1);
        if (Math.hypot(point[0] - x, (point[1] - y) * aspect()) * stage.view().zoom < 2) return;
        points.push(point);
        drawing = { kind: "outline", ...boxAround(points), rings: [points] };
        stage.repaint();
      },
      end: finish, cancel,
    };
  }

  function cancel() {
    drawing = null;
    stage.repaint();
  }

  function finish() {
    const drawn = drawing, zoom = stage.view().zoom;
    drawing = null;
    if (drawn && drawn.width * zoom >= SMALLEST && drawn.height * zoom * aspect() >= SMALLEST) add(drawn);
    else stage.repaint();
  }

  function add(shape) {
    const made = { ...shape, id: next++ };
    change([...shapes, made], made.id);
  }

  // --- painting -----------------------------------------------------------------------------------------------------

  // The elements of the reader's shapes are kept from one painting to the next, so that one in focus stays in focus.
  function render() {
    for (const pane of stage.panes()) {
      const { zoom, left, top } = stage.view();
      pane.group ??= svg("g", {}, pane.shapes);
      pane.own ??= new Map();
      for (const [id, path] of pane.own) if (!find(id)) { path.remove(); pane.own.delete(id); }
      for (const passing of pane.shapes.querySelectorAll(".halo, .truth, .drawing, .handle, text")) passing.remove();
      if (!stage.image()) continue;
      pane.group.setAttribute("transform", `translate(${left} ${top}) scale(${zoom} ${zoom * aspect()})`);
      if (pane.truth) for (const shape of truth) { renderPath(pane.group, shape, "truth"); renderLabel(pane.shapes, shape); }
      for (const [place, shape] of shapes.entries()) {
        renderLabel(pane.shapes, nameOwn(shape, place));
        if (!pane.own.has(shape.id)) pane.own.set(shape.id, makeOwn(pane.group, shape.id));
        const path = pane.own.get(shape.id);
        path.setAttribute("d", pathOf(shape));
        path.setAttribute("class", shape.id === selected ? "own selected" : "own");
        path.setAttribute("aria-label", describe(shape));
        path.before(svg("path", { d: pathOf(shape), class: "halo" }));
        if (shape.id === selected) renderHandles(pane.shapes, shape);
      }
      if (drawing) renderPath(pane.group, drawing, "drawing");
    }
  }

  const nameOwn = (shape, place) => ({ ...shape, label: stage.nameOf?.(place) ?? "" });

  function makeOwn(group, id) {
    const path = svg("path", { "data-shape": id, tabindex: 0, role: "button", "fill-rule": "evenodd" }, group);
    path.addEventListener("focus", () => { if (selected !== id) { selected = id; stage.repaint(); } });
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

  const describe = ({ kind: name, x, y, width, height }) =>
    `${name}, ${Math.round(width)} by ${Math.round(height)} pixels at ${Math.round(x)}, ${Math.round(y)}; arrows move it, Shift and arrows resize it, Delete removes it`;

  // --- keys -----------------------------------------------------------------------------------------------------------

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  // Keys for the selected shape; true when it was one.
  function key(event) {
    const shape = find(selected), arrow = STEPS[event.key];
    if (!shape) return false;
    if (event.key === "Delete" || event.key === "Backspace") { remove(); return true; }
    if (!arrow || document.activeElement?.dataset.shape === undefined) return false;
    const { zoom } = stage.view(), [dx, dy] = [zoom, zoom * aspect()].map((size, i) => arrow[i] * Math.max(1, Math.round(8 / size)));
    const { x, y, width, height } = shape;
    const box = event.shiftKey ? { x, y, width: Math.max(1, width + dx), height: Math.max(1, height + dy) } : { x: x + dx, y: y + dy, width, height };
    change(swap(keepInside(reshape(shape, box))));
    return true;
  }

  function remove() {
    if (selected !== null) change(shapes.filter((shape) => shape.id !== selected), null);
  }

  return {
    begin, render, key, remove,
    // Gives a shape a rating, as one step that can be undone.
    /** @param {number} id @param {number} rating */
    rate(id, rating) { if (find(id)) change(swap({ ...find(id), rating })); },
    undo: () => step(past, future),
    redo: () => step(future, past),
    // A box in the middle of what is seen, for those who draw by keyboard.
    /** @param {Point} middle @param {number} width @param {number} height */
    addMiddle([x, y], width, height) { add(keepInside({ kind: "box", x: x - width / 2, y: y - height / 2, width, height })); },
    get shapes() { return shapes; },
    get truth() { return truth; },
    get state() { return { undo: past.length > 0, remove: selected !== null }; },
    // What a press on the image draws: "box", "outline" or null for nothing.
    set kind(name) { kind = name; },
    // Replaces everything drawn, without undo and without telling `onChange`.
    load(list) {
      past = []; future = [];
      show(list.map((shape) => ({ ...shape, id: next++ })), null);
    },
    loadTruth(list) { truth = list.map((shape) => (shape.rings ? { ...boxAround(shape.rings[0]), ...shape } : shape)); stage.repaint(); },
  };
}
