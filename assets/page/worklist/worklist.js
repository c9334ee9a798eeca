// A list of films, read one after the other: the column at the left, "film 3 of 20" in the bar, and what each film was asked, answered and
// left with, until the list is closed. All of that stays in the browser. The server has at most three films of it open: the one on the
// stage and its neighbours, the next of which is decoded, encoded and asked before it is wanted.

import { filmName } from "../shared/current_film.js";
import { button, make } from "../shared/dom.js";
import { Refusal, forget, inOneSentence } from "../shared/server.js";
import { newestOnly } from "../viewer/frames.js";
import { createColumn } from "./column.js";
import { answersOf, createFilm, keepAnswer, withoutMap } from "./film.js";
import { MOST_FILMS, gather, keyOf } from "./intake.js";
import { flaggedFirst, inOrder } from "./order.js";
import { createReady } from "./ready.js";
import { createSheet } from "./sheet.js";
import { createThumbnails } from "./thumbnails.js";
/** @import { FilmLeft, LocateReply, Reading, Source } from "../types" */
/** @import { DicomHead } from "./dicom_head.js" */
/** @import { Film } from "./film.js" */

const UNHURRIED = 120;              // ms after an answer until the next film is made ready

/** @typedef {{ files?: File[], entries?: FileSystemEntry[], sources?: { source: Source, name: string, head?: DicomHead }[] }} Given */
/** @typedef {ReturnType<typeof createWorklist>} Worklist */

