// What can be taken away of one image: its figure, its curve and its numbers. The figure that the sheet shows is the one that is saved.

import { button, make } from "../shared/dom.js";
import { openSheet } from "../shared/key_sheet.js";
import { saveFile } from "../shared/save_file.js";
import { Refusal } from "../shared/server.js";

const SHOWN = "figure.png";
const GROUPS = {
  Figure: { "figure.png": "PNG, 300 dpi", "figure.svg": "SVG", "figure.pdf": "PDF" },
  "Curve over the threshold": { "curve.png": "PNG, 300 dpi", "curve.svg": "SVG", "curve.pdf": "PDF", "curve.csv": "CSV" },
  "Numbers of all findings": { "numbers.csv": "CSV", "numbers.json": "JSON" },
  "All of these": { "figures.zip": "ZIP" },
};

// `ask(file)`: the server's answer, a Response; `name()`: how the names of saved files begin.
/** @param {HTMLDialogElement} dialog @param {{ ask(file: string): Promise<Response>, name(): string }} page */
export function createTakeAway(dialog, { ask, name }) {
  const picture = dialog.querySelector("img"), said = dialog.querySelector(".done"), files = dialog.querySelector(".files");
  let kept = new Map(), turn = 0;                     // what was fetched since the sheet opened, by file
  let address = "";

  for (const [title, names] of Object.entries(GROUPS)) {
    const group = make("div");
    group.append(make("h3", "", title));
    for (const [file, kind] of Object.entries(names)) {
      const made = button("quiet", kind);
      made.dataset.file = file;
      made.setAttribute("aria-label", `${title}: ${kind}`);
      group.append(made);
    }
    files.append(group);
  }

  /** @param {string} file @returns {Promise<Blob>} */
  function fetchOnce(file) {
    if (!kept.has(file)) kept.set(file, ask(file).then((response) => response.blob()));
    return kept.get(file);
  }

  const explain = (error) => { said.textContent = error instanceof Refusal ? error.message : "The server does not answer. Try again."; };

  async function open() {
    const mine = ++turn;
    kept = new Map();
    said.textContent = "";
    dialog.dataset.state = "drawing";
    openSheet(dialog);
    try {
      const blob = await fetchOnce(SHOWN);
      if (mine !== turn) return;
      URL.revokeObjectURL(address);
      picture.src = address = URL.createObjectURL(blob);
      dialog.dataset.state = "drawn";
    } catch (error) {
      if (mine !== turn) return;
      dialog.dataset.state = "failed";
      explain(error);
    }
  }

  async function save(file) {
    const mine = turn;
    said.textContent = "";
    try {
      const content = await fetchOnce(file);
      if (mine === turn) said.textContent = saveFile(content, `${name()}-${file}`);
    } catch (error) {
      kept.delete(file);
      if (mine === turn) explain(error);
    }
  }

  files.addEventListener("click", ({ target }) => { if (target.dataset.file) save(target.dataset.file); });
  return { open };
}
