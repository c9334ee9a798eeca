// The Ground truth tab: a map beside what a person marked. The server sends each map's curves once (`measure`); what moves with the
// threshold is looked up in them. Text of users is put in place as text.

import { openKeys, openSheet } from "../shared/key_sheet.js";
import { currentFilm, currentMarks } from "../shared/current_film.js";
import { make } from "../shared/dom.js";
import { Refusal, factsOf, forget, nameOf, openFrame, send } from "../shared/server.js";
import { isShown, markExample, offerImages, watchFiles, watchKeys } from "../shared/tab_events.js";
import { newestOnly } from "../viewer/frames.js";
import { readImage } from "../viewer/image_pixels.js";
import { createViewer } from "../viewer/viewer.js";
import { LISTED, measureHeads } from "./agreement_tables.js";
import { createDataset } from "./dataset.js";
import { createMeasuring } from "./measuring.js";
import { createShownCase } from "./shown_case.js";
import { createTakeAway } from "./take_away.js";
import { createTruthFiles } from "./truth_files.js";
import { mergeTruths } from "./truths.js";
/** @import { Compared, GroundTruthProps, GroundTruthServer, MeasureReply, Tab, Truth } from "../types" */

const BY_HAND = "Drawn by hand";

// Starts the tab in its element. `props` and `server`: what the Python side gives and answers.
/** @param {Tab<GroundTruthProps, GroundTruthServer>} tab */
export function mount({ element, props, server }) {
  const find = (selector) => element.querySelector(selector);
  const boxes = [...element.querySelectorAll("textarea")], picker = find(".modality select");
  const viewer = createViewer(find(".viewer"), { colors: props.colors, onShapes: takeShapes, onDisplay: () => shown.showFigures(), onFrame: (frame) => showFrame(compared.image.source.file, frame) });
  const dataset = createDataset(find(".set"), find(".gallery"), props.measures, { state: (question) => server.set_state(question), open: openCase });
  const compared = /** @type {Compared} */ ({ image: null, modality: null, truths: [], chosen: 0, cases: [], answers: 0, compare: false, scale: "stretched" });
  const shown = createShownCase(element, compared, viewer, props);
  const measuring = createMeasuring(compared, server, viewer, { show: showReply, refuse: sayOfMap, threshold: shown.threshold });
  const files = createTruthFiles(compared, server, { fromServer: measuring.fromServer, merge, changed, refuse: showProblem });
  const takeAway = createTakeAway(find(".take-away"), { ask: measuring.askFile, name: measuring.fileName });
  let opening = 0;                    // counts the images asked for: the newest is shown

  // --- images and ground truth --------------------------------------------------------------------------------------

  async function open(source, given = null, kind = null) {
    const turn = ++opening;
    viewer.showState("loading");
    showProblem("");
    try {
      const [about, response] = await send(source);
      const pixels = readImage(await response.arrayBuffer(), about);
      if (turn !== opening) return forget(about.token);
      if (compared.image) forget(compared.image.token);
      compared.image = { token: about.token, source, about };
      sayOfMap("");
      find(".step").hidden = source.set === undefined;
      compared.modality = kind;
      viewer.showImage(pixels, source.example ? about.title : nameOf(about), [about.frame ?? 0, about.frames ?? 1], factsOf(about, source));
      viewer.showOrientation(null);
      viewer.showNotice(about.notes.join(" "));
      markExample(element, source.example);
      const known = given ?? props.truths[source.example] ?? [];
      setTruths(known.length ? known : [byHand(["", ""])]);
      return true;
    } catch (error) {
      if (turn !== opening) return;
      viewer.showState(compared.image ? "ready" : "error");
      showProblem(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and open the image again.");
    }
  }

  // Another frame of the file shown. What is marked stays: whoever chooses the frame knows which one it is of.
  const showFrame = newestOnly(async (file, frame) => {
    const turn = opening, from = compared.image;
    try {
      const found = await openFrame(from, file, frame, () => turn === opening);
      if (!found) return;
      const { about } = found.opened, pixels = readImage(found.bytes, about);
      forget(from.token);
      compared.image = found.opened;
      showProblem("");
      sayOfMap("");
      viewer.showFrame(pixels, nameOf(about), [frame, about.frames], factsOf(about, found.opened.source));
      viewer.showNotice(about.notes.join(" "));
      changed();
    } catch (error) {
      if (turn !== opening) return;
      viewer.keepFrame(from.about.frame);
      showProblem(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and choose the frame again.");
    }
  });

  // The user asks for something else: what was refused before is over.
  function measureAnew() {
    showProblem("");
    measuring.ask();
  }

  // What is marked changed: it is measured anew.
  function changed() {
    compared.cases = [];
    shown.show();
    measuring.ask();
  }

  /** @param {Truth[]} found */
  function merge(found) {
    const merged = mergeTruths(compared.truths, found, (truth) => Boolean(truth.byHand && viewer.shapes.length));
    setTruths(merged.truths, merged.chosen);
  }

  // The image of the Probe tab, and what is drawn there.
  async function openProbed() {
    const film = currentFilm(), { shapes, description } = currentMarks();
    if (!film || !(await open(film.source)) || !shapes.length) return;
    compared.truths = [byHand([description, ""])];
    viewer.shapes = shapes;
    takeShapes(viewer.shapes);
    shown.show();
  }

  // Of several files the first picture is the image, the rest its ground truth; of one alone the place of the drop decides.
  async function openFiles(given, onPanel) {
    if (find(".panel").dataset.view === "set" || given.some(({ name }) => /\.zip$/i.test(name))) {
      setView("set");
      return dataset.upload(given);
    }
    const picture = given.find((file) => !/\.(json|csv)$/i.test(file.name));
    const asImage = picture && !onPanel ? picture : null;
    if (asImage && !(await open({ file: asImage }))) return;
    const rest = given.filter((file) => file !== asImage);
    if (rest.length) await files.openTruths(rest);
  }

  const byHand = (descriptions) => ({ label: BY_HAND, byHand: true, boxes: [], polygons: [], runs: [], outline: [], descriptions });

  function setTruths(list, first = 0) {
    compared.truths = list;
    compared.chosen = first;
    changed();
  }

  // What the reader draws is a finding of its own, asked at first in the words of the one that was shown.
  function takeShapes(shapes) {
    let own = compared.truths.find((truth) => truth.byHand);
    if (!own) {
      own = byHand(boxes.map((box) => box.value));
      compared.truths.push(own);
    }
    if (!shapes.length && compared.truths.length > 1) compared.truths = compared.truths.filter((truth) => truth !== own);
    const { truths } = compared;
    compared.chosen = shapes.length ? truths.indexOf(own) : Math.min(compared.chosen, truths.length - 1);
    own.boxes = shapes.filter(({ kind }) => kind === "box").map(({ x, y, width, height }) => [x, y, width, height]);
    own.polygons = shapes.filter(({ kind }) => kind === "outline").flatMap(({ rings }) => rings.filter((ring) => ring.length > 2).map((ring) => ring.flat()));
    compared.cases = [];
    measureAnew();
  }

  /** @param {MeasureReply} reply @param {Truth[]} measured the truths that it is about */
  function showReply(reply, measured) {
    viewer.showState("ready");
    if (reply.error) return sayOfMap(reply.error);
    sayOfMap(reply.doubt?.degree === "stopped" ? reply.doubt.sentence : "");
    compared.cases = compared.truths.map((truth) => reply.cases[measured.indexOf(truth)]);
    picker.disabled = false;
    picker.value = reply.modality;
    viewer.showOrientation(reply.orientation);
    compared.answers += 1;
    shown.show();
  }

  // --- what is shown ------------------------------------------------------------------------------------------------

  function put(selector, text) { find(selector).textContent = text; }

  // What the user asked for and was refused stays until they ask for something else; what is said of the map, until the next one.
  const problem = { refused: "", ofMap: "" };
  const sayProblem = () => put(".problem", `${problem.refused} ${problem.ofMap}`.trim());
  function showProblem(sentence) { problem.refused = sentence; sayProblem(); }
  function sayOfMap(sentence) { problem.ofMap = sentence; sayProblem(); }

  function setScale(name) {
    press("scale", name);
    shown.setScale(name);
  }

  function setCompare(on) {
    compared.compare = on;
    press("compare", on ? "both" : "");
    find(".asked.second").hidden = !on;
    find(".ask").classList.toggle("both", on);
    measureAnew();
  }

  // A case of a set: its image with its ground truth, the finding of the row first.
  async function openCase(set, row, truth, style, place) {
    const turn = ++opening, reply = (await server.read_case({ set, row }).catch(() => null)) ?? { error: "The server does not answer. Try again." };
    if (turn !== opening) return;
    put(".step output", place.join(" of "));
    find("[data-step='-1']").disabled = place[0] === 1;
    find("[data-step='1']").disabled = place[0] === place[1];
    setView("case");
    if (reply.error) return showProblem(reply.error);
    if (!(await open({ set, row }, reply.truths, reply.modality))) return;
    compared.chosen = truth;
    if (compared.compare !== (style === "precise")) setCompare(style === "precise");
  }

  function step(by) {
    if (!find(".step").hidden) dataset.step(by);
  }

  const showKeys = () => openKeys(find(".keys"), ["describe", "take", ...(find(".step").hidden ? [] : ["set"]), "map", "image", ...(compared.image?.about.frames > 1 ? ["frames"] : []), "draw"]);

  function setView(name) {
    press("view", name);
    find(".panel").dataset.view = find(".ground-truth").dataset.view = name;
    if (name === "set") dataset.show();
  }

  function press(kind, value) {
    for (const button of element.querySelectorAll(`button[data-${kind}]`)) button.setAttribute("aria-pressed", String(button.dataset[kind] === value));
  }

  // A mask gets its name, and is measured from then on.
  function nameTruth(field) {
    const label = field.value.trim(), at = Number(field.dataset.name);
    if (!label) return;
    field.blur();
    showProblem("");
    compared.truths[at].label = label;
    compared.chosen = at;
    changed();
  }

  // --- events -------------------------------------------------------------------------------------------------------

  for (const [name, title] of Object.entries(props.modalities)) picker.add(new Option(title, name));
  offerImages(find(".images"), props.examples, (title) => title.replace(/ \(.*/, ""));
  for (const name of props.sets) find(".sets").add(new Option(name, name));
  find(".findings thead tr").append(...measureHeads(LISTED, props.measures));
  find("#finding-names").append(...props.names.map((value) => Object.assign(make("option"), { value })));
  put(".model", props.model);
  find(".model").title = `fingerprint ${props.fingerprint}`;

  for (const box of boxes) {
    box.addEventListener("input", () => { compared.truths[compared.chosen].descriptions = boxes.map((each) => each.value); showProblem(""); measuring.soon(); });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") box.blur();
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); measureAnew(); }
    });
  }
  picker.addEventListener("change", () => { compared.modality = picker.value; measureAnew(); });
  find(".of-image").addEventListener("change", ({ target }) => { if (target.files[0]) open({ file: target.files[0] }); target.value = ""; });
  find(".of-truth").addEventListener("change", ({ target }) => { if (target.files[0]) files.openTruths([...target.files]); target.value = ""; });
  find(".of-readers").addEventListener("change", ({ target }) => { if (target.files[0]) files.openReaders([...target.files]); target.value = ""; });
  find(".findings").addEventListener("change", ({ target }) => { if (target.dataset.name) nameTruth(target); });
  find(".findings").addEventListener("keydown", ({ target, key }) => { if (target.dataset.name && key === "Enter") nameTruth(target); });
  new IntersectionObserver(() => { find(".open.probed").disabled = !currentFilm(); }).observe(find(".source"));

  element.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-truth]"), target = event.target.closest("button");
    if (row && Number(row.dataset.truth) !== compared.chosen) { compared.chosen = Number(row.dataset.truth); shown.show(); }
    if (!target) return;
    if (target.matches(".open.image")) find(".of-image").click();
    if (target.matches(".open.truth")) find(".of-truth").click();
    if (target.matches(".open.readers")) find(".of-readers").click();
    if (target.matches(".open.probed")) openProbed();
    if (target.matches(".take")) takeAway.open();
    if (target.matches(".example")) open({ example: target.dataset.example });
    if (target.dataset.view) setView(target.dataset.view);
    if (target.dataset.step) step(Number(target.dataset.step));
    if (target.dataset.scale) setScale(target.dataset.scale);
    if (target.dataset.compare !== undefined) setCompare(target.dataset.compare === "both");
  });

  const onPanel = (event) => Boolean(event.target.closest?.(".panel"));

  function showDrop(place) {
    find(".viewer").classList.toggle("dropping", place === "image");
    find(".panel").classList.toggle("dropping", place === "truth");
  }

  watchFiles(element, (event) => showDrop(event && (onPanel(event) ? "truth" : "image")), (given, event) => openFiles(given, event.type === "drop" && onPanel(event)));
  watchKeys(() => isShown(element), viewer, { "?": showKeys, "/": () => boxes[0].focus(), x: () => find(".take").click(), j: () => step(1), k: () => step(-1) });
  document.addEventListener("afloc:open", () => { if (isShown(element)) find(".of-image").click(); });
  document.addEventListener("afloc:keys", () => { if (isShown(element)) showKeys(); });
  document.addEventListener("afloc:help", () => { if (isShown(element)) openSheet(find(".about")); });
  window.addEventListener("pagehide", () => { if (compared.image) forget(compared.image.token); });

  find(".viewer").viewer = viewer;
  setView("case");
  setScale(compared.scale);
  open({ example: props.first });
}
