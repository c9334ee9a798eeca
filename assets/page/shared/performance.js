// How often a verdict is right, in words and in strips.

import { svg } from "./dom.js";
import { digitsOf, kindOf } from "./verdict.js";
/** @import { Performance, Range } from "../types" */
/** @import { Answered } from "./verdict.js" */

// How large a share is, in words: up to each bound.
const SHARES = /** @type {[number, string][]} */ ([
  [0.05, "few"], [0.15, "about one in ten"], [0.22, "about one in five"], [0.29, "about a quarter"], [0.42, "about a third"], [0.58, "about half"],
  [0.71, "about two thirds"], [0.83, "about three quarters"], [1, "most"],
]);

/** @type {(share: number) => string} */
const inWords = (share) => SHARES.find(([bound]) => share <= bound)[1];

// Of a hundred, for a share; never 0 or 100 where it is neither.
/** @type {(share: number) => number} */
const ofHundred = (share) => (share > 0 && share < 0.005 ? 1 : share < 1 && share > 0.995 ? 99 : Math.round(100 * share));

// What the verdict leaves open, in one sentence; "" where that is not known.
/** @param {Answered} finding */
export function meaningOf(finding) {
  const kind = kindOf(finding), { performance } = finding;
  if (!performance) return "";
  const { sensitivity, specificity } = performance, missed = ofHundred(1 - sensitivity), alarmed = ofHundred(1 - specificity);
  if (kind === "not-flagged" || kind === "unreliable") return `Misses ${inWords(1 - sensitivity)} of them: ${missed} of 100 who have it.`;
  if (kind === "flagged") return `${alarmed || "None"} of 100 without it ${alarmed === 1 ? "is" : "are"} flagged all the same.`;
  if (kind !== "normal" || finding.holds === null) return "";
  return finding.holds ? `So it is for ${ofHundred(specificity)} of 100 healthy, ${missed} of 100 ill.` : `So it is for ${ofHundred(sensitivity)} of 100 ill, ${alarmed} of 100 healthy.`;
}

// The same in figures, for who wants to know: sensitivity and specificity, and on whom they were measured.
/** @param {Answered} finding @returns {string[]} */
export function figuresOf({ performance, asked, operating_point: point }) {
  const { n_present: ill, n_absent: healthy, sensitivity, specificity, sensitivity_ci95: high, specificity_ci95: low } = performance;
  /** @param {string} name @param {number} value @param {Range} interval */
  const figure = (name, value, [from, to]) => `${name} ${value.toFixed(2)} (${from.toFixed(2)} to ${to.toFixed(2)})`, count = (number) => number.toLocaleString("en");
  const normal = asked?.status === "normal", [having, lacking] = normal ? ["with a finding", "without one"] : ["with it", "without it"];
  return [
    `${figure("Sensitivity", sensitivity, high)}: ${count(Math.round(sensitivity * ill))} of ${count(ill)} images ${having} are flagged.`,
    `${figure("Specificity", specificity, low)}: ${count(Math.round(specificity * healthy))} of ${count(healthy)} images ${lacking} are not.`,
    `${point === null ? "" : `At the operating point, ${point.toFixed(digitsOf(point, null))}, the line across the scale. `}Measured on patients whose images the model did not learn from; in brackets, 95% intervals.`,
  ];
}

const WIDTH = 200, HEIGHT = 12;

// How the probabilities of those without and of those with the finding lie on the scale above which they stand. Heights go with the
// root of the share, so that few are still seen.
/** @param {SVGElement} holder @param {number[]} counts */
export function drawStrip(holder, counts) {
  const most = Math.max(...counts, 1), step = WIDTH / counts.length;
  holder.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  holder.setAttribute("preserveAspectRatio", "none");
  holder.replaceChildren();
  counts.forEach((count, i) => {
    const height = count ? Math.max(1, HEIGHT * Math.sqrt(count / most)) : 0;
    svg("rect", { x: i * step + 0.5, y: HEIGHT - height, width: step - 1, height }, holder);
  });
}

/** @type {(performance: Performance | null) => boolean} */
export const hasStrips = (performance) => Boolean(performance?.ill.length && performance.healthy.length);
