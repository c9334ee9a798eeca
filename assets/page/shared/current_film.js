// The film that the Probe tab shows, for the other tabs: they open it anew from its source.

/** @import { OpenImage } from "../types" */

/** @type {OpenImage | null} */
let shown = null;

// What the Probe tab shows just now; null before its first image. `source` opens it again, `about` says how large it is.
/** @returns {OpenImage | null} */
export const currentFilm = () => shown;

/** @param {OpenImage} image */
export function filmIsShown(image) { shown = image; }

// What a film is called: the name of its file, without folders; of an example and of an image of the PACS, "".
/** @param {OpenImage["source"]} source */
export const filmName = ({ file }) => file?.name ?? "";
