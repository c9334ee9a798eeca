// Small pictures of the films whose rows are seen: asked for one after the other, while nothing more urgent is on its way.

import { Refusal, thumbnailOf } from "../shared/server.js";
/** @import { Film } from "./film.js" */

// `idle`: resolves when nothing more urgent is under way. `changed(film)`: it has a picture now, or a problem.
/** @param {() => Promise<void>} idle @param {(film: Film) => void} changed */
export function createThumbnails(idle, changed) {
  /** @type {Set<Film>} */
  const wanted = new Set();
  let busy = false, closed = false;

  async function work() {
    if (busy) return;
    busy = true;
    while (wanted.size && !closed) {
      await idle();
      const [film] = wanted;
      wanted.delete(film);
      if (!film || film.thumbnail || film.problem) continue;
      try {
        const picture = await thumbnailOf(await film.source());
        if (closed) break;
        film.thumbnail = URL.createObjectURL(picture);
      } catch (error) {
        if (!(error instanceof Refusal)) break;      // the server is away: rows that are seen later ask again
        if (error.final) film.problem = error.message;
      }
      changed(film);
    }
    busy = false;
  }

  return {
    /** @param {Film} film */
    want(film) { if (!film.thumbnail && !film.problem) { wanted.add(film); work(); } },
    /** @param {Film} film */
    unwant(film) { wanted.delete(film); },
    /** @param {Film[]} films */
    close(films) { closed = true; for (const { thumbnail } of films) if (thumbnail) URL.revokeObjectURL(thumbnail); },
  };
}
