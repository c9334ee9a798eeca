"use strict";

// The viewer: an image, a map over it, and everything about how they are displayed. No call leaves it.
// Film and map are painted at the resolution of the screen, so the cost of a change is that of the window, not of the film.

const MAX_ZOOM = 40;                // screen pixels per image pixel
const SHARP_FROM = 4;               // from this zoom on, image pixels are shown as squares

const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

// How position `x` of `count` cells is mixed: cell centres lie at 0.5, 1.5, …; beyond the outermost ones the map is level.
function mix(x, count) {
  const at = clamp(x - 0.5, 0, count - 1);
  const low = Math.min(Math.floor(at), Math.max(count - 2, 0));
  return [low, Math.min(low + 1, count - 1), at - low];
}

// `colors`: the colour table of the map, 256 times red, green and blue as hexadecimal text.
function createViewer(root, colors) {
  const COLORS = Uint8Array.from(colors.match(/../g), (byte) => parseInt(byte, 16));
  const find = (selector) => root.querySelector(selector);
  const stage = find(".stage"), film = find("canvas.film"), mapCanvas = find("canvas.map");
  const readout = find(".readout"), notice = find(".notice"), gate = find(".gate");
  const filmContext = film.getContext("2d", { willReadFrequently: true });
  const mapContext = mapCanvas.getContext("2d", { willReadFrequently: true });

  let image = null;                                   // { bitmap, width, height }
  let grid = null;                                    // rows of 0 … 1 that cover exactly the image
  let zoom = 1, left = 0, top = 0, fitted = true;     // image pixel (x, y) lies at (left + x·zoom, top + y·zoom) of the stage
  let peeking = false, frame = 0;
  const display = { opacity: 0.9, threshold: 0.4, outline: true, map: true, invert: false, window: 255, level: 127.5, dragWindows: false };

  // --- painting -------------------------------------------------------------------------------------------------

  const paint = () => { frame ||= requestAnimationFrame(() => { frame = 0; paintFilm(); paintMap(); }); };

  function resize(canvas, scale) {
    const width = Math.round(stage.clientWidth * scale), height = Math.round(stage.clientHeight * scale);
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    return [width, height];
  }

  // The part of the stage the image covers, in whole pixels of a canvas with `scale` pixels to one of the stage.
  function covered(width, height, scale) {
    const x0 = Math.max(0, Math.round(left * scale)), y0 = Math.max(0, Math.round(top * scale));
    const x1 = Math.min(width, Math.round((left + image.width * zoom) * scale));
    const y1 = Math.min(height, Math.round((top + image.height * zoom) * scale));
    return x1 > x0 && y1 > y0 ? { x0, y0, width: x1 - x0, height: y1 - y0 } : null;
  }

  function paintFilm() {
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    const [width, height] = resize(film, scale);
    filmContext.setTransform(1, 0, 0, 1, 0, 0);
    filmContext.clearRect(0, 0, width, height);
    if (!image) return;
    filmContext.imageSmoothingEnabled = zoom < SHARP_FROM;
    filmContext.imageSmoothingQuality = "high";
    filmContext.setTransform(zoom * scale, 0, 0, zoom * scale, left * scale, top * scale);
    filmContext.drawImage(image.bitmap, 0, 0);
    if (!display.invert && display.window === 255 && display.level === 127.5) return;
    const part = covered(width, height, scale);
    if (!part) return;
    const shades = new Uint8ClampedArray(256);
    for (let i = 0; i < 256; i++) {
      const shade = clamp((i - display.level) / display.window + 0.5, 0, 1) * 255;
      shades[i] = display.invert ? 255 - shade : shade;
    }
    const pixels = filmContext.getImageData(part.x0, part.y0, part.width, part.height), data = pixels.data;
    for (let i = 0; i < data.length; i += 4) {
      data[i] = shades[data[i]]; data[i + 1] = shades[data[i + 1]]; data[i + 2] = shades[data[i + 2]];
    }
    filmContext.putImageData(pixels, part.x0, part.y0);
  }

  function paintMap() {
    const [width, height] = resize(mapCanvas, 1);
    mapContext.clearRect(0, 0, width, height);
    const shown = Boolean(image && grid && display.map && !peeking);
    root.dataset.map = shown ? "shown" : "none";
    const part = shown && covered(width, height, 1);
    if (!part) return;
    const values = enlarge(part);
    const pixels = mapContext.createImageData(part.width, part.height), data = pixels.data;
    const { opacity, threshold } = display;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value < threshold) continue;
      const color = 3 * Math.round(255 * value);
      data[4 * i] = COLORS[color]; data[4 * i + 1] = COLORS[color + 1]; data[4 * i + 2] = COLORS[color + 2];
      data[4 * i + 3] = 255 * opacity * value;
    }
    if (display.outline) outline(values, part, data, threshold);
    mapContext.putImageData(pixels, part.x0, part.y0);
  }

  // The map at every stage pixel of `part`: bilinear, centres aligned with centres.
  function enlarge(part) {
    const rows = grid.length, columns = grid[0].length;
    const values = new Float32Array(part.width * part.height);
    const across = Array.from({ length: part.width }, (_, x) => mix((part.x0 + x + 0.5 - left) / (image.width * zoom) * columns, columns));
    for (let y = 0; y < part.height; y++) {
      const [above, below, down] = mix((part.y0 + y + 0.5 - top) / (image.height * zoom) * rows, rows);
      const line = grid[above].map((value, x) => value + down * (grid[below][x] - value));
      for (let x = 0, i = y * part.width; x < part.width; x++, i++) {
        const [first, second, along] = across[x];
        values[i] = line[first] + along * (line[second] - line[first]);
      }
    }
    return values;
  }

  // Where the map crosses the threshold between neighbours: a light line with a dark one beside it, seen on black and on white.
  function outline(values, part, data, threshold) {
    const put = (i, shade) => { data[4 * i] = data[4 * i + 1] = data[4 * i + 2] = shade; data[4 * i + 3] = 255; };
    const { width, height } = part;
    for (let y = 1; y < height - 1; y++) {
      for (let x = 1, i = y * width + 1; x < width - 1; x++, i++) {
        const inside = values[i] >= threshold;
        const edge = inside !== (values[i - 1] >= threshold) || inside !== (values[i + 1] >= threshold)
          || inside !== (values[i - width] >= threshold) || inside !== (values[i + width] >= threshold);
        if (edge) put(i, inside ? 255 : 20);
      }
    }
  }

  // --- where things are -----------------------------------------------------------------------------------------

  function fit() {
    fitted = true;
    if (!image || !stage.clientWidth) return;
    zoom = Math.min(stage.clientWidth / image.width, stage.clientHeight / image.height);
    left = (stage.clientWidth - image.width * zoom) / 2;
    top = (stage.clientHeight - image.height * zoom) / 2;
    paint();
  }

  function zoomAt(x, y, factor) {
    if (!image) return;
    const smallest = Math.min(stage.clientWidth / image.width, stage.clientHeight / image.height) / 2;
    const next = clamp(zoom * factor, smallest, Math.max(MAX_ZOOM, smallest));
    left = x - (x - left) * next / zoom;
    top = y - (y - top) * next / zoom;
    zoom = next;
    fitted = false;
    paint();
  }

  const zoomBy = (factor) => zoomAt(stage.clientWidth / 2, stage.clientHeight / 2, factor);

  function panBy(dx, dy) {
    left += dx; top += dy; fitted = false;
    paint();
  }

  function windowBy(dx, dy) {
    display.window = clamp(display.window * Math.exp(dx / 250), 2, 1020);
    display.level = clamp(display.level + dy * display.window / 400, -255, 510);
    say(`window ${Math.round(display.window)}  level ${Math.round(display.level)}`);
    paint();
  }

  const toImage = (event) => {
    const box = stage.getBoundingClientRect();
    return [(event.clientX - box.left - left) / zoom, (event.clientY - box.top - top) / zoom];
  };

  function valueAt(x, y) {
    if (!image || !grid || x < 0 || y < 0 || x >= image.width || y >= image.height) return null;
    const [above, below, down] = mix(y / image.height * grid.length, grid.length);
    const [first, second, along] = mix(x / image.width * grid[0].length, grid[0].length);
    const row = (r) => grid[r][first] + along * (grid[r][second] - grid[r][first]);
    return row(above) + down * (row(below) - row(above));
  }

  const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

  function pixelAt(x, y) {
    probe.drawImage(image.bitmap, Math.floor(x), Math.floor(y), 1, 1, 0, 0, 1, 1);
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    return red === green && green === blue ? String(red) : `${red} ${green} ${blue}`;
  }

  const say = (text) => { readout.textContent = text; };

  function readCursor(event) {
    const [x, y] = image ? toImage(event) : [-1, -1];
    if (!image || x < 0 || y < 0 || x >= image.width || y >= image.height) return say("");
    const value = root.dataset.map === "shown" ? valueAt(x, y) : null;
    say(`x ${Math.floor(x)}  y ${Math.floor(y)}  px ${pixelAt(x, y)}` + (value === null ? "" : `  map ${value.toFixed(2)}`));
  }

  // --- pointer, wheel, touch ------------------------------------------------------------------------------------

  const pointers = new Map();

  stage.addEventListener("pointerdown", (event) => {
    if (!image) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
    stage.classList.add("dragging");
  });
  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return readCursor(event);
    const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
    if (pointers.size === 2) {
      const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
      const spread = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
      const box = stage.getBoundingClientRect();
      panBy(dx / 2, dy / 2);
      zoomAt((event.clientX + other.clientX) / 2 - box.left, (event.clientY + other.clientY) / 2 - box.top, spread(event) / Math.max(spread(before), 1));
    } else if (display.dragWindows || event.buttons === 2) {
      windowBy(dx, dy);
    } else {
      panBy(dx, dy);
    }
    pointers.set(event.pointerId, event);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    stage.addEventListener(name, (event) => { pointers.delete(event.pointerId); stage.classList.toggle("dragging", pointers.size > 0); });
  }
  stage.addEventListener("pointerleave", () => say(""));
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("dblclick", fit);
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    zoomAt(event.clientX - box.left, event.clientY - box.top, Math.exp(-clamp(pixels, -240, 240) / 400));
  }, { passive: false });
  new ResizeObserver(() => (fitted ? fit() : paint())).observe(stage);

  // --- controls -------------------------------------------------------------------------------------------------

  const press = (name, on) => find(`[data-act="${name}"]`).setAttribute("aria-pressed", String(on));
  const toggle = (name, key = name) => { display[key] = !display[key]; press(name, display[key]); paint(); };

  const actions = {
    fit() { Object.assign(display, { window: 255, level: 127.5 }); fit(); },
    window: () => toggle("window", "dragWindows"),
    invert: () => toggle("invert"),
    outline: () => toggle("outline"),
    map: () => toggle("map"),
    full() { document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.(); },
    zoomIn: () => zoomBy(1.25),
    zoomOut: () => zoomBy(0.8),
    left: () => panBy(40, 0), right: () => panBy(-40, 0), up: () => panBy(0, 40), down: () => panBy(0, -40),
    peek(on) { if (peeking !== on) { peeking = on; paint(); } },
  };
  const KEYS = { 0: "fit", "+": "zoomIn", "=": "zoomIn", "-": "zoomOut", i: "invert", w: "window", o: "outline", m: "map", f: "full" };
  const ARROWS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button) actions[button.dataset.act]();
  });
  document.addEventListener("fullscreenchange", () => press("full", document.fullscreenElement === root));

  const ramp = find(".ramp canvas").getContext("2d");
  const strip = ramp.createImageData(256, 1);
  for (let i = 0; i < 256; i++) strip.data.set([COLORS[3 * i], COLORS[3 * i + 1], COLORS[3 * i + 2], 255], 4 * i);
  ramp.putImageData(strip, 0, 0);

  function set(name, value) {
    display[name] = clamp(Number(value), 0, 1);
    find(`[data-set="${name}"]`).value = display[name];
    const shown = find(`[data-show="${name}"]`);
    if (shown) shown.textContent = display[name].toFixed(2);
    paint();
  }
  for (const slider of root.querySelectorAll("[data-set]")) {
    slider.addEventListener("input", () => set(slider.dataset.set, slider.value));
    set(slider.dataset.set, display[slider.dataset.set]);
  }

  return {
    actions, display, fit, set, valueAt,
    get grid() { return grid; },
    get image() { return image && { width: image.width, height: image.height }; },
    get painted() { return frame === 0; },
    get transform() { return { zoom, left, top }; },
    // Handles a key pressed outside a text field; true when it was one of the viewer's.
    key(event) {
      if (event.key === "h") { actions.peek(true); return true; }
      const name = KEYS[event.key] || (document.activeElement === stage && ARROWS[event.key]);
      if (name) actions[name]();
      return Boolean(name);
    },
    showImage(bitmap, label) {
      image?.bitmap.close();
      image = { bitmap, width: bitmap.width, height: bitmap.height };
      Object.assign(display, { window: 255, level: 127.5, invert: false });
      press("invert", false);
      film.setAttribute("aria-label", label);
      fit();
    },
    // A map (rows of numbers 0 … 1), or null for none. `answer` says which answer the painted map belongs to.
    showMap(rows, answer) {
      grid = rows;
      paintMap();
      root.dataset.answer = String(answer);
    },
    showState(state) { root.dataset.state = state; },
    showNotice(text) { notice.textContent = text; },
    // Says above the image why a map is shown that would otherwise be held back.
    showGate(text) { gate.textContent = text; },
  };
}
