// One file is an image, several are a list of films. What a list needs is fetched with the first one.

import { Refusal } from "../shared/server.js";
/** @import { FilmLeft, Reading } from "../types" */
/** @import { Given, Worklist } from "../worklist/worklist.js" */

const ZIP = /\.zip$/i;

/** @param {Reading} reading @param {{ openOne(file: File): void, isUnsaved(left: FilmLeft): boolean }} probe */
export function createFilms(reading, { openOne, isUnsaved }) {
  let list = /** @type {Worklist | null} */ (null), coming = /** @type {Promise<Worklist> | null} */ (null);

  // The list, begun where there is none.
  function begin() {
    coming ??= import("../worklist/worklist.js").then(({ createWorklist }) => {
      list = createWorklist(reading, { isUnsaved, closed() { list = coming = null; } });
      return list;
    });
    return coming;
  }

  /** @param {Given} given */
  async function add(given) {
    reading.waits(true);
    try { await (await begin()).add(given); }
    catch (error) {
      if (!list) coming = null;
      reading.waits(false);
      reading.refuse(error instanceof Refusal ? error.message : "The list could not be opened: reload the page and open the files again.");
    }
  }

  /** @param {Given} given */
  function open({ files = [], entries = [], sources = [] }) {
    const folders = entries.some(({ isDirectory }) => isDirectory), [file] = files;
    if (!list && !coming && files.length === 1 && !folders && !ZIP.test(file.name) && !file.webkitRelativePath) return openOne(file);
    if (folders) return add({ entries });
    if (files.length || sources.length) return add({ files, sources });
  }

  return {
    open, add,
    // Files, and folders, that were dropped or pasted. What is in a folder must be asked for before the event ends.
    /** @param {File[]} files @param {DragEvent | ClipboardEvent} event */
    openDropped(files, event) {
      const items = "dataTransfer" in event ? [...event.dataTransfer.items] : [];
      open({ files, entries: items.map((item) => item.webkitGetAsEntry?.()).filter(Boolean) });
    },
    /** @param {number} by */
    step(by) { list?.step(by); },
    get list() { return list; },
  };
}
