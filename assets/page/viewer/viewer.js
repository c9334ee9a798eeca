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
//                                     first's until the reader unlinks them; open_beside.js opens one. showBesideMap({ rows, note, cautions }): its map, and what stands above it
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
//   await render(options)             a pane as a canvas at the image's size: { overlay, caption: [line, …], pane (from 0; the last), largest,
//                                     beside (the second film instead) }
//   imagesShown (how many so far; frames of one file count once), film (as given to showImage), image (its width and height), grid, transform, valueAt(x, y), actions, painted, size, element     what is shown, for other scripts and tests
//
// A tab that must hide tools gives root `data-hide="draw maps"` (any of draw, maps, window, measure, beside).
import { createActions } from "./actions.js";
import { chooseColors, suitedColors } from "./colour_choice.js";
import { createDisplayControls } from "./display_controls.js";
import { movedWindow } from "./film.js";
import { createFilmPair } from "./film_pair.js";
import { createFrames } from "./frames.js";
import { watchPointer } from "./gestures.js";
import { clamp, readColors } from "./image_pixels.js";
import { createLayout } from "./layout.js";
import { createMarks } from "./marks.js";
import { PAINT_FROM, readMap } from "./paint.js";
import { createPainting } from "./painting.js";
import { showSides } from "./panes.js";
import { createReadout } from "./readout.js";
import { createRenderLoop } from "./render_loop.js";
import { createShortcuts } from "./shortcuts.js";
/** @import { Colors, Display, Facts, Grid, Orientation, Pane, PixelImage, Range, RenderOptions, Shape, ShownMap } from "../types" */

/** @typedef {ReturnType<typeof createViewer>} Viewer */

