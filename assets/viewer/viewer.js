
// The viewer of every tab: an image, maps over it, shapes drawn on it, and everything about how they are displayed. No call leaves it.
//
//   const viewer = createViewer(root, { colors, onShapes, onClose, onDisplay });
//
// `root` holds the markup of viewer.html. `colors`: tables by name (props.colors), the first one the default. Optional callbacks:
// `onShapes(shapes)` after every change of the reader's shapes, `onClose(index)` when a pane's cross is pressed (without it panes
// have none), `onDisplay(display)` after a change of how things are displayed.
//
//   showImage(film, label)            a film from readFilm(buffer, about), and its name for screen readers; resets window, place, shapes
//   showMap(rows, answer?)            one map, rows of numbers 0 … 1 that cover exactly the image, or null; `answer` is noted in
//                                     root.dataset.answer. Same as showMaps with one pane
//   showMaps([{ rows, title?, note? }], answer?)   one to four panes side by side, one place, window and colour scale for all
//   showTruth(shapes, { over, beside })   given boxes and outlines: over the maps, and in a pane of their own beside them
//   shapes                            get: the reader's shapes (layers.js says what a shape is); set: replaces them, without undo
//   display, setDisplay({ … })        window [low, high] in stored values, invert, colors, opacity, threshold, outline, map
//   place, setPlace({ x, y, zoom })   the image pixel in the middle of a pane and the zoom (1 fits); null fits
//   setMode("pan" | "window" | "box" | "outline")   what dragging does
//   showState("loading" | "ready" | "error" | "offline" | "empty"), showNotice(text), showGate(text), showSide(text)
//   peek(rows | null | undefined)     another map (or none) for as long as something is held; undefined ends it
//   key(event)                        handles a key pressed outside a text field; true when it was one of the viewer's
//   render(options)                   the last pane as a canvas at the film's size: { overlay, caption: [line, …], spacing }
//   film, image, grid, transform, valueAt(x, y), actions, painted, size, element     what is shown, for other scripts and tests
//
// A tab that must hide tools gives root `data-hide="draw maps"` (any of draw, maps, window).

const MAX_ZOOM = 40;                // screen pixels per image pixel
const FRAME = 9;                    // ms a painting may take while something moves: where the machine is slow, it gets coarser
const STEPS = [1, 0.75, 0.5, 0.375, 0.25];   // … by these scales
const MOST_PIXELS = 9e6;            // of one canvas
const REST = 140;                   // ms without a change until it is at rest, and sharp
const MOST_PANES = 4;

