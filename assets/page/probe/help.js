// The sheet on what this does and what it cannot do. How the model was made and tested stands in its card, a page of its own.

import { make } from "../shared/dom.js";
import { openSheet } from "../shared/key_sheet.js";
import { addressOf } from "../shared/server.js";
/** @import { Grid, ProbeProps } from "../types" */

// `image`: that shown, or null; `cells`: those that the model sees it in.
/** @param {HTMLDialogElement} dialog @param {ProbeProps} props @param {{ width: number, height: number } | null} image @param {Grid | null} cells */
export function openHelp(dialog, props, image, cells) {
  const part = (title, ...texts) => [make("h3", "", title), ...texts.map((text) => make("p", "", text))];
  const list = make("ul"), card = make("p"), link = Object.assign(make("a", "", "model card"), { href: addressOf("card"), target: "_blank" });
  list.append(...limits(props).map((text) => make("li", "", text)));
  card.append(`${props.model} (${props.fingerprint}). How it was made and tested, and how often it is right: `, link, ".");
  dialog.querySelector(".text").replaceChildren(
    ...part("What it does", "It shows where an image fits your words, and how likely the finding is. Nobody drew boxes to train it: it learned from images and their reports.", number(props), map(props, image, cells),
      "Point at a word under the description to see its own map. R and L are what the file says, or “assumed”."),
    ...part("What it cannot do"), list,
    ...part("Keys", "? lists them all. / describes, s scans for every finding, h held down looks beneath the map, m and o hide map and contour, k keeps a map beside the next, 1 to 6 judge the answer, Ctrl O opens images."),
    ...part("The model"), card,
  );
  openSheet(dialog);
}

/** @param {ProbeProps} props */
function number({ calibrated }) {
  if (!calibrated) return "This model has no calibration: the number is how well the words fit, from 0 to 1, and there is no verdict.";
  return "The number is a probability, the same however the finding is worded. From the line across the scale on it is flagged; below, the map is held back, because every map has a highest place. The strips are patients without and with the finding, whose images it did not learn from.";
}

/** @param {ProbeProps} props @param {{ width: number, height: number } | null} image @param {Grid | null} cells */
function map({ own_sentences }, image, cells) {
  const asked = own_sentences ? " Where you name a listed finding, our sentence on it counts for half." : "";
  const cell = cells && image ? ` The model sees cells of about ${Math.round(image.width / cells[0].length)} by ${Math.round(image.height / cells.length)} pixels here (${cells[0].length} by ${cells.length} cells); edges within one mean nothing.` : "";
  return `The map is coloured from the value “From” on, on one scale of 0 to 1 for all images.${asked}${cell}`;
}

/** @param {ProbeProps} props */
const limits = ({ trained_on: kinds }) => [
  "It is for research. It must not guide anybody’s care.",
  "“Not flagged” does not mean absent. The blue line below an answer says how many such findings are missed.",
  `It knows these images: ${kinds.join(", ")}. Of others it may say anything, and it does not always notice.`,
  "It judges the findings of its lists. Anatomy and free words have a map and no verdict. A side is checked where the map can tell it; zone and degree never.",
  "It reads English. What it does not understand it does not answer.",
  "It knows nothing of the patient, and compares with no earlier image.",
];
