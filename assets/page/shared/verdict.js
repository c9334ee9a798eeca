// The words of an answer: one word for one notion, wherever an answer is shown, sent or spoken.

import { PAINT_FROM } from "../viewer/paint.js";
import { strongest } from "./place.js";
/** @import { AskedStatement, Finding, Grid, Orientation, Performance } from "../types" */

/** @typedef {Omit<Finding, "grid"> & { grid?: Grid | null }} Answered  a finding, with or without its map */
/** @typedef {"flagged" | "not-flagged" | "unreliable" | "not-judged" | "no-verdict" | "normal" | "unknown"} Kind */

const VERDICTS = {
  flagged: "flagged", "not-flagged": "not flagged", unreliable: "not judged reliably", "not-judged": "not judged", "no-verdict": "no verdict",
};
const MOST_NAMED = 3;               // findings in a heading

/** @type {(text: string) => string} */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @type {(names: string[]) => string} */
export const listed = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);

// How sure the model is: the probability, or the score where nothing calibrates it; undefined for no finding.
/** @type {(finding: Partial<Finding> | null | undefined) => number | undefined} */
export const sureness = (finding) => finding?.probability ?? finding?.score;

// Two digits, or more where a number just below its operating point would look equal to it.
/** @type {(value: number, point: number | null) => number} */
export const digitsOf = (value, point) => (point !== null && value < point ? [2, 3].find((count) => value.toFixed(count) !== point.toFixed(count)) ?? 4 : 2);

/** @type {(present: boolean | null, performance?: Performance | null) => "flagged" | "not-flagged" | "unreliable" | "not-judged"} */
const judge = (present, performance) => {
  if (present === null) return "not-judged";
  if (present) return "flagged";
  return performance?.reliable === false ? "unreliable" : "not-flagged";
};

/** @type {(finding: Answered) => Kind} */
export function kindOf({ asked, present, performance }) {
  switch (asked?.status) {
    case "normal": case "unknown": return asked.status;
    case "structure": case "described": return "no-verdict";
    default: return judge(present, performance);
  }
}

// "flagged", "not judged", …; "" of what is not understood, and of "normal", whose heading says all.
/** @type {(finding: Answered) => string} */
export const verdictOf = (finding) => VERDICTS[kindOf(finding)] ?? "";

// --- the heading and its number ----------------------------------------------------------------------------------------

/** @type {(finding: Answered) => string} */
export function headingOf(finding) {
  const kind = kindOf(finding);
  if (kind === "unknown") return "Not understood";
  if (kind === "normal") return normality(finding);
  const name = finding.asked?.name;
  return name ? `${capital(name)}: ${VERDICTS[kind]}` : capital(VERDICTS[kind]);
}

/** @param {Answered} finding */
function normality({ holds, flagged }) {
  if (holds === null) return "Whether it is normal: not judged";
  if (holds) return "Nothing flagged by the scan";
  const more = flagged.length - MOST_NAMED;
  return `Flagged: ${more > 0 ? `${flagged.slice(0, MOST_NAMED).join(", ")} and ${more} more` : listed(flagged)}`;
}

// "0.93" as it stands beside the heading; "" where a number would mean nothing.
/** @type {(finding: Answered) => string} */
export function numberOf(finding) {
  if (finding.probability !== null) return finding.probability.toFixed(digitsOf(finding.probability, finding.operating_point));
  const scored = kindOf(finding) === "not-judged" || finding.asked?.status === "described";
  return scored ? finding.score.toFixed(2) : "";
}

// Where on the scale the verdict changes.
/** @type {(finding: Answered) => string} */
export function legendOf(finding) {
  const { probability, operating_point: point } = finding;
  if (probability !== null) return `flagged from ${point.toFixed(digitsOf(probability, point))}`;
  return numberOf(finding) ? "score, 0 to 1" : "";
}

// The verdict in short, as it stands beside a pane or a row: "flagged 0.93".
/** @type {(finding: Answered) => string} */
export function shortVerdict(finding) {
  const kind = kindOf(finding);
  if (kind === "unknown") return "not understood";
  if (kind === "normal") return finding.holds ? "nothing flagged" : finding.holds === null ? "not judged" : normality(finding).toLowerCase();
  return [VERDICTS[kind], numberOf(finding)].filter(Boolean).join(" ");
}

// --- what was read, and what holds of it ----------------------------------------------------------------------------

/** @type {(statement: Pick<AskedStatement, "status" | "name" | "side" | "zones" | "hedged">) => string} */
export function phraseOf({ status, name, side, zones, hedged }) {
  if (status === "normal") return "normal";
  if (status === "unknown") return "not understood";
  if (!name) return status === "structure" ? "anatomy" : "your own words";
  const sides = side === "both" ? ["both sides"] : side ? [side] : [];
  const front = { denied: "no ", structure: "the structure " }[status] ?? (hedged ? "possible " : "");
  return [front + name, ...sides, ...zones].join(", ");
}

const HELD = { true: "holds", false: "does not hold", null: "not judged" };

// Each statement of a text that makes several: what it says, its verdict, and whether it holds.
/** @type {(finding: Answered) => { phrase: string, verdict: string, held: string, caution: boolean }[]} */
export function statementsOf({ asked }) {
  if (!asked || asked.statements.length < 2) return [];
  return asked.statements.map((each) => ({
    phrase: capital(phraseOf(each)),
    verdict: each.name && each.status !== "structure" ? [VERDICTS[judge(each.present)], each.probability?.toFixed(2)].filter(Boolean).join(" ") : each.status === "normal" ? "" : VERDICTS["no-verdict"],
    held: HELD[String(each.holds)],
    caution: each.holds === false && each.present === true && each.status === "affirmed",      // it is there, on the other side
  }));
}

