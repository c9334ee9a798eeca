// What was given to be opened, as films: files, dropped folders and what is in them, ZIP files and what is in them.

import { Refusal } from "../shared/server.js";
import { HEAD, readHead } from "./dicom_head.js";
import { byName } from "./order.js";
import { isZip, listZip, troubleOf, unpack } from "./zip.js";
/** @import { Source } from "../types" */
/** @import { DicomHead } from "./dicom_head.js" */
/** @import { ZipEntry } from "./zip.js" */

export const MOST_FILMS = 1000;     // of a list
const MOST_SEEN = 20_000;           // files looked through in dropped folders
const HEADS_AT_ONCE = 8;
const LEFT_BEHIND = /^(\.(?!\.?$)|__MACOSX$|Thumbs\.db$|desktop\.ini$)/i;      // what desktops leave in folders
const DIRECTORY = "A DICOMDIR is a table of contents and no image: open the folder that it lies in.";
const NESTED = "A ZIP file within a ZIP file is not opened: unpack it first.";

/** @typedef {{ path: string, key: string, problem: string, head: DicomHead | null, source(): Promise<Source>, start?(bytes: number): Promise<Uint8Array> }} Found
    a film to be. `key`: tells whether it is the same as another; `problem`: why it cannot be opened, or ""; `start`: its first bytes */

// A path as it may be shown: no folder above, no signs that hide or turn what stands beside them.
/** @param {string} path */
const shownPath = (path) => path.replace(/[\p{Cc}\p{Cf}]/gu, "").split(/[\\/]/).filter((part) => part && part !== "." && part !== "..").join("/") || "unnamed";

// What was given: `films` in no order yet, and `notes`, sentences on what is not among them.
/** @param {{ files?: File[], entries?: FileSystemEntry[], sources?: { source: Source, name: string, head?: DicomHead }[] }} given @param {number} limit bytes that an image may have
    @returns {Promise<{ films: Found[], notes: string[] }>} */
export async function gather({ files = [], entries = [], sources = [] }, limit) {
  const { found, more } = await walk(entries), notes = [];
  const all = [...files.map((file) => ({ file, path: file.webkitRelativePath || file.name })), ...found];
  const seen = all.filter(({ path }) => !path.split("/").some((part) => LEFT_BEHIND.test(part)));
  const films = sources.map(({ source, name, head = null }) => /** @type {Found} */ ({ path: shownPath(name), key: JSON.stringify(source), problem: "", head, source: async () => source }));
  let hidden = all.length - seen.length;
  for (const { file, path } of seen.slice(0, MOST_SEEN)) {
    if (!(await isZip(file))) { films.push(ofFile(file, path)); continue; }
    const inside = await ofZip(file, path, limit);
    films.push(...inside.films);
    hidden += inside.hidden;
  }
  if (hidden) notes.push(hidden === 1 ? "1 hidden file is left out." : `${hidden} hidden files are left out.`);
  if (more) notes.push(`Only the first ${MOST_SEEN} files of the folders were looked at.`);
  return { films: await withHeads(films), notes };
}

// Tells whether a file is one that was given before.
/** @type {(file: File, path: string) => string} */
export const keyOf = ({ size, lastModified }, path) => `${path}|${size}|${lastModified}`;

/** @param {File} file @param {string} path @returns {Found} */
function ofFile(file, path) {
  return {
    path: shownPath(path), key: keyOf(file, path), problem: "", head: null, source: async () => ({ file }),
    start: async (bytes) => new Uint8Array(await file.slice(0, bytes).arrayBuffer()),
  };
}

/** @param {File} zip @param {string} path @param {number} limit */
async function ofZip(zip, path, limit) {
  const key = keyOf(zip, path);
  try {
    const entries = await listZip(zip), seen = entries.filter((entry) => !entry.path.split(/[\\/]/).some((part) => LEFT_BEHIND.test(part)));
    if (!seen.length) return { films: [broken(path, key, "The ZIP file holds no file.")], hidden: entries.length };
    return { films: seen.map((entry) => ofEntry(zip, entry, key, limit)), hidden: entries.length - seen.length };
  } catch (error) {
    return { films: [broken(path, key, error instanceof Refusal ? error.message : "The ZIP file was moved or changed: please open it again.")], hidden: 0 };
  }
}

/** @param {string} path @param {string} key @param {string} problem @returns {Found} */
const broken = (path, key, problem) => ({ path: shownPath(path), key, problem, head: null, source: async () => { throw new Refusal(problem); } });

/** @param {File} zip @param {ZipEntry} entry @param {string} key @param {number} limit @returns {Found} */
function ofEntry(zip, entry, key, limit) {
  const problem = troubleOf(entry, limit) || (/\.zip$/i.test(entry.path) ? NESTED : ""), own = `${key}|${entry.at}`;
  if (problem) return broken(entry.path, own, problem);
  const path = shownPath(entry.path), name = path.slice(path.lastIndexOf("/") + 1);
  return {
    path, key: own, problem, head: null, source: async () => ({ file: new File([await unpack(zip, entry)], name) }),
    start: (bytes) => unpack(zip, entry, bytes),
  };
}

// The files in what was dropped, folders looked through.
/** @param {FileSystemEntry[]} entries */
async function walk(entries) {
  const found = [], waiting = [...entries];
  while (waiting.length && found.length < MOST_SEEN) {
    const entry = waiting.shift();
    if (entry.isDirectory) waiting.unshift(...(await listFolder(/** @type {FileSystemDirectoryEntry} */ (entry))));
    else {
      const file = await new Promise((resolve) => { /** @type {FileSystemFileEntry} */ (entry).file(resolve, () => resolve(new File([], entry.name))); });
      found.push({ file, path: entry.fullPath.replace(/^\//, "") });
    }
  }
  return { found, more: waiting.length > 0 };
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<FileSystemEntry[]>} */
async function listFolder(folder) {
  const reader = folder.createReader(), all = [];
  for (;;) {                        // a reader gives some at a time
    const some = await new Promise((resolve) => { reader.readEntries(resolve, () => resolve([])); });
    if (!some.length || all.length > MOST_SEEN) return all.sort((a, b) => byName(a.name, b.name));
    all.push(...some);
  }
}

// What each DICOM file says of its place in a series; a DICOMDIR is told as what it is.
/** @param {Found[]} films */
async function withHeads(films) {
  const waiting = films.filter(({ start, problem }) => start && !problem).slice(0, MOST_FILMS);
  await Promise.all(Array.from({ length: HEADS_AT_ONCE }, async () => {
    for (let film = waiting.pop(); film; film = waiting.pop()) {
      film.head = await film.start(HEAD).then(readHead, () => null);
      if (film.head?.directory) film.problem = DIRECTORY;
    }
  }));
  return films;
}
