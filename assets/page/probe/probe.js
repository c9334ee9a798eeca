// The Probe tab: an image and a description go to the server, a small map and a score come back.
// Whatever a user wrote is put in place as text, never as markup.

import { openKeys } from "../shared/key_sheet.js";
import { RETRY, Refusal, askAbout, forget, nameOf, openFrame, renew, send } from "../shared/server.js";
import { isShown, markExample, offerImages, watchFiles, watchKeys } from "../shared/tab_events.js";
import { createVerdict, isLow, judge, peakOf, sureness } from "../shared/verdict.js";
import { newestOnly } from "../viewer/frames.js";
import { readImage } from "../viewer/image_pixels.js";
import { createViewer } from "../viewer/viewer.js";
import { createFeedback } from "./feedback.js";
import { createHelp } from "./help.js";
import { createScan } from "./scan.js";
import { createShare } from "./share.js";
import { createHint, createSuggestions } from "./suggestions.js";
import { linkedView, readView } from "./view_link.js";
import { createWordMaps } from "./word_maps.js";
/** @import { Finding, LocateReply, ProbeProps, ProbeServer, ScanReply, SharedView, Tab } from "../types" */

const PAUSE = 80;                   // ms without a key before a description is asked, at most; less where answers take less
const DWELL = 1500;                 // ms an answer stands before its description counts as asked
const LOW = 0.7;                    // of its peak: from where on a low map is painted
const MOST_KEPT = 3;                // maps beside the newest one

