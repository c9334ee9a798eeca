// Films that are ready to be shown: open on the server and decoded here. Only the one on the stage and its neighbours are, however long
// the list; another one is sent again when its turn comes.

import { Refusal, forget, openImage } from "../shared/server.js";
/** @import { LocateReply, OpenedImage, ProbeServer } from "../types" */
/** @import { Film } from "./film.js" */

/** @typedef {{ opening: Promise<OpenedImage>, opened: OpenedImage | null, asked: { description: string, reply: LocateReply } | null }} Held */

/** @param {ProbeServer} server */
export function createReady(server) {
  /** @type {Map<Film, Held>} */
  const held = new Map();

  // The film, decoded and open on the server. Refusal where it cannot be; a film that never can says so from then on.
  /** @param {Film} film @returns {Promise<OpenedImage>} */
  function open(film) {
    const found = held.get(film);
    if (found) return found.opening;
    const frame = film.left?.frame, made = /** @type {Held} */ ({ opening: null, opened: null, asked: null });
    made.opening = film.source().then((source) => openImage(frame ? { ...source, frame } : source));
    held.set(film, made);
    made.opening.then((opened) => { made.opened = opened; }, (error) => {
      if (held.get(film) === made) held.delete(film);
      if (error instanceof Refusal && error.final) film.problem = error.message;
    });
    return made.opening;
  }

  // The server may drop it once what was said of it is stored.
  /** @param {Film} film */
  async function letGo(film) {
    const found = held.get(film);
    held.delete(film);
    const opened = await found?.opening.catch(() => null);
    await film.left?.stored;
    if (opened && held.get(film)?.opened !== opened) forget(opened.image.token);
  }

  return {
    open, letGo,
    // A film that is open already.
    /** @param {Film} film @param {OpenedImage} opened */
    adopt(film, opened) { held.set(film, { opening: Promise.resolve(opened), opened, asked: null }); },
    // Asks a film that is ready what will probably be asked of it; what it answers is kept.
    /** @param {Film} film @param {string} description */
    async ask(film, description) {
      const found = held.get(film);
      if (!found?.opened || found.asked?.description === description) return;
      const reply = await server.locate({ image: found.opened.image.token, description, modality: null, live: true }).catch(() => null);
      if (reply && !reply.gone && !reply.overtaken && !reply.error) found.asked = { description, reply };
    },
    /** @param {Film} film @param {string} description @returns {LocateReply | null} */
    replyOf(film, description) {
      const asked = held.get(film)?.asked;
      return asked?.description === description ? asked.reply : null;
    },
    /** @param {Film} film */
    openedOf: (film) => held.get(film)?.opened ?? null,
    // All but these are let go.
    /** @param {Film[]} films */
    keepOnly(films) { for (const film of held.keys()) if (!films.includes(film)) letGo(film); },
    // Resolves when nothing is on its way.
    async idle() { await Promise.allSettled([...held.values()].map(({ opening }) => opening)); },
    get tokens() { return [...held.values()].flatMap(({ opened }) => (opened ? [opened.image.token] : [])); },
  };
}
