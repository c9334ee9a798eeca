// What can leave the page, and coming back to it: pictures, the finding, and a view (everything but the image) as a link or a file.
// `probe`: { viewer, state() -> { finding, doubt, shown, modality, description, kept, example, image, spacing, burnedIn, frame }, model, fingerprint }; `shown` are
// the findings of the panes, `kept` the descriptions of all but the newest.

import { openSheet } from "../shared/key_sheet.js";
import { saveFile } from "../shared/save_file.js";
import { inWords } from "../shared/verdict.js";
import { LARGEST, joinPictures } from "../viewer/picture_export.js";
import { linkTo, makeView } from "./view_link.js";
/** @import { ShareState } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

const DISPLAY_KEYS = ["invert", "colors", "opacity", "threshold", "outline", "map"];

/** @param {HTMLDialogElement} dialog @param {{ viewer: Viewer, state(): ShareState, model: string, fingerprint: string }} probe */
export function createShare(dialog, probe) {
  const done = dialog.querySelector(".done");
  const RESEARCH = "Research use only. Not for diagnosis.";

  const sentence = (finding = probe.state().finding) => (finding ? inWords(finding) : "No description.");

  const frameOf = () => { const { frame } = probe.state(); return frame === null ? "" : `Frame ${frame + 1}. `; };
  const credit = () => `${frameOf()}AFLoc, ${probe.model} (${probe.fingerprint}). ${RESEARCH}`;

  function view() {
    const { modality, description, kept, example, image } = probe.state(), { viewer } = probe;
    const display = Object.fromEntries(DISPLAY_KEYS.map((key) => [key, viewer.display[key]]));
    if (viewer.display.window !== viewer.film?.window) display.window = viewer.display.window;
    return makeView({
      model: probe.model, fingerprint: probe.fingerprint, example, image, modality, description, kept, display,
      place: viewer.place, shapes: viewer.shapes.map(({ id, ...shape }) => shape),
    });
  }

  function record() {
    const { finding, doubt, modality, image, frame } = probe.state();
    return { finding, doubt, modality, image: frame === null ? image : { ...image, frame }, model: probe.model, fingerprint: probe.fingerprint, shapes: probe.viewer.shapes, measurements: probe.viewer.measured, note: RESEARCH };
  }

  async function picture(overlay) {
    const { spacing, shown, beside } = probe.state(), render = (options) => probe.viewer.render({ overlay, spacing, ...options });
    if (!overlay) return render({ caption: [credit()] });
    const other = probe.viewer.beside ? [render({ beside: true, largest: LARGEST / 2, spacing: undefined, caption: [beside ? `The image beside, asked by itself. ${sentence(beside)}` : "The image beside, not asked about.", credit()] })] : [];
    if (shown.length < 2 && !other.length) return render({ caption: [sentence(), credit()] });
    const asked = shown.length ? shown.map((finding, pane) => render({ pane, largest: LARGEST / 2, caption: [sentence(finding), credit()] })) : [render({ largest: LARGEST / 2, caption: [credit()] })];
    return joinPictures(await Promise.all([...asked, ...other]));
  }

  /** @param {boolean} overlay @returns {Promise<Blob>} */
  async function pictureFile(overlay) {
    const canvas = await picture(overlay);
    return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("too large"))), "image/png"));
  }

  const json = (value) => new Blob([JSON.stringify(value, null, 1)], { type: "application/json" });

  const ways = {
    picture: async () => saveFile(await pictureFile(true), "afloc-map.png"),
    plain: async () => saveFile(await pictureFile(false), "afloc-image.png"),
    copyPicture: async () => { await navigator.clipboard.write([new ClipboardItem({ "image/png": pictureFile(true) })]); return "Picture copied."; },
    finding: async () => saveFile(json(record()), "afloc-finding.json"),
    copyText: async () => { await navigator.clipboard.writeText(`${sentence()}\n${credit()}`); return "Text copied."; },
    link: async () => { await navigator.clipboard.writeText(linkTo(view())); return "Link copied. Whoever opens it needs the image too."; },
    file: async () => saveFile(json(view()), "afloc-view.json"),
  };

  dialog.addEventListener("click", async (event) => {
    const name = event.target.dataset?.share;
    if (!name) return;
    try { done.textContent = await ways[name](); }
    catch { done.textContent = "The browser refused; try a download instead."; }
  });

  return {
    open() {
      done.textContent = "";
      const { finding, image, burnedIn } = probe.state();
      dialog.querySelector(".caution").hidden = !burnedIn;
      for (const button of dialog.querySelectorAll("[data-share]")) button.disabled = !image || (!finding && ["finding", "copyText"].includes(button.dataset.share));
      openSheet(dialog);
    },
  };
}
