// What is shown or copied of the answer on demand: Share, Help, the keys, a sentence for the report. Their modules come when they are first used.

/** @import { Finding, OpenImage, ProbeProps, ShareState } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */
/** @import { ShownAnswer } from "./shown_answer.js" */

const COPIED = 2000;                // ms for which a button says that something was copied
export const NOT_LOADED = "This part of the page could not be loaded. Please try again.";

// `probe`: its parts, and asked(): what the user asks just now, of which image.
/** @param {HTMLElement} element @param {{ viewer: Viewer, answer: ShownAnswer, props: ProbeProps, hasList(): boolean, asked(): { image: OpenImage | null, beside: Finding | null, chosen: string | null, modality: string, description: string } }} probe */
export function createSheets(element, { viewer, answer, props, hasList, asked }) {
  const find = (selector) => element.querySelector(selector);
  let sharing = null;

  const frameOf = (/** @type {OpenImage | null} */ image) => (image?.about.frames > 1 ? image.about.frame : null);

  /** @returns {ShareState} */
  function state() {
    const { image, beside, modality, description } = asked(), { kept, doubt } = answer;
    return {
      beside, finding: answer.isStopped() ? null : answer.finding ?? kept.at(-1) ?? null, doubt, shown: answer.all(), modality, description, kept: kept.map(({ text }) => text),
      example: image?.source.example ?? null, image: viewer.image, spacing: image?.about.spacing?.[1] ?? null, burnedIn: image?.about.burned_in === true, frame: frameOf(image),
    };
  }

  async function share() {
    sharing ??= Promise.all([import("./share.js"), import("./pacs.js")]).then(([{ createShare }, { createResults }]) => {
      const { model, fingerprint, pacs } = props;
      if (pacs.dicom || pacs.send) createResults(find(".sharing"), pacs, { viewer, state: () => ({ image: asked().image, modality: asked().chosen, finding: state().finding }) });
      return createShare(find(".sharing"), { viewer, state, model, fingerprint });
    });
    try { (await sharing).open(); } catch { sharing = null; answer.refuse(NOT_LOADED); }
  }

  async function help() {
    try { (await import("./help.js")).openHelp(find(".about"), props, viewer.image, answer.cells); } catch { answer.refuse(NOT_LOADED); }
  }

  async function keys() {
    const frames = frameOf(asked().image) !== null;
    const parts = [...(hasList() ? ["list"] : []), "describe", "feedback", "answer", "map", "image", "beside", ...(frames ? ["frames"] : []), "draw", "share"];
    try { (await import("../shared/key_sheet.js")).openKeys(find(".keys"), parts); } catch { answer.refuse(NOT_LOADED); }
  }

  // A sentence for the report, with its cautions.
  async function copyReport() {
    const finding = answer.isStopped() ? null : answer.finding, button = find(".report");
    if (!finding) return;
    try {
      const { reportSentence } = await import("../worklist/report.js");
      const sentence = reportSentence(finding, { model: props.model, orientation: answer.orientation, frame: frameOf(asked().image) });
      if (!sentence) return;
      await navigator.clipboard.writeText(sentence);
      button.textContent = find(".spoken").textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, COPIED);
    } catch { answer.refuse("The browser refused to copy: take the text from Share."); }
  }

  return { share, help, keys, copyReport };
}
