// The Probe tab: an image and a description go to the server, a small map and a score come back.
// Whatever a user wrote is put in place as text, never as markup.

import { answerKind, createAnswer } from "../shared/answer.js";
import { filmIsShown, filmName } from "../shared/current_film.js";
import { openKeys } from "../shared/key_sheet.js";
import { Refusal, askAbout, factsOf, fileOf, forget, nameOf, openFrame, openImage } from "../shared/server.js";
import { isShown, watchFiles, watchKeys } from "../shared/tab_events.js";
import { allCautions, hasPlace, isHeldBack, isLow, peakOf, shortVerdict } from "../shared/verdict.js";
import { newestOnly } from "../viewer/frames.js";
import { readImage } from "../viewer/image_pixels.js";
import { createViewer } from "../viewer/viewer.js";
import { createAsking } from "./asking.js";
import { correct, createCompletions } from "./completions.js";
import { createExamples } from "./examples.js";
import { createFeedback, isUnsaved } from "./feedback.js";
import { createFilms } from "./films.js";
import { createGoOn } from "./go_on.js";
import { createScan } from "./scan.js";
import { createHint, createSuggestions } from "./suggestions.js";
import { linkedImage, linkedView } from "./view_link.js";
import { createViews } from "./views.js";
import { createWordMaps } from "./word_maps.js";
/** @import { AboutImage, FilmLeft, Finding, LocateReply, OpenedImage, ProbeProps, ProbeServer, ScanReply, Source, Tab } from "../types" */

const DWELL = 1500;                 // ms an answer stands before its description counts as asked
const LOW = 0.7;                    // of its peak: from where on a low map is painted
const MOST_KEPT = 3;                // maps beside the newest one
const COPIED = 2000;                // ms for which a button says that something was copied
const NOT_LOADED = "This part of the page could not be loaded. Please try again.";

