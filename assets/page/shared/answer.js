// The answer to a description, as every tab shows it: heading, scale, what was read, what holds, how often that is right, cautions.

import { clamp } from "../viewer/image_pixels.js";
import { button, make, svg } from "./dom.js";
import { drawStrip, figuresOf, hasStrips, meaningOf } from "./performance.js";
import { headingOf, kindOf, legendOf, numberOf, phraseOf, sentencesOf, statementsOf, sureness } from "./verdict.js";
/** @import { Finding, Orientation } from "../types" */
/** @import { Kind } from "./verdict.js" */

/** @typedef {Kind | "none" | "typing" | "doubt" | "problem" | "question"} AnswerKind */
/** @typedef {{ kind: AnswerKind, finding: Finding | null, sentence?: string, banner?: string, unknown?: string[], orientation?: Orientation | null, insisted?: boolean, stale?: boolean, offering?: boolean }} Shown  `offering`: something else may be asked */

const HEADINGS = { none: "Nothing asked yet", typing: "Go on typing", doubt: "Is this the right kind of image?", problem: "That did not work", question: "A question, not a finding" };
const INSTEAD = new Set(["none", "typing", "doubt", "problem", "question"]);     // kinds that judge nothing
const QUOTED = 64;                  // characters of a description that a sentence repeats

/** @type {(text: string) => string} */
const quote = (text) => `“${text.length > QUOTED ? `${[...text].slice(0, QUOTED).join("").trimEnd()}…` : text}”`;

