// A second film beside the one that is asked about, such as a prior. It is looked at and measured, not asked about: the server reads its
// pixels and keeps nothing of it.

import { Refusal, factsOf, forget, nameOf, send } from "../shared/server.js";
import { newestOnly } from "../viewer/frames.js";
import { clamp, readImage } from "../viewer/image_pixels.js";
/** @import { Source } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

const UNREACHED = "The server does not answer. Check the connection and open the image again.";
let opened = 0;                     // of several that are opened at once, the newest is shown

/** @param {Source} source */
async function fetchFilm(source) {
  const [about, response] = await send(source), image = readImage(await response.arrayBuffer(), about);
  forget(about.token);
  const frames = [about.frame ?? 0, about.frames ?? 1];
  return /** @type {const} */ ([image, nameOf(about), frames, factsOf(about, source), about.orientation]);
}

// Opens an image beside the one that a viewer shows: { file }, { example } or any other source. What cannot be opened is a Refusal.
/** @param {Viewer} viewer @param {Source} source */
export async function openBeside(viewer, source) {
  const mine = ++opened, first = viewer.film;
  const [image, name, frames, facts, orientation] = await fetchFilm(source).catch((error) => { throw error instanceof Refusal ? error : new Refusal(UNREACHED); });
  if (mine !== opened || viewer.film !== first) return;
  const [, count] = frames;
  let wanted = frames[0], open = true;
  const show = newestOnly(async (/** @type {number} */ frame) => {
    const [other, otherName, at, its] = await fetchFilm({ ...source, frame }).catch(() => []);
    if (open && other) viewer.showBesideFrame(other, otherName, at, its);
  });
  viewer.showBeside(image, name, frames, facts, orientation ?? null, {
    step(by) { wanted = clamp(wanted + by, 0, count - 1); show(wanted); },
    close() { open = false; },
  });
}

// Has the reader choose a file to be opened beside; `refuse(sentence)` says why one cannot be.
/** @param {Viewer} viewer @param {(sentence: string) => void} refuse */
export function chooseBeside(viewer, refuse) {
  const chooser = Object.assign(document.createElement("input"), { type: "file" });
  chooser.addEventListener("change", () => openBeside(viewer, { file: chooser.files[0] }).catch(({ message }) => refuse(message)));
  chooser.click();
}
