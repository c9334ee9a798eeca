// The stage of a set: all its measures and its figures, in place of an image that it has nothing to do with.

import { make } from "../shared/dom.js";
import { addressOf } from "../shared/server.js";
import { meanCells, measureHeads } from "./agreement_tables.js";
/** @import { Measures, SetState } from "../types" */

const KINDS = { svg: "SVG", png: "PNG, 300 dpi", pdf: "PDF" };

// Where a file of a run is.
/** @param {string} file @param {{ set: string, style: string }} run */
export const addressOfFile = (file, run) => `${addressOf(`runs/${file}`)}?${new URLSearchParams(run)}`;

/** @param {HTMLElement} root @param {Measures} measures */
export function createGallery(root, measures) {
  let shown = "";

  /** @param {string} sentence */
  function say(sentence) {
    shown = "";
    root.replaceChildren(make("p", "empty", sentence));
  }

  /** @param {SetState} state @param {{ set: string, style: string }} run */
  function show(state, run) {
    const key = JSON.stringify([run, state.summary]);
    if (key === shown) return;                        // what was scrolled to stays in view
    shown = key;
    root.replaceChildren(tableOf(state), ...state.figures.map((each) => figureOf(each, run)));
    root.scrollTop = 0;
  }

  /** @param {SetState} state */
  function tableOf({ summary: { columns, rows, blind, n_images: images, n_cases: cases } }) {
    const part = make("section"), scroll = make("div", "scroll"), table = make("table"), head = make("tr"), body = make("tbody");
    head.append(make("th", "", "Finding"), Object.assign(make("th", "", "n"), { title: "Cases with ground truth" }), ...measureHeads(columns, measures));
    body.append(...[...rows, ...blind].map((each, i) => {
      const row = make("tr", i === rows.length - 1 ? "all" : i >= rows.length ? "blind" : ""), name = Object.assign(make("th", "", each.name), { title: each.name });
      row.append(name, make("td", "", each.n == null ? "" : String(each.n)), ...meanCells(each, columns, measures));
      return row;
    }));
    const top = make("thead");
    top.append(head);
    table.append(top, body);
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "All measures");
    scroll.append(table);
    part.append(make("h2", "", "All measures"), scroll, make("p", "note", `Means over ${images} images with ${cases} cases, with 95% intervals over patients; below all findings, the three maps that never look at the image, and human readers where the set has some, with the map where it marks as much. A heading says what its measure is.`));
    return part;
  }

  /** @param {{ name: string, title: string }} figure @param {{ set: string, style: string }} run */
  function figureOf({ name, title }, run) {
    const part = make("section"), head = make("div", "line"), links = make("span", "links"), picture = make("img");
    for (const [kind, text] of Object.entries(KINDS)) {
      const link = make("a", "", text), file = `figure_${name}.${kind}`;
      Object.assign(link, { href: addressOfFile(file, run), download: file });
      link.setAttribute("aria-label", `${title}: ${text}`);
      links.append(link);
    }
    head.append(make("h2", "", title), links);
    picture.className = "waiting";                    // the server draws it when it is first asked for
    picture.addEventListener("load", () => { picture.className = ""; });
    picture.addEventListener("error", () => picture.replaceWith(make("p", "note", "The server could not draw this figure.")));
    Object.assign(picture, { src: addressOfFile(`figure_${name}.png`, run), alt: title, loading: "lazy", width: 2126 });
    part.append(head, picture);
    return part;
  }

  say("The figures of a set stand here once one is open.");
  return { show, say };
}
