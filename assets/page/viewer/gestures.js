import { clamp } from "./image_pixels.js";
/** @import { PointerActions } from "../types" */

const NOTCH = 48;                   // pixels of the wheel to the next frame: a mouse sends 100 or so at once, a touchpad few at a time

// Pointer, wheel and touch on a stage. `on` says what they do: ready() whether anything is shown; paneOf(event), toImage(event);
// begin(target, point) a gesture { move(point), end(), cancel() } of the shapes or null; panBy, zoomAt(x, y, factor), windowBy, fit;
// windows() whether dragging changes the window; hover(event), leave(), drag(pane): one was touched; scrolls() whether the wheel goes
// through frames there, as scroll(by) does: then Ctrl and the wheel zoom, which is also what two fingers on a touchpad send.
/** @param {HTMLElement} stage @param {PointerActions} on */
export function watchPointer(stage, on) {
  const pointers = new Map();
  let gesture = null, pane = null;

  stage.addEventListener("pointerdown", (event) => {
    if (!on.ready() || event.target.closest("button, .frames")) return;
    if (!event.target.dataset.shape) stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    pane = on.paneOf(event);
    on.drag(pane);
    pointers.set(event.pointerId, event);
    stage.classList.add("dragging");
    gesture?.cancel();
    gesture = pointers.size === 1 && event.button === 0 ? on.begin(/** @type {HTMLElement} */ (event.target), on.toImage(event)) : null;
  });

  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return on.hover(event);
    const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
    pointers.set(event.pointerId, event);
    if (gesture) return gesture.move(on.toImage(event));
    if (pointers.size === 2) pinch(event, before, dx, dy);
    else if (on.windows() || event.buttons === 2) on.windowBy(dx, dy);
    else on.panBy(dx, dy);
  });

  function pinch(event, before, dx, dy) {
    const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
    const spread = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
    const box = pane.element.getBoundingClientRect();
    on.panBy(dx / 2, dy / 2);
    on.zoomAt((event.clientX + other.clientX) / 2 - box.left, (event.clientY + other.clientY) / 2 - box.top, spread(event) / Math.max(spread(before), 1));
  }

  function lift(event) {
    pointers.delete(event.pointerId);
    gesture?.end();
    gesture = null;
    stage.classList.toggle("dragging", pointers.size > 0);
  }
  stage.addEventListener("pointerup", lift);
  stage.addEventListener("pointercancel", lift);
  stage.addEventListener("pointerleave", on.leave);
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("dblclick", (event) => { if (!event.target.closest("button, .frames")) on.fit(); });
  let scrolled = 0;                   // towards the next frame
  function scroll(pixels) {
    scrolled = Math.sign(pixels) === Math.sign(scrolled) ? scrolled + pixels : pixels;
    if (Math.abs(scrolled) < NOTCH) return;
    on.scroll(Math.sign(scrolled));
    scrolled = 0;
  }

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (!on.ready()) return;
    const over = on.paneOf(event), box = over.element.getBoundingClientRect(), pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    on.drag(over);
    if (on.scrolls() && !event.ctrlKey && !event.metaKey) return scroll(pixels);
    on.zoomAt(event.clientX - box.left, event.clientY - box.top, Math.exp(-clamp(pixels, -240, 240) / 400));
  }, { passive: false });
}
