// The viewer of every tab: an image, maps over it, shapes drawn on it, and everything about how they are displayed. No call leaves it.
//
//   const viewer = createViewer(root, { colors, onShapes, onClose, onDisplay });
//
// `root` holds the markup of viewer.html. `colors`: tables by name (props.colors), the first one the default. Optional callbacks:
// `onShapes(shapes)` after every change of the reader's shapes, `onClose(index)` when a pane's cross is pressed (without it panes
// have none), `onDisplay(display)` after a change of how things are displayed, `onFrame(frame)` when another frame is chosen.
//
//   showImage(image, label, [frame, frames], facts)   an image from readImage(buffer, about), its name for screen readers, and what stands
//                                     in the corners of the stage (types.d.ts, Facts); resets window, place, shapes, and closes the film beside
//   showFrame(image, label, [frame, frames], facts)   another frame of the same file; window, place and shapes stay, measures come back
//                                     with their frame. `keepFrame(frame)`: there is none
//   showBeside(image, label, [frame, frames], facts, orientation, { step(by), close() })   a second film beside it, its place and window linked with the
//                                     first's until the reader unlinks them; open_beside.js opens one
//   showMap(rows, answer?)            one map, rows of numbers 0 … 1 that cover exactly the image, or null; `answer` is noted in
//                                     root.dataset.answer. Same as showMaps with one pane
//   showMaps([{ rows, title?, note? }], answer?)   one to four panes side by side, one place, window and colour scale for all
//   showTruth(shapes, { over, beside })   given boxes and outlines: over the maps, and in a pane of their own beside them
//   shapes                            get: the reader's boxes and outlines (annotations.js says what a shape is); set: replaces them, without undo
//   rate(id, rating)                   gives one of them a rating; `nameOf(place)` among the options: a text beside each
//   measures                          the same of what is drawn for measuring; `measured`: what it measures, as it is stored
//   display, setDisplay({ … })        window [low, high] in stored values, invert, colors, opacity, threshold, outline, map, film (colours of
//                                     the image itself, film_colors.js), texts (in the corners and at the sides)
//   setScale([low, high])             the numbers that 0 and 1 of a map stand for, where any is shown; [0, 1] at first
//   place, setPlace({ x, y, zoom })   the image pixel in the middle of a pane and the zoom (1 fits); null fits
//   setMode("pan" | "window" | "box" | "outline" | "ruler" | "angle" | "ratio" | "area")   what dragging does
//   showState("loading" | "ready" | "error" | "offline" | "empty"), showNotice(text), showGate(text)
//   showOrientation(orientation | null)   the letters at the image's sides, as sidesOf (orientation.js) makes them
//   peek(rows | null | undefined)     another map in the last pane (or none in any) for as long as something is held; undefined ends it
//   key(event)                        handles a key pressed outside a text field; true when it was one of the viewer's
//   render(options)                   a pane as a canvas at the image's size: { overlay, caption: [line, …], pane (from 0; the last), largest,
//                                     beside (the second film instead) }
//   film (as given to showImage), image (its width and height), grid, transform, valueAt(x, y), actions, painted, size, element     what is shown, for other scripts and tests
//
// A tab that must hide tools gives root `data-hide="draw maps"` (any of draw, maps, window, measure, beside).

import { chooseColors, suitedColors } from "./colour_choice.js";
import { createFrames } from "./frames.js";
import { createDisplayControls } from "./display_controls.js";
import { createFilm, samePlace, sameWindow } from "./film.js";
import { filmColors } from "./film_colors.js";
import { watchPointer } from "./gestures.js";
import { clamp, readColors } from "./image_pixels.js";
import { PAINT_FROM, downZoom, mapAt, paintImage, paintMap, readMap, scaled } from "./paint.js";
import { bestColumns, makePane, showCaption, showSides } from "./panes.js";
import { renderPicture } from "./picture_export.js";
import { createRenderLoop } from "./render_loop.js";
import { isMeasure } from "./shapes.js";
import { createShortcuts } from "./shortcuts.js";
/** @import { Colors, Display, Facts, Film, Grid, Orientation, PixelImage, Range, RenderOptions, Shape, ShownMap } from "../types" */

