// Shapes that are drawn, moved, resized, deleted, and brought back.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { element } from "./dom.js";
import { createAnnotations } from "../../assets/page/viewer/annotations.js";
import { boxAround, pathOf } from "../../assets/page/viewer/shapes.js";

const IMAGE = { width: 100, height: 80 };
const stage = /** @type {any} */ (element("div"));
let annotations, pane, heard, zoom;

beforeEach(() => {
  heard = [];
  zoom = 1;
  pane = { shapes: element() };
  annotations = createAnnotations({ panes: () => [pane], image: () => IMAGE, view: () => ({ zoom, left: 0, top: 0 }), repaint() {} }, (shapes) => heard.push(shapes));
});

function drag(kind, points, target = stage) {
  annotations.kind = kind;
  const gesture = annotations.begin(target, points[0]);
  for (const point of points.slice(1)) gesture.move(point);
  gesture.end();
}

const boxes = () => annotations.shapes.map(({ x, y, width, height }) => [x, y, width, height]);
const on = (id, handle) => ({ dataset: { shape: String(id), handle } });
const press = (key, more = {}) => annotations.key({ key, ...more });

test("a box is drawn from any corner to the one across", () => {
  drag("box", [[30, 40], [10, 20]]);
  assert.deepEqual(boxes(), [[10, 20, 20, 20]]);
  assert.equal(heard.length, 1);
});

test("what is drawn ends at the image's edge", () => {
  drag("box", [[90, 70], [150, 170]]);
  assert.deepEqual(boxes(), [[90, 70, 10, 10]]);
});

test("a press that hardly moves draws nothing", () => {
  drag("box", [[10, 10], [13, 40]]);
  zoom = 0.1;
  drag("box", [[10, 10], [40, 40]]);
  assert.deepEqual([boxes(), heard], [[], []]);
});

test("an outline keeps its points and the box around them", () => {
  drag("outline", [[10, 10], [10.5, 10], [30, 10], [30, 50]]);
  const [outline] = annotations.shapes;
  assert.deepEqual(outline.rings, [[[10, 10], [30, 10], [30, 50]]]);     // the one that hardly moved is left out
  assert.deepEqual(boxes(), [[10, 10, 20, 40]]);
});

test("undo and redo go through every change, and a new one ends redo", () => {
  drag("box", [[0, 0], [10, 10]]);
  drag("box", [[20, 20], [40, 40]]);
  annotations.undo();
  assert.deepEqual(boxes(), [[0, 0, 10, 10]]);
  annotations.undo();
  annotations.undo();
  assert.deepEqual(boxes(), []);
  annotations.redo();
  drag("box", [[50, 50], [60, 60]]);
  annotations.redo();
  assert.deepEqual(boxes(), [[0, 0, 10, 10], [50, 50, 10, 10]]);
  assert.equal(annotations.state.undo, true);
});

test("a shape moves whole and stays in the image", () => {
  drag("box", [[10, 10], [30, 30]]);
  drag(null, [[20, 20], [200, -50]], on(annotations.shapes[0].id));
  assert.deepEqual(boxes(), [[80, 0, 20, 20]]);
});

test("each handle moves its own edges", () => {
  const moved = { nw: [15, 15, 15, 15], n: [10, 15, 20, 15], ne: [10, 15, 5, 15], e: [10, 10, 5, 20], se: [10, 10, 5, 5], s: [10, 10, 20, 5], sw: [15, 10, 15, 5], w: [15, 10, 15, 20] };
  for (const [handle, box] of Object.entries(moved)) {
    annotations.load([{ kind: "box", x: 10, y: 10, width: 20, height: 20 }]);
    drag(null, [[0, 0], [15, 15]], on(annotations.shapes[0].id, handle));
    assert.deepEqual(boxes(), [box], handle);
  }
});

test("a handle that is dragged past the other side turns the box over", () => {
  annotations.load([{ kind: "box", x: 10, y: 10, width: 20, height: 20 }]);
  drag(null, [[30, 30], [4, 2]], on(annotations.shapes[0].id, "se"));
  assert.deepEqual(boxes(), [[4, 2, 6, 8]]);
});

test("an outline is stretched along with its box", () => {
  annotations.load([{ kind: "outline", x: 0, y: 0, width: 10, height: 10, rings: [[[0, 0], [10, 0], [10, 10]]] }]);
  drag(null, [[10, 10], [20, 30]], on(annotations.shapes[0].id, "se"));
  assert.deepEqual(annotations.shapes[0].rings, [[[0, 0], [20, 0], [20, 30]]]);
});

