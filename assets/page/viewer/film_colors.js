// How the shades of a film come to the screen when the reader asks for more than gray: a gray film in colours, one channel of a
// photograph. Only the display changes: the model sees the image as it was sent.

/** @import { FilmColors } from "../types" */

const clamp = (value) => Math.min(255, Math.max(0, Math.round(value)));

// PS3.6, B.1.1: black, red, yellow, white.
const HOT_IRON = Uint8Array.from({ length: 768 }, (_, i) => {
  const shade = Math.floor(i / 3);
  return clamp([2 * shade, 2 * (shade - 128), 4 * (shade - 192)][i % 3]);
});

/** @type {FilmColors[]} */
const OF_PHOTOGRAPHS = [
  { name: "plain", title: "Colour" },
  { name: "green", title: "Red-free", channel: 1, said: "red-free: the green channel" },
  { name: "red", title: "Red channel", channel: 0, said: "red channel" },
  { name: "blue", title: "Blue channel", channel: 2, said: "blue channel" },
];

// What may be chosen for an image of so many channels, the plain one first. `tables`: colour tables by name.
/** @param {number} channels @param {Record<string, Uint8Array>} tables @returns {FilmColors[]} */
export function filmColors(channels, tables) {
  if (channels > 1) return OF_PHOTOGRAPHS;
  const offered = Object.entries({ "Hot iron": HOT_IRON, Viridis: tables.Viridis, Inferno: tables.Inferno }).filter(([, table]) => table);
  return [{ name: "plain", title: "Gray" }, ...offered.map(([name, table]) => ({ name: name.toLowerCase(), title: name, table, said: `${name} colours` }))];
}
