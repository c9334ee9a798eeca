
// The curve of agreement over the threshold, as SVG: IoU drawn through, Dice dashed, the paper's thresholds marked.

const PLOT = { left: 26, right: 362, top: 8, bottom: 112 };

// `svg`: its place, 368 by 132. `pick(threshold)` is called where the reader presses or drags on it.
function createCurve(svg, pick) {
  let range = [0, 1], cursor = null;

  const across = (threshold) => PLOT.left + (threshold - range[0]) / (range[1] - range[0]) * (PLOT.right - PLOT.left);
  const up = (value) => PLOT.bottom - value * (PLOT.bottom - PLOT.top);
  const text = (x, y, anchor, what) => { draw("text", { x, y, "text-anchor": anchor }, svg).textContent = what; };

  function line(thresholds, values, className) {
    draw("path", { class: className, d: "M" + values.map((value, i) => `${across(thresholds[i]).toFixed(1)} ${up(value).toFixed(1)}`).join("L") }, svg);
  }

  // `curves`: [{ iou, dice } or null, …], values at each of `thresholds`; `marked`: thresholds with a mark, `means` of IoU there.
  function show(thresholds, curves, marked, means) {
    svg.replaceChildren();
    range = [thresholds[0], thresholds.at(-1)];
    for (const value of [0, 0.5, 1]) {
      draw("path", { class: "grid", d: `M${PLOT.left} ${up(value)}H${PLOT.right}` }, svg);
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
      if (marked.length) draw("path", { class: `mean ${own}`, d: `M${across(marked[0])} ${up(means[i])}H${across(marked.at(-1))}` }, svg);
      for (const threshold of marked) {
        const at = thresholds.findIndex((each) => Math.abs(each - threshold) < 1e-6);
        draw("circle", { class: `mark ${own}`, cx: across(threshold), cy: up(curve.iou[at]), r: 3 }, svg);
      }
    });
    cursor = draw("path", { class: "cursor" }, svg);
  }

  function at(threshold) {
    cursor?.setAttribute("d", `M${across(threshold)} ${PLOT.top - 4}V${PLOT.bottom}`);
  }

  function press(event) {
    if (!(event.buttons & 1)) return;
    const box = svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * 368 - PLOT.left) / (PLOT.right - PLOT.left);
    pick(range[0] + clamp(share, 0, 1) * (range[1] - range[0]));
  }
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); press(event); });
  svg.addEventListener("pointermove", press);

  return { show, at };
}
