// What the panes of the stage show: a map each, the ground truth, the film beside; in as many columns as make the image largest.

import { readMap } from "./paint.js";
import { bestColumns, makePane, showCaption, showSides } from "./panes.js";
/** @import { Film, Grid, HeatMap, Pane, ShownMap } from "../types" */
/** @import { FilmPair } from "./film_pair.js" */

/** @typedef {ReturnType<typeof createLayout>} Layout */

const MOST_MAPS = 4;

// `on`: onClose?(index) when the cross of a map is pressed (without it maps have none), closeBeside() when that of the film beside is;
// paint() repaints everything.
/** @param {HTMLElement} root @param {FilmPair} films @param {{ onClose?(index: number): void, closeBeside(): void, paint(): void }} on */
export function createLayout(root, films, on) {
  const stage = /** @type {HTMLElement} */ (root.querySelector(".stage")), holder = /** @type {HTMLElement} */ (root.querySelector(".panes"));
  const panes = /** @type {Pane[]} */ ([]);
  let maps = /** @type {(ShownMap & { map: HeatMap | null })[]} */ ([]);      // one a pane
  let held = /** @type {HeatMap | null | undefined} */ (undefined);           // the map of peek()
  let truth = { over: true, beside: false };

  const close = (/** @type {Pane} */ pane) => (pane.film === films.current ? on.onClose?.(panes.indexOf(pane)) : on.closeBeside());

  function layOut() {
    const { current, second } = films, count = Math.max(1, maps.length) + (truth.beside ? 1 : 0) + (second ? 1 : 0);
    while (panes.length < count) panes.push(makePane(holder, current, close));
    while (panes.length > count) panes.pop().frame.remove();
    const columns = bestColumns(count, stage, current.image ?? { width: 1, height: 1 });
    holder.style.gridTemplate = `repeat(${Math.ceil(count / columns)}, minmax(0, 1fr)) / repeat(${columns}, minmax(0, 1fr))`;
    root.dataset.panes = String(count);
    panes.forEach((pane, i) => {
      const role = roleOf(i, count);
      hang(pane, role.film);
      pane.truth = role.truth || truth.over;
      pane.frame.classList.toggle("again", i > 0 && role.film === current);
      pane.frame.classList.toggle("named", count > 1 && role.title === role.film.facts.name && role.film.frames === 1);
      showCaption(pane, role.title ? role : {});
      pane.close.hidden = !role.closes;
      pane.close.setAttribute("aria-label", `Close ${role.title || "this map"}`);
      pane.link.hidden = role.film === current;
      pane.link.setAttribute("aria-pressed", String(films.linked));
    });
    for (const { viewport } of films.all) if (viewport.fitted) viewport.fit();
    on.paint();
  }

  // What the pane at a place is for: the film beside stands last, the ground truth before it.
  function roleOf(place, count) {
    const { current, second } = films;
    if (second && place === count - 1) return { ...second.answer, film: second, title: second.facts.name || "Beside", closes: true };
    if (truth.beside && place === count - (second ? 2 : 1)) return { film: current, title: "Ground truth", truth: true, closes: false };
    const about = maps[place] ?? { title: "" };
    return { ...about, film: current, title: about.title || (second ? current.facts.name || "This image" : ""), closes: Boolean(on.onClose) && maps.length > 1 };
  }

  // A pane shows a film, and of another one nothing stays in it.
  /** @param {Pane} pane @param {Film} film */
  function hang(pane, film) {
    if (pane.film === film) return;
    pane.film = film;
    pane.shapes.replaceChildren();
    pane.group = pane.own = pane.vertices = undefined;
    pane.canvas.setAttribute("aria-label", film.label);
    showSides(pane, film.sides);
  }

  return {
    panes, layOut,
    size: () => /** @type {[number, number]} */ ([panes[0].element.clientWidth, panes[0].element.clientHeight]),
    of: (/** @type {Film} */ film) => panes.filter((pane) => pane.film === film),
    get maps() { return maps; },
    /** @param {ShownMap[]} list */
    showMaps(list) {
      maps = list.slice(0, MOST_MAPS).map((shown) => ({ ...shown, map: readMap(shown.rows) }));
      held = undefined;
      layOut();
    },
    // Where given shapes are drawn, from the next laying out on: over the maps, in a pane of their own beside them.
    /** @param {{ over: boolean, beside: boolean }} where */
    set truth(where) { truth = where; },
    // Another map in the last pane, or none in any, until `undefined`; whether that changes anything.
    /** @param {Grid | null | undefined} rows */
    peek(rows) {
      const next = rows && readMap(rows), changes = next !== held;
      held = next;
      return changes;
    },
    // The map a pane shows; of panes side by side only the last one shows that of peek(), and all show none.
    /** @param {Pane} pane */
    mapOf(pane) {
      if (pane.film !== films.current) return held === undefined ? pane.film.map : null;
      const at = panes.indexOf(pane);
      return held === undefined || (held && at !== maps.length - 1) ? maps[at]?.map : held;
    },
  };
}
