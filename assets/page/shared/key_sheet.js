// The sheet of a tab's keys, by what they are for.

import { make } from "./dom.js";

const KEY_SHEET = {
  list: [["j  J", "next film of the list, the one before (Shift j)"], ["A", "ask all films the same (Shift a)"], ["↓ ↑ Enter", "in the list: another row; open its film"]],
  describe: [["Ctrl O", "open images"], ["/", "type a description"], ["↓ ↑ Enter", "while typing: take a known finding; Enter alone takes what was meant instead"], ["Esc", "leave the description; back to panning"]],
  feedback: [["1  2  3", "is it there: yes, no, unsure"], ["4  5  6", "is the place right: yes, partly, elsewhere"], ["Shift 1 … 5", "how sure you are, from guessing to certain"], ["n  z", "comment on the answer; take back what you said of it"]],
  answer: [["k", "keep this map beside the next ones"], ["s", "scan for findings"], ["e", "how often such a verdict is right"]],
  take: [["x", "take away: the figure, the curve and the numbers"]],
  set: [["j  k", "next, previous case of the set"]],
  reading: [["1 … 9", "answer the question that shows the digits"], ["q", "go to another question; with Shift back"], ["Enter", "save and go on"], ["Esc", "back to panning"]],
  map: [["h", "hold: look beneath the map"], ["m  o", "map, contour on or off"], ["[  ]", "paint the map from a lower, higher value"], [",  .", "map fainter, stronger"], ["c", "next colours of the map"]],
  image: [
    ["p", "next window preset"], ["w", "dragging (or arrows) changes window and level; so does the right button"], ["i", "invert"], ["+  −", "zoom; the wheel zooms at the pointer"],
    ["v", "dragging pans; so do the arrows, with the image focused"], ["0  r", "fit; reset everything"], ["f", "full screen"],
    ["t", "texts in the corners and at the sides on or off"], ["g", "next colours of the image itself: red-free, hot iron"], ["l  a  %  u", "dragging measures a length, an angle, the ratio of two lines, an area"],
  ],
  beside: [["B", "open another image beside this one; a film of the list has a button for that"], ["y", "link zoom and window of the two, or part them"]],
  frames: [["PgUp  PgDn", "previous, next frame of the file; so do { and }, and the wheel (with Ctrl it zooms)"]],
  draw: [
    ["b  d", "dragging draws a box, an outline"], ["Space", "while drawing or measuring, with the image focused: one in the middle; Tab reaches it and its points, arrows move them, Shift and arrows resize a box"],
    ["Delete", "delete what is selected"], ["Ctrl Z", "undo, with Shift again"],
  ],
  share: [["x", "share"], ["C", "copy a sentence for the report (Shift c)"]],
};

// Opens `dialog` with the keys of the parts that the tab has just now.
/** @param {HTMLDialogElement} dialog @param {string[]} parts */
export function openKeys(dialog, parts) {
  dialog.querySelector("dl").replaceChildren(...[...parts.flatMap((part) => KEY_SHEET[part]), ["?", "this sheet"]].map(([key, what]) => {
    const row = make("div");
    row.append(make("dt", "", key), make("dd", "", what));
    return row;
  }));
  openSheet(dialog);
}

/** @param {HTMLDialogElement} dialog */
export function openSheet(dialog) {
  if (!dialog.open) dialog.showModal();
}
