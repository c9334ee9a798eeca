// The Ground truth tab: a map beside what a person marked. The server sends each map's curves once (`measure`); what moves with the
// threshold is looked up in them. Text of users is put in place as text.

import { openKeys, openSheet } from "../shared/key_sheet.js";
import { currentFilm, currentMarks, filmName } from "../shared/current_film.js";
import { make, number } from "../shared/dom.js";
import { RETRY, Refusal, addressOf, askAbout, factsOf, forget, nameOf, openFrame, post, renew, send } from "../shared/server.js";
import { isShown, markExample, offerImages, watchFiles, watchKeys } from "../shared/tab_events.js";
import { shortVerdict } from "../shared/verdict.js";
import { newestOnly } from "../viewer/frames.js";
import { clamp, readImage } from "../viewer/image_pixels.js";
import { createViewer } from "../viewer/viewer.js";
import { createCurve } from "./agreement_curve.js";
import { figureRows, findingRows, measureHeads } from "./agreement_tables.js";
import { createDataset } from "./dataset.js";
import { createTakeAway } from "./take_away.js";
import { addReader, entryOf, mergeTruths, shapesOf } from "./truths.js";
/** @import { GroundTruthProps, GroundTruthServer, MeasureReply, Refused, Tab, Truth } from "../types" */

const PAUSE = 150;                  // ms without a key before a description is asked
const BY_HAND = "Drawn by hand";
const START = { stretched: 0.65, fixed: 0.3 };        // of the viewer's 0 … 1, where the slider begins
const SCALES = { stretched: "of −1 … 1", fixed: "of 0 … 1" };
const PICTURE = /\.(png|jpe?g|tiff?|webp)$/i;

