// Asks while someone types: one call is under way at a time; of the questions that came meanwhile only the newest is asked, and only
// its answer shown.

import { RETRY, Refusal, renew } from "../shared/server.js";
/** @import { LocateReply, OpenImage, ProbeServer } from "../types" */

const PAUSE = 80;                   // ms without a key before a description is asked, at most; less where answers take less

/** @typedef {{ description: string, modality: string | null }} Question */

// `probe`: what is shown and asked just now, and who hears of the reply, of a refusal (a sentence), of a server that is silent.
/** @param {{ server: ProbeServer, image(): OpenImage | null, question(): Question, show(reply: LocateReply): void, refuse(sentence: string): void, offline(): void }} probe */
export function createAsking(probe) {
  let waiting = null, busy = false, timer = 0;
  let took = 0;                       // ms the last answer took

  function ask() {
    clearTimeout(timer);
    waiting = probe.question();
    answerWaiting();
  }

  async function answerWaiting() {
    const about = probe.image();
    if (busy || !waiting || !about) return;
    busy = true;
    const question = waiting, asked = performance.now(), isShown = () => about === probe.image();
    waiting = null;
    try {
      const reply = await probe.server.locate({ image: about.token, live: true, ...question });
      took = performance.now() - asked;
      if (!isShown()) waiting ??= probe.question();
      else if (reply.gone) { await renew(about, isShown); waiting ??= question; }
      else if (!reply.overtaken && !waiting && question.description === probe.question().description) probe.show(reply);
    } catch (error) {
      busy = false;
      if (error instanceof Refusal) {
        if (isShown()) probe.refuse(error.message);
        return answerWaiting();
      }
      probe.offline();
      waiting ??= question;
      setTimeout(answerWaiting, RETRY);
      return;
    }
    busy = false;
    answerWaiting();
  }

  return {
    ask,
    soon() { clearTimeout(timer); timer = setTimeout(ask, Math.min(PAUSE, took / 2)); },
  };
}
