// The order of a list of films.

import { kindOf, sureness } from "../shared/verdict.js";
/** @import { Checked } from "../types" */
/** @import { DicomHead } from "./dicom_head.js" */

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// "film 2" before "film 10", and a folder before the next one.
/** @type {(a: string, b: string) => number} */
export const byName = (a, b) => collator.compare(a, b) || (a < b ? -1 : Number(a > b));

/** @type {(path: string) => string} */
const folderOf = (path) => path.slice(0, path.lastIndexOf("/") + 1);

// Files by folder and name; those of one series of a folder stand together, where its first one would, by the numbers of their instances.
/** @template {{ path: string, head: DicomHead | null }} File @param {File[]} files @returns {File[]} */
export function inOrder(files) {
  const sorted = [...files].sort((a, b) => byName(folderOf(a.path), folderOf(b.path)) || byName(a.path, b.path));
  const series = new Map();
  for (const file of sorted) {
    const key = file.head?.series ? `${folderOf(file.path)}\n${file.head.series}` : file;
    series.set(key, [...(series.get(key) ?? []), file]);
  }
  const place = ({ head }) => (Number.isFinite(head?.number) ? head.number : Infinity);
  return [...series.values()].flatMap((group) => group.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b))));
}

// Whether an answer is one that a reader should see first.
/** @type {(finding: Checked) => boolean} */
export const isFlagged = (finding) => kindOf(finding) === "flagged" || (kindOf(finding) === "normal" && finding.holds === false);

// Films with most findings flagged first, then those of which the model is surest; what was not answered comes last, all else in the order
// of the files. `answers(film)`: what counts of a film.
/** @template Film @param {Film[]} films @param {(film: Film) => Checked[]} answers @returns {Film[]} */
export function flaggedFirst(films, answers) {
  const ranked = films.map((film, at) => {
    const given = answers(film), flagged = given.filter(isFlagged);
    const surest = Math.max(-1, ...(flagged.length ? flagged : given).map((each) => sureness(each) ?? 0));
    return { film, at, flagged: flagged.length, surest };
  });
  return ranked.sort((a, b) => b.flagged - a.flagged || b.surest - a.surest || a.at - b.at).map(({ film }) => film);
}
