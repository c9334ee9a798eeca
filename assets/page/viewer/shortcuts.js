// The viewer's keys: each stands for one of its actions.

const KEYS = {
  0: "fit", r: "reset", "+": "zoomIn", "=": "zoomIn", "-": "zoomOut", i: "invert", o: "outline", m: "map", f: "full", v: "pan", w: "window",
  b: "box", d: "draw", l: "ruler", a: "angle", "%": "ratio", u: "area", p: "preset", g: "film", t: "texts", y: "link", B: "beside", c: "colors", "]": "higher", "[": "lower", ".": "stronger", ",": "fainter",
  PageUp: "previousFrame", PageDown: "nextFrame", "{": "previousFrame", "}": "nextFrame",
};
const STAGE_KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", " ": "middle" };
const ONCE = ["middle"];   // a held key does these once

// Handles a key; true when it was one of these. `annotations()` of the film that was touched last have keys of their own; onStage(): the image has the focus; drawing(): dragging
// does something else than move the image.
/** @param {Record<string, (on?: boolean) => void>} actions @param {{ annotations(): { key(event: KeyboardEvent): boolean, undo(): void, redo(): void }, onStage(): boolean, drawing(): boolean }} on */
export function createShortcuts(actions, { annotations, onStage, drawing }) {
  const step = (event) => { event.shiftKey ? annotations().redo() : annotations().undo(); return true; };
  const act = (event) => {
    const name = KEYS[event.key] || (onStage() && STAGE_KEYS[event.key]);
    if (!name) return false;
    if (!(event.repeat && ONCE.includes(name))) actions[name]();
    return true;
  };
  return (event) => {
    const control = event.ctrlKey || event.metaKey;
    if (control && event.key.toLowerCase() === "z") return step(event);
    if (control || event.altKey) return false;
    if (annotations().key(event)) return true;
    if (event.key === "h") { actions.peek(true); return true; }
    if (event.key === "Escape" && drawing()) { actions.pan(); return true; }
    return act(event);
  };
}
