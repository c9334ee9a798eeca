// The sentence for a report: the finding, the side as it is seen, the verdict and whose it is, and every caution.

import { strongest } from "../shared/place.js";
import { meaningOf } from "../shared/performance.js";
import { capital, denialOf, headingOf, isLow, isPainted, kindOf, numberOf, sentencesOf, statementsOf, verdictOf } from "../shared/verdict.js";
/** @import { Checked, Grid, Orientation } from "../types" */

const RESEARCH = "Research use only, not for diagnosis.";
const ON = { left: "on the patient’s left", right: "on the patient’s right", both: "on both sides" };

// The answer as a sentence or more that may stand in a report; "" where nothing was understood. `model`: its name and version. `frame`: from 0,
// of a file that holds several, else null.
/** @param {Checked & { grid?: Grid | null }} finding @param {{ model: string, orientation?: Orientation | null, frame?: number | null }} about */
export function reportSentence(finding, { model, orientation = null, frame = null }) {
  const kind = kindOf(finding);
  if (kind === "unknown") return "";
  const each = statementsOf(finding), several = each.length > 0, place = placeOf(finding, orientation, several);
  const missed = kind === "not-flagged" || kind === "unreliable" ? meaningOf(finding) : "";
  const denied = several ? "" : denialOf(finding).replace(/^You asked/, "Asked");
  const free = kind === "no-verdict" ? sentencesOf(finding)[0].text : "";
  const cautions = finding.cautions.map((caution) => `Caution: ${caution}`);
  const listed = several ? `In full: ${each.map(({ phrase, verdict, held }) => `${phrase}: ${[verdict, held].filter(Boolean).join(", ")}`).join("; ")}.` : "";
  return [frame === null ? "" : `Frame ${frame + 1}.`, lead(finding, model), denied, place, listed, missed, free, ...cautions, RESEARCH].filter(Boolean).join(" ");
}

/** @param {Checked} finding @param {string} model */
function lead(finding, model) {
  const { asked, probability, text } = finding, kind = kindOf(finding);
  if (kind === "normal") return `${headingOf(finding)} (${model}).`;
  const subject = asked?.name ? capital(asked.name) : `“${text}”`;
  const number = numberOf(finding) && `, ${probability === null ? "score" : "probability"} ${numberOf(finding)}`;
  return `${subject}${sideOf(finding)}: ${verdictOf(finding)} by ${model}${number}.`;
}

// The side in the patient's terms, as it is seen and not as it was named. Of a finding that is not flagged none is seen.
/** @param {Checked} finding */
function sideOf({ side, present }) {
  if (!side || !present) return "";
  if (!side.seen) return ` (side not decided; asked: ${side.named})`;
  return `, seen ${ON[side.seen]}${side.agrees ? "" : ` (asked: ${side.named})`}`;
}

// Where its map is highest, where no side was asked for.
/** @param {Checked & { grid?: Grid | null }} finding @param {Orientation | null} orientation @param {boolean} several */
function placeOf(finding, orientation, several) {
  const told = kindOf(finding) === "flagged" && !finding.side && !several && finding.grid && isPainted(finding) && !isLow(finding);
  return told ? strongest(finding.grid, orientation) : "";
}
