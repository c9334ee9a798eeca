// A pane: one image with one map over it, shapes over both, and above them a title where there are several.

import { cautionMark } from "../shared/caution_mark.js";
import { button, make, svg } from "../shared/dom.js";
import { makeColorBar } from "./color_bar.js";
import { makeCorners } from "./corners.js";
/** @import { Extent, Film, Pane, Sides } from "../types" */

// Adds a pane that shows a film to `holder`; `onClose(pane)` is told when its cross is pressed.
/** @param {HTMLElement} holder @param {Film} film @param {(pane: Pane) => void} onClose @returns {Pane} */
export function makePane(holder, film, onClose) {
  const frame = make("div", "frame"), element = make("div", "pane"), canvas = make("canvas", "film"), map = make("canvas", "map");
  const caption = make("p", "caption"), title = make("b", ""), note = make("span", ""), close = button("close", "×"), link = button("link", "Linked");
  const shapes = svg("svg", { class: "shapes" });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", film.label);
  link.dataset.act = "link";
  link.title = "Zoom and window of the two images go together (y)";
  map.setAttribute("aria-hidden", "true");
  caption.append(title, note, link, close);
  element.append(canvas, map, shapes);
  frame.append(caption, element);
  holder.append(frame);
  const corners = makeCorners(element), bar = makeColorBar();
  element.querySelector(".corner.bottom.right").prepend(bar.element);
  const pane = { film, frame, element, canvas, shapes, title, note, close, link, caption, corners, bar, imageContext: canvas.getContext("2d"), mapContext: map.getContext("2d") };
  close.addEventListener("click", () => onClose(pane));
  showSides(pane, film.sides);
  return pane;
}

// What stands above the map of a pane: its title, a note, and a sign where there is something to be careful about.
/** @param {Pane} pane @param {{ title?: string, note?: string, cautions?: string[] }} about */
export function showCaption(pane, { title = "", note = "", cautions = [] }) {
  pane.title.textContent = pane.title.title = title;
  pane.note.textContent = pane.note.title = note;
  const said = cautions.join("\n");
  if (said === (pane.caption.dataset.cautions ?? "")) return;      // what was opened stays open
  pane.caption.dataset.cautions = said;
  for (const old of pane.frame.querySelectorAll(".caution-mark, .caution-text")) old.remove();
  const made = cautionMark(cautions);
  if (!made) return;
  pane.note.after(made.mark);
  pane.element.append(made.text);
}

// The letters at the pane's left and right.
/** @param {Pick<Pane, "element">} pane @param {Sides} sides */
export function showSides({ element }, { left, right, assumed, hint }) {
  for (const old of element.querySelectorAll(".side")) old.remove();
  for (const [place, letter] of Object.entries({ left, right })) {
    if (!letter) continue;
    const side = make("p", `side ${place}`);
    side.title = hint;
    side.append(make("b", "", letter));
    if (assumed) side.append(make("span", "", "assumed"));
    element.append(side);
  }
}

// In how many columns `count` images of a shape are largest on a stage.
/** @param {number} count @param {{ clientWidth: number, clientHeight: number }} stage @param {Extent} image */
export function bestColumns(count, stage, image) {
  const fits = (columns) => Math.min(stage.clientWidth / columns / image.width, stage.clientHeight / Math.ceil(count / columns) / (image.height * (image.aspect ?? 1)));
  return Array.from({ length: count }, (_, i) => i + 1).reduce((best, each) => (fits(each) > fits(best) * 1.001 ? each : best));
}