// Starts the tab in its element. `props` and `server`: what the Python side gives and answers.
/** @param {Tab<GroundTruthProps, GroundTruthServer>} tab */
export function mount({ element, props, server }) {
  const find = (selector) => element.querySelector(selector);
  const boxes = [...element.querySelectorAll("textarea")], picker = find(".modality select"), slider = find(".slider");
  const viewer = createViewer(find(".viewer"), { colors: props.colors, onShapes: takeShapes, onDisplay: showFigures, onFrame: (frame) => showFrame(image.source.file, frame) });
  const curve = createCurve(find(".curves svg"), setThreshold);
  const dataset = createDataset(find(".set"), find(".gallery"), props.measures, { state: (question) => server.set_state(question), open: openCase });
  const takeAway = createTakeAway(find(".take-away"), { ask: askFile, name: fileName });

  let image = null;                   // { token, source, about } of the image shown
  let opening = 0, asked = 0, answers = 0;
  let modality = null;                // chosen by the user; null leaves it to the model
  let truths = [], chosen = 0;        // a truth is what truths.py says, with `outline`, `byHand` and `descriptions` once they are typed
  let cases = [];                     // what the server said of each truth
  let compare = false;
  let scale = /** @type {"stretched" | "fixed"} */ ("stretched");
  let busy = false, timer = 0;

  // --- images and ground truth --------------------------------------------------------------------------------------

  async function open(source, given = null, kind = null) {
    const turn = ++opening;
    viewer.showState("loading");
    showProblem("");
    try {
      const [about, response] = await send(source);
      const shown = readImage(await response.arrayBuffer(), about);
      if (turn !== opening) return forget(about.token);
      if (image) forget(image.token);
      image = { token: about.token, source, about };
      find(".step").hidden = source.set === undefined;
      modality = kind;
      viewer.showImage(shown, source.example ? about.title : nameOf(about), [about.frame ?? 0, about.frames ?? 1], factsOf(about, source));
      viewer.showOrientation(null);
      viewer.showNotice(about.notes.join(" "));
      markExample(element, source.example);
      const known = given ?? props.truths[source.example] ?? [];
      setTruths(known.length ? known : [byHand(["", ""])]);
      return true;
    } catch (error) {
      if (turn !== opening) return;
      viewer.showState(image ? "ready" : "error");
      showProblem(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and open the image again.");
    }
  }

  // Another frame of the file shown. What is marked stays: whoever chooses the frame knows which one it is of.
  const showFrame = newestOnly(async (file, frame) => {
    const turn = opening, from = image;
    try {
      const found = await openFrame(from, file, frame, () => turn === opening);
      if (!found) return;
      const { about } = found.opened, shown = readImage(found.bytes, about);
      forget(from.token);
      image = found.opened;
      showProblem("");
      viewer.showFrame(shown, nameOf(about), [frame, about.frames], factsOf(about, image.source));
      viewer.showNotice(about.notes.join(" "));
      cases = [];
      showCase();
      ask();
    } catch (error) {
      if (turn !== opening) return;
      viewer.keepFrame(from.about.frame);
      showProblem(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and choose the frame again.");
    }
  });

  // What a file marks on the image shown; null where it marks nothing, and why is said.
  /** @param {File} file @returns {Promise<Truth[] | null>} */
  async function readTruth(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
    const question = { content: btoa(text), name: file.name, image_name: image.source.file?.name ?? null };
    const about = image;
    try {
      const reply = await fromServer((token) => server.read_truth({ image: token, ...question }));
      if (about !== image) return null;
      if (reply.error) { showProblem(reply.error); return null; }
      return reply.truths.map((truth) => ({ ...truth, from: file.name, mask: PICTURE.test(file.name) }));
    } catch (error) {
      showProblem(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and open the ground truth again.");
      return null;
    }
  }

  // Files of ground truth, all or none of them.
  async function openTruths(files) {
    showProblem("");
    if (!image) return showProblem("Open the image first, then its ground truth.");
    const found = [];
    for (const file of files) {
      const truthsOf = await readTruth(file);
      if (!truthsOf) return;
      found.push(...truthsOf);
    }
    const merged = mergeTruths(truths, found, (truth) => Boolean(truth.byHand && viewer.shapes.length));
    setTruths(merged.truths, merged.chosen);
  }

  // Files of what human readers marked, one a reader.
  async function openReaders(files) {
    showProblem("");
    if (!image) return showProblem("Open the image and its ground truth first.");
    for (const file of files) {
      const found = await readTruth(file);
      if (!found) return;
      const lost = addReader(truths, chosen, found);
      if (lost.length) showProblem(`${file.name} marks ${lost.join(", ")}, which is none of the findings here.`);
    }
    cases = [];
    showCase();
    ask();
  }

  // The image of the Probe tab, and what is drawn there.
  async function openProbed() {
    const film = currentFilm(), { shapes, description } = currentMarks();
    if (!film || !(await open(film.source)) || !shapes.length) return;
    truths = [byHand([description, ""])];
    viewer.shapes = shapes;
    takeShapes(viewer.shapes);
    showCase();
  }

  // Of several files the first picture is the image, the rest its ground truth; of one alone the place of the drop decides.
  async function openFiles(files, onPanel) {
    if (find(".panel").dataset.view === "set" || files.some(({ name }) => /\.zip$/i.test(name))) {
      setView("set");
      return dataset.upload(files);
    }
    const picture = files.find((file) => !/\.(json|csv)$/i.test(file.name));
    const asImage = picture && !onPanel ? picture : null;
    if (asImage && !(await open({ file: asImage }))) return;
    const rest = files.filter((file) => file !== asImage);
    if (rest.length) await openTruths(rest);
  }

  const byHand = (descriptions) => ({ label: BY_HAND, byHand: true, boxes: [], polygons: [], runs: [], outline: [], descriptions });

  function setTruths(list, first = 0) {
    truths = list;
    chosen = first;
    cases = [];
    showCase();
    ask();
  }

  // What the reader draws is a finding of its own, asked at first in the words of the one that was shown.
  function takeShapes(shapes) {
    let own = truths.find((truth) => truth.byHand);
    if (!own) {
      own = byHand(boxes.map((box) => box.value));
      truths.push(own);
    }
    if (!shapes.length && truths.length > 1) truths = truths.filter((truth) => truth !== own);
    chosen = shapes.length ? truths.indexOf(own) : Math.min(chosen, truths.length - 1);
    own.boxes = shapes.filter(({ kind }) => kind === "box").map(({ x, y, width, height }) => [x, y, width, height]);
    own.polygons = shapes.filter(({ kind }) => kind === "outline").flatMap(({ rings }) => rings.filter((ring) => ring.length > 2).map((ring) => ring.flat()));
    cases = [];
    ask();
  }

  // --- questions ----------------------------------------------------------------------------------------------------

  // One call is under way at a time; an answer that was overtaken is asked again.
  function ask() {
    clearTimeout(timer);
    asked += 1;
    answer();
  }

  function askSoon() {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  }

  async function answer() {
    if (busy || !image) return;
    busy = true;
    const turn = asked;
    const measured = named();
    try {
      const reply = await fromServer((token) => server.measure({ image: token, ...question() }));
      busy = false;
      if (turn !== asked) return answer();
      showReply(reply, measured);
    } catch (error) {
      busy = false;
      if (error instanceof Refusal && turn !== asked) return answer();
      if (error instanceof Refusal) { viewer.showState("ready"); return showProblem(error.message); }
      viewer.showState("offline");
      setTimeout(answer, RETRY);
    }
  }

  // A mask that nobody named is not asked about, and not measured.
  const named = () => truths.filter(({ label }) => label);
  const question = () => ({ modality, truths: named().map(entryOf), compare });

  // A file of what is shown just now.
  /** @param {string} file */
  async function askFile(file) {
    const about = image, { window, invert, colors, opacity } = viewer.display;
    const wanted = {
      ...question(), file, chosen: named().indexOf(truths[chosen]), scale, threshold: Number(number(threshold(), 2).replace("−", "-")), name: filmName(about.source),
      display: { window, invert, colors, opacity },
    };
    const from = () => post(addressOf("figure"), JSON.stringify({ image: about.token, ...wanted }), "The server could not draw this figure.");
    try {
      return await from();
    } catch (error) {
      if (!(error instanceof Refusal && error.gone)) throw error;
      await renew(about, () => about === image);
      return from();
    }
  }

  // How the names of saved files begin: as the image's own file, or its example.
  function fileName() {
    const { source } = image, own = filmName(source).replace(/\.[^.]*$/, "") || source.example || "image";
    return `${own}-${truths[chosen].label}`.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80);
  }

  // What the server answers to `ask(token)` about the image shown.
  /** @template {Refused} Reply @param {(token: string) => Promise<Reply>} ask */
  async function fromServer(ask) {
    const about = image;
    return askAbout(about, () => about === image, ask);
  }

  /** @param {MeasureReply} reply @param {Truth[]} measured the truths that it is about */
  function showReply(reply, measured) {
    viewer.showState("ready");
    if (reply.error) return showProblem(reply.error);
    showProblem(reply.doubt?.degree === "stopped" ? reply.doubt.sentence : "");
    cases = truths.map((truth) => reply.cases[measured.indexOf(truth)]);
    picker.disabled = false;
    picker.value = reply.modality;
    viewer.showOrientation(reply.orientation);
    answers += 1;
    showCase();
  }

  // --- what is shown ------------------------------------------------------------------------------------------------

  const put = (selector, text) => { find(selector).textContent = text; };
  const showProblem = (sentence) => put(".problem", sentence);
  const answersOf = (at) => cases[at]?.answers ?? [];

  // The map as the scale has it, 0 … 1 for the viewer.
  function rowsOf({ finding, range: [low, high] }) {
    if (scale === "fixed") return finding.grid;
    const span = high - low || 1;
    return finding.grid.map((row) => row.map((value) => clamp((value - low) / span, 0, 1)));
  }

  function showCase() {
    const truth = truths[chosen], found = answersOf(chosen);
    boxes.forEach((box, i) => { if (box !== document.activeElement) box.value = cases[chosen]?.descriptions[i] ?? ""; });
    // Beside the map only where a file brought ground truth: the layout does not change under the hand that draws.
    const given = truths.some((each) => !each.byHand), outlines = truth.byHand ? viewer.shapes : shapesOf(truth);
    const readers = (truth.readers ?? []).flatMap(shapesOf).map((shape) => ({ ...shape, reader: true }));
    viewer.showTruth([...(given ? outlines : []), ...readers], { over: !truth.byHand, beside: found.length < 2 });
    find(".take").disabled = !found.some(Boolean);
    for (const box of boxes) box.disabled = !truth.label;
    viewer.showMaps(found.map((each, i) => ({
      rows: each && rowsOf(each), title: found.length > 1 ? `${i ? "Precise" : "Simple"} description` : "Map", note: noteOf(each), cautions: each?.finding.cautions ?? [],
    })), answers);
    showTable();
    showCurve();
    showFigures();
    put(".spoken", found[0] ? `${truth.label}: ${noteOf(found[0])}, CNR ${number(found[0].agreement.cnr, 2)}. ${found[0].finding.cautions.join(" ")}` : "");
  }

  // Whatever the verdict, the map is shown, for it is what is measured.
  function noteOf(each) {
    if (!each) return "nothing asked";
    return `mean IoU ${number(each.agreement.iou)}, ${shortVerdict(each.finding)}`;
  }

  function showCurve() {
    const found = answersOf(chosen), marked = scale === "stretched" ? props.paper : [];
    curve.show(props[scale], found.map((each) => each && each[scale]), marked, found.map((each) => each?.agreement.iou ?? 0));
    const means = found.map((each) => number(each?.agreement.iou)).join(" and ");
    put(".curves .legend", !found.some((each) => each?.[scale].iou) ? "" : scale === "stretched"
      ? `IoU, Dice dashed. ● the paper's five, mean ${means}` : "IoU, Dice dashed. An empty map counts 0.");
  }

  const threshold = () => (scale === "stretched" ? 2 * viewer.display.threshold - 1 : viewer.display.threshold);

  function setThreshold(value) {
    viewer.setDisplay({ threshold: scale === "stretched" ? (value + 1) / 2 : value });
  }

  // All that moves with the slider.
  function showFigures() {
    if (!image) return;
    const thresholds = props[scale], step = clamp(Math.round((threshold() - thresholds[0]) * 100), 0, thresholds.length - 1);
    slider.value = thresholds[step];
    put(".threshold", number(thresholds[step], 2));
    put(".at .on", SCALES[scale]);
    curve.at(thresholds[step]);
    const found = answersOf(chosen);
    find(".figures tbody").replaceChildren(...figureRows(found, scale, step));
  }

  function showTable() {
    const active = /** @type {HTMLInputElement} */ (document.activeElement), naming = active.dataset.name, typed = naming && active.value;
    const rows = findingRows(truths, answersOf, chosen, props.measures), pane = find(".findings"), line = rows.find((row) => row.className);
    find(".findings tbody").replaceChildren(...rows);
    const field = naming && find(`[data-name="${naming}"]`);
    if (field) { field.value = typed; field.focus(); }
    if (!truths[chosen].label && !field) find(".findings .chosen .name").focus();
    if (line.offsetTop + line.offsetHeight > pane.scrollTop + pane.clientHeight || line.offsetTop < pane.scrollTop) pane.scrollTop = line.offsetTop - 30;
  }

  function setScale(name) {
    scale = name;
    press("scale", name);
    slider.min = props[name][0];
    slider.max = name === "fixed" ? 0.95 : 0.9;         // where the viewer's contour ends
    viewer.setScale([props[name][0], props[name].at(-1)]);
    viewer.setDisplay({ threshold: START[name] });
    if (cases.length) showCase();
  }

  function setCompare(on) {
    compare = on;
    press("compare", on ? "both" : "");
    find(".asked.second").hidden = !on;
    find(".ask").classList.toggle("both", on);
    ask();
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
    chosen = truth;
    if (compare !== (style === "precise")) setCompare(style === "precise");
  }

  function step(by) {
    if (!find(".step").hidden) dataset.step(by);
  }

  const showKeys = () => openKeys(find(".keys"), ["describe", "take", ...(find(".step").hidden ? [] : ["set"]), "map", "image", ...(image?.about.frames > 1 ? ["frames"] : []), "draw"]);

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
    truths[at].label = label;
    chosen = at;
    cases = [];
    showCase();
    ask();
  }

  // --- events -------------------------------------------------------------------------------------------------------

  for (const [name, title] of Object.entries(props.modalities)) picker.add(new Option(title, name));
  offerImages(find(".images"), props.examples, (title) => title.replace(/ \(.*/, ""));
  for (const name of props.sets) find(".sets").add(new Option(name, name));
  find(".findings thead tr").append(...measureHeads(["iou", "dice", "cnr", "pointing"], props.measures));
  find("#finding-names").append(...props.names.map((value) => Object.assign(make("option"), { value })));
  put(".model", props.model);
  find(".model").title = `fingerprint ${props.fingerprint}`;

  for (const box of boxes) {
    box.addEventListener("input", () => { truths[chosen].descriptions = boxes.map((each) => each.value); askSoon(); });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") box.blur();
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); ask(); }
    });
  }
  picker.addEventListener("change", () => { modality = picker.value; ask(); });
  slider.addEventListener("input", () => setThreshold(Number(slider.value)));
  find(".of-image").addEventListener("change", ({ target }) => { if (target.files[0]) open({ file: target.files[0] }); target.value = ""; });
  find(".of-truth").addEventListener("change", ({ target }) => { if (target.files[0]) openTruths([...target.files]); target.value = ""; });
  find(".of-readers").addEventListener("change", ({ target }) => { if (target.files[0]) openReaders([...target.files]); target.value = ""; });
  find(".findings").addEventListener("change", ({ target }) => { if (target.dataset.name) nameTruth(target); });
  find(".findings").addEventListener("keydown", ({ target, key }) => { if (target.dataset.name && key === "Enter") nameTruth(target); });
  new IntersectionObserver(() => { find(".open.probed").disabled = !currentFilm(); }).observe(find(".source"));

  element.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-truth]"), target = event.target.closest("button");
    if (row && Number(row.dataset.truth) !== chosen) { chosen = Number(row.dataset.truth); showCase(); }
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

  watchFiles(element, (event) => showDrop(event && (onPanel(event) ? "truth" : "image")), (files, event) => openFiles(files, event.type === "drop" && onPanel(event)));
  watchKeys(() => isShown(element), viewer, { "?": showKeys, "/": () => boxes[0].focus(), x: () => find(".take").click(), j: () => step(1), k: () => step(-1) });
  document.addEventListener("afloc:open", () => { if (isShown(element)) find(".of-image").click(); });
  document.addEventListener("afloc:keys", () => { if (isShown(element)) showKeys(); });
  document.addEventListener("afloc:help", () => { if (isShown(element)) openSheet(find(".about")); });
  window.addEventListener("pagehide", () => { if (image) forget(image.token); });

  find(".viewer").viewer = viewer;
  setView("case");
  setScale(scale);
  open({ example: props.first });
}