// Builds the answer in `root`, a section, before what is in it. `spoken` says it to screen readers, where there is one.
/** @param {HTMLElement} root @param {HTMLElement | null} [spoken] */
export function createAnswer(root, spoken = null) {
  const banner = make("p", "banner"), line = make("div", "line"), heading = make("h2"), number = make("span", "number");
  const scale = make("div", "scale"), gauge = make("div", "gauge"), mark = make("i", "mark"), operating = make("i", "operating");
  const legend = make("span", "legend"), read = make("p", "read"), words = make("p", "words"), list = make("ul", "statements"), offers = make("div", "ways");
  const means = make("details", "means"), brief = make("summary"), figures = make("div"), warning = make("div", "warning");
  const healthy = svg("svg", { class: "strip" }), ill = svg("svg", { class: "strip" });
  gauge.append(mark);
  scale.append(make("span", "", "without it"), healthy, make("span", "", "with it"), ill, legend, gauge, operating);
  scale.title = "The probability from 0 to 1; above it those without and those with the finding, of patients held back from training. The line: from here on it is flagged.";
  for (const part of [healthy, ill, gauge, operating]) part.setAttribute("aria-hidden", "true");
  warning.setAttribute("role", "group");
  warning.setAttribute("aria-label", "Cautions");
  line.append(heading, number);
  means.append(brief, figures);
  root.prepend(banner, line, scale, read, words, list, offers, means, warning);
  let speaking = 0;

  /** @param {Shown} shown */
  function show(shown) {
    const { kind, stale = false } = shown, judged = INSTEAD.has(kind) ? null : shown.finding;
    root.dataset.verdict = kind;
    root.classList.toggle("stale", stale && kind !== "problem");
    banner.textContent = kind === "doubt" ? "" : shown.banner ?? "";
    heading.textContent = judged ? headingOf(judged) : HEADINGS[kind];
    number.textContent = judged ? numberOf(judged) : "";
    legend.textContent = judged ? legendOf(judged) : "";
    showScale(judged);
    showStatements(judged);
    showWords(shown, judged);
    offers.replaceChildren(...offersFor(shown));
    showMeaning(judged);
    showCautions(judged ? judged.cautions.filter((caution) => caution !== shown.banner) : []);
    if (spoken) speak();
  }

  // What was read: in one line, or statement by statement.
  /** @param {Finding | null} finding */
  function showStatements(finding) {
    const several = finding ? statementsOf(finding) : [], status = finding?.asked?.status;
    list.replaceChildren(...several.map(statementRow));
    list.hidden = !several.length;
    read.textContent = !status || several.length || status === "unknown" || status === "normal" ? "" : `read as: ${phraseOf(finding.asked)}`;
  }

  /** @param {Shown} shown @param {Finding | null} judged */
  function showWords(shown, judged) {
    const earlier = shown.stale && shown.kind !== "problem";
    const said = earlier ? [{ text: `The server does not answer. This is still the answer to ${quote(shown.finding.text)}.`, caution: true }]
      : judged && shown.kind !== "unknown" ? sentencesOf(judged, shown) : [{ text: instead(shown), caution: false }];
    words.replaceChildren(...said.flatMap(({ text, caution }) => [make(caution ? "strong" : "span", "", text), " "]));
  }

  // What is said where there is nothing to judge.
  /** @param {Shown} shown */
  function instead({ kind, finding, sentence = "", unknown = [], offering = false }) {
    if (kind === "typing") return "Or take a known finding from the list: Enter takes the first.";
    if (kind === "none") return "Type a finding as you would dictate it, or pick one above.";
    if (kind === "question") return "Name a finding to look for, or have all of them looked for.";
    if (kind !== "unknown") return sentence;
    const which = unknown.length ? `Not known: ${unknown.map((word) => `“${word}”`).join(", ")}. ` : "";
    if (!offering) return `${which}No finding is known by these words.`;
    return `${which}${finding.suggestions.length ? "Did you mean" : "No finding is known by these words. Describe it in other words, in English, or scan for findings."}`;
  }

  /** @param {Shown} shown */
  function offersFor({ kind, finding, offering = false }) {
    if (!offering) return [];
    if (kind === "flagged" && finding.asked?.status === "denied" && finding.asked.statements.length < 2) return [Object.assign(button("offer denied", `See where: ${finding.asked.name}`), { title: "Ask for the finding itself; a denial has no place" })];
    if (kind === "question") return [Object.assign(button("offer scanning", "Scan for findings"), { title: "Ask for every finding of this kind of image (s)" })];
    if (kind !== "unknown") return [];
    return finding.suggestions.map((name, i) => Object.assign(button("offer suggestion", name), { title: i ? "" : "Take it: Enter in the description" }));
  }

  /** @param {Finding | null} finding */
  function showScale(finding) {
    const point = finding?.operating_point ?? null, strips = finding && hasStrips(finding.performance) && finding.probability !== null;
    scale.hidden = !finding || !numberOf(finding);
    scale.classList.toggle("bare", !strips);
    drawStrip(healthy, strips ? finding.performance.healthy : []);
    drawStrip(ill, strips ? finding.performance.ill : []);
    operating.hidden = point === null;
    root.style.setProperty("--point", String(point ?? 0));
    root.style.setProperty("--sure", String(clamp(sureness(finding) ?? 0, 0, 1)));
  }

  function statementRow({ phrase, verdict, held, caution }) {
    const row = make("li", caution ? "against" : "");
    row.append(make("span", "", phrase), make("span", "", verdict), make("span", "", held));
    return row;
  }

  /** @param {Finding | null} finding */
  function showMeaning(finding) {
    const meaning = finding ? meaningOf(finding) : "";
    if (!meaning) means.open = false;
    means.hidden = !meaning;
    brief.textContent = meaning;
    figures.replaceChildren(...(meaning ? figuresOf(finding).map((text) => make("p", "", text)) : []));
  }

  /** @param {string[]} cautions */
  function showCautions(cautions) {
    warning.hidden = !cautions.length;
    warning.replaceChildren(...cautions.map((caution) => make("p", "", caution)));
  }

  // A moment after the last change, so that typing does not make a screen reader stutter.
  function speak() {
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      spoken.textContent = [banner, heading, number, legend, read, words, ...list.children, ...offers.children, ...(means.hidden ? [] : [brief]), ...warning.children]
        .map((part) => part.textContent.trim()).filter(Boolean).map((text) => (/[.?!]$/.test(text) ? text : `${text}.`)).join(" ");
    }, 700);
  }

  return {
    show,
    // What the verdict means, in figures: opened or closed.
    explain() { if (!means.hidden) means.open = !means.open; },
  };
}

/** @type {(finding: Finding) => AnswerKind} */
export const answerKind = (finding) => (finding ? kindOf(finding) : "none");