function createViewer(root, options) {
  const find = (selector) => root.querySelector(selector);
  const stage = find(".stage"), readout = find(".readout");
  const tables = Object.fromEntries(Object.entries(options.colors).map(([name, text]) => [name, readColors(text)]));
  const startDisplay = { opacity: 0.9, threshold: 0.4, outline: true, map: true, invert: false, window: [0, 255], colors: Object.keys(tables)[0] };

  let film = null, shades = null;
  let panes = [], maps = [];                          // maps: [{ map, title, note }], one a pane
  let beside = false, over = true;
  let dragged = null;                                 // the pane a drag began on
  let zoom = 1, left = 0, top = 0, fitted = true;     // image pixel (x, y) lies at (left + x·zoom, top + y·zoom) of a pane
  let held;                                           // the map of peek()
  let sideLetter = "", label = "No image";
  let display = { ...startDisplay }, mode = "pan";
  let frame = 0, coarse = 0, dirty = { film: true, maps: true };
  let moving = false, touched = -Infinity, pace = 1e5;  // pace: pixels painted a ms

  const layer = createLayer({
    panes: () => panes, image: () => film, view: () => ({ zoom, left, top }), repaint: () => paint(false, false),
  }, (shapes) => options.onShapes?.(shapes));

  // --- panes ----------------------------------------------------------------------------------------------------------

  // As many panes as there are maps (and one for the truth), laid out so that the image is largest.
  function layOut() {
    const count = Math.max(1, maps.length) + (beside ? 1 : 0);
    while (panes.length < count) panes.push(makePane(find(".panes"), label, sideLetter, (pane) => options.onClose?.(panes.indexOf(pane))));
    while (panes.length > count) panes.pop().frame.remove();
    const columns = bestColumns(count, stage, film ?? { width: 1, height: 1 });
    const rows = Math.ceil(count / columns), grid = find(".panes");
    grid.style.gridTemplate = `repeat(${rows}, minmax(0, 1fr)) / repeat(${columns}, minmax(0, 1fr))`;
    root.dataset.panes = String(count);
    panes.forEach((pane, i) => {
      const own = beside && i === count - 1, { title = "", note = "" } = own ? { title: "Ground truth" } : maps[i] ?? {};
      pane.truth = own || over;
      pane.title.textContent = title;
      pane.note.textContent = note;
      pane.close.hidden = !options.onClose || own || count === 1;
      pane.close.setAttribute("aria-label", `Close ${title || "this map"}`);
    });
    fitted ? fit() : paint();
  }

  const paneWidth = () => panes[0].element.clientWidth, paneHeight = () => panes[0].element.clientHeight;

  // --- painting -------------------------------------------------------------------------------------------------------

  // Asks for a painting of the film, of the maps or (both false) of the shapes alone.
  function paint(filmToo = true, mapsToo = true) {
    dirty = { film: dirty.film || filmToo, maps: dirty.maps || mapsToo };
    frame ||= requestAnimationFrame(() => { frame = 0; paintNow(moving); });
  }

  // A change by the user; of several in a row the machine paints what it can.
  function touch() {
    const now = performance.now();
    moving = now - touched < REST;
    touched = now;
  }

  function paintNow(quick) {
    const width = paneWidth(), height = paneHeight(), density = Math.min(window.devicePixelRatio || 1, 2, Math.sqrt(MOST_PIXELS / Math.max(1, width * height)));
    const parts = (dirty.film ? film?.levels[0].planes.length ?? 0 : 0) + (dirty.maps ? panes.length : 0);
    const scale = density * (quick ? STEPS.find((step) => parts * width * height * (density * step) ** 2 <= pace * FRAME) ?? STEPS.at(-1) : 1);
    const start = performance.now();
    if (dirty.film) paintFilms(width, height, scale);
    if (dirty.maps) panes.forEach((pane, i) => paintPane(pane, maps[i], Math.min(scale, 1), width, height));
    if (parts) pace = parts * width * height * scale ** 2 / Math.max(performance.now() - start, 0.5);
    layer.render();
    const { undo, remove } = layer.state;
    find("[data-act=undo]").disabled = !undo;
    find("[data-act=remove]").disabled = !remove;
    dirty = { film: false, maps: false };
    if (scale < density || coarse) {
      clearTimeout(coarse);
      coarse = setTimeout(() => { coarse = 0; dirty = { film: true, maps: true }; paintNow(false); }, REST);
    }
  }

  function prepare(context, width, height, scale) {
    const { canvas } = context, columns = Math.round(width * scale), rows = Math.round(height * scale);
    if (canvas.width !== columns || canvas.height !== rows) { canvas.width = columns; canvas.height = rows; }
    else context.clearRect(0, 0, columns, rows);
  }

  function paintFilms(width, height, scale) {
    const [first, ...others] = panes;
    prepare(first.filmContext, width, height, scale);
    if (film) paintFilm(first.filmContext, film, scaled({ zoom, left, top }, scale), shades);
    for (const pane of others) {
      prepare(pane.filmContext, width, height, scale);
      if (first.film.width && first.film.height) pane.filmContext.drawImage(first.film, 0, 0);
    }
  }

  function paintPane(pane, shown, scale, width, height) {
    prepare(pane.mapContext, width, height, scale);
    const map = held === undefined ? shown?.map : held;
    const visible = Boolean(film && map && display.map);
    if (pane === panes[0]) root.dataset.map = visible ? "shown" : "none";
    if (visible) paintMap(pane.mapContext, map, film, scaled({ zoom, left, top }, scale), { ...display, colors: tables[display.colors] });
  }

  // --- where things are -----------------------------------------------------------------------------------------------

  const fitting = () => Math.min(paneWidth() / film.width, paneHeight() / film.height);

  function fit() {
    fitted = true;
    if (!film || !paneWidth()) return;
    zoom = fitting();
    left = (paneWidth() - film.width * zoom) / 2;
    top = (paneHeight() - film.height * zoom) / 2;
    paint();
  }

  function zoomAt(x, y, factor) {
    if (!film) return;
    const smallest = fitting() / 2;
    const next = clamp(zoom * factor, smallest, Math.max(MAX_ZOOM, smallest));
    left = x - (x - left) * next / zoom;
    top = y - (y - top) * next / zoom;
    zoom = next;
    moved();
  }

  const zoomBy = (factor) => zoomAt(paneWidth() / 2, paneHeight() / 2, factor);

  function panBy(dx, dy) {
    left += dx; top += dy;
    moved();
  }

  function moved() {
    fitted = false;
    touch();
    paint();
  }

  function setPlace(place) {
    if (!place || !film) return fit();
    zoom = clamp(place.zoom * fitting(), fitting() / 2, Math.max(MAX_ZOOM, fitting()));
    left = paneWidth() / 2 - place.x * zoom;
    top = paneHeight() / 2 - place.y * zoom;
    fitted = false;
    paint();
  }

  // Where an event lies in its pane, and in the image.
  function toPane(event) {
    const pane = panes.find(({ element }) => element === event.target.closest?.(".pane")) ?? dragged ?? panes[0];
    const box = pane.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top, pane];
  }

  function toImage(event) {
    const [x, y] = toPane(event);
    return [(x - left) / zoom, (y - top) / zoom];
  }

  // --- display ----------------------------------------------------------------------------------------------------------

  function setDisplay(change) {
    display = { ...display, ...change };
    display.opacity = clamp(Number(display.opacity), 0, 1);
    display.threshold = clamp(Number(display.threshold), 0, 0.95);
    if (!(display.colors in tables)) display.colors = startDisplay.colors;
    if (film && ("window" in change || "invert" in change)) shades = shadesOf(film, display.window, display.invert);
    controls.show(display);
    touch();
    paint("window" in change || "invert" in change, Object.keys(change).some((key) => key !== "window" && key !== "invert"));
    options.onDisplay?.(display);
  }

  function windowBy(dx, dy) {
    if (!film) return;
    const top = 1 << film.depth, [low, high] = display.window;
    const width = clamp((high - low) * Math.exp(dx / 250), 2, 4 * top);
    const level = clamp((low + high) / 2 + dy * width / 400, -top, 2 * top);
    setDisplay({ window: [level - width / 2, level + width / 2] });
    say(`window ${Math.round(width)}  level ${Math.round(level)}`);
  }

  const controls = createControls(root, tables, setDisplay);

  function setMode(name) {
    mode = name;
    layer.kind = name === "box" || name === "outline" ? name : null;
    stage.dataset.mode = name;
    for (const button of root.querySelectorAll("[data-mode]:not(.stage)")) button.setAttribute("aria-pressed", String(button.dataset.mode === name));
  }

  // --- readout ----------------------------------------------------------------------------------------------------------

  const say = (text) => { readout.textContent = text; };
  const within = (x, y) => film && x >= 0 && y >= 0 && x < film.width && y < film.height;
  const mapOf = (pane) => (held === undefined ? maps[panes.indexOf(pane)]?.map : held);

  function valueAt(x, y, pane = panes[0]) {
    const map = mapOf(pane);
    return within(x, y) && map ? mapAt(map, film, x, y) : null;
  }

  function pixelAt(x, y) {
    const at = Math.floor(y) * film.width + Math.floor(x);
    return film.levels[0].planes.map((plane) => plane[at]).join(" ");
  }

  function readCursor(event) {
    const [x, y] = film ? toImage(event) : [-1, -1];
    if (!within(x, y)) return say("");
    const value = display.map ? valueAt(x, y, toPane(event)[2]) : null;
    say(`x ${Math.floor(x)}  y ${Math.floor(y)}  px ${pixelAt(x, y)}` + (value === null ? "" : `  map ${value.toFixed(2)}`));
  }

  watchPointer(stage, {
    ready: () => Boolean(film), paneOf: (event) => toPane(event)[2], toImage, begin: layer.begin, panBy, zoomAt, windowBy, fit,
    windows: () => mode === "window", hover: readCursor, leave: () => say(""), drag: (pane) => { dragged = pane; },
  });
  new ResizeObserver(layOut).observe(stage);

  // --- actions and keys -----------------------------------------------------------------------------------------------------

  const toggle = (name) => () => setDisplay({ [name]: !display[name] });
  const after = (names, name) => names[(names.indexOf(name) + 1) % names.length];
  const push = (dx, dy) => () => (mode === "window" ? windowBy(-dx / 2, -dy / 2) : panBy(dx, dy));

  const actions = {
    fit,
    reset() { setDisplay({ ...startDisplay, colors: display.colors, window: film?.window ?? startDisplay.window }); fit(); },
    invert: toggle("invert"), outline: toggle("outline"), map: toggle("map"),
    pan: () => setMode("pan"), window: () => setMode("window"), box: () => setMode("box"), draw: () => setMode("outline"),
    preset: () => controls.nextPreset(),
    colors() { setDisplay({ colors: after(Object.keys(tables), display.colors) }); },
    undo: layer.undo, redo: layer.redo, remove: layer.remove,
    full() { document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.(); },
    zoomIn: () => zoomBy(1.25), zoomOut: () => zoomBy(0.8),
    left: push(40, 0), right: push(-40, 0), up: push(0, 40), down: push(0, -40),
    higher: () => setDisplay({ threshold: display.threshold + 0.05 }), lower: () => setDisplay({ threshold: display.threshold - 0.05 }),
    stronger: () => setDisplay({ opacity: display.opacity + 0.05 }), fainter: () => setDisplay({ opacity: display.opacity - 0.05 }),
    middle() { if (film && mode === "box") layer.addMiddle([(paneWidth() / 2 - left) / zoom, (paneHeight() / 2 - top) / zoom], paneWidth() / 4 / zoom, paneHeight() / 4 / zoom); },
    peek: (on) => peek(on ? null : undefined),
  };
  const KEYS = {
    0: "fit", r: "reset", "+": "zoomIn", "=": "zoomIn", "-": "zoomOut", i: "invert", o: "outline", m: "map", f: "full", v: "pan", w: "window",
    b: "box", d: "draw", p: "preset", c: "colors", "]": "higher", "[": "lower", ".": "stronger", ",": "fainter",
  };
  const STAGE_KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", Enter: "middle" };

  function key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") { event.shiftKey ? layer.redo() : layer.undo(); return true; }
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (layer.key(event)) return true;
    if (event.key === "h") { actions.peek(true); return true; }
    if (event.key === "Escape" && mode !== "pan") { setMode("pan"); return true; }
    const name = KEYS[event.key] || (document.activeElement === stage && STAGE_KEYS[event.key]);
    if (name) actions[name]();
    return Boolean(name);
  }

  // For as long as something is held: another map, null for none; undefined ends it.
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
  document.addEventListener("fullscreenchange", () => find("[data-act=full]").setAttribute("aria-pressed", String(document.fullscreenElement === root)));

  // --- what is shown ----------------------------------------------------------------------------------------------------------

  function showMaps(list, answer) {
    maps = list.slice(0, MOST_PANES).map(({ rows, ...rest }) => ({ ...rest, rows, map: readMap(rows) }));
    held = undefined;
    layOut();
    cancelAnimationFrame(frame);
    frame = 0;
    paintNow(false);
    if (answer !== undefined) root.dataset.answer = String(answer);
  }

  layOut();
  setMode("pan");
  controls.show(display);

  return {
    actions, fit, setDisplay, setPlace, setMode, valueAt, key, peek, showMaps, element: root,
    get display() { return { ...display }; },
    get place() { return film && !fitted ? { x: (paneWidth() / 2 - left) / zoom, y: (paneHeight() / 2 - top) / zoom, zoom: zoom / fitting() } : null; },
    get shapes() { return layer.shapes; },
    set shapes(list) { layer.load(list); },
    get grid() { return maps[0]?.rows ?? null; },
    get film() { return film; },
    get shades() { return shades; },
    get image() { return film && { width: film.width, height: film.height }; },
    get painted() { return frame === 0 && !coarse; },
    get transform() { return { zoom, left, top }; },
    get size() { return [paneWidth(), paneHeight()]; },
    get colors() { return tables[display.colors]; },
    showImage(shown, name) {
      film = shown;
      label = name;
      held = undefined;
      layer.load([]);
      layer.loadTruth([]);
      beside = false;
      for (const pane of panes) pane.film.setAttribute("aria-label", label);
      controls.offerPresets(film);
      setDisplay({ window: film.window, invert: false });
      fitted = true;
      layOut();
    },
    showMap(rows, answer) { showMaps(rows ? [{ rows }] : [], answer); },
    showTruth(shapes, where = {}) {
      over = where.over ?? true;
      beside = Boolean(where.beside && shapes.length);
      layer.loadTruth(shapes);
      layOut();
    },
    showState(state) { root.dataset.state = state; },
    showNotice(text) { find(".notice").textContent = text; },
    // Says above the image why a map is shown that would otherwise be held back.
    showGate(text) { find(".gate").textContent = text; },
    // What lies on the left edge of the image, and that it is assumed; "" for nothing.
    showSide(text) { sideLetter = text; for (const pane of panes) pane.letter.textContent = text; },
    render: ({ overlay = true, caption = [], spacing = null } = {}) => renderPicture({
      film, shades, map: overlay && display.map ? maps.at(-1)?.map : null, paint: { ...display, colors: tables[display.colors] },
      shapes: overlay ? [...layer.truth, ...layer.shapes] : [], caption, spacing,
    }),
  };
}
