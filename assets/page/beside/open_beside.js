// A second film beside the one on the stage, such as a prior. The same is asked of both, each by itself: the model compares no images,
// and nothing is said of what changed between them. What was asked of it is not stored.

import { Refusal, askAbout, factsOf, forget, inOneSentence, nameOf, openImage } from "../shared/server.js";
import { allCautions, hasPlace, isHeldBack, isLow, shortVerdict } from "../shared/verdict.js";
import { newestOnly } from "../viewer/frames.js";
import { clamp } from "../viewer/image_pixels.js";
/** @import { Finding, LocateReply, OpenImage, ProbeServer, ShownMap, Source } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

const UNREACHED = "The server does not answer. Check the connection and open the image again.";
const UNREACHED_FRAME = "The server does not answer. Check the connection and choose the frame again.";
const NOTHING = /** @type {ShownMap} */ ({ rows: null });

// What stands above the film beside, and its map: held back as it is of the first film.
/** @param {LocateReply} reply @param {boolean} insisted @returns {ShownMap} */
function shownOf({ error, doubt, finding, remarks }, insisted) {
  if (error) return { rows: null, note: error };
  if (doubt?.degree === "stopped") return { rows: null, note: "not asked: is this the right kind of image?", cautions: [doubt.sentence] };
  if (!finding) return NOTHING;
  const verdict = [isLow(finding) && "low map", shortVerdict(finding)].filter(Boolean).join(", ");
  return {
    rows: hasPlace(finding) && (insisted || !isHeldBack(finding)) ? finding.grid : null,
    note: `${verdict}, asked by itself`, cautions: [...(doubt ? [doubt.sentence] : []), ...allCautions(finding, remarks)],
  };
}

/** @param {Viewer} viewer @param {{ server: ProbeServer, question(): { description: string, modality: string | null, insisted: boolean }, refuse(sentence: string): void }} probe */
export function createBeside(viewer, { server, question, refuse }) {
  let shown = /** @type {OpenImage | null} */ (null), finding = /** @type {Finding | null} */ (null);
  let opened = 0;                   // of several that are opened at once, the newest is shown

  // The film beside is another image by now, or none: the server need not keep the one before.
  /** @param {OpenImage | null} image */
  function take(image) {
    if (shown) forget(shown.token);
    shown = image;
    finding = null;
  }

  const ask = newestOnly(async () => {
    const image = shown, { insisted, ...asked } = question(), isShown = () => image === shown;
    if (!image) return;
    try {
      const reply = asked.description.trim() ? await askAbout(image, isShown, (token) => server.locate({ image: token, ...asked })) : null;
      if (!isShown() || reply?.gone) return;
      finding = reply?.doubt?.degree === "stopped" ? null : reply?.finding ?? null;
      viewer.showBesideMap(reply ? shownOf(reply, insisted) : NOTHING);
    } catch (error) {
      if (isShown()) viewer.showBesideMap({ rows: null, note: error instanceof Refusal ? error.message : "not asked: the server does not answer" });
    }
  });

  // Opens an image beside the one on the stage: { file }, { example } or any other source.
  /** @param {Source} source */
  async function open(source) {
    const mine = ++opened, first = viewer.imagesShown;
    let from;
    try { from = await openImage(source); }
    catch (error) { return refuse(error instanceof Refusal ? error.message : UNREACHED); }
    const { image, pixels } = from, { about } = image, count = about.frames ?? 1;
    if (mine !== opened || viewer.imagesShown !== first) return forget(image.token);
    let here = image, wanted = about.frame ?? 0;      // the frame of this file that is shown, and the one that should be
    const isHere = () => shown === here;
    const show = newestOnly(async (/** @type {number} */ frame) => {
      let next;
      try { next = await openImage({ ...source, frame }); }
      catch (error) {
        if (!isHere() || frame !== wanted) return;
        wanted = here.about.frame ?? 0;
        return refuse(error instanceof Refusal ? error.message : UNREACHED_FRAME);
      }
      if (!isHere()) return forget(next.image.token);
      take(here = next.image);
      viewer.showBesideFrame(next.pixels, nameOf(here.about), [here.about.frame ?? 0, count], factsOf(here.about, source));
      ask();
    });
    viewer.showBeside(pixels, nameOf(about), [wanted, count], factsOf(about, source), about.orientation ?? null, {
      step(by) { wanted = clamp(wanted + by, 0, count - 1); show(wanted); },
      close() { take(null); },
    });
    take(image);
    ask();
  }

  return {
    ask, open,
    // Has the reader choose a file.
    choose() {
      const chooser = Object.assign(document.createElement("input"), { type: "file" });
      chooser.addEventListener("change", () => open({ file: chooser.files[0] }));
      chooser.click();
    },
    // Another film of the list; `source` fetches it.
    /** @param {() => Promise<Source>} source */
    async openFrom(source) {
      try { await open(await source()); } catch (error) { refuse(inOneSentence(error)); }
    },
    get token() { return shown?.token ?? null; },
    get finding() { return finding; },
  };
}
