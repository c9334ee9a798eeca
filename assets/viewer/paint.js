
// Painting a part of a film or of a map into a canvas. `view` is { zoom, left, top }: image pixel (x, y) lies at
// (left + x·zoom, top + y·zoom) of the canvas. The cost is that of the canvas, not of the film.

const SHARP_FROM = 4;               // from this zoom on, image pixels are shown as squares
let scratch = new Float32Array(0);

function scratchOf(count) {
  if (scratch.length < count) scratch = new Float32Array(count);
  return scratch;
}

const scaled = (view, scale) => ({ zoom: view.zoom * scale, left: view.left * scale, top: view.top * scale });

// The part of a canvas that an image covers, in whole pixels; null where none.
function covered(image, view, width, height) {
  const x0 = Math.max(0, Math.round(view.left)), y0 = Math.max(0, Math.round(view.top));
  const x1 = Math.min(width, Math.round(view.left + image.width * view.zoom));
  const y1 = Math.min(height, Math.round(view.top + image.height * view.zoom));
  return x1 > x0 && y1 > y0 ? { x: x0, y: y0, width: x1 - x0, height: y1 - y0 } : null;
}

function paintFilm(context, film, view, shades) {
  const part = covered(film, view, context.canvas.width, context.canvas.height);
  if (!part) return;
  // The copy whose cells are just not larger than a screen pixel: nothing is skipped, and little is read.
  const depth = clamp(Math.floor(Math.log2(1 / view.zoom)), 0, film.levels.length - 1);
  const level = film.levels[depth], step = view.zoom * 2 ** depth, smooth = view.zoom < SHARP_FROM;
  const across = axis(part.x, part.width, view.left, step, level.width, smooth);
  const down = axis(part.y, part.height, view.top, step, level.height, smooth);
  const pixels = context.createImageData(part.width, part.height);
  const count = part.width * part.height, values = scratchOf(count);
  if (level.planes.length === 1) {
    const words = new Uint32Array(pixels.data.buffer), table = Uint32Array.from(shades, (shade) => 0xff000000 | (shade * 0x010101));
    resample(level.planes[0], level.width, across, down, values);
    for (let i = 0; i < count; i++) words[i] = table[(values[i] + 0.5) | 0];
  } else {
    pixels.data.fill(255);
    level.planes.forEach((plane, channel) => {
      resample(plane, level.width, across, down, values);
      for (let i = 0, j = channel; i < count; i++, j += 4) pixels.data[j] = shades[(values[i] + 0.5) | 0];
    });
  }
  context.putImageData(pixels, part.x, part.y);
}

// A map: { rows, columns, cells }, values 0 … 1 that cover exactly the image. From `threshold` on, the paint is as opaque as the
// map is high, `opacity` at 1.
function paintMap(context, map, image, view, { colors, opacity, threshold, outline }) {
  const part = covered(image, view, context.canvas.width, context.canvas.height);
  if (!part) return;
  const across = axis(part.x, part.width, view.left, image.width * view.zoom / map.columns, map.columns);
  const down = axis(part.y, part.height, view.top, image.height * view.zoom / map.rows, map.rows);
  const values = resample(map.cells, map.columns, across, down, scratchOf(part.width * part.height));
  const pixels = context.createImageData(part.width, part.height), data = pixels.data;
  for (let i = 0, j = 0; j < data.length; i++, j += 4) {
    const value = values[i];
    if (value < threshold) continue;
    const color = 3 * Math.round(255 * value);
    data[j] = colors[color]; data[j + 1] = colors[color + 1]; data[j + 2] = colors[color + 2];
    data[j + 3] = 255 * opacity * value;
  }
  if (outline) drawContour(values, part, data, threshold);
  context.putImageData(pixels, part.x, part.y);
}

// Where the map crosses the threshold between neighbours: a light line with a dark one beside it, seen on black and on white.
function drawContour(values, { width, height }, data, threshold) {
  const put = (i, shade) => { data[4 * i] = data[4 * i + 1] = data[4 * i + 2] = shade; data[4 * i + 3] = 255; };
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1, i = y * width + 1; x < width - 1; x++, i++) {
      const inside = values[i] >= threshold;
      const edge = inside !== (values[i - 1] >= threshold) || inside !== (values[i + 1] >= threshold)
        || inside !== (values[i - width] >= threshold) || inside !== (values[i + width] >= threshold);
      if (edge) put(i, inside ? 255 : 20);
    }
  }
}

// A map of rows of numbers, ready to be painted.
function readMap(rows) {
  return rows && { rows: rows.length, columns: rows[0].length, cells: Float32Array.from(rows.flat()) };
}

// The map's value at a point of the image, bilinear as painted.
function mapAt(map, image, x, y) {
  const across = axis(0, 1, 0.5 - x, image.width / map.columns, map.columns);
  const down = axis(0, 1, 0.5 - y, image.height / map.rows, map.rows);
  return resample(map.cells, map.columns, across, down)[0];
}

// A small picture of a film, with a map over it where one is given.
function paintThumbnail(canvas, film, shades, map, paint) {
  const zoom = Math.max(canvas.width / film.width, canvas.height / film.height);
  const view = { zoom, left: (canvas.width - film.width * zoom) / 2, top: (canvas.height - film.height * zoom) / 2 };
  const context = canvas.getContext("2d");
  paintFilm(context, film, view, shades);
  if (!map) return;
  const over = new OffscreenCanvas(canvas.width, canvas.height);
  paintMap(over.getContext("2d"), map, film, view, { ...paint, outline: false });
  context.drawImage(over, 0, 0);
}
