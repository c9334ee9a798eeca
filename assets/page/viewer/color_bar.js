// The bar that says which colour of a map is which number, 0 … 1, and from where on the map is painted.

import { make } from "../shared/dom.js";
/** @import { Context, Range } from "../types" */

const NEAR = 0.17;                  // of the bar: a threshold that close to an end takes the place of its number

// The bar itself: colours from the threshold on, what is not painted a thin line.
/** @param {Context} context @param {Uint8Array} colors @param {number} threshold @param {{ x: number, y: number, width: number, height: number }} box */
export function drawColorBar(context, colors, threshold, { x, y, width, height }) {
  context.fillStyle = "#8a979e";
  context.fillRect(x, y + height / 2 - height / 16, width, height / 8);
  for (let i = Math.ceil(threshold * width); i < width; i++) {
    const at = 3 * Math.min(255, Math.floor(256 * (i + 0.5) / width));
    context.fillStyle = `rgb(${colors[at]} ${colors[at + 1]} ${colors[at + 2]})`;
    context.fillRect(x + i, y, 1, height);
  }
  context.fillStyle = "#fff";
  context.fillRect(x + Math.round(threshold * width) - 1, y - height / 4, 2, 1.5 * height);
}

// What stands below the bar: its ends and the threshold, each with its place from 0 to 1; an end gives way to a threshold that is close.
// `scale`: the numbers that 0 and 1 of the map stand for.
/** @param {number} threshold @param {Range} [scale] @returns {[number, string][]} */
export function colorBarNumbers(threshold, [low, high] = [0, 1]) {
  const say = (value) => String(value).replace("-", "−"), said = say((low + threshold * (high - low)).toFixed(2));
  const ends = /** @type {[number, string][]} */ ([[0, say(low)], [1, say(high)]]);
  return [...ends.filter(([at]) => Math.abs(at - threshold) >= NEAR), /** @type {[number, string]} */ ([threshold, said])].sort(([a], [b]) => a - b);
}

// A bar for the stage: { element, show(colors, name, threshold, scale) }.
export function makeColorBar() {
  const element = make("div", "color-bar"), canvas = Object.assign(make("canvas"), { width: 240, height: 24 }), numbers = make("span", "numbers");
  const context = canvas.getContext("2d");
  let shown = "";
  element.setAttribute("role", "img");
  element.append(canvas, numbers);
  return {
    element,
    /** @param {Uint8Array} colors @param {string} name @param {number} threshold @param {Range} scale */
    show(colors, name, threshold, scale) {
      if (shown === (shown = `${name} ${threshold} ${scale}`)) return;
      const numbered = colorBarNumbers(threshold, scale), from = numbered.find(([at]) => at === threshold)[1];
      element.setAttribute("aria-label", `Colours of the map from ${scale[0]} to ${scale[1]}, painted from ${from} on`);
      context.clearRect(0, 0, canvas.width, canvas.height);
      drawColorBar(context, colors, threshold, { x: 0, y: 4, width: canvas.width, height: 16 });
      numbers.replaceChildren(...numbered.map(([at, text]) => {
        const number = make("span", at === threshold ? "from" : "", text);
        number.style.left = `${100 * at}%`;
        return number;
      }));
    },
  };
}
