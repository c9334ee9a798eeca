// What the reader draws over an image: boxes, outlines and measures, drawn, moved, resized, deleted, undone; and given ground truth.
// shapes.js says what a shape is, annotation_layer.js how it comes to the screen.

import { createLayer } from "./annotation_layer.js";
import { clamp } from "./image_pixels.js";
import { LINES, boxAround, boxOf, isMeasure, reshape, withRings } from "./shapes.js";
/** @import { Facts, Gesture, MeasuringTools, Pane, PixelImage, Point, Shape, View } from "../types" */

const SMALLEST = 4;                 // screen pixels: a press that moves less draws nothing
const TWO_STROKES = ["angle", "ratio"];

// `stage` gives them what it needs: { panes(), image(), facts(), view(), repaint(), nameOf?(place) }, the last a text beside each
// box and outline; `onChange` hears of every change by the reader.
/** @param {{ panes(): Pane[], image(): PixelImage | null, facts(): Facts, view(): View, repaint(): void, nameOf?(place: number): string }} stage @param {(shapes: Shape[]) => void} onChange */
export function createAnnotations(stage, onChange) {
  let shapes = [], truth = [], selected = null, drawing = null, kind = null, next = 1;
  let past = [], future = [];
  let begun = null;                   // the first stroke of a measure that takes two
  let tools = /** @type {MeasuringTools | null} */ (null);   // what measures need, once it is loaded

  const layer = createLayer(stage, (id) => { if (selected !== id) { selected = id; stage.repaint(); } });
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
    if (begun) return cancel();
    if (!from.length) return;
    to.push(shapes);
    show(from.pop(), selected);
    onChange(shapes);
  }

  const swap = (changed) => shapes.map((shape) => (shape.id === changed.id ? changed : shape));

  // --- gestures: { move(point), end(), cancel() } -----------------------------------------------------------------

  /** @param {HTMLElement | SVGElement} target @param {Point} point @returns {Gesture | null} */
  function begin(target, point) {
    const vertex = target.dataset?.vertex;
    if (kind && vertex === undefined) return kind === "box" ? drawBox(point) : LINES.includes(kind) ? drawLine(point) : drawOutline(point);
    const shape = find(Number(target.dataset?.shape));
    if (!shape) { if (selected !== null) { selected = null; stage.repaint(); } return null; }
    selected = shape.id;
    stage.repaint();
    if (vertex !== undefined) return edit((to) => moveVertex(shape, Number(vertex), inside(to)));
    return edit((to) => reshape(shape, target.dataset.handle ? dragHandle(shape, target.dataset.handle, to) : {
      x: shape.x + to[0] - point[0], y: shape.y + to[1] - point[1], width: shape.width, height: shape.height,
    }));
  }

  function moveVertex(shape, vertex, to) {
    let at = 0;
    return withRings(shape, shape.rings.map((ring) => ring.map((point) => (at++ === vertex ? to : point))));
  }

  function edit(moved) {
    const before = shapes;
    return {
      move(to) {
        shapes = swap(keepInside(moved(to)));
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
        drawing = withRings({ kind: isMeasure({ kind }) ? kind : "outline" }, [points]);
        stage.repaint();
      },
      end: finish, cancel,
    };
  }

  // A line of a measure. Of an angle the second stroke leads on from the end of the first, wherever it was begun.
  function drawLine(start) {
    const first = begun, from = inside(start);
    const move = (to) => { drawing = withRings({ kind }, tools.strokes(kind, first?.rings, from, inside(to))); stage.repaint(); };
    if (first) move(start);
    return { move, end: () => finishLine(first), cancel };
  }

  function finishLine(first) {
    const drawn = drawing, { zoom } = stage.view();
    if (!drawn || Math.hypot(drawn.width * zoom, drawn.height * zoom * aspect()) < SMALLEST) return cancel();
    if (!first && TWO_STROKES.includes(drawn.kind)) begun = drawn;
    else { cancel(); add(drawn); }
  }

  function cancel() {
    drawing = begun = null;
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

  // --- keys -----------------------------------------------------------------------------------------------------------

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  // Keys for the selected shape; true when it was one.
  function key(event) {
    const shape = find(selected), arrow = STEPS[event.key];
    if (!shape) return false;
    if (event.key === "Delete" || event.key === "Backspace") { remove(); return true; }
    const held = document.activeElement?.dataset;
    if (!arrow || held?.shape === undefined) return false;
    if (held.vertex !== undefined) {
      const [x, y] = shape.rings.flat()[held.vertex], by = event.shiftKey ? 10 : 1;
      change(swap(moveVertex(shape, Number(held.vertex), inside([x + by * arrow[0], y + by * arrow[1]]))));
      return true;
    }
    const { zoom } = stage.view(), [dx, dy] = [zoom, zoom * aspect()].map((size, i) => arrow[i] * Math.max(1, Math.round(8 / size)));
    const { x, y, width, height } = shape;
    const box = event.shiftKey && !isMeasure(shape) ? { x, y, width: Math.max(1, width + dx), height: Math.max(1, height + dy) } : { x: x + dx, y: y + dy, width, height };
    change(swap(keepInside(reshape(shape, box))));
    return true;
  }

  function remove() {
    if (selected !== null) change(shapes.filter((shape) => shape.id !== selected), null);
  }

  return {
    begin, key, remove,
    render() { layer.render({ shapes, truth, selected, drawing, tools }); },
    // Gives a shape a rating, as one step that can be undone.
    /** @param {number} id @param {number} rating */
    rate(id, rating) { if (find(id)) change(swap({ ...find(id), rating })); },
    undo: () => step(past, future),
    redo: () => step(future, past),
    // What is drawn just now, in the middle of what is seen, for those who draw by keyboard.
    /** @param {Point} middle @param {number} width @param {number} height */
    addMiddle([x, y], width, height) {
      const box = { x: x - width / 2, y: y - height / 2, width, height };
      if (kind === "box") add(keepInside({ kind: "box", ...box }));
      else if (kind && isMeasure({ kind })) add(keepInside(withRings({ kind }, tools.middle(kind, box))));
    },
    get shapes() { return shapes; },
    get truth() { return truth; },
    get state() { return { undo: past.length > 0, remove: selected !== null }; },
    // What a press on the image draws: "box", "outline", a measure once there are tools for it, or null for nothing.
    set kind(name) { kind = name && isMeasure({ kind: name }) && !tools ? null : name; if (begun) cancel(); },
    set tools(loaded) { tools = loaded; stage.repaint(); },
    // Replaces everything drawn, without undo and without telling `onChange`.
    load(list) {
      past = []; future = []; begun = null;
      const taken = new Set();
      for (const { id = 0 } of list) next = Math.max(next, id + 1);
      show(list.map((shape) => {
        const id = shape.id === undefined || taken.has(shape.id) ? next++ : shape.id;
        taken.add(id);
        return { ...shape, id };
      }), null);
    },
    loadTruth(list) { truth = list.map((shape) => (shape.rings ? { ...boxAround(shape.rings[0]), ...shape } : shape)); stage.repaint(); },
  };
}
