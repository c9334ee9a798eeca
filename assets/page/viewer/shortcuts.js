// The viewer's keys: each stands for one of its actions.

const KEYS = {
  0: "fit", r: "reset", "+": "zoomIn", "=": "zoomIn", "-": "zoomOut", i: "invert", o: "outline", m: "map", f: "full", v: "pan", w: "window",
  b: "box", d: "draw", p: "preset", c: "colors", "]": "higher", "[": "lower", ".": "stronger", ",": "fainter",
};
const STAGE_KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", " ": "middle" };

// Handles a key; true when it was one of these. `annotations` have keys of their own; onStage(): the image has the focus; drawing(): dragging
// does something else than move the image.
/** @param {Record<string, (on?: boolean) => void>} actions @param {{ annotations: { key(event: KeyboardEvent): boolean, undo(): void, redo(): void }, onStage(): boolean, drawing(): boolean }} on */
export function createShortcuts(actions, { annotations, onStage, drawing }) {
  return (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") { event.shiftKey ? annotations.redo() : annotations.undo(); return true; }
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (annotations.key(event)) return true;
    if (event.key === "h") { actions.peek(true); return true; }
    if (event.key === "Escape" && drawing()) { actions.pan(); return true; }
    const name = KEYS[event.key] || (onStage() && STAGE_KEYS[event.key]);
    if (name && !(name === "middle" && event.repeat)) actions[name]();   // a held key draws one box
    return Boolean(name);
  };
}