test("a drag that is broken off changes nothing and cannot be undone", () => {
  annotations.load([{ kind: "box", x: 10, y: 10, width: 20, height: 20 }]);
  annotations.kind = null;
  const gesture = annotations.begin(on(annotations.shapes[0].id), [15, 15]);
  gesture.move([40, 40]);
  gesture.cancel();
  assert.deepEqual([boxes(), annotations.state.undo, heard], [[[10, 10, 20, 20]], false, []]);
});

test("the selected shape is deleted by key, and comes back", () => {
  drag("box", [[0, 0], [10, 10]]);
  assert.equal(press("Delete"), true);
  assert.deepEqual(boxes(), []);
  assert.equal(press("Delete"), false);
  annotations.undo();
  assert.deepEqual(boxes(), [[0, 0, 10, 10]]);
});

test("arrows move the shape in focus, with Shift they resize it, and further where the image is small", () => {
  drag("box", [[10, 10], [30, 30]]);
  assert.equal(press("ArrowRight"), false);                 // without the focus they pan
  document.activeElement = /** @type {any} */ ({ dataset: { shape: "1" } });
  press("ArrowRight");
  press("ArrowUp", { shiftKey: true });
  zoom = 0.5;
  press("ArrowDown");
  document.activeElement = null;
  assert.deepEqual(boxes(), [[18, 26, 20, 12]]);
});

test("shapes that are loaded get ids of their own and no history", () => {
  drag("box", [[0, 0], [10, 10]]);
  annotations.load([{ id: 1, kind: "box", x: 1, y: 1, width: 5, height: 5 }, { id: 1, kind: "box", x: 2, y: 2, width: 5, height: 5 }]);
  assert.equal(new Set(annotations.shapes.map(({ id }) => id)).size, 2);
  assert.equal(annotations.state.undo, false);
});

test("every shape is painted with a halo, the selected one with eight handles", () => {
  drag("box", [[10, 10], [30, 30]]);
  annotations.render();
  assert.equal(pane.shapes.querySelectorAll(".handle").length, 8);
  assert.equal(pane.shapes.querySelectorAll(".own").length, 1);
  annotations.render();
  assert.equal(pane.shapes.querySelectorAll(".halo").length, 1);     // painting again adds none
});

test("ground truth is painted in panes that show it, its label as text", () => {
  annotations.loadTruth([{ kind: "box", x: 1, y: 1, width: 5, height: 5, label: "<b>Nodule</b>" }]);
  annotations.render();
  assert.equal(pane.shapes.querySelectorAll(".truth").length, 0);
  pane.truth = true;
  annotations.render();
  assert.equal(pane.shapes.querySelectorAll(".truth").length, 1);
  assert.equal(pane.shapes.querySelectorAll("text")[0].textContent, "<b>Nodule</b>");
});

test("paths close every ring", () => {
  assert.equal(pathOf({ kind: "box", x: 1, y: 2, width: 3, height: 4 }), "M1.00 2.00L4.00 2.00L4.00 6.00L1.00 6.00Z");
  assert.equal(pathOf({ kind: "outline", x: 0, y: 0, width: 1, height: 1, rings: [[[0, 0], [1, 0]], [[0, 1], [1, 1]]] }).match(/Z/g).length, 2);
});

test("the box around points", () => {
  assert.deepEqual(boxAround([[3, 9], [1, 12], [2, 4]]), { x: 1, y: 4, width: 2, height: 8 });
});

test("over pixels that are not square shapes stay in pixels of the image, and are painted in their shape", () => {
  annotations = createAnnotations({ panes: () => [pane], image: () => ({ ...IMAGE, aspect: 2 }), view: () => ({ zoom: 4, left: 10, top: 20 }), repaint() {} }, () => {});
  drag("box", [[10, 20], [30, 40]]);
  assert.deepEqual(boxes(), [[10, 20, 20, 20]]);
  annotations.render();
  assert.equal(pane.group.attributes.transform, "translate(10 20) scale(4 8)");
  const corner = pane.shapes.children.find(({ attributes }) => attributes.class === "handle se");
  const { x, y, width, height } = corner.attributes;
  assert.deepEqual([Number(x) + width / 2, Number(y) + height / 2], [10 + 30 * 4, 20 + 40 * 8]);
});
