// When the panes are painted, and how finely: where the machine is slow, coarser while something moves, and sharp once it is at rest.

/** @import { RenderActions } from "../types" */

const FRAME = 9;                    // ms a painting may take while something moves
const STEPS = [1, 0.75, 0.5, 0.375, 0.25];   // scales to choose from
const MOST_PIXELS = 9e6;            // of one canvas
const REST = 140;                   // ms without a change until it is at rest

// `on`: size() of a pane; layers() how many times a pane's pixels are painted for the image and for the maps; images(width, height,
// scale), maps(width, height, scale) and shapes() paint.
/** @param {RenderActions} on */
export function createRenderLoop(on) {
  let frame = 0, coarse = 0, dirty = { image: true, maps: true };
  let moving = false, touched = -Infinity, pace = 1e5;  // pace: pixels painted a ms

  function paint(quick) {
    const [width, height] = on.size(), [image, maps] = on.layers();
    const density = Math.min(window.devicePixelRatio || 1, 2, Math.sqrt(MOST_PIXELS / Math.max(1, width * height)));
    const parts = (dirty.image ? image : 0) + (dirty.maps ? maps : 0);
    const scale = density * (quick ? STEPS.find((step) => parts * width * height * (density * step) ** 2 <= pace * FRAME) ?? STEPS.at(-1) : 1);
    const start = performance.now();
    if (dirty.image) on.images(width, height, scale);
    if (dirty.maps) on.maps(width, height, Math.min(scale, 1));
    if (parts) pace = parts * width * height * scale ** 2 / Math.max(performance.now() - start, 0.5);
    on.shapes();
    dirty = { image: false, maps: false };
    if (scale < density || coarse) {
      clearTimeout(coarse);
      coarse = setTimeout(() => { coarse = 0; dirty = { image: true, maps: true }; paint(false); }, REST);
    }
  }

  return {
    // Asks for a painting of the image, of the maps or (both false) of the shapes alone.
    ask(image = true, maps = true) {
      dirty = { image: dirty.image || image, maps: dirty.maps || maps };
      frame ||= requestAnimationFrame(() => { frame = 0; paint(moving); });
    },
    // Paints what was asked for, without waiting for the next frame.
    now() {
      cancelAnimationFrame(frame);
      frame = 0;
      paint(false);
    },
    // A change by the user; of several in a row the machine paints what it can.
    touch() {
      const now = performance.now();
      moving = now - touched < REST;
      touched = now;
    },
    get done() { return frame === 0 && !coarse; },
  };
}
