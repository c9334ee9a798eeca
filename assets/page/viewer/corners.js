// What stands in the corners of a pane: which file this is and how it is displayed, as on the stage of a PACS.

import { make } from "../shared/dom.js";
import { downZoom } from "./paint.js";
import { MICROSCOPIC, scaleBar } from "./scale_bar.js";
/** @import { CornerTexts, Facts, Film, PixelImage, Range } from "../types" */

const LONGEST_BAR = 110;            // screen pixels
const PLANES = { detector: " at the detector", film: " on the scanned film", unsaid: "", object: "" };

/** @param {Facts} facts */
function spacingInWords({ spacing, plane }) {
  if (!spacing) return "spacing not stated";
  const [down, across] = spacing, micro = across < MICROSCOPIC;
  const said = (value) => String(Number((micro ? 1000 * value : value).toPrecision(3)));
  const size = Math.abs(down / across - 1) < 0.001 ? said(across) : `${said(across)} × ${said(down)}`;
  return `${size} ${micro ? "µm" : "mm"} a pixel${PLANES[plane] ?? ""}`;
}

// Window and level of a gray film; of a photograph the range that is shown.
/** @param {PixelImage} image @param {Range} window */
function windowInWords({ levels }, [low, high]) {
  const [from, to] = [low, high].map(Math.round);
  return levels[0].planes.length > 1 ? `range ${from} … ${to}` : `W ${to - from}  L ${Math.round((low + high) / 2)}`;
}

/** @param {Film} film @param {string} colors what the colours of the film are called, or "" @returns {CornerTexts} */
export function cornerTexts({ image, facts, window, sides, frame, frames }, colors = "") {
  const name = [facts.name, frames > 1 ? `${frame + 1} of ${frames}` : ""].filter(Boolean).join("  ");
  return {
    name, taken: [facts.projection, facts.study_date].filter(Boolean).join("  "), tag: sides.tag,
    matrix: `${image.width} × ${image.height}`, spacing: spacingInWords(facts), window: windowInWords(image, window), colors,
  };
}

const LINES = { "top left": ["name", "taken", "tag"], "top right": ["matrix", "spacing"], "bottom left": ["colors", "window"], "bottom right": ["bar", "zoom"] };

// The corners of a pane: { show(film, colors) }. Texts are put in place as text.
/** @param {HTMLElement} pane */
export function makeCorners(pane) {
  const lines = /** @type {Record<string, HTMLElement>} */ ({});
  for (const [place, names] of Object.entries(LINES)) {
    const corner = make("div", `corner ${place}`);
    for (const name of names) corner.append(lines[name] = make("p", name));
    pane.append(corner);
  }
  const put = (name, text) => { if (lines[name].textContent !== text) { lines[name].textContent = text; lines[name].hidden = !text; } };
  for (const name of Object.keys(lines)) lines[name].hidden = true;

  return {
    /** @param {Film} film @param {string} colors */
    show(film, colors) {
      if (!film.image) return;
      for (const [name, text] of Object.entries(cornerTexts(film, colors))) put(name, text);
      const { zoom } = film.viewport.at, down = downZoom(film.image, film.viewport.at), across = film.facts.spacing?.[1];
      put("zoom", `× ${Number(Math.max(zoom, down).toPrecision(2))}`);
      const bar = across ? scaleBar(across / zoom, LONGEST_BAR) : null;
      put("bar", bar?.text ?? "");
      lines.bar.style.setProperty("--length", `${bar?.pixels ?? 0}px`);
    },
  };
}
