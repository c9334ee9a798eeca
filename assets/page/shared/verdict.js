// The answer to a description: its heading, its place on the scale, and what to make of it in words.

import { clamp } from "../viewer/image_pixels.js";
import { PAINT_FROM } from "../viewer/paint.js";
/** @import { Finding, Grid } from "../types" */

const HEADINGS = {
  none: "Nothing asked yet", present: "Evidence for it", absent: "No evidence for it", uncalibrated: "Fit of the description",
  doubt: "Is this the right kind of image?", problem: "That did not work",
};
const ANYWAY = {                    // the button that goes on from a kind, and what it does
  absent: ["Show the map anyway", "A map has a highest place whether or not something is there"],
  low: ["Show the map anyway", "Paint the map from a lower value on"],
  doubt: ["Go on anyway", "Ask the model all the same; what it says of such an image may mean nothing"],
  problem: ["Back to the answer", "What was asked before still stands"],
};

const QUOTED = 64;                  // characters of a description that a sentence repeats

// How sure the model is: the probability, or the score where nothing calibrates it; undefined for no finding.
/** @type {(finding: Partial<Finding> | null | undefined) => number | undefined} */
export const sureness = (finding) => finding?.probability ?? finding?.score;

/** @type {(finding: Pick<Finding, "present">) => "uncalibrated" | "present" | "absent"} */
export const judge = ({ present }) => (present === null ? "uncalibrated" : present ? "present" : "absent");

// Shown, but nowhere as high as a map is painted from.
/** @type {(finding: Pick<Finding, "present" | "grid">) => boolean} */
export const isLow = ({ present, grid }) => present !== false && peakOf(grid) < PAINT_FROM;
/** @type {(grid: Grid) => number} */
export const peakOf = (grid) => Math.max(...grid.flat());

// Two digits, or more where a number just below its operating point would look equal to it.
/** @type {(value: number, point: number | null) => number} */
export const digitsOf = (value, point) => (point !== null && value < point ? [2, 3].find((count) => value.toFixed(count) !== point.toFixed(count)) ?? 4 : 2);

// A finding's heading, number and place on the scale; null for no finding. `kind` is one of HEADINGS.
/** @param {HTMLElement} root @param {string} kind @param {Finding | null} finding */
export function showScale(root, kind, finding) {
  const put = (selector, text) => { root.querySelector(selector).textContent = text; };
  const value = sureness(finding), point = finding?.operating_point ?? null, operating = root.querySelector(".operating");
  root.dataset.verdict = kind;
  put("h2", HEADINGS[kind]);
  put(".number", finding ? value.toFixed(digitsOf(value, point)) : "");
  put(".legend", !finding ? "" : finding.probability === null ? "score from 0 to 1" : `probability · evidence from ${point.toFixed(digitsOf(value, point))} on`);
  operating.hidden = point === null;
  operating.style.left = `${100 * (point ?? 0)}%`;
  root.querySelector(".mark").style.left = `${100 * clamp(value ?? 0, 0, 1)}%`;
}

// `root` is the section of the answer; `spoken` says it to screen readers.
/** @param {HTMLElement} root @param {HTMLElement} spoken */
export function createVerdict(root, spoken) {
  const find = (selector) => root.querySelector(selector);
  const put = (selector, text) => { find(selector).textContent = text; };
  let speaking = 0;

  // `kind`: one of HEADINGS. `finding`: what is answered, or null. `sentence`: the doubt or the problem. `insisted`: its map is shown
  // although it is judged absent. `stale`: the server did not answer since, so this belongs to an earlier description.
  function show({ kind, finding, sentence = "", warnings = "", insisted = false, stale = false }) {
    const judged = kind !== "doubt" && kind !== "problem" ? finding : null, earlier = stale && kind !== "problem";
    const said = find(".said");
    showScale(root, kind, judged);
    root.classList.toggle("stale", earlier);
    put(".words", earlier ? `The server does not answer. This is still the answer to ${quote(finding.text)}.` : wordsFor(kind, finding, sentence, insisted));
    put(".warning", judged ? warnings : "");
    said.scrollTop = 0;
    said.scrollHeight > said.clientHeight ? said.tabIndex = 0 : said.removeAttribute("tabindex");
    offer(judged && isLow(judged) ? "low" : kind, insisted, kind === "problem" && !finding);
    speak();
  }

  // The button that goes on from `kind`.
  function offer(kind, insisted, nowhere) {
    const anyway = find(".anyway");
    [anyway.textContent, anyway.title] = ANYWAY[kind] ?? ANYWAY.absent;
    anyway.setAttribute("aria-pressed", String((kind === "absent" || kind === "low") && insisted));
    anyway.disabled = !(kind in ANYWAY) || nowhere;
  }

  // A moment after the last change, so that typing does not make a screen reader stutter.
  function speak() {
    clearTimeout(speaking);
    speaking = setTimeout(() => { spoken.textContent = ["h2", ".number", ".legend", ".words", ".warning"].map((part) => find(part).textContent).join(" "); }, 700);
  }

  return { show };
}

const quote = (text) => `“${text.length > QUOTED ? `${[...text].slice(0, QUOTED).join("").trimEnd()}…` : text}”`;

function wordsFor(kind, finding, sentence, insisted) {
  if (kind === "doubt" || kind === "problem") return sentence;
  if (kind === "none") return "Type a finding as you would dictate it, or pick one below.";
  if (kind === "absent") return `No evidence for ${quote(finding.text)}${insisted ? "; its map is shown all the same" : ", so no map is shown"}.`;
  const low = isLow(finding) ? ` The map is low everywhere, at most ${peakOf(finding.grid).toFixed(2)}.` : "";
  if (kind === "present") return strongest(finding.grid) + low;
  return `No verdict on this: the map shows where the description fits best, not whether it is there.${low}`;
}

// Where the map is highest, in words for the image as seen, however the patient lies in it.
/** @param {Grid} grid */
export function strongest(grid) {
  const highest = grid.map((row) => Math.max(...row));
  const y = highest.indexOf(Math.max(...highest)), x = grid[y].indexOf(highest[y]);
  const third = (at, count, names) => names[Math.floor(3 * (at + 0.5) / count)];
  const row = third(y, grid.length, ["upper", "middle", "lower"]), column = third(x, grid[0].length, ["left", "centre", "right"]);
  return `Strongest in the ${row === "middle" ? (column === "centre" ? "" : "middle ") + column : `${row} ${column}`} of the image.`;
}
