// The Probe tab: an image and a description go to the server, a small map and a score come back.
// Whatever a user wrote is put in place as text, never as markup.

import { filmIsShown, filmName } from "../shared/current_film.js";
import { Refusal, askAbout, factsOf, fileOf, forget, nameOf, openFrame, openImage } from "../shared/server.js";
import { isShown, watchFiles, watchKeys } from "../shared/tab_events.js";
import { newestOnly } from "../viewer/frames.js";
import { readImage } from "../viewer/image_pixels.js";
import { createViewer } from "../viewer/viewer.js";
import { createAsking } from "./asking.js";
import { createDescription } from "./description.js";
import { createExamples } from "./examples.js";
import { createFeedback, isUnsaved } from "./feedback.js";
import { createFilms } from "./films.js";
import { createScanning } from "./scanning.js";
import { NOT_LOADED, createSheets } from "./sheets.js";
import { createShownAnswer } from "./shown_answer.js";
import { createHint, createSuggestions } from "./suggestions.js";
import { linkedImage, linkedView } from "./view_link.js";
import { createViews } from "./views.js";
import { createWordMaps } from "./word_maps.js";
/** @import { FilmLeft, LocateReply, OpenedImage, ProbeProps, ProbeServer, ScanReply, Source, Tab } from "../types" */

const DWELL = 1500;                 // ms an answer stands before its description counts as asked

