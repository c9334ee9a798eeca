// The bar that says how long a centimetre is on an image.

export const MICROSCOPIC = 0.01;    // mm: pixels narrower than that are told in micrometres
const LENGTHS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200];   // mm

const inWords = (length) => (length >= 10 ? `${length / 10} cm` : length >= 0.5 ? `${length} mm` : `${Math.round(1000 * length)} µm`);

// The longest round length that takes no more than `most` pixels, in pixels and in words; null where none is near it. `millimetres`: of a pixel.
/** @param {number} millimetres @param {number} most */
export function scaleBar(millimetres, most) {
  const length = LENGTHS.findLast((each) => each / millimetres <= most);
  return length / millimetres > most / 10 ? { pixels: length / millimetres, text: inWords(length) } : null;
}
