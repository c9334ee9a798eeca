// A pane: one image with one map over it, shapes over both, and above them a title where there are several.

import { button, make, svg } from "../shared/dom.js";
/** @import { Pane } from "../types" */

const SIDE_NOTE = "Assumed for a frontal film: the patient's right lies on the image's left. Not read from the file.";

// Adds a pane to `holder`; `onClose(pane)` is told when its cross is pressed.
/** @param {HTMLElement} holder @param {string} label @param {string} side @param {(pane: Pane) => void} onClose @returns {Pane} */
export function makePane(holder, label, side, onClose) {
  const frame = make("div", "frame"), element = make("div", "pane"), canvas = make("canvas", "film"), map = make("canvas", "map");
  const caption = make("p", "caption"), title = make("b", ""), note = make("span", ""), close = button("close", "×");
  const sideNote = make("p", "side"), letter = make("b", "", side), shapes = svg("svg", { class: "shapes" });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  map.setAttribute("aria-hidden", "true");
  sideNote.title = SIDE_NOTE;
  sideNote.append(letter, make("span", "", "assumed"));
  caption.append(title, note, close);
  element.append(canvas, map, shapes, sideNote);
  frame.append(caption, element);
  holder.append(frame);
  const pane = { frame, element, canvas, shapes, title, note, close, letter, imageContext: canvas.getContext("2d"), mapContext: map.getContext("2d") };
  close.addEventListener("click", () => onClose(pane));
  return pane;
}

// In how many columns `count` images of a shape are largest on a stage.
/** @param {number} count @param {{ clientWidth: number, clientHeight: number }} stage @param {{ width: number, height: number }} image */
export function bestColumns(count, stage, image) {
  const fits = (columns) => Math.min(stage.clientWidth / columns / image.width, stage.clientHeight / Math.ceil(count / columns) / image.height);
  return Array.from({ length: count }, (_, i) => i + 1).reduce((best, each) => (fits(each) > fits(best) * 1.001 ? each : best));
}
