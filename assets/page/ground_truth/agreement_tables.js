// The rows of the Ground truth tab's tables. An answer is what the server says of one description: { finding, agreement, and a curve
// for each scale }, or null where nothing was asked.

import { button, make, number } from "../shared/dom.js";
import { sureness } from "../shared/verdict.js";
/** @import { Curve, Measured, Truth } from "../types" */

const NAMES = ["simple", "precise"];

const dotOf = (i) => make("i", `dot ${i ? "second" : "first"}`);

// What moves with the threshold, `step` its place in the curves: a row for each answer.
/** @param {(Measured | null)[]} answers @param {"stretched" | "fixed"} scale @param {number} step */
export function figureRows(answers, scale, step) {
  return (answers.length ? answers : [null]).map((each, i) => {
    const at = each?.[scale], row = make("tr"), name = make("th");
    name.append(dotOf(i), answers.length > 1 ? NAMES[i] : "map");
    row.append(name);
    for (const metric of ["iou", "dice"]) row.append(make("td", metric, number(at?.[metric]?.[step])));
    row.append(make("td", "hit", hit(each, at, step)), make("td", "area", at ? `${(100 * at.area[step]).toFixed(1)} %` : "–"));
    return row;
  });
}

/** @param {Measured | null} each @param {Curve | undefined} at @param {number} step */
function hit(each, at, step) {
  if (each?.agreement.pointing == null) return "–";
  if (!at.area[step]) return "empty";
  return each.agreement.pointing > 0.5 ? "yes" : "no";
}

// Every finding as published: the mean over the five thresholds of the min-max map.
/** @param {Truth[]} truths @param {(at: number) => (Measured | null)[]} answersOf @param {number} chosen */
export function findingRows(truths, answersOf, chosen) {
  return truths.flatMap((truth, at) => (answersOf(at).length ? answersOf(at) : [null]).map((each, i, all) => {
    const row = make("tr", at === chosen ? "chosen" : ""), name = make("td"), pick = button("pick", truth.label);
    pick.dataset.truth = row.dataset.truth = String(at);
    pick.setAttribute("aria-pressed", String(at === chosen));
    if (all.length > 1) name.append(dotOf(i));
    name.append(i ? make("span", "", NAMES[1]) : pick);
    const { agreement, finding } = each ?? {}, halves = agreement?.pointing % 1 ? 2 : 0;
    row.append(name, make("td", "", number(sureness(finding), 2)));
    for (const [metric, digits] of Object.entries({ iou: 3, dice: 3, cnr: 2, pointing: halves })) row.append(make("td", "", number(agreement?.[metric], digits)));
    return row;
  }));
}
