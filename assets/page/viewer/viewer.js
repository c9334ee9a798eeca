// The viewer of every tab: an image, maps over it, shapes drawn on it, and everything about how they are displayed. No call leaves it.
//
//   const viewer = createViewer(root, { colors, onShapes, onClose, onDisplay });
//
// `root` holds the markup of viewer.html. `colors`: tables by name (props.colors), the first one the default. Optional callbacks:
// `onShapes(shapes)` after every change of the reader's shapes, `onClose(index)` when a pane's cross is pressed (without it panes
// have none), `onDisplay(display)` after a change of how things are displayed, `onFrame(frame)` when another frame is chosen.
//
//   showImage(image, label)            an image from readImage(buffer, about), and its name for screen readers; resets window, place, shapes
//   showImage(image, label, [frame, frames])   the same of a file with frames
//   showFrame(image, label, [frame, frames])   another frame of the same file; window, place and shapes stay. `keepFrame(frame)`: there is none
//   showMap(rows, answer?)            one map, rows of numbers 0 … 1 that cover exactly the image, or null; `answer` is noted in
//                                     root.dataset.answer. Same as showMaps with one pane
//   showMaps([{ rows, title?, note? }], answer?)   one to four panes side by side, one place, window and colour scale for all
//   showTruth(shapes, { over, beside })   given boxes and outlines: over the maps, and in a pane of their own beside them
//   shapes                            get: the reader's shapes (annotations.js says what a shape is); set: replaces them, without undo
//   rate(id, rating)                   gives one of them a rating; `nameOf(place)` among the options: a text beside each
//   display, setDisplay({ … })        window [low, high] in stored values, invert, colors, opacity, threshold, outline, map
//   setScale([low, high])             the numbers that 0 and 1 of a map stand for, where any is shown; [0, 1] at first
//   place, setPlace({ x, y, zoom })   the image pixel in the middle of a pane and the zoom (1 fits); null fits
//   setMode("pan" | "window" | "box" | "outline")   what dragging does
//   showState("loading" | "ready" | "error" | "offline" | "empty"), showNotice(text), showGate(text)
//   showOrientation(orientation | null)   the letters at the image's sides, as sidesOf (orientation.js) makes them
//   peek(rows | null | undefined)     another map in the last pane (or none in any) for as long as something is held; undefined ends it
//   key(event)                        handles a key pressed outside a text field; true when it was one of the viewer's
//   render(options)                   a pane as a canvas at the image's size: { overlay, caption: [line, …], spacing, pane (from 0; the last), largest }
//   film (as given to showImage), image (its width and height), grid, transform, valueAt(x, y), actions, painted, size, element     what is shown, for other scripts and tests
//
// A tab that must hide tools gives root `data-hide="draw maps"` (any of draw, maps, window).

import { createAnnotations } from "./annotations.js";
import { createFrames } from "./frames.js";
import { createDisplayControls } from "./display_controls.js";
import { watchPointer } from "./gestures.js";
import { clamp, readColors, shadesOf } from "./image_pixels.js";
import { PAINT_FROM, downZoom, mapAt, paintImage, paintMap, readMap, scaled } from "./paint.js";
import { sidesOf } from "./orientation.js";
import { bestColumns, makePane, showCaption, showSides } from "./panes.js";
import { renderPicture } from "./picture_export.js";
import { createRenderLoop } from "./render_loop.js";
import { createShortcuts } from "./shortcuts.js";
import { createViewport } from "./viewport.js";
/** @import { Colors, Display, Grid, Orientation, Range, RenderOptions, Shape, ShownMap } from "../types" */

/** @typedef {ReturnType<typeof createViewer>} Viewer */

const MOST_PANES = 4;

