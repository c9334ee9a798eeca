// Where the image lies in a pane, and where in the image a point of the pane lies.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createViewport } from "../../assets/page/viewer/viewport.js";

const IMAGE = { width: 200, height: 100 };

function place(size = [400, 400], image = IMAGE) {
  const told = [];
  const viewport = createViewport({ size: () => size, image: () => image, moved: () => told.push("moved"), repaint: () => told.push("repaint") });
  return { viewport, told };
}

test("fitted, the image is as large as the pane allows and in its middle", () => {
  const { viewport, told } = place();
  viewport.fit();
  assert.deepEqual(viewport.at, { zoom: 2, left: 0, top: 100 });
  assert.deepEqual(viewport.toImage(0, 100), [0, 0]);
  assert.deepEqual(viewport.toImage(400, 300), [200, 100]);
  assert.deepEqual(told, ["repaint"]);
});

test("a tall image leaves room at its sides", () => {
  const { viewport } = place([400, 400], { width: 100, height: 200 });
  viewport.fit();
  assert.deepEqual(viewport.at, { zoom: 2, left: 100, top: 0 });
});

test("without an image or in a hidden pane there is nothing to fit", () => {
  for (const { viewport, told } of [place([400, 400], null), place([0, 0])]) {
    viewport.fit();
    assert.deepEqual([viewport.at, viewport.get(), told], [{ zoom: 1, left: 0, top: 0 }, null, []]);
  }
});

test("zooming keeps the point under the pointer where it is", () => {
  const { viewport, told } = place();
  viewport.fit();
  const before = viewport.toImage(130, 170);
  viewport.zoomAt(130, 170, 1.7);
  const after = viewport.toImage(130, 170);
  assert.ok(Math.abs(before[0] - after[0]) < 1e-9 && Math.abs(before[1] - after[1]) < 1e-9);
  assert.equal(viewport.at.zoom, 3.4);
  assert.equal(told.at(-1), "moved");
});

test("the zoom ends at half the fit and at 40 screen pixels", () => {
  const { viewport } = place();
  viewport.fit();
  viewport.zoomBy(1e-6);
  assert.equal(viewport.at.zoom, 1);
  viewport.zoomBy(1e6);
  assert.equal(viewport.at.zoom, 40);
});

test("an image smaller than the largest zoom can still be fitted", () => {
  const { viewport } = place([4000, 4000], { width: 10, height: 10 });
  viewport.fit();
  assert.equal(viewport.at.zoom, 400);
  viewport.zoomBy(1.001);
  assert.equal(viewport.at.zoom, 200);     // half of what fits is more than 40
});

test("a place that is read and set again is the same, also in a pane of another size", () => {
  const { viewport } = place();
  viewport.fit();
  assert.equal(viewport.get(), null);
  viewport.zoomAt(50, 120, 3);
  viewport.panBy(-17, 9);
  const kept = viewport.get(), other = place([300, 800]).viewport;
  other.set(kept);
  const again = other.get();
  for (const key of ["x", "y", "zoom"]) assert.ok(Math.abs(again[key] - kept[key]) < 1e-9, key);
  other.set(null);
  assert.equal(other.get(), null);
});

test("pixels that are not square fill the pane in their shape, and places stay those of the file", () => {
  for (const [aspect, wanted] of [[2, { zoom: 2, left: 0, top: 0 }], [0.5, { zoom: 2, left: 0, top: 150 }], [4, { zoom: 1, left: 100, top: 0 }]]) {
    const { viewport } = place([400, 400], { ...IMAGE, aspect });
    viewport.fit();
    assert.deepEqual(viewport.at, wanted);
    assert.deepEqual(viewport.middle(), [100, 50]);
    assert.deepEqual(viewport.toImage(wanted.left + 200 * wanted.zoom, wanted.top + 100 * wanted.zoom * aspect), [200, 100]);
    const before = viewport.toImage(130, 170);
    viewport.zoomAt(130, 170, 1.7);
    viewport.toImage(130, 170).forEach((value, i) => assert.ok(Math.abs(value - before[i]) < 1e-9));
    const kept = viewport.get();
    viewport.fit();
    viewport.set(kept);
    for (const key of ["x", "y", "zoom"]) assert.ok(Math.abs(viewport.get()[key] - kept[key]) < 1e-9, key);
  }
});
