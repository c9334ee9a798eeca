// Coming back to a view that was shared: everything but the image, from a link or a file.

import { linkedImage, readView } from "./view_link.js";
/** @import { Finding, OpenImage, SharedView, Source } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */
/** @import { ShownAnswer } from "./shown_answer.js" */

// `probe`: the image shown, whether an example has a name, and what a view asks for: an image to be opened, its words to be used, an
// answer, and the finding with the map of a description to be kept beside it.
/** @param {Viewer} viewer @param {{ image(): OpenImage | null, isExample(name: string | null): boolean, open(source: Source): void, use(view: SharedView): void, ask(): void, mapOf(token: string, description: string): Promise<Finding | null>, answer(): ShownAnswer }} probe */
export function createViews(viewer, probe) {
  let pending = null;                 // a view to restore on the next image

  // The image a view was made on is opened where it is an example, or is open already; otherwise the next one opened gets it.
  /** @param {SharedView} view */
  function show(view) {
    pending = view;
    const image = probe.image();
    if (probe.isExample(view.example)) return probe.open({ example: view.example });
    if (image?.source.file && view.width === image.about.width && view.height === image.about.height) { restore(); return probe.ask(); }
    if (!image && linkedImage()) return probe.open(linkedImage());
    viewer.showNotice("Now open the image this view was made on.");
    if (!image) viewer.showState("empty");
  }

  async function restore() {
    const view = pending, { about } = probe.image();
    pending = null;
    if (!view) return;
    probe.use(view);
    if (view.width !== about.width || view.height !== about.height) return viewer.showNotice("The view was made on an image of another size; only its description is used.");
    viewer.setDisplay(view.display);
    viewer.setPlace(view.place);
    viewer.shapes = view.shapes;
    if (view.kept.length) await keep(view.kept);
  }

  // The maps that stood beside the answer, unless another image is shown by then.
  /** @param {string[]} descriptions */
  async function keep(descriptions) {
    const about = probe.image(), found = [];
    for (const description of descriptions) {
      const finding = await probe.mapOf(about.token, description).catch(() => null);
      if (about !== probe.image()) return;
      if (finding) found.push(finding);
    }
    probe.answer().keepOnly([...probe.answer().kept, ...found]);
  }

  async function openFile(file) {
    const view = readView(await file.text(), false);
    view ? show(view) : probe.answer().refuse("This is no view file of AFLoc; open an image, or a file saved with “Save view file”.");
  }

  return { show, restore, openFile };
}
