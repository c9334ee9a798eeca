// The steps of the form, and which of them a key of the study file belongs to.

import { buildAbout } from "./about.js";
import { buildCases } from "./cases.js";
import { buildDesign } from "./design.js";
import { buildQuestions } from "./questions.js";
import { buildReaders } from "./readers.js";
import { buildRun } from "./run.js";
import { buildTruth } from "./truth.js";
/** @import { Step } from "../types" */

/** @type {Step[]} */
export const STEPS = [
  { id: "design", title: "Design", build: buildDesign },
  { id: "questions", title: "Questions", build: buildQuestions },
  { id: "cases", title: "Cases", build: buildCases },
  { id: "truth", title: "Truth", build: buildTruth },
  { id: "about", title: "Consent and contact", build: buildAbout },
  { id: "readers", title: "Readers", build: buildReaders },
  { id: "run", title: "Check and run", build: buildRun },
];

const OF = {
  questions: ["questions", "presence"], about: ["consent", "end", "by", "contact", "minutes"], readers: ["readers", "coordinator"], cases: ["cases", "training"],
  design: ["id", "title", "design", "washout_days", "repeats", "blocks_each", "seed", "threshold", "back", "edit", "exclusive", "training_feedback"],
};

/** @param {string} key @param {any} values */
export function stepOf(key, values) {
  const head = key.replace(/[[.].*$/, "");
  if (/\.(truth|boxes|explanation)$/.test(key) && values[head]?.length) return "truth";
  return Object.keys(OF).find((step) => OF[step].includes(head)) ?? "run";
}
