// Lengths, angles, ratios and areas of a phantom whose sizes are known, and what the corners of the stage say.
import assert from "node:assert/strict";
import { test } from "node:test";

import { element } from "./dom.js";
import { angleOf, areaOf, lengthOf, meanWithin, measure, measurementInWords, scaleOf } from "../../assets/page/measuring/lengths.js";
import * as tools from "../../assets/page/measuring/tools.js";
import { createAnnotations } from "../../assets/page/viewer/annotations.js";
import { colorBarNumbers } from "../../assets/page/viewer/color_bar.js";
import { cornerTexts } from "../../assets/page/viewer/corners.js";
import { readImage } from "../../assets/page/viewer/image_pixels.js";
import { sidesOf } from "../../assets/page/viewer/orientation.js";
import { scaleBar } from "../../assets/page/viewer/scale_bar.js";
import { withRings } from "../../assets/page/viewer/shapes.js";

const WIDE = { spacing: [0.2, 0.5], plane: /** @type {const} */ ("object") };      // mm down, across
const near = (value, wanted, by = 1e-9) => assert.ok(Math.abs(value - wanted) <= by, `${value} is not ${wanted}`);

// 40 by 20 pixels, 7 outside and 200 in a box from (10, 5) to (30, 15).
const pixels = Uint8Array.from({ length: 800 }, (_, i) => (i % 40 >= 10 && i % 40 < 30 && i >= 200 && i < 600 ? 200 : 7));
const PHANTOM = readImage(pixels.buffer, { width: 40, height: 20, aspect: 0.4, channels: 1, depth: 8, window: [0, 255] });
const BOX = [[10, 5], [30, 5], [30, 15], [10, 15]];

test("pixels that are not square are as long as they are wide and high", () => {
  const scale = scaleOf(WIDE);
  near(lengthOf([10, 5], [30, 5], scale), 10);
  near(lengthOf([10, 5], [10, 15], scale), 2);
  near(lengthOf([0, 0], [6, 20], scale), 5);
  near(angleOf([[6, 0], [0, 0], [6, 15]], scale), 45);
  near(angleOf([[4, 0], [0, 0], [-4, 0]], scale), 180);
  near(areaOf(BOX, scale), 20);
});

test("without a spacing lengths are in pixels of the image's shape, and slides are told in micrometres", () => {
  assert.deepEqual(scaleOf({ spacing: null }, 2), { x: 1, y: 2, unit: "px", plane: null });
  const slide = scaleOf({ spacing: [0.00025, 0.00025], plane: "object" });
  near(lengthOf([0, 0], [0, 40], slide), 10);
  assert.equal(slide.unit, "µm");
});

test("the mean is of the pixels whose centres lie inside, exactly", () => {
  assert.deepEqual(meanWithin(PHANTOM, BOX), { count: 200, means: [200], deviations: [0] });
  const { count, means } = meanWithin(PHANTOM, [[9, 5], [31, 5], [31, 15], [9, 15]]);
  assert.equal(count, 220);
  near(means[0], (200 * 200 + 20 * 7) / 220);
  assert.deepEqual(meanWithin(PHANTOM, [[-5, -5], [50, -5], [50, 30], [-5, 30]]).count, 800);
  assert.equal(meanWithin(PHANTOM, [[1, 1], [1.2, 1], [1.2, 1.2]]), null);
  assert.equal(meanWithin(PHANTOM, [[10, 5], [30, 5], [20, 15]]).count, 100);        // a triangle, half of the box
});

test("a ratio is of the shorter line to the longer one, whichever was drawn first", () => {
  for (const rings of [[[[0, 0], [10, 0]], [[0, 9], [40, 9]]], [[[0, 9], [40, 9]], [[0, 0], [10, 0]]]]) {
    near(measure(withRings({ kind: "ratio" }, rings), PHANTOM, WIDE).ratio, 0.25);
  }
});

test("what a measure says", () => {
  const said = (kind, rings) => measurementInWords(measure(withRings({ kind }, rings), PHANTOM, WIDE));
  assert.equal(said("ruler", [[[10, 5], [30, 5]]]), "10.0 mm");
  assert.equal(said("ruler", [[[10, 5], [10, 15]]]), "2.00 mm");
  assert.equal(said("angle", [[[6, 0], [0, 0], [6, 15]]]), "45.0°");
  assert.equal(said("angle", [[[6, 0], [0, 0]]]), "3.00 mm");                         // its second stroke is missing
  assert.equal(said("area", [BOX]), "20.0 mm²  mean 200 ± 0");
  assert.match(tools.describe(withRings({ kind: "ruler" }, [[[0, 0], [4, 0]]]), PHANTOM, { ...WIDE, plane: "detector" }), /Ruler: 2.00 mm at the detector/);
});

