// A study as a reader will meet it: the same calls as the reader's page makes, answered without a reader. Nothing is saved.

/** @import { PreviewServer } from "../types" */

/** @param {(action: string, question: object) => Promise<any>} ask @param {(action: string, question: object) => Promise<Response>} request
 * @param {string} name @param {boolean} asksConsent @returns {PreviewServer} */
export function createPreview(ask, request, name, asksConsent) {
  let at = asksConsent ? -1 : 0;
  const answers = new Map(), truths = new Map(), saved = () => ({ id: "", time: new Date().toISOString() });

  async function place({ index }) {
    if (typeof index === "number") at = index;
    const shown = await ask("preview", { name, index: at }).catch(({ message }) => ({ stage: "enter", error: message }));
    const kept = answers.get(at);
    truths.set(at, shown.truth);
    return kept ? { ...shown, saved: { ...shown.saved, ...kept }, answered: true } : shown;
  }

  const keep = ({ index, answers: given, regions, visible_ms }) => answers.set(index, { answers: given, regions, visible_ms });
  return {
    place,
    agree: async () => { at = 0; return {}; },
    draft: async (said) => { keep(said); return saved(); },
    answer: async (said) => {
      const truth = truths.get(said.index);
      keep(said);
      at = said.index + 1;
      return truth ? { ...saved(), truth } : saved();
    },
    pixels: (index) => request("pixels", { name, index }),
  };
}
