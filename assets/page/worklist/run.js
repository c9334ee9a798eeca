// Asks a whole list the same: film after film, one request at a time, so that other users of the server have their turns.

import { RETRY, Refusal, forget, pause, refusalOf, send } from "../shared/server.js";
import { keepAnswer } from "./film.js";
/** @import { CheckReply, ProbeServer } from "../types" */
/** @import { Film } from "./film.js" */

const MOST_TRIES = 5;               // of a film that the server refuses for now

/** @typedef {{ done: number, of: number, waiting: boolean }} Progress */

// `token(film)`: under which the server has it open anyway, or null. `changed(film, progress)`: it was answered, or cannot be; null while the
// server is away. Resolves when all were asked or `stopped()`.
/** @param {Film[]} films @param {string[]} descriptions @param {{ server: ProbeServer, token(film: Film): string | null, stopped(): boolean, changed(film: Film | null, progress: Progress): void }} list */
export async function askAll(films, descriptions, { server, token, stopped, changed }) {
  const asked = films.filter(({ problem }) => !problem);
  let done = 0;
  for (const film of asked) {
    for (let tries = 1; !stopped(); tries++) {
      try {
        const missing = descriptions.filter((text) => !film.answers.has(text));
        if (missing.length) take(film, missing, await check(film, missing));
        break;
      } catch (error) {
        if (error instanceof Refusal && (error.final || tries >= MOST_TRIES)) { film.problem = error.message; break; }
        changed(null, { done, of: asked.length, waiting: true });
        await pause(RETRY);
      }
    }
    if (stopped()) return;
    changed(film, { done: ++done, of: asked.length, waiting: false });
  }

  /** @param {Film} film @param {string[]} texts @returns {Promise<CheckReply>} */
  async function check(film, texts) {
    const ask = async (image) => {
      const reply = await server.check({ image, descriptions: texts, modality: film.left?.modality ?? null });
      if (reply.error) throw refusalOf(reply.error, reply.status);
      return reply;
    };
    const held = token(film);
    if (held) {
      try { return await ask(held); }
      catch (error) { if (!(error instanceof Refusal && error.gone)) throw error; }
    }
    const [{ token: own }] = await send(await film.source(), true);
    try { return await ask(own); }
    finally { forget(own); }
  }
}

/** @param {Film} film @param {string[]} texts @param {CheckReply} reply */
function take(film, texts, { findings, doubt }) {
  film.doubt = doubt;
  texts.forEach((text, i) => keepAnswer(film, text, findings[i]));
}
