// Views come from links and files that anybody may have written.
import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeView, makeView, readView } from "../../assets/page/probe/view_link.js";

const read = (view) => readView(JSON.stringify({ afloc: "view", version: 1, ...view }), false);
const BOX = { x: 1, y: 2, width: 3, height: 4 };

test("a view comes back from its link as it was", () => {
  const view = {
    description: "kleiner Erguß 右", modality: "chest_xray", example: "chest_film", kept: ["a", "b"], image: { width: 10, height: 20 }, fingerprint: "abc",
    display: { invert: true, colors: "Gray", opacity: 0.5, threshold: 0.2, outline: false, map: true, window: [3, 9] }, place: { x: 1, y: 2, zoom: 3 },
    shapes: [{ kind: "box", ...BOX }, { kind: "outline", ...BOX, rings: [[[0, 0], [1, 1]]] }],
  };
  const { image, ...same } = view;
  assert.deepEqual(readView(encodeView(makeView(view))), { ...same, ...image });
});

test("a link is safe in an address", () => {
  assert.match(encodeView(makeView({ description: "???>>>~~~ü" })), /^[\w-]+$/);
});

test("what is no view is null", () => {
  for (const text of ["", "%%%", "bm9uZQ", btoa("null"), btoa("[]"), btoa('"view"'), btoa('{"afloc":"view"}'), btoa('{"afloc":"view","version":2}')]) assert.equal(readView(text), null, text);
  for (const text of ["", "{", "null", "7", '{"afloc":"finding","version":1}']) assert.equal(readView(text, false), null, text);
});

test("an empty view has everything, and nothing in it", () => {
  assert.deepEqual(read({}), { description: "", modality: null, example: null, display: {}, shapes: [], place: null, kept: [], width: undefined, height: undefined, fingerprint: "" });
});

test("of the wrong kind, everything is left out", () => {
  for (const wrong of [null, 0, true, "text", [], {}, [null], [[]], { x: {} }]) {
    const view = read({ modality: [wrong], example: { wrong }, display: wrong, shapes: wrong, place: wrong, kept: wrong, image: wrong });
    assert.deepEqual([view.modality, view.example, view.display, view.shapes, view.place, view.kept], [null, null, {}, [], null, []], JSON.stringify(wrong));
  }
});

test("a setting of the display of the wrong kind is left out alone", () => {
  const wrong = { invert: 1, colors: 7, opacity: "0.5", threshold: null, outline: "no", map: true, window: [5, 5], more: 1 };
  assert.deepEqual(read({ display: wrong }).display, { map: true });
});

test("windows are two finite numbers, the lower one first", () => {
  for (const window of [[1], [2, 1], [1, 2, 3], ["1", "2"], [1, null], { 0: 1, 1: 2 }]) assert.deepEqual(read({ display: { window } }).display, {}, JSON.stringify(window));
  assert.deepEqual(read({ display: { window: [-5, 1.5] } }).display, { window: [-5, 1.5] });
});

test("numbers that JSON reads as infinite are none", () => {
  const text = JSON.stringify({ afloc: "view", version: 1, place: { x: 1, y: 1, zoom: "Z" }, shapes: [{ ...BOX, x: "Z" }] }).replaceAll('"Z"', "1e999");
  const view = readView(text, false);
  assert.deepEqual([view.place, view.shapes], [null, []]);
});

test("shapes that lack a number or hold a broken outline are left out", () => {
  const broken = [null, 7, {}, { ...BOX, x: "1" }, { ...BOX, rings: 3 }, { ...BOX, rings: [[]] }, { ...BOX, rings: [[[0, 0]]] }, { ...BOX, rings: [[[0, 0], [1]]] }];
  assert.deepEqual(read({ shapes: [...broken, BOX] }).shapes, [{ kind: "box", ...BOX }]);
});

test("an outline without a ring is none", () => {
  assert.deepEqual(read({ shapes: [{ ...BOX, rings: [] }] }).shapes, []);
});

test("only what a shape and a place have is taken over", () => {
  const view = read({ shapes: [{ ...BOX, id: 9, kind: "evil", label: "x", __proto__: { a: 1 } }], place: { x: 1, y: 2, zoom: 3, more: 4 } });
  assert.deepEqual(view.shapes, [{ kind: "box", ...BOX }]);
  assert.deepEqual(view.place, { x: 1, y: 2, zoom: 3 });
});

test("there is an end to how much is taken", () => {
  const view = read({ description: "x".repeat(9000), kept: ["a", 5, "b", "c", "d"], shapes: Array(500).fill(BOX) });
  assert.deepEqual([view.description.length, view.kept, view.shapes.length], [4000, ["a", "b"], 200]);
});