/** @typedef {ReturnType<typeof createViewer>} Viewer */

const MOST_PANES = 4;
// Of a film beside one that has an R, where its own file is silent.
/** @type {Orientation} */
const ASSUMED = { patient_right: "left", patient_front: null, view: "frontal", eye: null, source: "assumed" };
const saysSides = (/** @type {Orientation} */ { patient_right, patient_front, eye, view }) => Boolean(patient_right || patient_front || eye || view === "lateral");

/** @param {HTMLElement} root @param {{ colors: Colors, onShapes?(shapes: Shape[]): void, onClose?(index: number): void, onDisplay?(display: Display): void, onFrame?(frame: number): void, onBeside?(): void, nameOf?(place: number): string }} options */
export function createViewer(root, options) {
  const find = (selector) => root.querySelector(selector);
  const stage = find(".stage"), readout = find(".readout");
  const tables = Object.fromEntries(Object.entries(options.colors).map(([name, text]) => [name, readColors(text)]));
  const startDisplay = { opacity: 0.45, threshold: PAINT_FROM, outline: true, map: true, invert: false, window: [0, 255], colors: Object.keys(tables)[0], film: "plain", texts: true };

  const panes = [];
  let maps = [];                                      // [{ map, title, note }], one a pane
  let beside = false, over = true;
  let dragged = null;                                 // the pane a drag began on
  let held;                                           // the map of peek()
  let display = { ...startDisplay }, mode = /** @type {any} */ ("pan");
  let tools = null;                                   // for measuring, once somebody measures
  let marks = [];                                     // the reader's boxes and outlines, as last told
  const measuresOf = new Map();                       // of the frames that are not shown, by their number

  const loop = createRenderLoop({
    size: () => [paneWidth(), paneHeight()], layers: () => [films.reduce((sum, { image }) => sum + (image?.levels[0].planes.length ?? 0), 0), panes.length],
    images: (...how) => films.forEach((film) => paintImages(film, ...how)), maps: (...how) => panes.forEach((pane) => paintPane(pane, ...how)), shapes: paintShapes,
  });
  const paint = loop.ask;
  const addFilm = () => createFilm({
    size: () => [paneWidth(), paneHeight()], panes: (film) => panes.filter((pane) => pane.film === film),
    moved(film) { loop.touch(); follow(film); paint(); }, repaint: paint, drawn, nameOf: options.nameOf,
  });
  const current = addFilm(), films = [current];       // the film that is asked about, and one beside it
  let active = current;                               // the one that was touched last: keys and presets are for it
  let linked = true;

  // --- panes ----------------------------------------------------------------------------------------------------------

  // As many panes as there are maps (and one for the truth), laid out so that the image is largest.
  function layOut() {
    const [, second] = films, count = Math.max(1, maps.length) + (beside ? 1 : 0) + (second ? 1 : 0);
    while (panes.length < count) panes.push(makePane(find(".panes"), current, (pane) => (pane.film === current ? options.onClose?.(panes.indexOf(pane)) : closeBeside())));
    while (panes.length > count) panes.pop().frame.remove();
    const columns = bestColumns(count, stage, current.image ?? { width: 1, height: 1 });
    const rows = Math.ceil(count / columns), grid = find(".panes");
    grid.style.gridTemplate = `repeat(${rows}, minmax(0, 1fr)) / repeat(${columns}, minmax(0, 1fr))`;
    root.dataset.panes = String(count);
    panes.forEach((pane, i) => {
      const role = roleOf(i, count);
      hang(pane, role.film);
      pane.truth = role.truth || over;
      pane.frame.classList.toggle("again", i > 0 && role.film === current);
      pane.frame.classList.toggle("named", count > 1 && role.title === role.film.facts.name && role.film.frames === 1);
      showCaption(pane, role);
      pane.close.hidden = !role.closes;
      pane.close.setAttribute("aria-label", `Close ${role.title || "this map"}`);
      pane.link.hidden = role.film === current;
      pane.link.setAttribute("aria-pressed", String(linked));
    });
    for (const film of films) if (film.viewport.fitted) film.viewport.fit();
    paint();
  }

  // What the pane at a place is for: the film beside stands last, the ground truth before it.
  function roleOf(place, count) {
    const [, second] = films;
    if (second && place === count - 1) return { film: second, title: second.facts.name || "Beside", closes: true };
    if (beside && place === count - (second ? 2 : 1)) return { film: current, title: "Ground truth", truth: true };
    const about = maps[place] ?? { title: "" };
    return { ...about, film: current, title: about.title || (second ? current.facts.name || "This image" : ""), closes: Boolean(options.onClose) && maps.length > 1 };
  }

  // A pane shows a film, and of another one nothing stays in it.
  function hang(pane, film) {
    if (pane.film === film) return;
    pane.film = film;
    pane.shapes.replaceChildren();
    pane.group = pane.own = pane.vertices = undefined;
    pane.canvas.setAttribute("aria-label", film.label);
    showSides(pane, film.sides);
  }

  /** @param {Film} film */
  function setActive(film) {
    if (active === film) return;
    active = film;
    controls.offerPresets(film.image);
    controls.show({ ...display, window: film.window });
    film.annotations.kind = kindOf(film);
    for (const pane of panes) pane.frame.classList.toggle("active", pane.film === film && films.length > 1);
  }

  function closeBeside() {
    const [, second] = films;
    if (!second) return;
    films.pop();
    second.close();
    setActive(current);
    layOut();
  }

  // What was done to one film happens to the other, while they are linked.
  /** @param {Film} from */
  function follow(from) {
    if (linked) for (const film of films) if (film !== from && film.image) film.viewport.set(samePlace(from, film));
  }

  function followWindow(from) {
    if (linked) for (const film of films) if (film !== from && film.image) film.setWindow(sameWindow(from, film), display.invert);
    display.window = current.window;
  }

  const paneWidth = () => panes[0].element.clientWidth, paneHeight = () => panes[0].element.clientHeight;

  // --- painting -------------------------------------------------------------------------------------------------------

  function prepare(context, width, height, scale) {
    const { canvas } = context, columns = Math.round(width * scale), rows = Math.round(height * scale);
    if (canvas.width !== columns || canvas.height !== rows) { canvas.width = columns; canvas.height = rows; }
    else context.clearRect(0, 0, columns, rows);
  }

  /** @param {Film} film */
  function paintImages(film, width, height, scale) {
    const [first, ...others] = panes.filter((pane) => pane.film === film);
    prepare(first.imageContext, width, height, scale);
    if (film.image) paintImage(first.imageContext, film.image, scaled(film.viewport.at, scale), film.shades, colorsOf(film));
    for (const pane of others) {
      prepare(pane.imageContext, width, height, scale);
      if (first.canvas.width && first.canvas.height) pane.imageContext.drawImage(first.canvas, 0, 0);
    }
  }

  const colorsOf = ({ image }) => filmColors(image.levels[0].planes.length, tables).find(({ name }) => name === display.film);

  function paintPane(pane, width, height, scale) {
    prepare(pane.mapContext, width, height, scale);
    const map = mapOf(pane);
    const { image, viewport } = pane.film, visible = Boolean(image && map && display.map);
    if (pane === panes[0]) root.dataset.map = visible ? "shown" : "none";
    pane.bar.element.hidden = !visible;
    if (!visible) return;
    pane.bar.show(tables[display.colors], display.colors, display.threshold, controls.scale);
    paintMap(pane.mapContext, map, image, scaled(viewport.at, scale), { ...display, colors: tables[display.colors] });
  }

  // All that is not pixels: what is drawn, and the texts in the corners.
  function paintShapes() {
    for (const film of films) film.annotations.render();
    for (const pane of panes) if (pane.film.image) pane.corners.show(pane.film, colorsOf(pane.film)?.said);
    const { undo, remove } = active.annotations.state;
    find("[data-act=undo]").disabled = !undo;
    find("[data-act=remove]").disabled = !remove;
  }

  // --- where an event lies in its pane, and in the image ----------------------------------------------------------------

  function toPane(event) {
    const pane = panes.find(({ element }) => element === event.target.closest?.(".pane")) ?? dragged ?? panes[0];
    const box = pane.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top, pane];
  }

  function toImage(event) {
    const [x, y, pane] = toPane(event);
    return pane.film.viewport.toImage(x, y);
  }

  // --- display ----------------------------------------------------------------------------------------------------------

  /** @param {Partial<Display>} change @param {Film} film whose window it is */
  function setDisplay(change, film = current) {
    display = { ...display, ...change };
    display.opacity = clamp(Number(display.opacity), 0, 1);
    display.threshold = clamp(Number(display.threshold), 0, 0.95);
    if (!(display.colors in tables)) display.colors = startDisplay.colors;
    if (change.window) { film.setWindow(change.window, display.invert); followWindow(film); }
    if ("invert" in change) for (const each of films) each.setWindow(each.window, display.invert);
    root.dataset.texts = String(display.texts);
    controls.show({ ...display, window: active.window });
    loop.touch();
    const ofImage = ["window", "invert", "film"];
    paint(ofImage.some((key) => key in change), Object.keys(change).some((key) => !ofImage.includes(key)));
    options.onDisplay?.(display);
  }

  function windowBy(dx, dy) {
    const { image, window: [low, high] } = active;
    if (!image) return;
    const top = 1 << image.depth;
    const width = clamp((high - low) * Math.exp(dx / 250), 2, 4 * top);
    const level = clamp((low + high) / 2 + dy * width / 400, -top, 2 * top);
    setDisplay({ window: [level - width / 2, level + width / 2] }, active);
  }

  const controls = createDisplayControls(root, tables, (change) => { if (change.colors) chooseColors(change.colors); setDisplay(change, active); });
  const frames = createFrames(find(".frames"), (frame) => options.onFrame?.(frame));

  // The first measuring waits for its tools.
  async function setMode(name) {
    mode = name;
    if (isMeasure({ kind: name })) await loadTools();
    if (mode !== name) return;
    for (const film of films) film.annotations.kind = kindOf(film);
    stage.dataset.mode = name;
    for (const button of root.querySelectorAll("[data-mode]:not(.stage)")) button.setAttribute("aria-pressed", String(button.dataset.mode === name));
  }

  // What a drag draws on a film; on the one beside only measures, for boxes belong to what is asked.
  /** @type {(film: Film) => Shape["kind"] | null} */
  const kindOf = (film) => (isMeasure({ kind: mode }) || (film === current && ["box", "outline"].includes(mode)) ? mode : null);

  async function loadTools() {
    tools ??= await import("../measuring/tools.js");
    for (const film of films) film.annotations.tools = tools;
  }

  // The reader drew, changed or deleted something on a film.
  function drawn(shapes) {
    const own = current.annotations.shapes.filter((shape) => !isMeasure(shape)), last = shapes.at(-1);
    if (last && isMeasure(last)) find(".measured").textContent = tools.describe(last, active.image, active.facts);
    if (own.length === marks.length && own.every((shape, i) => shape === marks[i])) return;
    marks = own;
    options.onShapes?.(own);
  }

  const columnsOf = (/** @type {Facts} */ { spacing }) => spacing?.[1] ?? null;

  // What the measures on a film say, for a picture of it.
  function saidBy({ image, facts, annotations }) {
    const measures = annotations.shapes.filter(isMeasure);
    return tools ? { values: measures.map((shape) => tools.label(shape, image, facts)), planes: tools.planesOf(measures, image, facts) } : {};
  }

  const measuresNow = () => current.annotations.shapes.filter(isMeasure);

  // The current film's shapes, replaced without undo.
  function load(list, measures) {
    current.annotations.load([...list, ...measures]);
    marks = current.annotations.shapes.filter((shape) => !isMeasure(shape));
    if (measures.length) loadTools();
  }

  // --- readout ----------------------------------------------------------------------------------------------------------

  const say = (text) => { readout.textContent = text; };
  const within = (x, y, { image } = current) => image && x >= 0 && y >= 0 && x < image.width && y < image.height;
  // The map a pane shows; of panes side by side only the last one shows that of peek(), and all show none.
  function mapOf(pane) {
    const at = panes.indexOf(pane);
    if (pane.film !== current) return null;
    return held === undefined || (held && at !== maps.length - 1) ? maps[at]?.map : held;
  }

  function valueAt(x, y, pane = panes[0]) {
    const map = mapOf(pane), { image } = pane.film;
    return within(x, y, pane.film) && map ? mapAt(map, image, x, y) : null;
  }

  function pixelAt(x, y, { levels: [{ width, planes }] }) {
    const at = Math.floor(y) * width + Math.floor(x);
    return planes.map((plane) => plane[at]).join(" ");
  }

  function readCursor(event) {
    const [, , pane] = toPane(event), { film } = pane, [x, y] = film.image ? toImage(event) : [-1, -1];
    if (!within(x, y, film)) return say("");
    const value = display.map ? valueAt(x, y, pane) : null;
    say(`x ${Math.floor(x)}  y ${Math.floor(y)}  px ${pixelAt(x, y, film.image)}` + (value === null ? "" : `  map ${controls.inScale(value)}`));
  }

  watchPointer(stage, {
    ready: () => Boolean(current.image), paneOf: (event) => toPane(event)[2], toImage, begin: (...what) => active.annotations.begin(...what),
    panBy: (dx, dy) => active.viewport.panBy(dx, dy), zoomAt: (x, y, factor) => active.viewport.zoomAt(x, y, factor), windowBy, fit: () => actions.fit(),
    windows: () => mode === "window", hover: readCursor, leave: () => say(""), drag(pane) { dragged = pane; setActive(pane.film); },
    scrolls: () => active.frames > 1, scroll: stepFrame,
  });
  new ResizeObserver(layOut).observe(stage);

  // --- actions and keys -----------------------------------------------------------------------------------------------------

  const toggle = (name) => () => setDisplay({ [name]: !display[name] });
  const after = (names, name) => names[(names.indexOf(name) + 1) % names.length];
  const push = (dx, dy) => () => (mode === "window" ? windowBy(-dx / 2, -dy / 2) : active.viewport.panBy(dx, dy));
  const draws = (name) => () => setMode(name);
  const fit = () => { for (const film of linked ? films : [active]) film.viewport.fit(); };

  function stepFrame(by) {
    active === current ? frames.step(by) : active.step(by);
  }

  // For those who draw by keyboard.
  function drawMiddle() {
    const { image, viewport, annotations } = active;
    if (image) annotations.addMiddle(viewport.middle(), paneWidth() / 4 / viewport.at.zoom, paneHeight() / 4 / downZoom(image, viewport.at));
  }

  const actions = {
    fit,
    reset() {
      setDisplay({ ...startDisplay, colors: display.colors, window: current.image?.window ?? startDisplay.window });
      for (const film of films.slice(1)) film.setWindow(film.image.window, false);
      for (const film of films) film.viewport.fit();
    },
    invert: toggle("invert"), outline: toggle("outline"), map: toggle("map"),
    pan: draws("pan"), window: draws("window"), box: draws("box"), draw: draws("outline"),
    ruler: draws("ruler"), angle: draws("angle"), ratio: draws("ratio"), area: draws("area"),
    preset: () => controls.nextPreset(), film: () => controls.nextFilm(), texts: toggle("texts"),
    beside: () => options.onBeside?.(),
    link() { linked = !linked; for (const { link } of panes) link.setAttribute("aria-pressed", String(linked)); follow(active); followWindow(active); paint(); },
    colors() { chooseColors(after(Object.keys(tables), display.colors)); setDisplay({ colors: suitedColors(Object.keys(tables), false) }); },
    undo: () => active.annotations.undo(), redo: () => active.annotations.redo(), remove: () => active.annotations.remove(),
    display() { find(".display").setAttribute("aria-expanded", String(root.toggleAttribute("data-display"))); },    // on a phone
    full() { document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.(); },
    zoomIn: () => active.viewport.zoomBy(1.25), zoomOut: () => active.viewport.zoomBy(0.8),
    left: push(40, 0), right: push(-40, 0), up: push(0, 40), down: push(0, -40),
    higher: () => setDisplay({ threshold: display.threshold + 0.05 }), lower: () => setDisplay({ threshold: display.threshold - 0.05 }),
    stronger: () => setDisplay({ opacity: display.opacity + 0.05 }), fainter: () => setDisplay({ opacity: display.opacity - 0.05 }),
    middle: drawMiddle, previousFrame: () => stepFrame(-1), nextFrame: () => stepFrame(1),
    peek: (on) => peek(on ? null : undefined),
  };
  const key = createShortcuts(actions, { annotations: () => active.annotations, onStage: () => document.activeElement === stage, drawing: () => mode !== "pan" });

  // For as long as something is held: another map, null for none; undefined ends it.
  /** @param {Grid | null | undefined} rows */
  function peek(rows) {
    const next = rows && readMap(rows);
    if (next === held) return;
    held = next;
    paint(false, true);
  }

  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act], [data-mode]:not(.stage)");
    if (button?.dataset.mode) setMode(button.dataset.mode);
    else if (button) actions[button.dataset.act]();
  });
  find("[data-act=full]").hidden = !document.fullscreenEnabled;
  document.addEventListener("fullscreenchange", () => find("[data-act=full]").setAttribute("aria-pressed", String(document.fullscreenElement === root)));

  // --- what is shown ----------------------------------------------------------------------------------------------------------

  /** @param {ShownMap[]} list @param {number} [answer] */
  function showMaps(list, answer) {
    maps = list.slice(0, MOST_PANES).map(({ rows, ...rest }) => ({ ...rest, rows, map: readMap(rows) }));
    held = undefined;
    layOut();
    loop.now();
    if (answer !== undefined) root.dataset.answer = String(answer);
  }

  function take(shown, name, about, which) {
    current.show(shown, name, about, which);
    held = undefined;
    controls.offerPresets(active.image);
  }

  root.toggleAttribute("data-beside", Boolean(options.onBeside));
  layOut();
  setMode("pan");
  controls.show(display);

  return {
    actions, fit, setDisplay: (/** @type {Partial<Display>} */ change) => setDisplay(change), setMode, valueAt, key, peek, showMaps, closeBeside, element: root,
    setPlace(place) { current.viewport.set(place); follow(current); },
    get display() { return { ...display }; },
    get place() { return current.viewport.get(); },
    get shapes() { return current.annotations.shapes.filter((shape) => !isMeasure(shape)); },
    set shapes(list) { load(list, measuresNow()); },
    rate: (/** @type {number} */ id, /** @type {number} */ rating) => current.annotations.rate(id, rating),
    get measures() { return measuresNow(); },
    set measures(list) { load(this.shapes, list); },
    get measured() { return tools ? measuresNow().map((shape) => tools.record(shape, current.image, current.facts)) : []; },
    get beside() { return films.length > 1; },
    get grid() { return maps[0]?.rows ?? null; },
    get film() { return current.image; },
    get image() { const { image } = current; return image && { width: image.width, height: image.height }; },
    get shades() { return current.shades; },
    get painted() { return loop.done; },
    get transform() { return { ...current.viewport.at }; },
    get size() { return [paneWidth(), paneHeight()]; },
    get colors() { return tables[display.colors]; },
    showImage(shown, name, which = [0, 1], about = {}) {
      closeBeside();
      load([], []);
      measuresOf.clear();
      current.annotations.loadTruth([]);
      beside = false;
      take(shown, name, about, which);
      frames.show(which[0], which[1], true);
      setDisplay({ window: shown.window, invert: false, film: "plain", colors: suitedColors(Object.keys(tables), shown.levels[0].planes.length > 1) });
      current.viewport.fitted = true;
      layOut();
    },
    showFrame(shown, name, which, about = current.facts) {
      const place = current.viewport.get(), window = current.window === current.image.window ? shown.window : current.window;
      measuresOf.set(current.frame, measuresNow());
      take(shown, name, about, which);
      const measures = measuresOf.get(which[0]) ?? [];
      if (measures.length || measuresNow().length) load(this.shapes, measures);
      frames.show(which[0], which[1], false);
      setDisplay({ window });
      current.viewport.set(place);
    },
    /** @param {PixelImage} shown @param {string} name @param {number[]} which @param {Facts} about @param {Orientation | null} orientation @param {{ step(by: number): void, close(): void }} own */
    showBeside(shown, name, which, about, orientation, own) {
      closeBeside();
      const film = Object.assign(addFilm(), own);
      films.push(film);
      film.show(shown, name, about, which);
      film.setSides(orientation && saysSides(orientation) ? orientation : [current.sides.left, current.sides.right].includes("R") ? ASSUMED : null);
      film.setWindow(shown.window, display.invert);
      film.annotations.tools = tools;
      film.annotations.kind = kindOf(film);
      linked = true;
      layOut();
      if (linked) { followWindow(current); follow(current); }
    },
    // Another frame of the film beside.
    /** @param {PixelImage} shown @param {string} name @param {number[]} which @param {Facts} about */
    showBesideFrame(shown, name, which, about) {
      const [, film] = films, window = film.window === film.image.window ? shown.window : film.window;
      film.show(shown, name, about, which);
      film.setWindow(window, display.invert);
      film.annotations.load([]);
      paint();
    },
    keepFrame: frames.stay,
    showMap(rows, answer) { showMaps(rows ? [{ rows }] : [], answer); },
    showTruth(shapes, where = {}) {
      over = where.over ?? true;
      beside = Boolean(where.beside && shapes.length);
      current.annotations.loadTruth(shapes);
      layOut();
    },
    /** @param {Range} range */
    setScale(range) { controls.setScale(range); controls.show(display); paint(false, true); },
    showState(state) { root.dataset.state = state; },
    showNotice(text) { find(".notice").textContent = text; },
    // Says above the image why a map is shown that would otherwise be held back.
    showGate(text) { find(".gate").textContent = text; },
    /** @param {Orientation | null} orientation */
    showOrientation(orientation) {
      current.setSides(orientation);
      for (const pane of panes) if (pane.film === current) showSides(pane, current.sides);
      paint(false, false);
    },
    /** @param {RenderOptions} [options] */
    render({ overlay = true, caption = [], spacing, pane = -1, largest, beside: other = false } = {}) {
      const film = other ? films[1] : current, { image, shades, facts, annotations } = film;
      return renderPicture({
        largest, image, shades, film: colorsOf(film), map: overlay && display.map && !other ? maps.at(pane)?.map : null, scale: controls.scale, paint: { ...display, colors: tables[display.colors] },
        shapes: overlay ? [...annotations.truth, ...annotations.shapes] : [], caption, spacing: spacing ?? columnsOf(facts), ...(overlay ? saidBy(film) : {}),
      });
    },
  };
}
