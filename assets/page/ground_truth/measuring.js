// Has the maps measured against what is marked, while that changes. One call is under way at a time; an answer that was overtaken is asked
// again.

import { filmName } from "../shared/current_film.js";
import { number } from "../shared/dom.js";
import { RETRY, Refusal, addressOf, askAbout, post, renew } from "../shared/server.js";
import { entryOf } from "./truths.js";
/** @import { Compared, GroundTruthServer, MeasureReply, Refused, Truth } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

const PAUSE = 150;                  // ms without a key before a description is asked

// `tab`: show(reply, measured), with the truths that the reply is about; refuse(sentence); threshold(), in the numbers of the scale.
/** @param {Compared} compared @param {GroundTruthServer} server @param {Viewer} viewer @param {{ show(reply: MeasureReply, measured: Truth[]): void, refuse(sentence: string): void, threshold(): number }} tab */
export function createMeasuring(compared, server, viewer, tab) {
  let asked = 0, busy = false, timer = 0;

  function ask() {
    clearTimeout(timer);
    asked += 1;
    answer();
  }

  async function answer() {
    if (busy || !compared.image) return;
    busy = true;
    const turn = asked, measured = named();
    try {
      const reply = await fromServer((token) => server.measure({ image: token, ...question() }));
      busy = false;
      if (turn !== asked) return answer();
      tab.show(reply, measured);
    } catch (error) {
      busy = false;
      if (error instanceof Refusal && turn !== asked) return answer();
      if (error instanceof Refusal) { viewer.showState("ready"); return tab.refuse(error.message); }
      viewer.showState("offline");
      setTimeout(answer, RETRY);
    }
  }

  // A mask that nobody named is not asked about, and not measured.
  const named = () => compared.truths.filter(({ label }) => label);
  const question = () => ({ modality: compared.modality, truths: named().map(entryOf), compare: compared.compare });

  // What the server answers to `wanted(token)` about the image shown.
  /** @template {Refused} Reply @param {(token: string) => Promise<Reply>} wanted */
  async function fromServer(wanted) {
    const about = compared.image;
    return askAbout(about, () => about === compared.image, wanted);
  }

  // A file of what is shown just now.
  /** @param {string} file */
  async function askFile(file) {
    const { image: about, truths, chosen, scale } = compared, { window, invert, colors, opacity } = viewer.display;
    const wanted = {
      ...question(), file, chosen: named().indexOf(truths[chosen]), scale, threshold: Number(number(tab.threshold(), 2).replace("−", "-")), name: filmName(about.source),
      display: { window, invert, colors, opacity },
    };
    const from = () => post(addressOf("figure"), JSON.stringify({ image: about.token, ...wanted }), "The server could not draw this figure.");
    try {
      return await from();
    } catch (error) {
      if (!(error instanceof Refusal && error.gone)) throw error;
      await renew(about, () => about === compared.image);
      return from();
    }
  }

  // How the names of saved files begin: as the image's own file, or its example.
  function fileName() {
    const { image: { source }, truths, chosen } = compared, own = filmName(source).replace(/\.[^.]*$/, "") || source.example || "image";
    return `${own}-${truths[chosen].label}`.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80);
  }

  return {
    ask, fromServer, askFile, fileName,
    // Once nobody types any more.
    soon() { clearTimeout(timer); timer = setTimeout(ask, PAUSE); },
  };
}
