
// What is kept of a reading beside the answers: what was drawn, how long the image was visible, and names for rows.

const RETRY = 3000;                 // ms between attempts while the server does not answer
const UNHURRIED = 800;              // ms after the last key or stroke until what was typed or drawn is saved
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

const round = (value) => Math.round(100 * value) / 100;

// A shape of the viewer as it is stored, and back: { box: [x, y, width, height] } or { outline: [[x, y], …] }, in pixels of the image.
function toRegion({ x, y, width, height, rings }) {
  return rings?.[0].length > 2 ? { outline: rings[0].map((point) => point.map(round)) } : { box: [x, y, width, height].map(round) };
}

function toShape({ box, outline }) {
  if (outline) return { kind: "outline", ...boxAround(outline), rings: [outline] };
  const [x, y, width, height] = box;
  return { kind: "box", x, y, width, height };
}

// Milliseconds for which `shown` was on the screen: its tab in front, the window not hidden.
function createStopwatch(shown) {
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

// A random UUID; crypto.randomUUID is not there on plain http.
function makeId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// The server's time (UTC) as this place's hours and minutes.
const clockTime = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

const notSaved = (sentence) => (sentence.startsWith("Not saved") ? sentence : `Not saved: ${sentence}`);