// Starts the tab in its element. `props` and `server`: what the Python side gives and answers.
/** @param {Tab<ProbeProps, ProbeServer>} tab */
export function mount({ element, props, server }) {
  const find = (selector) => element.querySelector(selector);
  const viewer = createViewer(find(".viewer"), { colors: props.colors, onClose: closePane, onShapes: (shapes) => feedback.drawn(shapes), onFrame: (frame) => showFrame(fileOf(image), frame),
    onBeside: async () => (await import("../beside/open_beside.js")).chooseBeside(viewer, refuse) });
  const box = find("textarea"), picker = find(".modality select"), chooser = find("input[type=file]"), folders = find("input[webkitdirectory]");

  let image = null;                   // { token, source, about } of the image shown
  let opening = 0, answers = 0;       // counters: the newest image asked for, the newest answer painted
  let modality = null;                // chosen by the user; null leaves it to the model
  let answer = null, kept = [];       // the finding shown, or null; findings kept beside it
  let problem = "";                   // what is said instead of it
  let question = false, unknown = []; // it asks and names no finding; words of it that nobody knows
  let orientation = null;
  let insisted = false;               // "show the map anyway" is on
  let lowered = null;                 // the threshold before it was lowered for that, and the lowered one
  let doubt = null, trusted = false;  // { degree, sentence }: why the image may be none the model knows; the user goes on all the same
  let greeting = true;                // the first answer shows its map whatever the verdict: one look says what this is
  let stale = false;                  // the server was asked since, and did not answer
  let dwelling = 0;
  let ownWords = false;               // the description is the user's, not that of an example
  let typed = false;                  // it was typed, not chosen
  let reply = null;                   // of the server, as it is shown
  let handed = false;                 // the image on the stage is a list's, which lets go of it

  const asking = createAsking({
    server, image: () => image, question: () => ({ description: box.value, modality }), show: showReply,
    refuse(sentence) { viewer.showState("ready"); refuse(sentence); },
    offline() { viewer.showState("offline"); stale = Boolean(answer); showVerdict(); },
  });
  const { ask } = asking;
  const answerBox = createAnswer(find(".verdict"), find(".spoken")), goOnWith = createGoOn(find(".anyway")), wordMaps = createWordMaps(find(".each"), peekAtWord);
  const scan = createScan(find(".panel"), { viewer, fetch: askForAll, pick: (text) => propose(text) });
  const suggestions = createSuggestions(find(".try"), props.descriptions), hint = createHint(find(".stage")), examples = createExamples(find(".panel"), props.examples);
  const completions = createCompletions(box, find(".completions"), () => props.descriptions[suggestions.modality]?.terms.flat() ?? [], propose, showVerdict);
  const views = createViews(viewer, {
    image: () => image, isExample: (name) => props.examples.some((each) => each.name === name), open, use: useWords, keep: keepAll, ask, refuse,
  });
  const feedback = createFeedback(find(".feedback"), { viewer, server, about: () => ({ image, modality }), saved: (time) => { find(".last-saved").textContent = `saved ${time}`; } });

  // --- images -----------------------------------------------------------------------------------------------------

  /** @param {Source} source */
  async function open(source) {
    if (source.file && /\.json$/i.test(source.file.name)) return views.openFile(source.file);
    if (films.list) return films.add({ sources: [{ source, name: filmName(source) || nameOfSource(source) }] });
    const turn = ++opening;
    viewer.showState("loading");
    try {
      const opened = await openImage(source);
      if (turn !== opening) return forget(opened.image.token);
      leave(image, feedback.forget());
      put(opened);
    } catch (error) {
      if (turn !== opening) return;
      viewer.showState(image ? "ready" : "error");
      refuse(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and open the image again.");
    }
  }

  /** @type {(source: Source) => string} */
  const nameOfSource = ({ example, instance }) => props.examples.find(({ name }) => name === example)?.title ?? instance ?? "image";

  // Puts an image on the stage, as it was left if it was there before. `known`: its answer, if that is here already.
  /** @param {OpenedImage} opened @param {FilmLeft | null} [left] @param {LocateReply | null} [known] */
  function put(opened, left = null, known = null) {
    const { source, about } = opened.image;
    image = opened.image;
    filmIsShown(image, drawn);
    modality = doubt = null; trusted = false; kept = [];
    scan.forget();
    viewer.showImage(opened.pixels, source.example ? about.title : nameOf(about), [about.frame ?? 0, about.frames ?? 1], factsOf(about, source));
    viewer.showOrientation(null);
    viewer.showNotice(about.notes.join(" "));
    if (left) resume(left);
    else useWordsOf(about);
    showAnswer(null);
    examples.mark(source.example);
    if (!source.example) hint.end();
    views.restore();
    known ? showReply(known) : ask();
    if (left?.insisted && known) insist(true);
  }

  // What was asked in own words stays for the next image; an example brings its own.
  /** @param {AboutImage} about */
  function useWordsOf({ description }) {
    if (description != null) { box.value = description; ownWords = typed = false; }
    else if (!ownWords) box.value = "";
  }

  // --- lists of films ---------------------------------------------------------------------------------------------------

  /** @param {FilmLeft} left */
  function resume(left) {
    ({ modality, trusted, kept, typed } = left);
    viewer.setDisplay(left.display);
    viewer.setPlace(left.place);
    viewer.measures = left.measures;
    viewer.shapes = left.shapes;
    feedback.resume(left.said, left.shapes);
    box.value = left.description;
    ownWords = true;
  }

  // What the image on the stage is left with when another film takes its place. It stays open on the server.
  function takeLeave() {
    const { window, invert } = viewer.display, { place, shapes, measures } = viewer, { said } = feedback;
    handed = true;
    const left = { frame: image.about.frame ?? 0, description: box.value, typed, modality, trusted, insisted, kept, display: { window, invert }, place, shapes, measures, said };
    return { image, left: { ...left, reply: reply?.finding?.text === answer?.text ? reply : null, stored: feedback.forget() } };
  }

  const films = createFilms({
    element, props, server, image: () => image, description: () => box.value, refuse, leave: takeLeave,
    put(opened, left, known) {
      ++opening;
      if (!handed) leave(image, feedback.forget());
      handed = false;
      put(opened, left, known);
    },
    unsaved: () => (image && !image.source.example && isUnsavedNow() ? { image, pixels: viewer.film } : null),
    waits(on) { viewer.showState(on ? "loading" : image ? "ready" : "empty"); },
  }, { openOne: (file) => open({ file }), isUnsaved: (left) => left.measures.length > 0 || isUnsaved(left.said, left.shapes) });

  const isUnsavedNow = () => typed || viewer.measures.length > 0 || feedback.isUnsaved();

  // Another frame of the file shown: to the model, to feedback and to marks an image of its own.
  const showFrame = newestOnly(async (file, frame) => {
    const turn = opening, from = image;
    try {
      const found = await openFrame(from, file, frame, () => turn === opening);
      if (!found) return;
      const { about } = found.opened, shown = readImage(found.bytes, about);
      leave(from, feedback.forget());
      image = found.opened;
      filmIsShown(image, drawn);
      kept = [];
      scan.forget();
      viewer.shapes = [];
      viewer.showFrame(shown, nameOf(about), [frame, about.frames], factsOf(about, image.source));
      viewer.showNotice(about.notes.join(" "));
      showAnswer(null);
      wordMaps.put([]);
      asking.soon();
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

  /** @param {LocateReply} given */
  function showReply(given) {
    reply = given;
    viewer.showState("ready");
    doubt = reply.doubt ?? null;
    if (reply.modality) { showModality(reply.modality); orientation = reply.orientation; viewer.showOrientation(orientation); }
    if (reply.error) return showProblem(reply.error);
    const { finding } = reply;
    if (finding) finding.cautions = allCautions(finding, reply.remarks);
    question = reply.question ?? false;
    unknown = reply.unknown ?? [];
    showAnswer(finding, greeting && finding?.present === false);
    greeting = false;
    wordMaps.put(reply.finding ? reply.words : [], reply.finding?.grid[0].length);
    clearTimeout(dwelling);
    if (finding) dwelling = setTimeout(() => suggestions.remember(finding.text), DWELL);
    films.list?.answered(reply);
  }

  /** @returns {Promise<ScanReply | null>} */
  async function askForAll() {
    if (!image) return null;
    const about = image, reply = await askAbout(about, () => about === image, (token) => server.scan({ image: token, modality }));
    return reply.doubt?.degree === "stopped" && !trusted ? { ...reply, error: "Not an image the model knows. “Go on anyway”, above, scans it all the same." } : reply;
  }

  const drawn = () => ({ shapes: viewer.shapes, description: box.value });

  // A description from a chip, the scan or the list of recent ones.
  function propose(text) {
    box.value = text;
    ownWords = true;
    typed = false;
    ask();
  }

  // --- the answer -------------------------------------------------------------------------------------------------

  const isStopped = () => doubt?.degree === "stopped" && !trusted;

  /** @param {Finding | null} finding */
  function kindOf(finding) {
    if (isStopped()) return "doubt";
    if (finding?.asked?.status !== "unknown" || finding !== answer) return answerKind(finding);
    return completions.open ? "typing" : question ? "question" : "unknown";
  }

  /** @param {Finding | null} finding */
  function showAnswer(finding, insist = false) {
    answer = finding;
    insisted = insist;
    stale = false;
    problem = "";
    showVerdict();
    reachMap();
    showMaps(answer ? ++answers : answers);
    const takes = finding && !["doubt", "question", "typing"].includes(kindOf(finding));
    feedback.about(takes ? finding : null, takes && !isHeld(finding));
  }

  function wayOn(kind) {
    if (kind === "problem" || kind === "doubt") return kind;
    if (!answer) return "";
    return isHeldBack(answer) ? "held" : isLow(answer) ? "low" : "";
  }

  function showVerdict() {
    const kind = problem ? "problem" : kindOf(answer);
    answerBox.show({ kind, finding: answer, sentence: problem || doubt?.sentence, banner: doubt?.sentence, unknown, orientation, insisted, stale, offering: true });
    goOnWith.offer(wayOn(kind), insisted, Boolean(problem) && !answer);
    find(".report").disabled = !answer || ["doubt", "unknown", "question", "typing"].includes(kind);
    find(".keep").disabled = !answer || kind === "doubt" || kept.length >= MOST_KEPT;
    showGate();
  }

  // Above the image: why a map is shown that would otherwise be held back.
  function showGate() {
    const forced = insisted && answer && !isStopped() && isHeldBack(answer);
    viewer.showGate(stale && !isHeld(answer) ? "Still the map of the earlier description" : forced ? "Map shown although the finding is not flagged" : "");
  }

  function insist(on) {
    insisted = on;
    showVerdict();
    reachMap();
    showMaps(++answers);
    feedback.showsPlace(!isHeld(answer));
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
    else if (kindOf(answer) === "doubt") { trusted = true; scan.again(); ask(); }
    else insist(!insisted);
  }

  // Nothing is painted: the answer is stopped or has no place, or the finding is not flagged and the user does not insist.
  const isHeld = (finding) => isStopped() || !hasPlace(finding) || (isHeldBack(finding) && !insisted);

  // What stands beside the title of one of several maps.
  const noteOf = (finding) => [isLow(finding) && "low map", shortVerdict(finding)].filter(Boolean).join(", ");

  // The kept maps and the newest.
  function showMaps(number = answers) {
    viewer.showMaps([...kept, answer].filter(Boolean).map((finding) => ({
      rows: isHeld(finding) ? null : finding.grid,
      title: kept.length ? finding.text : "",
      note: kept.length ? noteOf(finding) : "",
      cautions: kept.length ? finding.cautions : [],
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
    else { box.value = ""; ownWords = typed = false; ask(); }
    showVerdict();
    showMaps();
  }

  function peekAtWord(word) {
    viewer.peek(word ? word.grid : undefined);
    word ? viewer.showGate(`The word “${word.text}” alone`) : showGate();
  }

  // A sentence for the report, with its cautions.
  async function copyReport() {
    const finding = isStopped() ? null : answer, button = find(".report");
    if (!finding) return;
    try {
      const { reportSentence } = await import("../worklist/report.js");
      const sentence = reportSentence(finding, { model: props.model, orientation, frame: image.about.frames > 1 ? image.about.frame : null });
      if (!sentence) return;
      await navigator.clipboard.writeText(sentence);
      button.textContent = find(".spoken").textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, COPIED);
    } catch { refuse("The browser refused to copy: take the text from Share."); }
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

  // --- what the panel says of the image ------------------------------------------------------------------------------

  function showModality(name) {
    picker.disabled = false;
    picker.value = name;
    suggestions.modality = name;
  }

  for (const [name, title] of Object.entries(props.modalities)) picker.add(new Option(title, name));
  find(".model").textContent = props.model;
  find(".model").title = `fingerprint ${props.fingerprint}`;

  // --- views: everything but the image ------------------------------------------------------------------------------

  function shareState() {
    return {
      finding: isStopped() ? null : answer ?? kept.at(-1) ?? null, doubt, shown: [...kept, answer].filter(Boolean), modality: suggestions.modality, description: box.value, kept: kept.map((finding) => finding.text),
      example: image?.source.example ?? null, image: viewer.image, spacing: image?.about.spacing?.[1] ?? null, burnedIn: image?.about.burned_in === true,
      frame: image?.about.frames > 1 ? image.about.frame : null,
    };
  }

  function useWords(view) {
    box.value = view.description;
    ownWords = true;
    greeting = false;
    modality = view.modality in props.modalities ? view.modality : null;
  }

  async function keepAll(descriptions) {
    const about = image;
    for (const description of descriptions) {
      const reply = await server.locate({ image: about.token, description, modality }).catch(() => null);
      if (about !== image) return;
      if (reply?.finding) kept = [...kept, reply.finding].slice(0, MOST_KEPT);
    }
    showVerdict();
    showMaps();
  }

  // --- sheets: their modules come when they are first opened -----------------------------------------------------------

  let sharing = null;

  async function share() {
    sharing ??= Promise.all([import("./share.js"), import("./pacs.js")]).then(([{ createShare }, { createResults }]) => {
      if (props.pacs.dicom || props.pacs.send) createResults(find(".sharing"), props.pacs, { viewer, state: () => ({ image, modality, finding: shareState().finding }) });
      return createShare(find(".sharing"), { viewer, state: shareState, model: props.model, fingerprint: props.fingerprint });
    });
    try { (await sharing).open(); } catch { sharing = null; refuse(NOT_LOADED); }
  }

  async function help() {
    try { (await import("./help.js")).openHelp(find(".about"), props, viewer.image, answer?.grid); } catch { refuse(NOT_LOADED); }
  }

  const showKeys = () => openKeys(find(".keys"), [...(films.list ? ["list"] : []), "describe", "feedback", "answer", "map", "image", "beside", ...(image?.about.frames > 1 ? ["frames"] : []), "draw", "share"]);

  // --- events -----------------------------------------------------------------------------------------------------

  box.addEventListener("input", (event) => { ownWords = typed = box.value !== ""; hint.end(); if (!event.isComposing) asking.soon(); });
  box.addEventListener("compositionend", asking.soon);
  box.addEventListener("keydown", (event) => {
    if (completions.key(event)) return;
    if (event.key === "Escape") box.blur();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    const unknownYet = answer?.text === box.value.trim() && answer.asked?.status === "unknown", [meant] = unknownYet ? answer.suggestions : [];
    if (completions.open && unknownYet) return completions.takeFirst();
    completions.close();
    meant ? propose(correct(box.value, meant)) : ask();
  });
  picker.addEventListener("change", () => { feedback.forget(); modality = picker.value; trusted = false; kept = []; scan.forget(); ask(); });
  for (const each of [chooser, folders]) each.addEventListener("change", () => { films.open({ files: [...each.files] }); each.value = ""; });

  element.addEventListener("click", (event) => {
    const target = event.target.closest("button");
    if (!target) return;
    if (target.matches(".clear")) { box.value = ""; ownWords = typed = false; ask(); box.focus(); }
    if (target.matches(".chip")) propose(target.textContent);
    if (target.matches(".suggestion")) propose(correct(box.value, target.textContent));
    if (target.matches(".denied")) propose(answer.asked.name);
    if (target.matches(".scanning")) scan.show(true);
    if (target.matches(".example")) open({ example: target.dataset.example });
    if (target.matches(".anyway")) goOn();
    if (target.matches(".keep")) keep();
    if (target.matches(".report")) copyReport();
    if (target.matches(".share")) share();
  });

  watchFiles(element, (event) => find(".viewer").classList.toggle("dropping", Boolean(event)), films.openDropped);
  watchKeys(() => isShown(element), viewer, { "/": () => box.focus(), "?": showKeys, k: keep, e: answerBox.explain, s: scan.toggle, x: share, j: () => films.step(1), J: () => films.step(-1), A: () => films.list?.openSheet(), C: copyReport }, feedback.key);

  document.addEventListener("afloc:open", () => { if (isShown(element)) chooser.click(); });
  document.addEventListener("afloc:folder", () => { if (isShown(element)) folders.click(); });
  document.addEventListener("afloc:keys", () => { if (isShown(element)) showKeys(); });
  document.addEventListener("afloc:help", () => { if (isShown(element)) help(); });
  window.addEventListener("pagehide", () => { for (const token of new Set([image?.token, ...(films.list?.tokens ?? [])].filter(Boolean))) forget(token); });
  window.addEventListener("beforeunload", (event) => { if (isUnsavedNow() || films.list?.isUnsaved()) event.preventDefault(); });
  window.addEventListener("hashchange", () => { const view = linkedView(); if (view) views.show(view); });

  if (props.pacs.search) import("./pacs.js").then(({ createSearch }) => createSearch(element, open, films.open));
  find(".viewer").viewer = viewer;
  showAnswer(null);
  const linked = linkedView();
  if (linked) views.show(linked);
  else open(linkedImage() ?? { example: props.examples[0].name });
}