// Starts the tab in its element. `props` and `server`: what the Python side gives and answers.
/** @param {Tab<ProbeProps, ProbeServer>} tab */
export function mount({ element, props, server }) {
  const find = (selector) => element.querySelector(selector);
  const viewer = createViewer(find(".viewer"), { colors: props.colors, onClose: closePane, onShapes: (shapes) => feedback.drawn(shapes), onFrame: (frame) => showFrame(image.source.file, frame) });
  const box = find("textarea"), picker = find(".modality select"), chooser = find("input[type=file]");

  let image = null;                   // { token, source, about } of the image shown
  let opening = 0, answers = 0;       // counters: the newest image asked for, the newest answer painted
  let modality = null;                // chosen by the user; null leaves it to the model
  let answer = null, kept = [];       // the finding shown, or null; findings kept beside it
  let warnings = "", problem = "";    // what is said beside it, or instead of it
  let insisted = false;               // "show the map anyway" is on
  let lowered = null;                 // the threshold before it was lowered for that, and the lowered one
  let doubt = null, trusted = false;  // why the image may be none the model knows; the user goes on all the same
  let greeting = true;                // the first answer shows its map whatever the verdict: one look says what this is
  let stale = false;                  // the server was asked since, and did not answer
  let waiting = null, busy = false, timer = 0, dwelling = 0;
  let took = 0;                       // ms the last answer took
  let ownWords = false;               // the description was typed, not taken from an example
  let pending = null;                 // a view to restore on the next image

  const verdict = createVerdict(find(".verdict"), find(".spoken")), wordMaps = createWordMaps(find(".each"), peekAtWord);
  const scan = createScan(find(".scan"), { viewer, fetch: askForAll, pick: (text) => propose(text) });
  const suggestions = createSuggestions(find(".panel"), props.descriptions, scan.open), hint = createHint(find(".stage"));
  const help = createHelp(find(".about"), props);
  const feedback = createFeedback(find(".feedback"), { viewer, server, about: () => ({ image, modality }) });
  const share = createShare(find(".sharing"), { viewer, state: shareState, model: props.model, fingerprint: props.fingerprint });

  // --- images -----------------------------------------------------------------------------------------------------

  async function open(source) {
    if (source.file && /\.json$/i.test(source.file.name)) return openView(source.file);
    const turn = ++opening;
    viewer.showState("loading");
    try {
      const [about, response] = await send(source);
      const shown = readImage(await response.arrayBuffer(), about);
      if (turn !== opening) return forget(about.token);
      leave(image, feedback.forget());
      image = { token: about.token, source, about };
      modality = null; doubt = null; trusted = false; kept = [];
      scan.forget();
      suggestions.show("try");
      viewer.showImage(shown, source.example ? about.title : nameOf(about), [about.frame ?? 0, about.frames ?? 1]);
      viewer.showOrientation(null);
      viewer.showNotice(about.notes.join(" "));
      if (source.example) { box.value = about.description; ownWords = false; }
      else if (!ownWords) box.value = "";
      showAnswer(null);
      markExample(element, source.example);
      restore();
      ask();
    } catch (error) {
      if (turn !== opening) return;
      viewer.showState(image ? "ready" : "error");
      refuse(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and open the image again.");
    }
  }

  // Another frame of the file shown: to the model, to feedback and to marks an image of its own.
  const showFrame = newestOnly(async (file, frame) => {
    const turn = opening, from = image;
    try {
      const found = await openFrame(from, file, frame, () => turn === opening);
      if (!found) return;
      const { about } = found.opened, shown = readImage(found.bytes, about);
      leave(from, feedback.forget());
      image = found.opened;
      kept = [];
      scan.forget();
      viewer.shapes = [];
      viewer.showFrame(shown, nameOf(about), [frame, about.frames]);
      viewer.showNotice(about.notes.join(" "));
      showAnswer(null);
      wordMaps.put([]);
      askSoon();
    } catch (error) {
      if (turn !== opening) return;
      viewer.keepFrame(from.about.frame);
      refuse(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and choose the frame again.");
    }
  });

  // The server may drop an image once what was said of it is stored.
  async function leave(left, stored) {
    await stored;
    if (left) forget(left.token);
  }

  // --- descriptions -----------------------------------------------------------------------------------------------

  // One call is under way at a time; of those that came meanwhile only the newest is asked, and only the newest answer painted.
  function ask() {
    clearTimeout(timer);
    waiting = { description: box.value, modality };
    answerWaiting();
  }

  function askSoon() {
    clearTimeout(timer);
    timer = setTimeout(ask, Math.min(PAUSE, took / 2));
  }

  async function answerWaiting() {
    if (busy || !waiting || !image) return;
    busy = true;
    const question = waiting, about = image, asked = performance.now();
    waiting = null;
    try {
      const reply = await server.locate({ image: about.token, live: true, ...question });
      took = performance.now() - asked;
      if (about !== image) waiting ??= { description: box.value, modality };
      else if (reply.gone) { await renew(about, () => about === image); waiting ??= question; }
      else if (!reply.overtaken && !waiting && question.description === box.value) showReply(reply);
    } catch (error) {
      busy = false;
      if (error instanceof Refusal) {
        if (about === image) { viewer.showState("ready"); refuse(error.message); }
        return answerWaiting();
      }
      viewer.showState("offline");
      stale = Boolean(answer);
      showVerdict();
      waiting ??= question;
      setTimeout(answerWaiting, RETRY);
      return;
    }
    busy = false;
    answerWaiting();
  }

  /** @param {LocateReply} reply */
  function showReply(reply) {
    viewer.showState("ready");
    doubt = reply.doubt ?? null;
    if (reply.modality) { showModality(reply.modality); viewer.showOrientation(reply.orientation); }
    if (reply.error) return showProblem(reply.error);
    showAnswer(reply.finding, reply.remarks, greeting && reply.finding?.present === false);
    greeting = false;
    wordMaps.put(reply.finding ? reply.words : [], reply.finding?.grid[0].length);
    clearTimeout(dwelling);
    if (reply.finding) dwelling = setTimeout(() => suggestions.remember(reply.finding.text), DWELL);
  }

  /** @returns {Promise<ScanReply | null>} */
  async function askForAll() {
    if (!image) return null;
    const about = image, reply = await askAbout(about, () => about === image, (token) => server.scan({ image: token, modality }));
    return reply.doubt?.degree === "stopped" && !trusted ? { ...reply, error: "Not an image the model knows. “Go on anyway”, above, scans it all the same." } : reply;
  }

  // A description from a chip, the scan or the list of recent ones.
  function propose(text) {
    box.value = text;
    ownWords = true;
    ask();
  }

  const isStopped = () => doubt?.degree === "stopped" && !trusted;

  // --- the answer -------------------------------------------------------------------------------------------------

  /** @param {Finding | null} finding */
  function kindOf(finding) {
    if (isStopped()) return "doubt";
    return finding ? judge(finding) : "none";
  }

  /** @param {Finding | null} finding */
  function showAnswer(finding, remarks = [], insist = false) {
    answer = finding;
    insisted = insist;
    stale = false;
    problem = "";
    warnings = [doubt?.degree === "unusual" && doubt.sentence, finding?.warning, ...remarks, trusted && "Not an image the model knows."].filter(Boolean).join(" ");
    showVerdict();
    reachMap();
    showMaps(answer ? ++answers : answers);
    feedback.about(finding && kindOf(finding) !== "doubt" ? finding.text : null);
  }

  function showVerdict() {
    const kind = problem ? "problem" : kindOf(answer);
    verdict.show({ kind, finding: answer, sentence: problem || doubt?.sentence, warnings, insisted, stale });
    find(".keep").disabled = !answer || kind === "doubt" || kept.length >= MOST_KEPT;
    showGate();
  }

  // Above the image: why a map is shown that would otherwise be held back.
  function showGate() {
    const forced = insisted && kindOf(answer) === "absent";
    viewer.showGate(stale && !isHeld(answer) ? "Still the map of the earlier description" : forced ? "Map shown although there is no evidence for the description" : "");
  }

  function insist(on) {
    insisted = on;
    showVerdict();
    reachMap();
    showMaps(++answers);
  }

  // A map shown although it is low everywhere is painted from lower on, until another answer or the reader changes that.
  function reachMap() {
    const { threshold } = viewer.display, peak = insisted ? peakOf(answer.grid) : 1;
    if (lowered && threshold === lowered.to) viewer.setDisplay({ threshold: lowered.from });
    lowered = null;
    if (peak > viewer.display.threshold) return;
    lowered = { from: viewer.display.threshold, to: LOW * peak };
    viewer.setDisplay({ threshold: lowered.to });
  }

  // What the button below the answer does.
  function goOn() {
    if (problem) { problem = ""; showVerdict(); }
    else if (kindOf(answer) === "doubt") { trusted = true; scan.forget(); suggestions.again(); ask(); }
    else insist(!insisted);
  }

  const isHeld = (finding) => isStopped() || (finding.present === false && !insisted);

  // What stands beside the title of one of several maps.
  const noteOf = (finding) => [
    finding.present === false && "no evidence", isLow(finding) && "low map", sureness(finding).toFixed(2),
  ].filter(Boolean).join(" ");

  // The kept maps and the newest, those without evidence empty unless the user insists.
  function showMaps(number = answers) {
    viewer.showMaps([...kept, answer].filter(Boolean).map((finding) => ({
      rows: isHeld(finding) ? null : finding.grid,
      title: kept.length ? finding.text : "",
      note: kept.length ? noteOf(finding) : "",
    })), number);
  }

  function keep() {
    if (find(".keep").disabled) return;
    kept = [...kept, answer];
    suggestions.remember(answer.text);
    showAnswer(null);
    box.value = "";
    wordMaps.put([]);
    box.focus();
  }

  function closePane(index) {
    if (index < kept.length) kept = kept.filter((_, i) => i !== index);
    else { box.value = ""; ownWords = false; ask(); }
    showVerdict();
    showMaps();
  }

  function peekAtWord(word) {
    viewer.peek(word ? word.grid : undefined);
    word ? viewer.showGate(`The word “${word.text}” alone`) : showGate();
  }

  // Something could not be done; what was answered before still stands.
  function refuse(sentence) {
    problem = sentence;
    showVerdict();
  }

  function showProblem(sentence) {
    showAnswer(null);
    wordMaps.put([]);
    refuse(sentence);
  }

  // --- what the panel suggestions --------------------------------------------------------------------------------------

  function showModality(name) {
    picker.disabled = false;
    picker.value = name;
    suggestions.modality = name;
  }

  for (const [name, title] of Object.entries(props.modalities)) picker.add(new Option(title, name));
  offerImages(find(".images"), props.examples, (title) => title.replace(" (", "\n("));
  find(".model").textContent = props.model;
  find(".model").title = `fingerprint ${props.fingerprint}`;

  // --- views: everything but the image ------------------------------------------------------------------------------

  function shareState() {
    return {
      finding: isStopped() ? null : answer ?? kept.at(-1) ?? null, shown: [...kept, answer].filter(Boolean), modality: suggestions.modality, description: box.value, kept: kept.map((finding) => finding.text),
      example: image?.source.example ?? null, image: viewer.image, spacing: image?.about.spacing?.[1] ?? null, burnedIn: image?.about.burned_in === true,
      frame: image?.about.frames > 1 ? image.about.frame : null,
    };
  }

  async function openView(file) {
    const view = readView(await file.text(), false);
    if (view) return showView(view);
    refuse("This is no view file of AFLoc; open an image, or a file saved with “Save view file”.");
  }

  // The image a view was made on is opened where it is an example, or is open already; otherwise the next one opened gets it.
  /** @param {SharedView} view */
  function showView(view) {
    pending = view;
    greeting = false;
    if (props.examples.some(({ name }) => name === view.example)) return open({ example: view.example });
    if (image?.source.file && view.width === image.about.width && view.height === image.about.height) { restore(); return ask(); }
    viewer.showNotice("Now open the image this view was made on.");
    if (!image) viewer.showState("empty");
  }

  async function restore() {
    const view = pending, about = image;
    pending = null;
    if (!view) return;
    useWords(view);
    if (view.width !== image.about.width || view.height !== image.about.height) return viewer.showNotice("The view was made on an image of another size; only its description is used.");
    viewer.setDisplay(view.display);
    viewer.setPlace(view.place);
    viewer.shapes = view.shapes;
    for (const description of view.kept) {
      const reply = await server.locate({ image: about.token, description, modality }).catch(() => null);
      if (about !== image) return;
      if (reply?.finding) kept = [...kept, reply.finding].slice(0, MOST_KEPT);
    }
    if (!view.kept.length) return;
    showVerdict();
    showMaps();
  }

  function useWords(view) {
    box.value = view.description;
    ownWords = true;
    modality = view.modality in props.modalities ? view.modality : null;
  }

  const showKeys = () => openKeys(find(".keys"), ["describe", "feedback", "answer", "map", "image", ...(image?.about.frames > 1 ? ["frames"] : []), "draw", "share"]);

  // --- events -----------------------------------------------------------------------------------------------------

  box.addEventListener("input", (event) => { ownWords = box.value !== ""; hint.end(); if (!event.isComposing) askSoon(); });
  box.addEventListener("compositionend", askSoon);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") box.blur();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); ask(); }
  });
  picker.addEventListener("change", () => { feedback.forget(); modality = picker.value; trusted = false; kept = []; scan.forget(); suggestions.show("try"); ask(); });
  chooser.addEventListener("change", () => { if (chooser.files[0]) open({ file: chooser.files[0] }); chooser.value = ""; });

  element.addEventListener("click", (event) => {
    const target = event.target.closest("button");
    if (!target) return;
    if (target.matches(".clear")) { box.value = ""; ownWords = false; ask(); box.focus(); }
    if (target.matches(".chip")) propose(target.textContent);
    if (target.matches(".open")) chooser.click();
    if (target.matches(".example")) open({ example: target.dataset.example });
    if (target.matches(".anyway")) goOn();
    if (target.matches(".keep")) keep();
    if (target.matches(".share")) share.open();
  });

  watchFiles(element, (event) => find(".viewer").classList.toggle("dropping", Boolean(event)), ([file]) => open({ file }));
  watchKeys(() => isShown(element), viewer, { "/": () => box.focus(), "?": showKeys, k: keep, s: () => suggestions.show("scan"), x: () => share.open() }, feedback.key);

  document.addEventListener("afloc:keys", () => { if (isShown(element)) showKeys(); });
  document.addEventListener("afloc:help", () => { if (isShown(element)) help.open(viewer.image, answer?.grid); });
  window.addEventListener("pagehide", () => { if (image) forget(image.token); });
  window.addEventListener("hashchange", () => { const view = linkedView(); if (view) showView(view); });

  find(".viewer").viewer = viewer;
  showAnswer(null);
  suggestions.show("try");
  const linked = linkedView();
  if (linked) showView(linked);
  else open({ example: props.examples[0].name });
}
