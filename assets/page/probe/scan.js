import { button, make } from "../shared/dom.js";
import { sureness } from "../shared/verdict.js";
import { PAINT_FROM, paintThumbnail, readMap } from "../viewer/paint.js";
/** @import { ScanReply, ScannedFinding } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

// Every finding of the image's modality: bars with the operating point, small maps of those judged present. Asked once an image.
// `probe`: { viewer, fetch() that resolves to the server's answer, pick(sentence) }.
/** @param {HTMLElement} root @param {{ viewer: Viewer, fetch(): Promise<ScanReply | null>, pick(sentence: string): void }} probe */
export function createScan(root, probe) {
  let turn = 0, findings = null;

  async function open() {
    if (findings) return;
    const mine = ++turn;
    root.replaceChildren(make("p", "state", "Asking for every finding…"));
    const reply = await probe.fetch().catch(() => /** @type {ScanReply} */ ({ error: "The server does not answer. Open the scan again in a moment." }));
    if (mine !== turn) return;
    if (!reply || reply.error) return root.replaceChildren(make("p", "state", reply?.error ?? "Open an image first."));
    findings = reply.findings;
    show();
  }

  function show() {
    const sorted = [...findings].sort((a, b) => Number(b.present) - Number(a.present) || sureness(b) - sureness(a));
    const present = sorted.filter((finding) => finding.present), maps = make("div", "maps");
    for (const finding of present) {
      const card = row(finding, "card"), canvas = make("canvas");
      canvas.width = canvas.height = 128;
      canvas.setAttribute("aria-hidden", "true");
      const { film, shades, colors } = probe.viewer;
      paintThumbnail(canvas, film, shades, readMap(finding.grid), { colors, opacity: 0.9, threshold: PAINT_FROM });
      card.prepend(canvas);
      maps.append(card);
    }
    const bars = make("div", "bars");
    bars.append(...sorted.map((finding) => row(finding, "bar")));
    const calibrated = sorted[0]?.present !== null;
    const summary = !calibrated ? "No calibration: bars show the fit, not whether it is there." : present.length
      ? `${present.length} of ${sorted.length} judged present` : `None of ${sorted.length} findings judged present`;
    root.replaceChildren(make("p", "state", summary), ...(present.length ? [maps] : []), bars);
    root.scrollTop = 0;
  }

  /** @param {ScannedFinding} finding @param {string} className */
  function row(finding, className) {
    const value = sureness(finding);
    const made = button(`${className}${finding.present ? " present" : ""}`), track = make("span", "track");
    made.title = `Ask “${finding.text}”`;
    made.append(make("span", "name", finding.name), track, make("span", "value", value.toFixed(2)));
    const level = make("i", "level"), operating = make("i", "operating");
    level.style.width = `${100 * value}%`;
    operating.style.left = `${100 * finding.operating_point}%`;
    track.append(level, ...(finding.operating_point === null ? [] : [operating]));
    made.addEventListener("click", () => probe.pick(finding.text));
    return made;
  }

  return {
    open,
    // Another image or modality: what was found belongs to the last one.
    forget() { turn++; findings = null; root.replaceChildren(); },
  };
}
