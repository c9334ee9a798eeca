// Milliseconds for which `shown` was on the screen: its tab in front, the window not hidden. Beside them those for which somebody
// was there: after two minutes without pointer or key this second clock stands still until the next one.

export const IDLE = 120_000;        // ms without pointer or key after which nobody counts as there
const SIGNS = ["pointermove", "pointerdown", "keydown", "wheel", "touchmove"];

/** @param {Element} shown */
export function createStopwatch(shown) {
  let total = 0, active = 0, sign = 0, onScreen = false, running = false, since = 0;

  // Takes over what has passed since the last time.
  function take() {
    const now = performance.now();
    if (running) {
      total += now - since;
      active += Math.max(0, Math.min(now, sign + IDLE) - since);
    }
    since = now;
  }

  function update() {
    take();
    const runs = onScreen && document.visibilityState === "visible";
    if (runs && !running) sign = since;
    running = runs;
  }

  function notice() {
    take();
    sign = since;
  }

  new IntersectionObserver((entries) => { onScreen = entries.at(-1).isIntersecting; update(); }).observe(shown);
  document.addEventListener("visibilitychange", update);
  for (const name of SIGNS) document.addEventListener(name, notice, { capture: true, passive: true });
  return {
    read() { take(); return Math.round(total); },
    // Both clocks at one instant: read one after the other, somebody could have been there for longer than it was shown.
    readBoth() { take(); return { visible_ms: Math.round(total), active_ms: Math.round(active) }; },
    restart(from = 0, activeFrom = 0) { take(); total = from; active = activeFrom; sign = since; },
  };
}
