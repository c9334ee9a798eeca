// The sheet on what the numbers, the maps and the model are. What is said of the model comes from its card and config.

import { make } from "../shared/dom.js";
import { openSheet } from "../shared/key_sheet.js";
/** @import { Grid, ProbeProps } from "../types" */

// `image` and `grid`: those shown, or null.
/** @param {HTMLDialogElement} dialog @param {ProbeProps} props @param {{ width: number, height: number } | null} image @param {Grid | null} [grid] */
export function openHelp(dialog, props, image, grid) {
  // The card's Markdown, as far as cards use it: headings, lists, tables as they stand, paragraphs.
  function renderCard(text) {
    const parts = [];
    for (const block of text.split(/\n\s*\n/)) {
      const lines = block.trim().split("\n"), plain = (line) => line.replace(/\*\*|`/g, "");
      if (/^#+ /.test(lines[0])) parts.push(make("h3", "", plain(lines.shift().replace(/^#+ /, ""))));
      if (!lines.length || !lines[0]) continue;
      if (lines[0].startsWith("|")) parts.push(make("pre", "", lines.filter((line) => !/^\|[-| :]+$/.test(line)).map(plain).join("\n")));
      else if (lines[0].startsWith("- ")) {
        const list = make("ul");
        for (const item of plain(lines.join(" ")).split(/(?:^|\s)- (?=\S)/).filter(Boolean)) list.append(make("li", "", item));
        parts.push(list);
      } else parts.push(make("p", "", plain(lines.join(" "))));
    }
    return parts;
  }

  function explain() {
    const cell = grid && image ? ` On this image a cell is about ${Math.round(image.width / grid[0].length)} by ${Math.round(image.height / grid.length)} pixels: ${grid[0].length} by ${grid.length} cells.` : "";
    const point = !props.calibrated ? "This model has no calibration, so only the fit of a description is given and no verdict."
      : "From the line across the scale on a finding is flagged. Below it the map is held back, because a map always has a highest place, whether or not something is there. Above the scale stand those without and those with the finding, of patients whose images the model did not learn from; a press on the blue line below tells how often the verdict is right.";
    return [
      make("h3", "", "The number"), make("p", "", `How likely it is that the finding is there, by the model's own calibration: the same however it is asked, with a side, as a denial, or in a scan. ${point}`),
      make("h3", "", "What holds"), make("p", "", "A denial is answered by the finding it denies. A side that you name is held against the side that the map of the finding lies on, in the patient's terms, where the model can tell sides. Anatomy and free words have a map and no verdict. Of what is not understood nothing is said."),
      make("h3", "", "The map"), make("p", "", `Where the image resembles the words, from 0 to 1 on a scale that is the same for every image. It is coarser than the image: the model sees it at ${[...new Set(Object.values(props.image_sizes))].join(" or ")} pixels.${cell} Edges within a cell mean nothing.`),
      make("h3", "", "The words"), make("p", "", "Under the description each word is tinted by its pull: the value of its own map where the whole map is strongest. Point at a word to see its map."),
      make("h3", "", "The sides"), make("p", "", "R and L beside a chest film, or A and P beside a lateral one, are what its file says. Where the file is silent they say “assumed”: films are hung with the patient's right on the left. They are never part of a saved picture."),
      make("h3", "", "What the model was made for"), make("p", "", `${props.model} (${props.fingerprint}), for: ${props.trained_on.join(", ")}.`),
    ];
  }

  dialog.querySelector(".text").replaceChildren(...explain(), ...renderCard(props.card));
  openSheet(dialog);
}
