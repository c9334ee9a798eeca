// The colours of the map: those chosen last time, or those that stand out from the image.

const KEPT = "afloc-colours";       // under which the browser keeps the choice

let chosen = null;
try { chosen = localStorage.getItem(KEPT); } catch { /* storage is off: the choice lasts for this page */ }

/** @param {string} name */
export function chooseColors(name) {
  chosen = name;
  try { localStorage.setItem(KEPT, name); } catch { /* as above */ }
}

// `names`: of the tables there are, the first of which is meant for grey images; on red and pink ones it would be lost.
/** @param {string[]} names @param {boolean} coloured */
export const suitedColors = (names, coloured) => (names.includes(chosen) ? chosen : coloured && names.includes("Viridis") ? "Viridis" : names[0]);
