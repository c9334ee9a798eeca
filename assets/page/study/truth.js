// The reference standard of a training case, after the reader's answer.

import { toShape } from "../shared/regions.js";
/** @import { CaseTruth, Question } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

/** @type {(truth: boolean | null) => string} */
const sentence = (truth) => (truth === null ? "The reference standard says nothing of this case." : truth ? "Reference standard: the finding is there." : "Reference standard: the finding is not there.");

// Says it in `root` and draws its regions; null takes both away. `said`: the reader's own answers in words.
/** @param {HTMLElement} root @param {Pick<Viewer, "showTruth">} viewer @param {CaseTruth | null} truth @param {string[]} said */
export function showTruth(root, viewer, truth, said = []) {
  root.hidden = !truth;
  viewer.showTruth((truth?.regions ?? []).map((region) => ({ ...toShape(region), label: "reference" })));
  if (!truth) return;
  const put = (selector, text) => { root.querySelector(selector).textContent = text; };
  put("h2", sentence(truth.truth));
  put(".own", said.length ? `Your answer: ${said.join("; ")}.` : "");
  put(".explanation", truth.explanation);
}

// What a reader answered on the scales, in words.
/** @param {Question[]} questions @param {Record<string, any>} answers */
export const inLabels = (questions, answers) => questions.filter(({ kind }) => kind === "rating" || kind === "choice")
  .filter(({ id }) => answers[id] !== undefined)
  .map(({ id, kind, labels }) => (kind === "rating" ? labels[answers[id] - 1] : answers[id]));