/** @param {HTMLElement} root @param {{ colors: Colors, onShapes?(shapes: Shape[]): void, onClose?(index: number): void, onDisplay?(display: Display): void, onFrame?(frame: number): void, onBeside?(): void, nameOf?(place: number): string }} options */
export function createViewer(root, options) {
  const find = (selector) => root.querySelector(selector);
  const stage = find(".stage");
  const tables = Object.fromEntries(Object.entries(options.colors).map(([name, text]) => [name, readColors(text)])), names = Object.keys(tables);
  const start = { opacity: 0.45, threshold: PAINT_FROM, outline: true, map: true, invert: false, window: [0, 255], colors: names[0], film: "plain", texts: true };
  let display = { ...start };
  let imagesShown = 0;
  let dragged = /** @type {Pane | null} */ (null);    // the pane a drag began on

  // --- its parts --------------------------------------------------------------------------------------------------------

  const paint = (image = true, maps = true) => loop.ask(image, maps);
  const size = () => layout.size();
  const films = createFilmPair({
    size, panes: (film) => layout.of(film), nameOf: options.nameOf, repaint: paint,
    moved(film) { loop.touch(); films.follow(film); paint(); }, drawn: (shapes) => marks.drawn(shapes),
  }, (film) => {
    controls.offerPresets(film.image);
    controls.show({ ...display, window: film.window });
    marks.prepare(film);
    for (const pane of layout.panes) pane.frame.classList.toggle("active", pane.film === film && films.all.length > 1);
  });
  const { current } = films;
  const layout = createLayout(root, films, { onClose: options.onClose, closeBeside, paint });
  const controls = createDisplayControls(root, tables, (change) => { if (change.colors) chooseColors(change.colors); setDisplay(change, films.active); });
  const painting = createPainting(root, tables, { films, layout, display: () => display, scale: () => controls.scale });
  const loop = createRenderLoop({ size, ...painting });
  const marks = createMarks(films, { shapes: (shapes) => options.onShapes?.(shapes), said(text) { find(".measured").textContent = text; } });
  const readout = createReadout(find(".readout"), { layout, display: () => display, inScale: controls.inScale, dragged: () => dragged });
  const frames = createFrames(find(".frames"), (frame) => options.onFrame?.(frame));
  const stepFrame = (/** @type {number} */ by) => (films.active === current ? frames.step(by) : films.active.step(by));
  const actions = createActions(root, {
    films, size, start, tables: names, display: () => display, setDisplay, setMode, mode: () => marks.mode, windowBy, peek, controls, stepFrame, onBeside: options.onBeside, link,
  });
  const key = createShortcuts(actions, { annotations: () => films.active.annotations, onStage: () => document.activeElement === stage, drawing: () => marks.drawing });

  watchPointer(stage, {
    ready: () => Boolean(current.image), paneOf: readout.paneOf, toImage: readout.toImage, begin: (...what) => films.active.annotations.begin(...what),
    panBy: (dx, dy) => films.active.viewport.panBy(dx, dy), zoomAt: (x, y, factor) => films.active.viewport.zoomAt(x, y, factor), windowBy, fit: () => actions.fit(),
    windows: () => marks.mode === "window", hover: readout.read, leave: readout.clear, drag(pane) { dragged = pane; films.activate(pane.film); },
    scrolls: () => films.active.frames > 1, scroll: stepFrame,
  });
  new ResizeObserver(layout.layOut).observe(stage);

  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act], [data-mode]:not(.stage)");
    if (button?.dataset.mode) setMode(button.dataset.mode);
    else if (button) actions[button.dataset.act]();
  });
  find("[data-act=full]").hidden = !document.fullscreenEnabled;
  document.addEventListener("fullscreenchange", () => find("[data-act=full]").setAttribute("aria-pressed", String(document.fullscreenElement === root)));

  // --- how things are displayed ------------------------------------------------------------------------------------------

  function followWindow(from) {
    films.followWindow(from, display.invert);
    display.window = current.window;
  }

  /** @param {Partial<Display>} change @param film whose window it is */
  function setDisplay(change, film = current) {
    display = { ...display, ...change };
    display.opacity = clamp(Number(display.opacity), 0, 1);
    display.threshold = clamp(Number(display.threshold), 0, 0.95);
    if (!(display.colors in tables)) display.colors = start.colors;
    if (change.window) { film.setWindow(change.window, display.invert); followWindow(film); }
    if ("invert" in change) for (const each of films.all) each.setWindow(each.window, display.invert);
    root.dataset.texts = String(display.texts);
    controls.show({ ...display, window: films.active.window });
    loop.touch();
    const ofImage = ["window", "invert", "film"];
    paint(ofImage.some((name) => name in change), Object.keys(change).some((name) => !ofImage.includes(name)));
    options.onDisplay?.(display);
  }

  function windowBy(dx, dy) {
    const { active } = films;
    if (active.image) setDisplay({ window: movedWindow(active, dx, dy) }, active);
  }

  async function setMode(name) {
    if (!(await marks.choose(name))) return;
    stage.dataset.mode = name;
    for (const button of root.querySelectorAll("[data-mode]:not(.stage)")) button.setAttribute("aria-pressed", String(button.dataset.mode === name));
  }

  function link() {
    films.linked = !films.linked;
    for (const pane of layout.panes) pane.link.setAttribute("aria-pressed", String(films.linked));
    films.follow(films.active);
    followWindow(films.active);
    paint();
  }

  function closeBeside() {
    if (!films.second) return;
    films.removeSecond();
    layout.layOut();
  }

  // For as long as something is held: another map, null for none; undefined ends it.
  /** @param {Grid | null | undefined} rows */
  function peek(rows) {
    if (layout.peek(rows)) paint(false, true);
  }

  // --- what is shown ----------------------------------------------------------------------------------------------------------

  /** @param {ShownMap[]} list @param {number} [answer] */
  function showMaps(list, answer) {
    layout.showMaps(list);
    loop.now();
    if (answer !== undefined) root.dataset.answer = String(answer);
  }

  function take(shown, name, about, which) {
    current.show(shown, name, about, which);
    layout.peek(undefined);
    controls.offerPresets(films.active.image);
  }

  root.toggleAttribute("data-beside", Boolean(options.onBeside));
  layout.layOut();
  setMode("pan");
  controls.show(display);

  return {
    actions, fit: actions.fit, setDisplay: (/** @type {Partial<Display>} */ change) => setDisplay(change), setMode, valueAt: readout.valueAt, key, peek, showMaps, closeBeside, element: root,
    setPlace(place) { current.viewport.set(place); films.follow(current); },
    get display() { return { ...display }; },
    get place() { return current.viewport.get(); },
    get shapes() { return marks.shapes; },
    set shapes(list) { marks.load(list, marks.measures()); },
    rate: (/** @type {number} */ id, /** @type {number} */ rating) => current.annotations.rate(id, rating),
    get measures() { return marks.measures(); },
    set measures(list) { marks.load(marks.shapes, list); },
    get measured() { return marks.measured; },
    get beside() { return films.second !== null; },
    get grid() { return layout.maps[0]?.rows ?? null; },
    get film() { return current.image; },
    get imagesShown() { return imagesShown; },
    get image() { const { image } = current; return image && { width: image.width, height: image.height }; },
    get shades() { return current.shades; },
    get painted() { return loop.done; },
    get transform() { return { ...current.viewport.at }; },
    get size() { return size(); },
    get colors() { return tables[display.colors]; },
    showImage(shown, name, which = [0, 1], about = {}) {
      imagesShown++;
      closeBeside();
      marks.forget();
      current.annotations.loadTruth([]);
      layout.truth = { over: true, beside: false };
      take(shown, name, about, which);
      frames.show(which[0], which[1], true);
      setDisplay({ window: shown.window, invert: false, film: "plain", colors: suitedColors(names, shown.levels[0].planes.length > 1) });
      current.viewport.fitted = true;
      layout.layOut();
    },
    showFrame(shown, name, which, about = current.facts) {
      const place = current.viewport.get(), window = current.window === current.image.window ? shown.window : current.window;
      marks.keepFrame();
      take(shown, name, about, which);
      marks.showFrame(which[0]);
      frames.show(which[0], which[1], false);
      setDisplay({ window });
      current.viewport.set(place);
    },
    /** @param {PixelImage} shown @param {string} name @param {number[]} which @param {Facts} about @param {Orientation | null} orientation @param {{ step(by: number): void, close(): void }} own */
    showBeside(shown, name, which, about, orientation, own) {
      closeBeside();
      const film = films.add(shown, name, which, about, orientation, own);
      film.setWindow(shown.window, display.invert);
      marks.equip(film);
      layout.layOut();
      followWindow(current);
      films.follow(current);
    },
    // Another frame of the film beside.
    /** @param {PixelImage} shown @param {string} name @param {number[]} which @param {Facts} about */
    showBesideFrame(shown, name, which, about) {
      const film = films.second, window = film.window === film.image.window ? shown.window : film.window;
      film.show(shown, name, about, which);
      film.setWindow(window, display.invert);
      film.annotations.load([]);
      this.showBesideMap({ rows: null });
    },
    /** @param {ShownMap} answer */
    showBesideMap(answer) {
      if (!films.second) return;
      Object.assign(films.second, { answer, map: readMap(answer.rows) });
      layout.layOut();
    },
    keepFrame: frames.stay,
    showMap(rows, answer) { showMaps(rows ? [{ rows }] : [], answer); },
    showTruth(shapes, { over = true, beside = false } = {}) {
      current.annotations.loadTruth(shapes);
      layout.truth = { over, beside: beside && shapes.length > 0 };
      layout.layOut();
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
      for (const pane of layout.of(current)) showSides(pane, current.sides);
      paint(false, false);
    },
    /** @param {RenderOptions} [options] */
    async render(options) {
      const { renderStage } = await import("./picture_export.js");
      return renderStage({ films, layout, painting, marks, display, colors: tables[display.colors], scale: controls.scale }, options);
    },
  };
}
