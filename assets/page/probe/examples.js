// The example images: in the open until the user opens an image of their own, in a menu from then on.

import { markExample, offerImages } from "../shared/tab_events.js";
/** @import { Example } from "../types" */

/** @param {HTMLElement} panel @param {Example[]} examples */
export function createExamples(panel, examples) {
  const menu = panel.querySelector(".source"), opener = panel.querySelector(".examples");
  const isMenu = () => !opener.hidden;

  /** @param {boolean} on */
  function show(on) {
    menu.hidden = isMenu() && !on;
    opener.setAttribute("aria-expanded", String(!menu.hidden));
  }

  offerImages(menu.querySelector(".images"), examples, (title) => title.replace(/ \(.*/, ""));
  opener.addEventListener("click", () => { show(menu.hidden); if (!menu.hidden) menu.querySelector("button").focus(); });
  menu.addEventListener("click", (event) => { if (event.target.closest("button")) show(false); });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isMenu()) return;
    event.stopPropagation();
    show(false);
    opener.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => { if (![menu, opener].some((part) => part.contains(target))) show(false); });

  return {
    // The image shown is this example; undefined for one of the user's own.
    /** @param {string | undefined} name */
    mark(name) {
      markExample(menu, name);
      if (!name) opener.hidden = false;
      show(false);
    },
  };
}
