
// A pane: one film with one map over it, shapes over both, and above them a title where there are several.

const SIDE_NOTE = "Assumed for a frontal film: the patient's right lies on the image's left. Not read from the file.";

// Adds a pane to `holder`; `onClose(pane)` is told when its cross is pressed.
function makePane(holder, label, side, onClose) {
  const make = (name, className, text = "") => Object.assign(document.createElement(name), { className, textContent: text });
  const frame = make("div", "frame"), element = make("div", "pane"), film = make("canvas", "film"), map = make("canvas", "map");
  const caption = make("p", "caption"), title = make("b", ""), note = make("span", ""), close = make("button", "close", "×");
  const sideNote = make("p", "side"), letter = make("b", "", side), svg = draw("svg", { class: "shapes" });
  film.setAttribute("role", "img");
  film.setAttribute("aria-label", label);
  map.setAttribute("aria-hidden", "true");
  close.type = "button";
  sideNote.title = SIDE_NOTE;
  sideNote.append(letter, make("span", "", "assumed"));
  caption.append(title, note, close);
  element.append(film, map, svg, sideNote);
  frame.append(caption, element);
  holder.append(frame);
  const pane = { frame, element, svg, title, note, close, letter, film, filmContext: film.getContext("2d"), mapContext: map.getContext("2d") };
  close.addEventListener("click", () => onClose(pane));
  return pane;
}

// In how many columns `count` images of a shape are largest on a stage.
function bestColumns(count, stage, image) {
  const fits = (columns) => Math.min(stage.clientWidth / columns / image.width, stage.clientHeight / Math.ceil(count / columns) / image.height);
  return Array.from({ length: count }, (_, i) => i + 1).reduce((best, each) => (fits(each) > fits(best) * 1.001 ? each : best));
}

