// The rows of the Ground truth tab's tables. An answer is what the server says of one description: { finding, agreement, readers, and a
// curve for each scale }, or null where nothing was asked. `measures`: name, digits and explanation of every measure, by its key.

import { button, make, number } from "../shared/dom.js";
import { sureness } from "../shared/verdict.js";
/** @import { Curve, Interval, Measured, Measures, Readers, SummaryRow, Truth } from "../types" */

const NAMES = ["simple", "precise"];
export const LISTED = ["iou", "dice", "cnr", "pointing"];    // beside each finding; the others stand below the chosen one

const dotOf = (i) => make("i", `dot ${i ? "second" : "first"}`);
const cell = (name, text, title = "", className = "") => Object.assign(make(name, className, text), { title });

// What moves with the threshold, `step` its place in the curves: a row for each answer; below them the readers, who have one place.
/** @param {(Measured | null)[]} answers @param {"stretched" | "fixed"} scale @param {number} step */
export function figureRows(answers, scale, step) {
  const rows = (answers.length ? answers : [null]).map((each, i) => {
    const at = each?.[scale], row = make("tr"), name = make("th");
    name.append(dotOf(i), answers.length > 1 ? NAMES[i] : "map");
    row.append(name);
    for (const metric of ["iou", "dice"]) row.append(make("td", metric, number(at?.[metric]?.[step])));
    row.append(make("td", "hit", hit(each, at, step)), make("td", "area", at ? percent(at.area[step]) : "–"));
    return row;
  });
  const readers = answers[0]?.readers;
  return readers ? [...rows, ...readerRows(readers)] : rows;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** @param {Readers} readers */
function readerRows(readers) {
  const at = `The map above ${number(readers.threshold, 2)} on the fixed scale, where it marks as much of the image as the readers do`;
  const rowOf = (/** @type {string} */ name, /** @type {string} */ title, /** @type {number[]} */ [iou, dice, area]) => {
    const row = make("tr", "reader");
    row.append(cell("th", name, title), make("td", "", number(iou)), make("td", "", number(dice)), make("td", "hit", "–"), make("td", "area", percent(area)));
    return row;
  };
  return [
    rowOf("readers", "What the human readers marked, held against the ground truth; the mean where there are several", [readers.iou, readers.dice, readers.area]),
    rowOf("map, as much", at, [readers.model_iou, readers.model_dice, readers.model_area]),
  ];
}

/** @param {Measured | null} each @param {Curve | undefined} at @param {number} step */
function hit(each, at, step) {
  if (each?.agreement.pointing == null) return "–";
  if (!at.area[step]) return "empty";
  return each.agreement.pointing > 0.5 ? "yes" : "no";
}

// Every finding as published: the mean over the five thresholds of the min-max map. Below the chosen one all other measures that the server
// has of it. A mask that has no name yet has a field for it.
/** @param {Truth[]} truths @param {(at: number) => (Measured | null)[]} answersOf @param {number} chosen @param {Measures} measures */
export function findingRows(truths, answersOf, chosen, measures) {
  return truths.flatMap((truth, at) => {
    if (!truth.label) return [namingRow(truth, at, at === chosen)];
    const rows = (answersOf(at).length ? answersOf(at) : [null]).map((each, i, all) => {
      const row = make("tr", at === chosen ? "chosen" : ""), name = make("td"), pick = button("pick", truth.label);
      pick.dataset.truth = row.dataset.truth = String(at);
      pick.title = truth.label;
      pick.setAttribute("aria-pressed", String(at === chosen));
      if (all.length > 1) name.append(dotOf(i));
      name.append(i ? make("span", "", NAMES[1]) : pick);
      row.append(name, make("td", "", number(sureness(each?.finding), 2)));
      for (const key of LISTED) row.append(make("td", "", number(each?.agreement?.[key], key === "pointing" && each?.agreement.pointing % 1 === 0 ? 0 : measures[key].digits)));
      return row;
    });
    return at === chosen ? [...rows, ...furtherRow(answersOf(at), measures)] : rows;
  });
}

function furtherRow(answers, measures) {
  const keys = Object.keys(measures).filter((key) => !LISTED.includes(key) && answers.some((each) => each?.agreement[key] != null));
  if (!keys.length) return [];
  const row = make("tr", "further"), all = Object.assign(make("td"), { colSpan: 2 + LISTED.length });
  for (const key of keys) {
    const { name, about, digits, unit } = measures[key], one = cell("span", `${name} `, about);
    one.append(make("b", "", answers.filter(Boolean).map((each) => number(each.agreement[key], digits)).join(", ") + (unit && ` ${unit}`)));
    all.append(one, " ");
  }
  row.append(all);
  return [row];
}

/** @param {Truth} truth @param {number} at @param {boolean} chosen */
function namingRow(truth, at, chosen) {
  const row = make("tr", chosen ? "chosen" : ""), all = Object.assign(make("td"), { colSpan: 2 + LISTED.length }), field = make("input", "name");
  row.dataset.truth = field.dataset.name = String(at);
  Object.assign(field, { type: "text", maxLength: 200, placeholder: `What does ${truth.from ?? "this mask"} mark?`, autocomplete: "off" });
  field.setAttribute("list", "finding-names");
  field.setAttribute("aria-label", `Finding that ${truth.from ?? "this mask"} marks`);
  all.append(field);
  row.append(all);
  return row;
}

// The head of a table of measures.
/** @param {string[]} columns @param {Measures} measures */
export const measureHeads = (columns, measures) => columns.map((key) => cell("th", measures[key] ? `${measures[key].name}${measures[key].unit && ` (${measures[key].unit})`}` : key, measures[key]?.about));

// The means of a row, each over its interval.
/** @param {SummaryRow} each @param {string[]} columns @param {Measures} measures */
export function meanCells(each, columns, measures) {
  return columns.map((key) => {
    const { mean = null, ci95: interval = null } = each.figures[key] ?? /** @type {Partial<Interval>} */ ({}), made = cell("td", number(mean, measures[key]?.digits));
    made.append(make("small", "", interval ? interval.map((end) => number(end, Math.min(2, measures[key]?.digits ?? 2))).join(interval[0] < 0 ? " to " : "–") : ""));
    return made;
  });
}
