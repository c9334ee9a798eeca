// A sign that cautions go with an answer: the pointer is told them, a press shows them in full.

import { button, make } from "./dom.js";

// The sign and the text it opens; null where there is nothing to be careful about.
/** @param {string[]} cautions */
export function cautionMark(cautions) {
  if (!cautions.length) return null;
  const mark = button("caution-mark", "⚠"), text = make("p", "caution-text", cautions.join(" "));
  mark.title = text.textContent;
  mark.setAttribute("aria-label", `Caution: ${text.textContent}`);
  mark.setAttribute("aria-expanded", "false");
  text.hidden = true;
  mark.addEventListener("click", (event) => {
    event.stopPropagation();
    text.hidden = !text.hidden;
    mark.setAttribute("aria-expanded", String(!text.hidden));
  });
  return { mark, text };
}
