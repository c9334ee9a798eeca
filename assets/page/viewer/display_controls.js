// The controls of how an image and its map are displayed: window presets, colour maps, sliders and switches.

import { filmColors } from "./film_colors.js";
import { percentiles } from "./image_pixels.js";
/** @import { Display, Range } from "../types" */

// Windows by name, in stored values. The named parts are percentiles, so they suit images of any depth and exposure.
const PRESETS = {
  default: { title: "Default", window: (image) => image.window },
  full: { title: "Full range", window: (image) => [0, (1 << image.depth) - 1] },
  used: { title: "Used range", window: (image) => percentiles(image, [0, 1]), gray: true },
  dark: { title: "Dark parts (lung)", window: (image) => percentiles(image, [0.02, 0.6]), gray: true },
  bright: { title: "Bright parts (bone)", window: (image) => percentiles(image, [0.45, 0.998]), gray: true },
  soft: { title: "Low contrast", window: (image) => widen(percentiles(image, [0, 1])) },
};

/** @type {(window: Range) => Range} */
const widen = ([low, high]) => [low - (high - low) / 2, high + (high - low) / 2];

// `set` takes a change of the display, as the viewer's setDisplay does.
/** @param {HTMLElement} root @param {Record<string, Uint8Array>} tables @param {(change: Partial<Display>) => void} set */
export function createDisplayControls(root, tables, set) {
  const find = (selector) => root.querySelector(selector);
  const presets = find("[data-choose=preset]"), colors = find("[data-choose=colors]"), film = find("[data-choose=film]"), strip = find(".ramp canvas").getContext("2d");
  let image = null, ramp = null;
  let scale = /** @type {Range} */ ([0, 1]);          // the numbers that 0 and 1 of the map stand for
  let picked = { name: "default", window: null };     // the preset in use, for as long as its window is

  for (const name of Object.keys(tables)) colors.add(new Option(name, name));
  colors.addEventListener("change", () => set({ colors: colors.value }));
  film.addEventListener("change", () => set({ film: film.value }));
  presets.addEventListener("change", () => pick(presets.value));
  for (const slider of root.querySelectorAll("[data-set]")) {
    slider.addEventListener("input", () => set({ [slider.dataset.set]: slider.value }));
  }

  function pick(name) {
    if (!image || !PRESETS[name]) return;
    const [low, high] = PRESETS[name].window(image);
    picked = { name, window: [low, Math.max(high, low + 1)] };
    set({ window: picked.window });
  }

  function paintRamp(table) {
    const row = strip.createImageData(256, 1);
    for (let i = 0; i < 256; i++) row.data.set([table[3 * i], table[3 * i + 1], table[3 * i + 2], 255], 4 * i);
    strip.putImageData(row, 0, 0);
  }

  // A value of the map in the numbers of its scale.
  const inScale = (/** @type {number} */ value) => (scale[0] + value * (scale[1] - scale[0])).toFixed(2).replace("-", "−");

  return {
    pick, inScale,
    get scale() { return scale; },
    /** @param {Range} range */
    setScale(range) { scale = range; },
    offerPresets(shown) {
      image = shown;
      if (!image) return;
      const channels = image.levels[0].planes.length, gray = channels === 1;
      film.replaceChildren(...filmColors(channels, tables).map(({ name, title }) => new Option(title, name)));
      presets.replaceChildren(...Object.entries(PRESETS).filter(([, each]) => gray || !each.gray).map(([name, { title }]) => new Option(title, name)));
      const byHand = new Option("By hand", "hand");
      byHand.hidden = true;
      presets.add(byHand);
    },
    nextPreset() {
      const names = [...presets.options].map((option) => option.value).filter((name) => name in PRESETS);
      pick(names[(names.indexOf(presets.value) + 1) % names.length]);
    },
    nextFilm() { film.value = film.options[(film.selectedIndex + 1) % film.options.length].value; set({ film: film.value }); },
    show(display) {
      for (const name of ["opacity", "threshold"]) find(`[data-set="${name}"]`).value = display[name];
      for (const name of ["invert", "outline", "map", "texts"]) find(`[data-act="${name}"]`).setAttribute("aria-pressed", String(display[name]));
      find("[data-show=threshold]").textContent = inScale(display.threshold);
      colors.value = display.colors;
      if (ramp !== display.colors) { ramp = display.colors; paintRamp(tables[ramp]); }
      if (!image) return;
      film.value = display.film;
      if (film.selectedIndex < 0) film.selectedIndex = 0;
      presets.value = display.window === image.window ? "default" : display.window === picked.window ? picked.name : "hand";
    },
  };
}