/** @param {HTMLElement} root @param {{ colors: Colors, onShapes?(shapes: Shape[]): void, onClose?(index: number): void, onDisplay?(display: Display): void, onFrame?(frame: number): void, nameOf?(place: number): string }} options */
export function createViewer(root, options) {
  const find = (selector) => root.querySelector(selector);
  const stage = find(".stage"), readout = find(".readout");
  const tables = Object.fromEntries(Object.entries(options.colors).map(([name, text]) => [name, readColors(text)]));
  const startDisplay = { opacity: 0.9, threshold: PAINT_FROM, outline: true, map: true, invert: false, window: [0, 255], colors: Object.keys(tables)[0] };

  let image = null, shades = null;
  const panes = [];
  let maps = [];                                      // [{ map, title, note }], one a pane
  let beside = false, over = true;
  let dragged = null;                                 // the pane a drag began on
  let held;                                           // the map of peek()
  let sides = sidesOf(null), label = "No image";
  let display = { ...startDisplay }, mode = "pan";

  const annotations = createAnnotations({
    panes: () => panes, image: () => image, view: () => viewport.at, repaint: () => paint(false, false), nameOf: options.nameOf,
  }, (shapes) => options.onShapes?.(shapes));
  const viewport = createViewport({ size: () => [paneWidth(), paneHeight()], image: () => image, moved() { loop.touch(); paint(); }, repaint: () => paint() });
  const loop = createRenderLoop({
    size: () => [paneWidth(), paneHeight()], layers: () => [image?.levels[0].planes.length ?? 0, panes.length],
    images: paintImages, maps: (...how) => panes.forEach((pane) => paintPane(pane, ...how)), shapes: paintShapes,
  });
  const paint = loop.ask;

  // --- panes ----------------------------------------------------------------------------------------------------------

  // As many panes as there are maps (and one for the truth), laid out so that the image is largest.
  function layOut() {
    const count = Math.max(1, maps.length) + (beside ? 1 : 0);
    while (panes.length < count) panes.push(makePane(find(".panes"), label, sides, (pane) => options.onClose?.(panes.indexOf(pane))));
    while (panes.length > count) panes.pop().frame.remove();
    const columns = bestColumns(count, stage, image ?? { width: 1, height: 1 });
    const rows = Math.ceil(count / columns), grid = find(".panes");
    grid.style.gridTemplate = `repeat(${rows}, minmax(0, 1fr)) / repeat(${columns}, minmax(0, 1fr))`;
    root.dataset.panes = String(count);
    panes.forEach((pane, i) => {
      const own = beside && i === count - 1, about = own ? { title: "Ground truth" } : maps[i] ?? {};
      pane.truth = own || over;
      showCaption(pane, about);
      pane.close.hidden = !options.onClose || own || count === 1;
      pane.close.setAttribute("aria-label", `Close ${about.title || "this map"}`);
    });
    viewport.fitted ? viewport.fit() : paint();
  }

  const paneWidth = () => panes[0].element.clientWidth, paneHeight = () => panes[0].element.clientHeight;

  // --- painting -------------------------------------------------------------------------------------------------------

  function prepare(context, width, height, scale) {
    const { canvas } = context, columns = Math.round(width * scale), rows = Math.round(height * scale);
    if (canvas.width !== columns || canvas.height !== rows) { canvas.width = columns; canvas.height = rows; }
    else context.clearRect(0, 0, columns, rows);
  }

  function paintImages(width, height, scale) {
    const [first, ...others] = panes;
    prepare(first.imageContext, width, height, scale);
    if (image) paintImage(first.imageContext, image, scaled(viewport.at, scale), shades);
    for (const pane of others) {
      prepare(pane.imageContext, width, height, scale);
      if (first.canvas.width && first.canvas.height) pane.imageContext.drawImage(first.canvas, 0, 0);
    }
  }

  function paintPane(pane, width, height, scale) {
    prepare(pane.mapContext, width, height, scale);
    const map = mapOf(pane);
    const visible = Boolean(image && map && display.map);
    if (pane === panes[0]) root.dataset.map = visible ? "shown" : "none";
    if (visible) paintMap(pane.mapContext, map, image, scaled(viewport.at, scale), { ...display, colors: tables[display.colors] });
  }

  function paintShapes() {
    annotations.render();
    const { undo, remove } = annotations.state;
    find("[data-act=undo]").disabled = !undo;
    find("[data-act=remove]").disabled = !remove;
  }

  // --- where an event lies in its pane, and in the image ----------------------------------------------------------------

  function toPane(event) {
    const pane = panes.find(({ element }) => element === event.target.closest?.(".pane")) ?? dragged ?? panes[0];
    const box = pane.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top, pane];
  }

  const toImage = (event) => viewport.toImage(...toPane(event));

  // --- display ----------------------------------------------------------------------------------------------------------

  /** @param {Partial<Display>} change */
  function setDisplay(change) {
    display = { ...display, ...change };
    display.opacity = clamp(Number(display.opacity), 0, 1);
    display.threshold = clamp(Number(display.threshold), 0, 0.95);
    if (!(display.colors in tables)) display.colors = startDisplay.colors;
    if (image && ("window" in change || "invert" in change)) shades = shadesOf(image, display.window, display.invert);
    controls.show(display);
    loop.touch();
    paint("window" in change || "invert" in change, Object.keys(change).some((key) => key !== "window" && key !== "invert"));
    options.onDisplay?.(display);
  }

  function windowBy(dx, dy) {
    if (!image) return;
    const top = 1 << image.depth, [low, high] = display.window;
    const width = clamp((high - low) * Math.exp(dx / 250), 2, 4 * top);
    const level = clamp((low + high) / 2 + dy * width / 400, -top, 2 * top);
    setDisplay({ window: [level - width / 2, level + width / 2] });
    say(`window ${Math.round(width)}  level ${Math.round(level)}`);
  }

  const controls = createDisplayControls(root, tables, setDisplay);
  const frames = createFrames(find(".frames"), (frame) => options.onFrame?.(frame));

  function setMode(name) {
    mode = name;
    annotations.kind = name === "box" || name === "outline" ? name : null;
    stage.dataset.mode = name;
    for (const button of root.querySelectorAll("[data-mode]:not(.stage)")) button.setAttribute("aria-pressed", String(button.dataset.mode === name));
  }

  // --- readout ----------------------------------------------------------------------------------------------------------

  const say = (text) => { readout.textContent = text; };
  const within = (x, y) => image && x >= 0 && y >= 0 && x < image.width && y < image.height;
  // The map a pane shows; of panes side by side only the last one shows that of peek(), and all show none.
  function mapOf(pane) {
    const at = panes.indexOf(pane);
    return held === undefined || (held && at !== maps.length - 1) ? maps[at]?.map : held;
  }

  function valueAt(x, y, pane = panes[0]) {
    const map = mapOf(pane);
    return within(x, y) && map ? mapAt(map, image, x, y) : null;
  }

  function pixelAt(x, y) {
    const at = Math.floor(y) * image.width + Math.floor(x);
    return image.levels[0].planes.map((plane) => plane[at]).join(" ");
  }

  function readCursor(event) {
    const [x, y] = image ? toImage(event) : [-1, -1];
    if (!within(x, y)) return say("");
    const value = display.map ? valueAt(x, y, toPane(event)[2]) : null;
    say(`x ${Math.floor(x)}  y ${Math.floor(y)}  px ${pixelAt(x, y)}` + (value === null ? "" : `  map ${controls.inScale(value)}`));
  }

  watchPointer(stage, {
    ready: () => Boolean(image), paneOf: (event) => toPane(event)[2], toImage, begin: annotations.begin, panBy: viewport.panBy, zoomAt: viewport.zoomAt, windowBy, fit: viewport.fit,
    windows: () => mode === "window", hover: readCursor, leave: () => say(""), drag: (pane) => { dragged = pane; },
  });
  new ResizeObserver(layOut).observe(stage);

  // --- actions and keys -----------------------------------------------------------------------------------------------------

  const toggle = (name) => () => setDisplay({ [name]: !display[name] });
  const after = (names, name) => names[(names.indexOf(name) + 1) % names.length];
  const push = (dx, dy) => () => (mode === "window" ? windowBy(-dx / 2, -dy / 2) : viewport.panBy(dx, dy));

  const actions = {
    fit: viewport.fit,
    reset() { setDisplay({ ...startDisplay, colors: display.colors, window: image?.window ?? startDisplay.window }); viewport.fit(); },
    invert: toggle("invert"), outline: toggle("outline"), map: toggle("map"),
    pan: () => setMode("pan"), window: () => setMode("window"), box: () => setMode("box"), draw: () => setMode("outline"),
    preset: () => controls.nextPreset(),
    colors() { setDisplay({ colors: after(Object.keys(tables), display.colors) }); },
    undo: annotations.undo, redo: annotations.redo, remove: annotations.remove,
    display() { find(".display").setAttribute("aria-expanded", String(root.toggleAttribute("data-display"))); },    // on a phone
    full() { document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.(); },
    zoomIn: () => viewport.zoomBy(1.25), zoomOut: () => viewport.zoomBy(0.8),
    left: push(40, 0), right: push(-40, 0), up: push(0, 40), down: push(0, -40),
    higher: () => setDisplay({ threshold: display.threshold + 0.05 }), lower: () => setDisplay({ threshold: display.threshold - 0.05 }),
    stronger: () => setDisplay({ opacity: display.opacity + 0.05 }), fainter: () => setDisplay({ opacity: display.opacity - 0.05 }),
    middle() { if (image && mode === "box") annotations.addMiddle(viewport.middle(), paneWidth() / 4 / viewport.at.zoom, paneHeight() / 4 / downZoom(image, viewport.at)); },
    previousFrame: () => frames.step(-1), nextFrame: () => frames.step(1),
    peek: (on) => peek(on ? null : undefined),
  };
  const key = createShortcuts(actions, { annotations, onStage: () => document.activeElement === stage, drawing: () => mode !== "pan" });

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

  function take(shown, name) {
    image = shown;
    label = name;
    held = undefined;
    for (const pane of panes) pane.canvas.setAttribute("aria-label", label);
    controls.offerPresets(image);
  }

  layOut();
  setMode("pan");
  controls.show(display);

  return {
    actions, fit: viewport.fit, setDisplay, setPlace: viewport.set, setMode, valueAt, key, peek, showMaps, element: root,
    get display() { return { ...display }; },
    get place() { return viewport.get(); },
    get shapes() { return annotations.shapes; },
    set shapes(list) { annotations.load(list); },
    rate: annotations.rate,
    get grid() { return maps[0]?.rows ?? null; },
    get film() { return image; },
    get image() { return image && { width: image.width, height: image.height }; },
    get shades() { return shades; },
    get painted() { return loop.done; },
    get transform() { return { ...viewport.at }; },
    get size() { return [paneWidth(), paneHeight()]; },
    get colors() { return tables[display.colors]; },
    showImage(shown, name, [frame, count] = [0, 1]) {
      annotations.load([]);
      annotations.loadTruth([]);
      beside = false;
      take(shown, name);
      frames.show(frame, count, true);
      setDisplay({ window: image.window, invert: false });
      viewport.fitted = true;
      layOut();
    },
    showFrame(shown, name, [frame, count]) {
      const place = viewport.get(), window = display.window === image.window ? shown.window : display.window;
      take(shown, name);
      frames.show(frame, count, false);
      setDisplay({ window });
      viewport.set(place);
    },
    keepFrame: frames.stay,
    showMap(rows, answer) { showMaps(rows ? [{ rows }] : [], answer); },
    showTruth(shapes, where = {}) {
      over = where.over ?? true;
      beside = Boolean(where.beside && shapes.length);
      annotations.loadTruth(shapes);
      layOut();
    },
    /** @param {Range} range */
    setScale(range) { controls.setScale(range); controls.show(display); },
    showState(state) { root.dataset.state = state; },
    showNotice(text) { find(".notice").textContent = text; },
    // Says above the image why a map is shown that would otherwise be held back.
    showGate(text) { find(".gate").textContent = text; },
    /** @param {Orientation | null} orientation */
    showOrientation(orientation) { sides = sidesOf(orientation); for (const pane of panes) showSides(pane, sides); },
    /** @param {RenderOptions} [options] */
    render: ({ overlay = true, caption = [], spacing = null, pane = -1, largest } = {}) => renderPicture({
      largest, image, shades, map: overlay && display.map ? maps.at(pane)?.map : null, paint: { ...display, colors: tables[display.colors] },
      shapes: overlay ? [...annotations.truth, ...annotations.shapes] : [], caption, spacing,
    }),
  };
}