// Starts the tab in its element. `props` and `server`: what the Python side gives and answers.
/** @param {Tab<ProbeProps, ProbeServer>} tab */
export function mount({ element, props, server }) {
  const find = (selector) => element.querySelector(selector);
  const viewer = createViewer(find(".viewer"), { colors: props.colors, onClose: closePane, onShapes: (shapes) => feedback.drawn(shapes), onFrame: (frame) => showFrame(fileOf(image), frame),
    onBeside: () => withBeside((film) => film.choose()) });
  const picker = find(".modality select"), chooser = find("input[type=file]"), folders = find("input[webkitdirectory]");

  let image = null;                   // { token, source, about } of the image shown
  let opening = 0;                    // counts the images asked for: the newest is shown
  let modality = null;                // chosen by the user; null leaves it to the model
  let dwelling = 0;
  let replied = null;                 // { reply, description, modality }: the newest answer about the image shown, and to what
  let handed = false;                 // the image on the stage is a list's, which lets go of it
  let beside = null;                  // what puts a film beside it, once somebody wants that

  const asking = createAsking({
    server, image: () => image, question: () => ({ description: description.text, modality }), show: showReply,
    refuse(sentence) { viewer.showState("ready"); answer.refuse(sentence); },
    offline() { viewer.showState("offline"); answer.wait(); },
  });
  const { ask } = asking;
  const wordMaps = createWordMaps(find(".each"), (word) => answer.peekAtWord(word));
  const scan = createScanning(find(".panel"), { viewer, fetch: askForAll, pick: (text) => description.propose(text), refuse: (sentence) => answer.refuse(sentence) });
  const suggestions = createSuggestions(find(".try"), props.descriptions), hint = createHint(find(".stage")), examples = createExamples(find(".panel"), props.examples);
  const description = createDescription(element, {
    ask, soon: asking.soon, typing: hint.end, terms: () => props.descriptions[suggestions.modality]?.terms.flat() ?? [], answer: () => answer,
  });
  const views = createViews(viewer, {
    image: () => image, isExample: (name) => props.examples.some((each) => each.name === name), open, use: useWords, ask, answer: () => answer,
    mapOf: async (token, description) => (await server.locate({ image: token, description, modality })).finding,
  });
  const feedback = createFeedback(find(".feedback"), { viewer, server, about: () => ({ image, modality }), saved: (time) => { find(".last-saved").textContent = `saved ${time}`; } });
  const answer = createShownAnswer(element, { viewer, feedback, wordMaps, isTyping: () => description.completing, trust() { scan.again(); ask(); }, insists() { beside?.ask(); } });
  const sheets = createSheets(element, { viewer, answer, props, hasList: () => Boolean(films.list), asked: () => ({ image, beside: beside?.finding ?? null, chosen: modality, modality: suggestions.modality, description: description.text }) });

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
      answer.refuse(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and open the image again.");
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
    modality = replied = null;
    Object.assign(answer, { doubt: null, trusted: false, kept: [] });
    scan.forget();
    viewer.showImage(opened.pixels, source.example ? about.title : nameOf(about), [about.frame ?? 0, about.frames ?? 1], factsOf(about, source));
    viewer.showOrientation(null);
    viewer.showNotice(about.notes.join(" "));
    if (left) resume(left);
    else description.offer(about.description);
    answer.show(null);
    examples.mark(source.example);
    if (!source.example) hint.end();
    views.restore();
    known ? showReply(known) : ask();
    if (left?.insisted && known) answer.insist(true);
  }

  // --- lists of films ---------------------------------------------------------------------------------------------------

  /** @param {FilmLeft} left */
  function resume(left) {
    ({ modality } = left);
    Object.assign(answer, { trusted: left.trusted, kept: left.kept });
    viewer.setDisplay(left.display);
    viewer.setPlace(left.place);
    viewer.measures = left.measures;
    viewer.shapes = left.shapes;
    feedback.resume(left.said, left.shapes);
    description.set(left.description, true, left.typed);
  }

  // Whether what is asked now was answered. An error is no answer: a film that is come back to is asked again.
  const isAnswered = () => replied !== null && !replied.reply.error && replied.description === description.text && replied.modality === modality;

  // What the image on the stage is left with when another film takes its place. It stays open on the server.
  function takeLeave() {
    const { window, invert } = viewer.display, { place, shapes, measures } = viewer, { said } = feedback, { trusted, insisted, kept } = answer;
    handed = true;
    const left = { frame: image.about.frame ?? 0, description: description.text, typed: description.typed, modality, trusted, insisted, kept, display: { window, invert }, place, shapes, measures, said };
    return { image, left: { ...left, reply: isAnswered() ? replied.reply : null, stored: feedback.forget() } };
  }

  const films = createFilms({
    element, props, server, image: () => image, description: () => description.text, refuse: (sentence) => answer.refuse(sentence), leave: takeLeave,
    put(opened, left, known) {
      ++opening;
      if (!handed) leave(image, feedback.forget());
      handed = false;
      put(opened, left, known);
    },
    unsaved: () => (image && !image.source.example && isUnsavedNow() ? { image, pixels: viewer.film } : null),
    waits(on) { viewer.showState(on ? "loading" : image ? "ready" : "empty"); },
    beside: (source) => withBeside((film) => film.openFrom(source)),
  }, { openOne: (file) => open({ file }), isUnsaved: (left) => left.measures.length > 0 || isUnsaved(left.said, left.shapes) });

  const isUnsavedNow = () => description.typed || viewer.measures.length > 0 || feedback.isUnsaved();

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
      replied = null;
      answer.kept = [];
      scan.forget();
      viewer.shapes = [];
      viewer.showFrame(shown, nameOf(about), [frame, about.frames], factsOf(about, image.source));
      viewer.showNotice(about.notes.join(" "));
      answer.show(null);
      wordMaps.put([]);
      asking.soon();
    } catch (error) {
      if (turn !== opening) return;
      viewer.keepFrame(from.about.frame);
      answer.refuse(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and choose the frame again.");
    }
  });

  // The server may drop an image once what was said of it is stored.
  async function leave(left, stored) {
    await stored;
    if (left) forget(left.token);
  }

  // --- descriptions -----------------------------------------------------------------------------------------------

  /** @param {LocateReply} reply */
  function showReply(reply) {
    replied = { reply, description: description.text, modality };
    viewer.showState("ready");
    if (reply.modality) { showModality(reply.modality); viewer.showOrientation(reply.orientation); }
    if (!answer.take(reply)) return;
    const { finding } = reply;
    clearTimeout(dwelling);
    if (finding) dwelling = setTimeout(() => suggestions.remember(finding.text), DWELL);
    films.list?.answered(reply);
    beside?.ask();
  }

  // A film beside the one on the stage; its script comes with the first.
  async function withBeside(act) {
    try { beside ??= (await import("../beside/open_beside.js")).createBeside(viewer, { server, refuse: answer.refuse, question: () => ({ description: description.text, modality, insisted: answer.insisted }) }); }
    catch { return answer.refuse(NOT_LOADED); }
    hint.end();
    act(beside);
  }

  /** @returns {Promise<ScanReply | null>} */
  async function askForAll() {
    if (!image) return null;
    const about = image, reply = await askAbout(about, () => about === image, (token) => server.scan({ image: token, modality }));
    return reply.doubt?.degree === "stopped" && !answer.trusted ? { ...reply, error: "Not an image the model knows. “Go on anyway”, above, scans it all the same." } : reply;
  }

  const drawn = () => ({ shapes: viewer.shapes, description: description.text });

  function keep() {
    const kept = answer.keep();
    if (!kept) return;
    suggestions.remember(kept.text);
    description.empty();
    wordMaps.put([]);
    description.focus();
  }

  function closePane(index) {
    if (index === answer.kept.length) description.clear();
    answer.keepOnly(answer.kept.filter((_, i) => i !== index));
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

  function useWords(view) {
    description.set(view.description);
    answer.forgoGreeting();
    modality = view.modality in props.modalities ? view.modality : null;
  }

  // --- events -----------------------------------------------------------------------------------------------------

  picker.addEventListener("change", () => { feedback.forget(); modality = picker.value; Object.assign(answer, { trusted: false, kept: [] }); scan.forget(); ask(); });
  for (const each of [chooser, folders]) each.addEventListener("change", () => { films.open({ files: [...each.files] }); each.value = ""; });

  element.addEventListener("click", (event) => {
    const target = event.target.closest("button");
    if (!target) return;
    if (target.matches(".clear")) { description.clear(); description.focus(); }
    if (target.matches(".chip")) description.propose(target.textContent);
    if (target.matches(".suggestion")) description.correct(target.textContent);
    if (target.matches(".denied")) description.propose(answer.finding.asked.name);
    if (target.matches(".scan-all")) scan.toggle();
    if (target.matches(".scanning")) scan.show();
    if (target.matches(".example")) open({ example: target.dataset.example });
    if (target.matches(".anyway")) answer.goOn();
    if (target.matches(".keep")) keep();
    if (target.matches(".report")) sheets.copyReport();
    if (target.matches(".share")) sheets.share();
  });

  watchFiles(element, (event) => find(".viewer").classList.toggle("dropping", Boolean(event)), films.openDropped);
  watchKeys(() => isShown(element), viewer, { "/": description.focus, "?": sheets.keys, k: keep, e: answer.explain, s: scan.toggle, x: sheets.share, j: () => films.step(1), J: () => films.step(-1), A: () => films.list?.openSheet(), C: sheets.copyReport }, feedback.key);

  document.addEventListener("afloc:open", () => { if (isShown(element)) chooser.click(); });
  document.addEventListener("afloc:folder", () => { if (isShown(element)) folders.click(); });
  document.addEventListener("afloc:keys", () => { if (isShown(element)) sheets.keys(); });
  document.addEventListener("afloc:help", () => { if (isShown(element)) sheets.help(); });
  window.addEventListener("pagehide", () => { for (const token of new Set([image?.token, beside?.token, ...(films.list?.tokens ?? [])].filter(Boolean))) forget(token); });
  window.addEventListener("beforeunload", (event) => { if (isUnsavedNow() || films.list?.isUnsaved()) event.preventDefault(); });
  window.addEventListener("hashchange", () => { const view = linkedView(); if (view) views.show(view); });

  if (props.pacs.search) import("./pacs.js").then(({ createSearch }) => createSearch(element, open, films.open));
  find(".viewer").viewer = viewer;
  answer.show(null);
  const linked = linkedView();
  if (linked) views.show(linked);
  else open(linkedImage() ?? { example: props.examples[0].name });
}
