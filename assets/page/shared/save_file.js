// A file for the user, saved by the browser.

import { make } from "./dom.js";

const FETCHED = 60_000;             // ms after which the browser has the content, however slow it is

// What is to be said of it: "Saved name."
/** @param {Blob} content @param {string} name */
export function saveFile(content, name) {
  const link = Object.assign(make("a"), { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), FETCHED);
  return `Saved ${name}.`;
}
