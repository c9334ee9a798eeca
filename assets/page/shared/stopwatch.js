// Milliseconds for which `shown` was on the screen: its tab in front, the window not hidden.
/** @param {Element} shown */
export function createStopwatch(shown) {
  let total = 0, since = null, onScreen = false;
  const read = () => Math.round(total + (since === null ? 0 : performance.now() - since));
  function update() {
    const running = onScreen && document.visibilityState === "visible";
    if (running === (since !== null)) return;
    total = read();
    since = running ? performance.now() : null;
  }
  new IntersectionObserver((entries) => { onScreen = entries.at(-1).isIntersecting; update(); }).observe(shown);
  document.addEventListener("visibilitychange", update);
  return {
    read,
    restart(from = 0) { total = from; since = since === null ? null : performance.now(); },
  };
}
