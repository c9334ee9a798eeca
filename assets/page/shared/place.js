// Where a map is highest, in words.

/** @import { Grid, Orientation } from "../types" */

const third = (at, count, names) => names[Math.floor(3 * (at + 0.5) / count)];

// In the patient's terms where it is known, or assumed, on which side of the image the patient's right lies; else in those of the
// image. `seen`: the side that was told before, which is not told again.
/** @param {Grid} grid @param {Orientation | null} orientation @param {string | null} seen */
export function strongest(grid, orientation = null, seen = null) {
  const highest = grid.map((row) => Math.max(...row));
  const y = highest.indexOf(Math.max(...highest)), x = grid[y].indexOf(highest[y]);
  const row = third(y, grid.length, ["upper", "middle", "lower"]), column = third(x, grid[0].length, ["left", "centre", "right"]);
  const right = orientation?.view === "lateral" ? null : orientation?.patient_right;
  if (!right || column === "centre" || seen) return `Strongest in the ${seen ? `${row} third` : inImage(row, column)} of the image.`;
  const patient = column === right ? "right" : "left";
  return `Strongest on the patient’s ${patient}, in the ${row} third of the image${orientation.source === "assumed" ? `, if their right is on its ${right}` : ""}.`;
}

/** @type {(row: string, column: string) => string} */
const inImage = (row, column) => (row === "middle" ? (column === "centre" ? "centre" : `middle ${column}`) : `${row} ${column}`);
