// Files of ground truth, and of what human readers marked, read by the server for the image shown.

import { Refusal } from "../shared/server.js";
import { addReader } from "./truths.js";
/** @import { Compared, GroundTruthServer, Refused, Truth } from "../types" */

const SILENT = "The server does not answer. Check the connection and open the ground truth again.";
const PICTURE = /\.(png|jpe?g|tiff?|webp)$/i;

/** @param {unknown} error */
const why = (error) => (error instanceof Refusal ? error.message : SILENT);

// `tab`: fromServer, as in measuring.js; merge(found) into what is marked; changed() once it changed; refuse(sentence).
/** @param {Compared} compared @param {GroundTruthServer} server @param {{ fromServer<Reply extends Refused>(wanted: (token: string) => Promise<Reply>): Promise<Reply>, merge(found: Truth[]): void, changed(): void, refuse(sentence: string): void }} tab */
export function createTruthFiles(compared, server, tab) {
  // What a file marks on the image shown; null where another image is shown by now. A Refusal where it marks nothing.
  /** @param {File} file @returns {Promise<Truth[] | null>} */
  async function read(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
    const about = compared.image, question = { content: btoa(text), name: file.name, image_name: about.source.file?.name ?? null };
    const reply = await tab.fromServer((token) => server.read_truth({ image: token, ...question }));
    if (about !== compared.image) return null;
    if (reply.error) throw new Refusal(reply.error);
    return reply.truths.map((truth) => ({ ...truth, from: file.name, mask: PICTURE.test(file.name) }));
  }

  return {
    // All of them, or none.
    /** @param {File[]} files */
    async openTruths(files) {
      tab.refuse("");
      if (!compared.image) return tab.refuse("Open the image first, then its ground truth.");
      const found = [];
      try {
        for (const file of files) {
          const truths = await read(file);
          if (!truths) return;
          found.push(...truths);
        }
      } catch (error) {
        return tab.refuse(why(error));
      }
      tab.merge(found);
    },
    // One a reader; what one file lacks keeps no other out.
    /** @param {File[]} files */
    async openReaders(files) {
      tab.refuse("");
      if (!compared.image) return tab.refuse("Open the image and its ground truth first.");
      const refused = new Set();
      let added = false;
      for (const file of files) {
        try {
          const found = await read(file);
          if (!found) return;
          const lost = addReader(compared.truths, compared.chosen, found);
          if (lost.length) refused.add(`${file.name} marks ${lost.join(", ")}, which is none of the findings here.`);
          added ||= lost.length < found.length;
        } catch (error) {
          refused.add(why(error));
        }
      }
      tab.refuse([...refused].join(" "));
      if (added) tab.changed();
    },
  };
}
