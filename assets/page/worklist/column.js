// The column of a list: a row for each film, with its picture, its name and its state.

import { cautionMark } from "../shared/caution_mark.js";
import { button, make, svg } from "../shared/dom.js";
import { clamp } from "../viewer/image_pixels.js";
import { stateOf } from "./film.js";
/** @import { Film } from "./film.js" */

const STATES = { read: "read", asked: "asked", flagged: "flagged", doubt: "not the right kind", failed: "cannot be opened" };

// How far to scroll so that something of a size at a place is seen.
/** @type {(from: number, seen: number, at: number, size: number) => number} */
const within = (from, seen, at, size) => clamp(from, at + size - seen, at);

/** @typedef {{ item: HTMLElement, choose: HTMLButtonElement, picture: HTMLImageElement, said: HTMLElement, shown: string }} Row */

// `seen(film, on)`: its row came into view, or left it; `choose(film)`: it is wanted on the stage; `beside(film)`: beside the one there.
/** @param {HTMLElement} root @param {{ seen(film: Film, on: boolean): void, choose(film: Film): void, beside(film: Film): void }} list */
export function createColumn(root, list) {
  const rows = /** @type {Map<Film, Row>} */ (new Map()), films = /** @type {WeakMap<Element, Film>} */ (new WeakMap());
  const holder = make("ol", "rows");
  root.append(holder);
  let current = null;
  const watcher = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) list.seen(films.get(target), isIntersecting);
  }, { root, rootMargin: "120px" });

  /** @param {Film} film @returns {Row} */
  function makeRow(film) {
    const item = make("li", "film"), choose = button("choose"), picture = make("img", "thumb"), said = make("span", "said");
    picture.alt = "";
    const name = Object.assign(make("span", "name", film.name), { title: film.path });
    const beside = Object.assign(button("beside"), { title: "Put it beside the film on the stage, such as a prior", ariaLabel: `Put ${film.name} beside`, tabIndex: -1 });
    svg("use", { href: "#icon-beside" }, svg("svg", { class: "icon", "aria-hidden": "true" }, beside));
    beside.addEventListener("click", () => list.beside(film));
    choose.append(picture, name, said);
    choose.tabIndex = -1;
    choose.addEventListener("click", () => list.choose(film));
    item.append(choose, beside);
    films.set(item, film);
    watcher.observe(item);
    return { item, choose, picture, said, shown: "" };
  }

  // A film's state may have changed. `asked`: what the whole list was asked.
  /** @param {Film} film @param {string[]} asked */
  function update(film, asked) {
    const row = rows.get(film), { state, about, text, cautions } = stateOf(film, asked), shown = JSON.stringify([state, about, text, cautions, film.thumbnail]);
    if (!row || row.shown === shown) return;
    row.shown = shown;
    row.item.dataset.state = state;
    row.choose.title = about;
    if (film.thumbnail) row.picture.src = film.thumbnail;
    row.picture.hidden = !film.thumbnail;
    row.said.replaceChildren(...(about ? [make("span", "about", about)] : []), make("span", "state", text || "not read yet"));
    for (const old of row.item.querySelectorAll(".caution-mark, .caution-text")) old.remove();
    const marked = cautionMark(cautions);
    if (!marked) return;
    marked.mark.tabIndex = row.choose.tabIndex;
    row.item.append(marked.mark, marked.text);
  }

  // One row at a time is reached by Tab; arrows go to the others.
  /** @param {Film} film */
  function focusable(film) {
    for (const [each, { item }] of rows) for (const part of item.querySelectorAll("button")) part.tabIndex = each === film ? 0 : -1;
  }

  holder.addEventListener("keydown", (event) => {
    const items = [...holder.children], at = items.indexOf(/** @type {HTMLElement} */ (event.target).closest("li"));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const film = films.get(items[to]);
    if (!film) return;
    focusable(film);
    rows.get(film).choose.focus();
  });

  return {
    update,
    // The films in the order they are shown in.
    /** @param {Film[]} order @param {string[]} asked */
    show(order, asked) {
      for (const film of order) if (!rows.has(film)) rows.set(film, makeRow(film));
      holder.replaceChildren(...order.map((film) => rows.get(film).item));
      for (const film of order) update(film, asked);
    },
    // Which film is on the stage.
    /** @param {Film | null} film */
    mark(film) {
      if (current) rows.get(current)?.choose.removeAttribute("aria-current");
      current = film;
      const row = rows.get(film);
      if (!row) return;
      row.choose.setAttribute("aria-current", "true");
      focusable(film);
      // The list alone, not the page; on a phone it lies on its side.
      const { offsetTop: top, offsetHeight: height, offsetLeft: left, offsetWidth: width } = row.item;
      holder.scrollTop = within(holder.scrollTop, holder.clientHeight, top, height);
      holder.scrollLeft = within(holder.scrollLeft, holder.clientWidth, left, width);
    },
    // In words, for screen readers.
    /** @param {Film} film @param {string[]} asked */
    describe(film, asked) {
      const { state, about, text } = stateOf(film, asked);
      return [film.name, about, text || STATES[state] || "not read yet"].filter(Boolean).join(", ");
    },
    close() { watcher.disconnect(); holder.remove(); },
  };
}
