// The answer that is shown: the finding with its verdict, the maps kept beside it, what is held back, and what the user insists on.

import { answerKind, createAnswer } from "../shared/answer.js";
import { allCautions, hasPlace, isHeldBack, isLow, peakOf, shortVerdict } from "../shared/verdict.js";
import { createGoOn } from "./go_on.js";
/** @import { Doubt, Finding, Grid, LocateReply, Orientation } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

/** @typedef {ReturnType<typeof createShownAnswer>} ShownAnswer */

const LOW = 0.7;                    // of its peak: from where on a low map is painted
const MOST_KEPT = 3;                // maps beside the newest one

// `probe`: isTyping(), whether a known finding is offered just now; trust() once the user goes on with an image that is in doubt, insists() once
// the map is shown or held back anyway; and its parts that hear of every answer.
/** @param {HTMLElement} element @param {{ viewer: Viewer, isTyping(): boolean, trust(): void, insists(): void, feedback: ReturnType<typeof import("./feedback.js").createFeedback>, wordMaps: ReturnType<typeof import("./word_maps.js").createWordMaps> }} probe */
export function createShownAnswer(element, { viewer, isTyping, trust, insists, feedback, wordMaps }) {
  const find = (selector) => element.querySelector(selector);
  const box = createAnswer(find(".verdict"), find(".spoken")), goOnWith = createGoOn(find(".anyway"));
  const reporter = find(".report"), keeper = find(".keep");

  let finding = /** @type {Finding | null} */ (null), kept = /** @type {Finding[]} */ ([]);     // the one shown; those kept beside it
  let shown = 0;                      // counts the answers painted
  let problem = "";                   // what is said instead of it
  let question = false, unknown = /** @type {string[]} */ ([]);     // it asks and names no finding; words of it that nobody knows
  let orientation = /** @type {Orientation | null} */ (null);
  let insisted = false;               // "show the map anyway" is on
  let lowered = null;                 // the threshold before it was lowered for that, and the lowered one
  let doubt = /** @type {Doubt | null} */ (null), trusted = false;  // why the image may be none the model knows; the user goes on all the same
  let greeting = true;                // the first answer shows its map whatever the verdict: one look says what this is
  let stale = false;                  // the server was asked since, and did not answer

  const isStopped = () => doubt?.degree === "stopped" && !trusted;

  // Nothing is painted: the answer is stopped or has no place, or the finding is not flagged and the user does not insist.
  const isHeld = (/** @type {Finding} */ about) => isStopped() || !hasPlace(about) || (isHeldBack(about) && !insisted);

  function kindOf() {
    if (isStopped()) return "doubt";
    if (finding?.asked?.status !== "unknown") return answerKind(finding);
    return isTyping() ? "typing" : question ? "question" : "unknown";
  }

  /** @param {Finding | null} next */
  function show(next, insist = false) {
    finding = next;
    insisted = insist;
    stale = false;
    problem = "";
    showVerdict();
    reachMap();
    if (finding) shown++;
    showMaps();
    const takes = finding && !["doubt", "question", "typing"].includes(kindOf());
    feedback.about(takes ? finding : null, takes && !isHeld(finding));
  }

  function wayOn(kind) {
    if (kind === "problem" || kind === "doubt") return kind;
    if (!finding) return "";
    return isHeldBack(finding) ? "held" : isLow(finding) ? "low" : "";
  }

  function showVerdict() {
    const kind = problem ? "problem" : kindOf();
    box.show({ kind, finding, sentence: problem || doubt?.sentence, banner: doubt?.sentence, unknown, orientation, insisted, stale, offering: true });
    goOnWith.offer(wayOn(kind), insisted, Boolean(problem) && !finding);
    reporter.disabled = !finding || ["doubt", "unknown", "question", "typing"].includes(kind);
    keeper.disabled = !finding || kind === "doubt" || kept.length >= MOST_KEPT;
    showGate();
  }

  // Above the image: why a map is shown that would otherwise be held back.
  function showGate() {
    const forced = insisted && finding && !isStopped() && isHeldBack(finding);
    viewer.showGate(stale && !isHeld(finding) ? "Still the map of the earlier description" : forced ? "Map shown although the finding is not flagged" : "");
  }

  function insist(on) {
    insisted = on;
    showVerdict();
    reachMap();
    shown++;
    showMaps();
    feedback.showsPlace(!isHeld(finding));
    insists();
  }

  // A map shown although it is low everywhere is painted from lower on, until another answer or the reader changes that.
  function reachMap() {
    const { threshold } = viewer.display, peak = insisted ? peakOf(finding.grid) : 1;
    if (lowered && threshold === lowered.to) viewer.setDisplay({ threshold: lowered.from });
    lowered = null;
    if (peak > viewer.display.threshold) return;
    lowered = { from: viewer.display.threshold, to: LOW * peak };
    viewer.setDisplay({ threshold: lowered.to });
  }

  // What stands beside the title of one of several maps.
  const noteOf = (/** @type {Finding} */ about) => [isLow(about) && "low map", shortVerdict(about)].filter(Boolean).join(", ");

  // The kept maps and the newest.
  const all = () => [...kept, finding].filter(Boolean);

  function showMaps() {
    viewer.showMaps(all().map((about) => ({
      rows: isHeld(about) ? null : about.grid,
      title: kept.length ? about.text : "",
      note: noteOf(about),
      cautions: about.cautions,
    })), shown);
  }

  /** @param {Finding[]} list */
  function keepOnly(list) {
    kept = list.slice(0, MOST_KEPT);
    showVerdict();
    showMaps();
  }

  // Something could not be done; what was answered before still stands.
  /** @param {string} sentence */
  function refuse(sentence) {
    problem = sentence;
    showVerdict();
  }

  return {
    show, showVerdict, insist, keepOnly, refuse, isStopped, all, explain: box.explain,
    get finding() { return finding; },
    get insisted() { return insisted; },
    get orientation() { return orientation; },
    get doubt() { return doubt; },
    set doubt(found) { doubt = found; },
    get trusted() { return trusted; },
    set trusted(on) { trusted = on; },
    get kept() { return kept; },
    set kept(list) { kept = list; },
    // Whatever the verdict of the first answer is, its map need not be shown.
    forgoGreeting() { greeting = false; },
    /** @param {LocateReply} reply whether there is an answer in it */
    take(reply) {
      doubt = reply.doubt ?? null;
      if (reply.modality) orientation = reply.orientation;
      if (reply.error) {
        show(null);
        wordMaps.put([]);
        refuse(reply.error);
        return false;
      }
      const next = reply.finding;
      if (next) next.cautions = allCautions(next, reply.remarks);
      question = reply.question ?? false;
      unknown = reply.unknown ?? [];
      show(next, greeting && next?.present === false);
      greeting = false;
      wordMaps.put(next ? reply.words : []);
      return true;
    },
    // The server does not answer: what is shown is of an earlier description.
    wait() { stale = Boolean(finding); showVerdict(); },
    // Keeps the answer beside the next ones; null where that cannot be done just now.
    keep() {
      if (keeper.disabled) return null;
      const own = finding;
      kept = [...kept, own];
      show(null);
      return own;
    },
    // What the button below the answer does.
    goOn() {
      if (problem) { problem = ""; showVerdict(); }
      else if (kindOf() === "doubt") { trusted = true; trust(); }
      else insist(!insisted);
    },
    // The cells that the model sees in: a map may be drawn finer.
    /** @returns {Grid | null} */
    get cells() { return wordMaps.grid ?? finding?.grid ?? null; },
    // The map of one word, for as long as it is held.
    /** @param {{ text: string, grid: Grid } | null} word */
    peekAtWord(word) {
      viewer.peek(word ? word.grid : undefined);
      word ? viewer.showGate(`The word “${word.text}” alone`) : showGate();
    },
  };
}