// `closed()`: the list is closed; what is on the stage stays there.
/** @param {Reading} reading @param {{ closed(): void, isUnsaved(left: FilmLeft): boolean }} probe */
export function createWorklist(reading, probe) {
  const root = reading.element.querySelector(".worklist"), bar = document.querySelector("#films");
  const films = /** @type {Film[]} */ ([]), ready = createReady(reading.server);
  let order = films, current = /** @type {Film | null} */ (null), wanted = /** @type {Film | null} */ (null);
  let asked = /** @type {string[]} */ ([]), flagged = false;       // what the whole list was asked; flagged films stand first
  let forward = 1, numbers = 0, timer = 0, adding = Promise.resolve(), closed = false;

  // --- what is seen ------------------------------------------------------------------------------------------------

  const head = make("div", "head"), count = make("b", "count"), asking = button("ask-all quiet", "Ask all…"), closing = button("close quiet", "×"), told = make("p", "told");
  const sure = make("div", "sure"), orders = make("div", "switch orders"), byFlag = button("", "flagged first"), byFile = button("", "file order");
  asking.title = "Ask every film of the list the same (Shift a)";
  closing.title = "Close the list";
  closing.setAttribute("aria-label", "Close the list");
  told.setAttribute("role", "status");
  orders.setAttribute("role", "group");
  orders.setAttribute("aria-label", "Order of the films");
  orders.append(byFlag, byFile);
  sure.append(make("p", "", "What you drew or typed on its films is lost."), button("give-up", "Close the list"), button("stay quiet", "Keep it"));
  sure.hidden = orders.hidden = true;
  head.append(count, asking, closing);
  root.replaceChildren(head, sure, orders, told);
  root.hidden = bar.hidden = false;
  const column = createColumn(root, { choose, beside: putBeside, seen: (film, on) => (on ? thumbnails.want(film) : thumbnails.unwant(film)) });
  const thumbnails = createThumbnails(ready.idle, (film) => update(film));
  const previous = button("quiet", "‹"), next = button("quiet", "›"), position = make("output"), where = make("span"), name = make("span", "spoken");
  previous.title = "Previous film (Shift j)";
  previous.setAttribute("aria-label", "Previous film");
  next.title = "Next film (j)";
  next.setAttribute("aria-label", "Next film");
  position.append(where, name);
  bar.replaceChildren(position, previous, next);

  /** @param {Film} film */
  const update = (film) => column.update(film, asked);
  const say = (text) => { told.textContent = text; };

  function arrange() {
    order = flagged ? flaggedFirst(films, (film) => answersOf(film, asked)) : films;
    column.show(order, asked);
    column.mark(current);
    count.textContent = `${films.length} ${films.length === 1 ? "film" : "films"}`;
    orders.hidden = !asked.length;
    byFlag.setAttribute("aria-pressed", String(flagged));
    byFile.setAttribute("aria-pressed", String(!flagged));
    showPosition();
  }

  function showPosition() {
    const at = order.indexOf(current);
    where.textContent = at < 0 ? `${films.length} films` : `film ${at + 1} of ${films.length}`;
    name.textContent = current ? `, ${column.describe(current, asked)}` : "";
    previous.disabled = !neighbour(current, -1);
    next.disabled = !neighbour(current, 1);
  }

  // --- which film -----------------------------------------------------------------------------------------------------

  // The next film, or with -1 the one before, that can be opened.
  /** @param {Film | null} film @param {number} by @returns {Film | null} */
  function neighbour(film, by) {
    let at = order.indexOf(film) + by;
    while (order[at]?.problem) at += by;
    return order[at] ?? null;
  }

  /** @param {number} by */
  function step(by) {
    const film = neighbour(wanted ?? current, by);
    if (film) go(film, by);
    else say(by > 0 ? "This is the last film." : "This is the first film.");
  }

  /** @param {Film} film */
  function choose(film) {
    if (film === current && !wanted) return;
    film.problem = "";                // a file that was moved may be back
    go(film, order.indexOf(film) < order.indexOf(current) ? -1 : 1);
  }

  /** @param {Film} film */
  function putBeside(film) {
    const frame = film.left?.frame;
    reading.beside(async () => ({ ...(await film.source()), ...(frame && { frame }) }));
  }

  /** @param {Film} film @param {number} by */
  function go(film, by) {
    wanted = film;
    reading.waits(true);
    load(film, by);
  }

  const load = newestOnly(async (/** @type {Film} */ film, /** @type {number} */ by) => {
    try {
      const opened = await ready.open(film);
      if (film !== wanted) return;
      wanted = null;
      forward = by;
      if (film === current) reading.waits(false);
      else show(film, opened);
    } catch (error) {
      if (closed) return;
      update(film);
      if (film !== wanted) return;
      wanted = null;
      const on = film.problem ? neighbour(film, by) : null;
      if (film.problem) say(`${film.name} is passed over. ${film.problem}`);
      if (on) return go(on, by);
      reading.waits(false);
      reading.refuse(error instanceof Refusal ? `${film.name}: ${error.message}` : inOneSentence(error));
      showPosition();
    }
  });

  /** @param {Film} film @param {Awaited<ReturnType<typeof ready.open>>} opened */
  function show(film, opened) {
    leave();
    current = film;
    film.seen = true;
    reading.put(opened, film.left, film.left ? film.left.reply : ready.replyOf(film, reading.description()));
    column.mark(film);
    update(film);
    showPosition();
  }

  // What the film on the stage is left with is kept.
  function leave() {
    if (!current || !ready.openedOf(current)) return;
    const film = current, { image, left } = reading.leave();
    if (left.modality !== (film.left?.modality ?? null)) film.answers.clear();
    film.left = left;
    if (film.last) keepAnswer(film, film.last.text, film.last);
    if (ready.openedOf(film).image !== image) { forgetFrame(image.token, left.stored); ready.letGo(film); }
  }

  // Another frame of it was looked at: that is an image of its own.
  /** @param {string} token @param {Promise<void>} stored */
  async function forgetFrame(token, stored) {
    await stored;
    forget(token);
  }

  async function prepare() {
    const after = neighbour(current, forward);
    ready.keepOnly([current, after, neighbour(current, -forward)].filter(Boolean));
    if (!after) return;
    try { await ready.open(after); }
    catch (error) {
      if (closed) return;
      update(after);
      showPosition();
      if (error instanceof Refusal && after.problem) prepare();
      return;
    }
    if (after.left) return;
    await ready.ask(after, reading.description());
  }

  // --- the whole list ---------------------------------------------------------------------------------------------------

  const sheet = createSheet(reading, {
    films: () => order, say, update: (film) => update(film),
    token: (film) => (film === current ? reading.image()?.token : ready.openedOf(film)?.image.token) ?? null,
    began(descriptions) { asked = descriptions; flagged = false; arrange(); },
    ended() { if (!closed) { flagged = asked.length > 0; arrange(); } },
    choose,
  });

  // --- events -------------------------------------------------------------------------------------------------------------

  function close() {
    closed = true;
    clearTimeout(timer);
    wanted = null;
    reading.waits(false);
    sheet.close();
    thumbnails.close(films);
    column.close();
    for (const film of films) if (film !== current) ready.letGo(film);
    root.hidden = bar.hidden = true;
    root.replaceChildren();
    bar.replaceChildren();
    probe.closed();
  }

  // Whether of the films that are not on the stage something drawn or said, or with `words` typed, would be lost.
  const isUnsaved = (words = true) => films.some(({ left }, i) => films[i] !== current && left && ((words && left.typed) || probe.isUnsaved(left)));
  for (const [choice, on] of /** @type {[HTMLButtonElement, boolean][]} */ ([[byFlag, true], [byFile, false]])) choice.addEventListener("click", () => { flagged = on; arrange(); });
  asking.addEventListener("click", sheet.open);
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  closing.addEventListener("click", () => {
    if (!isUnsaved(false)) return close();
    sure.hidden = false;
    sure.querySelector("button").focus();
  });
  sure.querySelector(".give-up").addEventListener("click", close);
  sure.querySelector(".stay").addEventListener("click", () => { sure.hidden = true; closing.focus(); });

  // What was on the stage before, with something on it that is not stored, is the first film.
  function adopt() {
    const opened = reading.unsaved();
    if (!opened) return;
    const { source } = opened.image, path = filmName(source) || "image";
    current = createFilm({ path, key: source.file ? keyOf(source.file, path) : JSON.stringify(source), problem: "", head: null, source: async () => source }, ++numbers);
    current.seen = true;
    ready.adopt(current, opened);
    films.push(current);
  }
  adopt();

  /** @param {Given} given */
  async function take(given) {
    if (closed) return;
    say("Looking at the files…");
    const { films: found, notes } = await gather(given, reading.props.upload_mb << 20), known = new Map(films.map((film) => [film.key, film]));
    if (closed) return;
    const sorted = inOrder(found), fresh = sorted.filter(({ key }, i) => !known.has(key) && sorted.findIndex((each) => each.key === key) === i), room = MOST_FILMS - films.length;
    const made = fresh.slice(0, room).map((each) => createFilm(each, ++numbers));
    if (fresh.length > room) notes.push(`A list holds at most ${MOST_FILMS} films: ${fresh.length - room} more are not in it.`);
    films.push(...made);
    arrange();
    say(notes.join(" "));
    const first = made.find(({ problem }) => !problem) ?? known.get(sorted[0]?.key);
    if (first) return choose(first);
    reading.waits(false);
    reading.refuse(made.length ? "None of these files can be opened; the list at the left says why." : "There is no file in it.");
  }

  return {
    step,
    openSheet: sheet.open,
    // Opens what was given, after the films that are in the list already.
    /** @param {Given} given */
    add(given) { adding = adding.then(() => take(given)); return adding; },
    // The film on the stage was answered.
    /** @param {LocateReply} reply */
    answered(reply) {
      if (!current || wanted) return;
      if (reply.modality) current.doubt = reply.doubt;
      if (reply.finding) current.last = withoutMap(reply.finding);
      update(current);
      showPosition();
      clearTimeout(timer);
      timer = setTimeout(prepare, UNHURRIED);
    },
    isUnsaved,
    get tokens() { return ready.tokens; },
  };
}
