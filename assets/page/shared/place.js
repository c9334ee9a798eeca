// Where a map is highest, in words.

/** @import { Grid, Orientation } from "../types" */

const third = (at, count, names) => names[Math.floor(3 * (at + 0.5) / count)];

// In the patient's terms where it is known, or assumed, on which side of the image the patient's right lies; else in those of the
// image. `sided`: a side was named, so that of it enough is said elsewhere.
/** @param {Grid} grid @param {Orientation | null} orientation @param {boolean} sided */
export function strongest(grid, orientation = null, sided = false) {
  const highest = grid.map((row) => Math.max(...row));
  const y = highest.indexOf(Math.max(...highest)), x = grid[y].indexOf(highest[y]);
  const row = third(y, grid.length, ["upper", "middle", "lower"]), column = third(x, grid[0].length, ["left", "centre", "right"]);
  const right = orientation?.view === "lateral" ? null : orientation?.patient_right;
  if (!right || column === "centre" || sided) return `Strongest in the ${sided ? `${row} third` : inImage(row, column)} of the image.`;
  const patient = column === right ? "right" : "left";
  return `Strongest on the patient’s ${patient}, in the ${row} third${orientation.source === "assumed" ? ` (R assumed on the ${right})` : ""}.`;
}

/** @type {(row: string, column: string) => string} */
const inImage = (row, column) => (row === "middle" ? (column === "centre" ? "centre" : `middle ${column}`) : `${row} ${column}`);
