// The curve of agreement over the threshold, as SVG: IoU drawn through, Dice dashed, the paper's thresholds marked.

import { svg } from "../shared/dom.js";
import { clamp } from "../viewer/image_pixels.js";
/** @import { Curve } from "../types" */

const PLOT = { left: 26, right: 362, top: 8, bottom: 112 };

// `root`: the SVG element it is drawn in, 368 by 132. `pick(threshold)` is called where the reader presses or drags on it.
/** @param {SVGElement} root @param {(threshold: number) => void} pick */
export function createCurve(root, pick) {
  let range = [0, 1], cursor = null;

  const across = (threshold) => PLOT.left + (threshold - range[0]) / (range[1] - range[0]) * (PLOT.right - PLOT.left);
  const up = (value) => PLOT.bottom - value * (PLOT.bottom - PLOT.top);
  const text = (x, y, anchor, what) => { svg("text", { x, y, "text-anchor": anchor }, root).textContent = what; };

  function line(thresholds, values, className) {
    svg("path", { class: className, d: "M" + values.map((value, i) => `${across(thresholds[i]).toFixed(1)} ${up(value).toFixed(1)}`).join("L") }, root);
  }

  // `curves`: [{ iou, dice } or null, …], values at each of `thresholds`; `marked`: thresholds with a mark, `means` of IoU there.
  /** @param {number[]} thresholds @param {(Curve | null)[]} curves @param {number[]} marked @param {number[]} means */
  function show(thresholds, curves, marked, means) {
    root.replaceChildren();
    range = [thresholds[0], thresholds.at(-1)];
    for (const value of [0, 0.5, 1]) {
      svg("path", { class: "grid", d: `M${PLOT.left} ${up(value)}H${PLOT.right}` }, root);
      text(PLOT.left - 5, up(value) + 4, "end", value);
    }
    for (const part of [0, 0.25, 0.5, 0.75, 1]) {
      const threshold = range[0] + part * (range[1] - range[0]);
      text(across(threshold), PLOT.bottom + 15, part === 1 ? "end" : "middle", String(threshold).replace("-", "−"));
    }
    curves.forEach((curve, i) => {
      if (!curve?.iou) return;
      const own = i ? "second" : "first";
      line(thresholds, curve.dice, `dice ${own}`);
      line(thresholds, curve.iou, `iou ${own}`);
      if (marked.length) svg("path", { class: `mean ${own}`, d: `M${across(marked[0])} ${up(means[i])}H${across(marked.at(-1))}` }, root);
      for (const threshold of marked) {
        const at = thresholds.findIndex((each) => Math.abs(each - threshold) < 1e-6);
        svg("circle", { class: `mark ${own}`, cx: across(threshold), cy: up(curve.iou[at]), r: 3 }, root);
      }
    });
    cursor = svg("path", { class: "cursor" }, root);
  }

  function at(threshold) {
    cursor?.setAttribute("d", `M${across(threshold)} ${PLOT.top - 4}V${PLOT.bottom}`);
  }

  function press(event) {
    if (!(event.buttons & 1)) return;
    const box = root.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * 368 - PLOT.left) / (PLOT.right - PLOT.left);
    pick(range[0] + clamp(share, 0, 1) * (range[1] - range[0]));
  }
  root.addEventListener("pointerdown", (event) => { root.setPointerCapture(event.pointerId); press(event); });
  root.addEventListener("pointermove", press);

  return { show, at };
}
