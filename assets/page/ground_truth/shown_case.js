// What is shown of the finding chosen: its maps over what is marked, the table of all findings, the curve, and the figures at the threshold.

import { number } from "../shared/dom.js";
import { shortVerdict } from "../shared/verdict.js";
import { clamp } from "../viewer/image_pixels.js";
import { createCurve } from "./agreement_curve.js";
import { figureRows, findingRows } from "./agreement_tables.js";
import { shapesOf } from "./truths.js";
/** @import { Compared, GroundTruthProps, Measured } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

const START = { stretched: 0.65, fixed: 0.3 };        // of the viewer's 0 … 1, where the slider begins
const SCALES = { stretched: "of −1 … 1", fixed: "of 0 … 1" };

/** @param {HTMLElement} element @param {Compared} compared @param {Viewer} viewer @param {GroundTruthProps} props */
export function createShownCase(element, compared, viewer, props) {
  const find = (selector) => element.querySelector(selector);
  const put = (selector, text) => { find(selector).textContent = text; };
  const boxes = [...element.querySelectorAll("textarea")], slider = find(".slider"), curve = createCurve(find(".curves svg"), setThreshold);

  const answersOf = (/** @type {number} */ at) => compared.cases[at]?.answers ?? [];
  const shown = () => answersOf(compared.chosen);

  // The map as the scale has it, 0 … 1 for the viewer.
  /** @param {Measured} measured */
  function rowsOf({ finding, range: [low, high] }) {
    if (compared.scale === "fixed") return finding.grid;
    const span = high - low || 1;
    return finding.grid.map((row) => row.map((value) => clamp((value - low) / span, 0, 1)));
  }

  function show() {
    const { truths, chosen, cases, answers } = compared, truth = truths[chosen], found = shown();
    boxes.forEach((box, i) => { if (box !== document.activeElement) box.value = cases[chosen]?.descriptions[i] ?? ""; });
    // Beside the map only where a file brought ground truth: the layout does not change under the hand that draws.
    const given = truths.some((each) => !each.byHand), outlines = truth.byHand ? viewer.shapes : shapesOf(truth);
    const readers = (truth.readers ?? []).flatMap(shapesOf).map((shape) => ({ ...shape, reader: true }));
    viewer.showTruth([...(given ? outlines : []), ...readers], { over: !truth.byHand, beside: found.length < 2 });
    find(".take").disabled = !found.some(Boolean);
    for (const box of boxes) box.disabled = !truth.label;
    viewer.showMaps(found.map((each, i) => ({
      rows: each && rowsOf(each), title: found.length > 1 ? `${i ? "Precise" : "Simple"} description` : "Map", note: noteOf(each), cautions: each?.finding.cautions ?? [],
    })), answers);
    showTable();
    showCurve();
    showFigures();
    put(".spoken", found[0] ? `${truth.label}: ${noteOf(found[0])}, CNR ${number(found[0].agreement.cnr, 2)}. ${found[0].finding.cautions.join(" ")}` : "");
  }

  // Whatever the verdict, the map is shown, for it is what is measured.
  function noteOf(each) {
    if (!each) return "nothing asked";
    return `mean IoU ${number(each.agreement.iou)}, ${shortVerdict(each.finding)}`;
  }

  function showCurve() {
    const { scale } = compared, found = shown(), marked = scale === "stretched" ? props.paper : [];
    curve.show(props[scale], found.map((each) => each && each[scale]), marked, found.map((each) => each?.agreement.iou ?? 0));
    const means = found.map((each) => number(each?.agreement.iou)).join(" and ");
    put(".curves .legend", !found.some((each) => each?.[scale].iou) ? "" : scale === "stretched"
      ? `IoU, Dice dashed. ● the paper's five, mean ${means}` : "IoU, Dice dashed. An empty map counts 0.");
  }

  const threshold = () => (compared.scale === "stretched" ? 2 * viewer.display.threshold - 1 : viewer.display.threshold);

  /** @param {number} value */
  function setThreshold(value) {
    viewer.setDisplay({ threshold: compared.scale === "stretched" ? (value + 1) / 2 : value });
  }

  // All that moves with the slider.
  function showFigures() {
    const { image, scale } = compared;
    if (!image) return;
    const thresholds = props[scale], step = clamp(Math.round((threshold() - thresholds[0]) * 100), 0, thresholds.length - 1);
    slider.value = thresholds[step];
    put(".threshold", number(thresholds[step], 2));
    put(".at .on", SCALES[scale]);
    curve.at(thresholds[step]);
    find(".figures tbody").replaceChildren(...figureRows(shown(), scale, step));
  }

  function showTable() {
    const { truths, chosen } = compared, active = /** @type {HTMLInputElement} */ (document.activeElement), naming = active.dataset.name, typed = naming && active.value;
    const rows = findingRows(truths, answersOf, chosen, props.measures), pane = find(".findings"), line = rows.find((row) => row.className);
    find(".findings tbody").replaceChildren(...rows);
    const field = naming && find(`[data-name="${naming}"]`);
    if (field) { field.value = typed; field.focus(); }
    if (!truths[chosen].label && !field) find(".findings .chosen .name").focus();
    if (line.offsetTop + line.offsetHeight > pane.scrollTop + pane.clientHeight || line.offsetTop < pane.scrollTop) pane.scrollTop = line.offsetTop - 30;
  }

  slider.addEventListener("input", () => setThreshold(Number(slider.value)));

  return {
    show, showFigures, threshold,
    /** @param {Compared["scale"]} name */
    setScale(name) {
      compared.scale = name;
      slider.min = props[name][0];
      slider.max = name === "fixed" ? 0.95 : 0.9;         // where the viewer's contour ends
      viewer.setScale([props[name][0], props[name].at(-1)]);
      viewer.setDisplay({ threshold: START[name] });
      if (compared.cases.length) show();
    },
  };
}
