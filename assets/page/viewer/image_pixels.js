// An image's pixels as they were stored, smaller copies of them, and how either comes to the screen.

/** @import { AboutImage, Axis, Level, PixelImage, Range } from "../types" */

/** @type {(x: number, low: number, high: number) => number} */
export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

// The pixels of an image from the server: `about` is { width, height, aspect, channels (1 or 3), depth (8 or 16), window: [low, high] },
// `buffer` its values row by row, little-endian. An image is { width, height, aspect, depth, window, levels }: of level k, one array a
// channel, each cell stands for 2^k by 2^k pixels. `aspect`: height of a pixel over its width, 1 where nothing is said.
/** @param {ArrayBuffer} buffer @param {AboutImage} about @returns {PixelImage} */
export function readImage(buffer, about) {
  const { width, height, aspect = 1, channels, depth } = about;
  const Values = depth === 16 ? Uint16Array : Uint8Array;
  const values = new Values(buffer), count = width * height;
  if (values.length !== count * channels) throw new Error("The image arrived incomplete.");
  let planes = [values];
  if (channels > 1) {
    planes = Array.from({ length: channels }, () => new Values(count));
    for (let i = 0, j = 0; i < count; i++) for (const plane of planes) plane[i] = values[j++];
  }
  const levels = [{ width, height, planes }];
  while (Math.max(levels.at(-1).width, levels.at(-1).height) > 256) levels.push(halve(levels.at(-1), Values));
  return { width, height, aspect, depth, window: about.window, levels };
}

// Means of two by two cells; the last row or column of an odd side stands alone.
/** @param {Level} level @param {Uint8ArrayConstructor | Uint16ArrayConstructor} Values @returns {Level} */
function halve(level, Values) {
  const width = (level.width + 1) >> 1, height = (level.height + 1) >> 1;
  const planes = level.planes.map((from) => {
    const to = new Values(width * height);
    for (let y = 0, i = 0; y < height; y++) {
      const upper = 2 * y * level.width, lower = Math.min(2 * y + 1, level.height - 1) * level.width;
      for (let x = 0; x < width; x++, i++) {
        const first = 2 * x, second = first + 1 < level.width ? first + 1 : first;
        to[i] = (from[upper + first] + from[upper + second] + from[lower + first] + from[lower + second] + 2) >> 2;
      }
    }
    return to;
  });
  return { width, height, planes };
}

// The value below which each of `shares` (0 … 1) of the image's pixels lie, counted on a smaller copy where it is large.
/** @param {PixelImage} image @param {number[]} shares */
export function percentiles(image, shares) {
  const level = image.levels.find(({ width, height }) => width * height <= 1 << 20) ?? image.levels.at(-1);
  const sorted = level.planes[0].slice().sort();
  return shares.map((share) => sorted[Math.round(share * (sorted.length - 1))]);
}

// How `count` screen pixels from `from` on mix the cells of one axis. Cell i spans `step` screen pixels from origin + i·step on, its
// centre in the middle; beyond the outermost centres the values are level. Not `smooth`: every pixel takes the cell it lies in.
/** @param {number} from @param {number} count @param {number} origin @param {number} step @param {number} cells */
export function axis(from, count, origin, step, cells, smooth = true) {
  const low = new Int32Array(count), high = new Int32Array(count), share = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const at = (from + i + 0.5 - origin) / step;
    if (smooth) {
      const centred = clamp(at - 0.5, 0, cells - 1);
      low[i] = Math.min(Math.floor(centred), Math.max(cells - 2, 0));
      high[i] = Math.min(low[i] + 1, cells - 1);
      share[i] = centred - low[i];
    } else {
      low[i] = high[i] = clamp(Math.floor(at), 0, cells - 1);
    }
  }
  return { low, high, share };
}

// `cells`, rows of `width`, at every pixel of two axes: `use(row, y)` gets one row of values after the other, in the same array.
/** @param {ArrayLike<number>} cells @param {number} width @param {Axis} across @param {Axis} down @param {(row: Float32Array, y: number) => void} use */
export function sampleRows(cells, width, across, down, use) {
  const count = across.low.length, first = across.low[0], last = across.high[count - 1];
  const line = new Float32Array(width), row = new Float32Array(count), { low, high, share } = across;
  for (let y = 0; y < down.low.length; y++) {
    const upper = down.low[y] * width, lower = down.high[y] * width, part = down.share[y];
    if (y === 0 || down.low[y] !== down.low[y - 1] || part !== down.share[y - 1]) {
      if (part === 0) for (let x = first; x <= last; x++) line[x] = cells[upper + x];
      else for (let x = first; x <= last; x++) line[x] = cells[upper + x] + part * (cells[lower + x] - cells[upper + x]);
      for (let x = 0; x < count; x++) {
        const value = line[low[x]];
        row[x] = value + share[x] * (line[high[x]] - value);
      }
    }
    use(row, y);
  }
}

// Shades 0 … 255 of every stored value under a window: `low` is black and `high` white, or the other way round.
/** @param {Pick<PixelImage, "depth">} image @param {Range} window @param {boolean} invert */
export function shadesOf(image, [low, high], invert) {
  const shades = new Uint8Array(1 << image.depth), span = Math.max(high - low, 1e-9);
  for (let value = 0; value < shades.length; value++) {
    const shade = Math.round(255 * clamp((value - low) / span, 0, 1));
    shades[value] = invert ? 255 - shade : shade;
  }
  return shades;
}

// Colour tables arrive as hexadecimal text, 256 times red, green and blue.
/** @type {(text: string) => Uint8Array} */
export const readColors = (text) => Uint8Array.from(text.match(/../g), (byte) => parseInt(byte, 16));
