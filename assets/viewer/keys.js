
// The viewer's keys: each stands for one of its actions.

const KEYS = {
  0: "fit", r: "reset", "+": "zoomIn", "=": "zoomIn", "-": "zoomOut", i: "invert", o: "outline", m: "map", f: "full", v: "pan", w: "window",
  b: "box", d: "draw", p: "preset", c: "colors", "]": "higher", "[": "lower", ".": "stronger", ",": "fainter",
};
const STAGE_KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", " ": "middle" };

// Handles a key; true when it was one of these. `layer` has keys of its own; onStage(): the image has the focus; drawing(): dragging
// does something else than move the image.
function createKeys(actions, { layer, onStage, drawing }) {
  return (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") { event.shiftKey ? layer.redo() : layer.undo(); return true; }
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (layer.key(event)) return true;
    if (event.key === "h") { actions.peek(true); return true; }
    if (event.key === "Escape" && drawing()) { actions.pan(); return true; }
    const name = KEYS[event.key] || (onStage() && STAGE_KEYS[event.key]);
    if (name && !(name === "middle" && event.repeat)) actions[name]();   // a held key draws one box
    return Boolean(name);
  };
}
