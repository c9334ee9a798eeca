// The frames of a file that holds several: which one is shown, and the slider and keys that choose another.

import { clamp } from "./image_pixels.js";

// `root` holds the bar; `choose(frame)`, from 0, fetches and shows another.
/** @param {HTMLElement} root @param {(frame: number) => void} choose */
export function createFrames(root, choose) {
  const slider = root.querySelector("input"), [previous, next] = root.querySelectorAll("button");
  let count = 1, wanted = 0;

  function want(frame) {
    const last = wanted;
    wanted = clamp(frame, 0, count - 1);
    slider.value = String(wanted + 1);
    previous.disabled = wanted === 0;
    next.disabled = wanted === count - 1;
    if (wanted !== last) choose(wanted);
  }

  slider.addEventListener("input", () => want(Number(slider.value) - 1));

  return {
    step(by) { want(wanted + by); },
    // Frame `at` of `of` is on the stage. A newer one may be wanted by then, so the slider stays where the user put it.
    show(at, of, fresh) {
      count = of;
      root.hidden = of < 2;
      slider.max = String(of);
      if (fresh) wanted = at;
      root.querySelector("output").textContent = `frame ${at + 1} of ${of}`;
      want(wanted);
    },
    // What was wanted cannot be had: back to frame `at`, which is shown.
    stay(at) { wanted = at; want(at); },
  };
}

// Calls `load(…)` for one after the other; of those that come while one is under way only the newest. `load` must not throw.
/** @template {any[]} Given @param {(...given: Given) => Promise<void>} load */
export function newestOnly(load) {
  let waiting = null, busy = false;
  return async (/** @type {Given} */ ...given) => {
    waiting = given;
    if (busy) return;
    busy = true;
    while (waiting) {
      const now = waiting;
      waiting = null;
      await load(...now);
    }
    busy = false;
  };
}
