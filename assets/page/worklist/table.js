// What a list was asked and answered, as a table to copy: a row for each film and description, with every caution.

import { headingOf, shortVerdict, verdictOf } from "../shared/verdict.js";
/** @import { Checked } from "../types" */

const COLUMNS = [
  "film", "description", "finding", "verdict", "probability", "flagged from", "holds", "side asked", "side seen", "answer in short", "cautions", "model", "fingerprint", "problem",
];
// Where a spreadsheet would begin a formula, at whatever separator it opens the text.
const SIGN = "[\\s']*[=+\\-@＝＋－＠]";
const STARTS = new RegExp(`^(?=${SIGN}|'*[\\t\\r\\n])|(?<=[;|\\t\\r\\n])(?=${SIGN})`, "g");

/** @typedef {{ name: string, problem: string, answers: Map<string, Checked> }} Row  a film; `problem`: why it was not asked, or "" */

/** @param {string | number | boolean | null | undefined} value */
function cell(value) {
  if (typeof value === "number") return String(value);
  const text = String(value ?? "").replace(STARTS, "'");
  return /[",\r\n;\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {Row} film @param {string} description @param {{ model: string, fingerprint: string }} by */
function cellsOf({ name, problem, answers }, description, { model, fingerprint }) {
  const finding = answers.get(description);
  if (!finding) return [name, description, ...Array(COLUMNS.length - 3).fill(""), problem || "not asked"];
  const { asked, probability, operating_point: point, holds, side, cautions } = finding;
  return [
    name, description, asked?.name ?? "", verdictOf(finding) || headingOf(finding), probability === null ? "" : Number(probability.toFixed(4)), point ?? "", holds ?? "", side?.named ?? "", side?.seen ?? "",
    shortVerdict(finding), cautions.join(" "), model, fingerprint, "",
  ];
}

// As CSV: commas between, lines ended as spreadsheets want it.
/** @param {Row[]} films @param {string[]} descriptions @param {{ model: string, fingerprint: string }} by */
export function toCsv(films, descriptions, by) {
  const rows = films.flatMap((film) => descriptions.map((description) => cellsOf(film, description, by)));
  return [COLUMNS, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}