test("measures take their strokes, are kept, moved by a point, undone, and leave boxes alone", () => {
  const heard = [], pane = { shapes: element() };
  const annotations = createAnnotations(/** @type {any} */ ({ panes: () => [pane], image: () => PHANTOM, facts: () => WIDE, view: () => ({ zoom: 10, left: 0, top: 0 }), repaint() {} }), (shapes) => heard.push(shapes));
  const drag = (from, to, target = {}) => { const gesture = annotations.begin(/** @type {any} */ (target), from); gesture.move(to); gesture.end(); };
  annotations.kind = "ruler";                                                         // its tools are not there yet
  assert.equal(annotations.begin(/** @type {any} */ ({}), [1, 1]), null);
  annotations.tools = tools;
  annotations.kind = "angle";
  drag([6, 0], [0, 0]);
  assert.deepEqual(heard, []);
  drag([3, 3], [6, 15]);
  annotations.kind = "ratio";
  drag([0, 1], [10, 1]);
  annotations.kind = "ruler";                                                         // half a ratio is none
  drag([10, 5], [30, 5]);
  assert.deepEqual(annotations.shapes.map(({ kind, rings }) => [kind, rings]), [["angle", [[[6, 0], [0, 0], [6, 15]]]], ["ruler", [[[10, 5], [30, 5]]]]]);
  annotations.render();
  assert.deepEqual(pane.shapes.querySelectorAll("text").map(({ textContent }) => textContent), ["45.0°", "10.0 mm"]);
  const [from, to] = pane.shapes.querySelectorAll(".vertex");
  drag([30, 5], [20, 5], to);
  assert.deepEqual(annotations.shapes[1].rings, [[[10, 5], [20, 5]]]);
  annotations.undo();
  document.activeElement = from;
  annotations.key(/** @type {any} */ ({ key: "ArrowLeft" }));
  annotations.key(/** @type {any} */ ({ key: "ArrowDown", shiftKey: true }));
  assert.deepEqual(annotations.shapes[1].rings, [[[9, 15], [30, 5]]]);
  document.activeElement = null;
  annotations.key(/** @type {any} */ ({ key: "Delete" }));
  assert.deepEqual(annotations.shapes.map(({ kind }) => kind), ["angle"]);
});

test("the corners say what the file says and how it is displayed, and nothing where nothing is known", () => {
  const film = /** @type {any} */ ({ image: PHANTOM, window: [10, 60], sides: sidesOf(null), frame: 6, frames: 60, facts: { name: "a.dcm", projection: "PA", study_date: "2021-03-04", ...WIDE } });
  assert.deepEqual(cornerTexts(film), { name: "a.dcm  7 of 60", taken: "PA  2021-03-04", tag: "", matrix: "40 × 20", spacing: "0.5 × 0.2 mm a pixel", window: "W 50  L 35", colors: "" });
  const { name, taken, spacing } = cornerTexts({ ...film, frames: 1, facts: {} });
  assert.deepEqual([name, taken, spacing], ["", "", "spacing not stated"]);
  assert.equal(cornerTexts({ ...film, facts: { spacing: [0.139, 0.139], plane: "detector" } }).spacing, "0.139 mm a pixel at the detector");
});

test("the scale bar is a round length that fits, the colour bar says its ends and the threshold", () => {
  assert.deepEqual(scaleBar(0.5, 110), { pixels: 100, text: "5 cm" });
  assert.equal(scaleBar(0.00025, 110).text, "20 µm");
  assert.equal(scaleBar(500, 110), null);
  assert.deepEqual(colorBarNumbers(0.5), [[0, "0"], [0.5, "0.50"], [1, "1"]]);
  assert.deepEqual(colorBarNumbers(0.05), [[0.05, "0.05"], [1, "1"]]);
  assert.deepEqual(colorBarNumbers(0.65, [-1, 1]), [[0, "−1"], [0.65, "0.30"], [1, "1"]]);
});