const ON = { left: "on the left", right: "on the right", both: "on both sides" };

// What is said of a side that was named; `caution` where the image contradicts it. Null where none was named or none is seen.
/** @type {(finding: Answered) => { text: string, caution: boolean } | null} */
export function sideOf({ side, asked }) {
  if (!side?.seen) return null;
  const denied = asked.status === "denied";
  if (side.agrees) return { text: `Seen ${ON[side.seen]}, ${denied ? "where you say it is not" : "as you named it"}.`, caution: denied };
  const seen = side.seen === "both" ? "on BOTH SIDES" : `on the ${side.seen.toUpperCase()}`;
  return { text: `Seen ${seen}, you named ${side.named === "both" ? "both sides" : side.named}.`, caution: !denied };
}

// That a denial was asked, and whether it holds.
/** @type {(finding: Answered) => string} */
export function denialOf({ asked, holds }) {
  if (asked?.status !== "denied") return "";
  const where = asked.side ? ` ${ON[asked.side]}` : "";
  return `You asked for its absence${where}${{ true: ", which holds", false: ", which does not hold", null: "" }[String(holds)]}.`;
}

/** @typedef {{ text: string, caution: boolean }} Sentence  `caution`: it contradicts the reader */

const NO_VERDICT = {
  structure: "This is anatomy: the map shows where it fits best, and there is nothing to judge.",
  described: "Nothing to judge in these words: the map shows where they fit best, not whether it is there.",
};

// The sentences that an answer is told in, in their order. `insisted`: its map is shown although it is held back.
/** @param {Answered} finding @param {{ orientation?: Orientation | null, insisted?: boolean }} [shown] @returns {Sentence[]} */
export function sentencesOf(finding, { orientation = null, insisted = false } = {}) {
  const several = statementsOf(finding).length > 0;
  const plain = [NO_VERDICT[finding.asked?.status], ...normalityIn(finding), ...placeIn(finding, orientation, insisted, several)];
  return [said(several ? "" : denialOf(finding)), sideOf(finding), ...plain.map(said)].filter((each) => each?.text);
}

/** @type {(text: string) => Sentence} */
const said = (text) => ({ text, caution: false });

/** @param {Answered} finding @returns {string[]} */
function normalityIn(finding) {
  if (kindOf(finding) !== "normal") return [];
  if (finding.holds === null) return ["This model has no measure of it. Scan for findings to see what is flagged."];
  return finding.flagged.length > MOST_NAMED ? [`Flagged are ${listed(finding.flagged)}.`] : [];
}

/** @param {Answered} finding @param {Orientation | null} orientation @param {boolean} insisted @param {boolean} several @returns {string[]} */
function placeIn(finding, orientation, insisted, several) {
  if (!hasPlace(finding) || !finding.grid) return [];
  if (isHeldBack(finding)) return [insisted ? "Its map is shown all the same." : "So no map is shown."];
  if (isLow(finding)) return [`The map is low everywhere, at most ${peakOf(finding.grid).toFixed(2)}.`];
  return kindOf(finding) === "flagged" && !several ? [strongest(finding.grid, orientation, Boolean(finding.side))] : [];
}

// The cautions of an answer: what the finding calls for, then the `remarks` on the words that were typed. Where they were not
// understood, nothing was asked that one could be careful about.
/** @type {(finding: Answered, remarks?: string[]) => string[]} */
export const allCautions = (finding, remarks = []) => [...new Set([...finding.cautions, ...(finding.asked?.status === "unknown" ? [] : remarks)])];

// --- the map ----------------------------------------------------------------------------------------------------------

const PLACED = ["affirmed", "structure", "described"];

// What the text says to be there has a place: "normal", a denial, and what was not understood have none.
/** @type {(finding: Answered) => boolean} */
export const hasPlace = ({ asked }) => !asked || (asked.status !== "unknown" && asked.statements.some(({ status }) => PLACED.includes(status)));

// Whether the map is held back because nothing that the text says to be there is flagged.
/** @type {(finding: Answered) => boolean} */
export function isHeldBack(finding) {
  if (!hasPlace(finding)) return false;
  const placed = finding.asked?.statements.filter(({ status }) => PLACED.includes(status)) ?? [finding];
  return placed.every(({ present }) => present === false);
}

/** @type {(finding: Answered) => boolean} */
export const isPainted = (finding) => hasPlace(finding) && !isHeldBack(finding);

/** @type {(grid: Grid) => number} */
export const peakOf = (grid) => Math.max(...grid.flat());

// Shown, but nowhere as high as a map is painted from.
/** @type {(finding: Answered) => boolean} */
export const isLow = (finding) => isPainted(finding) && peakOf(finding.grid) < PAINT_FROM;

// --- an answer in text --------------------------------------------------------------------------------------------------

// The answer and its cautions in one paragraph, as it is copied, printed below a picture, or read out.
/** @param {Answered} finding */
export function inWords(finding) {
  const kind = kindOf(finding), number = numberOf(finding), several = statementsOf(finding), { asked, holds } = finding;
  const verdict = `${headingOf(finding)}${number ? `, ${finding.probability === null ? "score " : ""}${number}` : ""}.`;
  const lead = asked?.status === "denied" ? ["you asked for its absence.", verdict, ...(holds === false ? ["That does not hold."] : [])] : [kind === "unknown" ? "not understood." : verdict];
  const each = several.length ? [`Said in it: ${several.map(({ phrase, verdict: own, held }) => `${phrase}: ${[own, held].filter(Boolean).join(", ")}`).join("; ")}.`] : [];
  return [`“${finding.text}”:`, ...lead, sideOf(finding)?.text, ...each, ...finding.cautions.map((caution) => `Caution: ${caution}`)].filter(Boolean).join(" ");
}
