// The film that the Probe tab shows, for the other tabs: they open it anew from its source.

/** @import { OpenImage, Shape } from "../types" */

/** @type {OpenImage | null} */
let shown = null;
let marks = /** @type {() => { shapes: Shape[], description: string }} */ (() => ({ shapes: [], description: "" }));

// What the Probe tab shows just now; null before its first image. `source` opens it again, `about` says how large it is.
/** @returns {OpenImage | null} */
export const currentFilm = () => shown;

// What is drawn on it and the description typed, as they are now.
export const currentMarks = () => marks();

// `drawn()`: what `currentMarks` gives.
/** @param {OpenImage} image @param {() => { shapes: Shape[], description: string }} drawn */
export function filmIsShown(image, drawn) { shown = image; marks = drawn; }

// What a film is called: the name of its file, without folders; of an example and of an image of the PACS, "".
/** @param {OpenImage["source"]} source */
export const filmName = ({ file }) => file?.name ?? "";
