import { button, make } from "../shared/dom.js";
import { cautionMark } from "../shared/caution_mark.js";
import { capital, shortVerdict, sureness } from "../shared/verdict.js";
import { PAINT_FROM, paintThumbnail, readMap } from "../viewer/paint.js";
/** @import { ScanReply, ScannedFinding } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

/** @typedef {{ finding: ScannedFinding, kinds: ScannedFinding[] }} Entry  a finding, and the narrower ones that are folded under it */
/** @typedef {{ family: string, entries: Entry[] }} Group */

const TITLES = { device: "Devices", nodule: "Nodules and masses", disc: "Optic disc", lesion: "Lesions", vessel: "Vessels", bone: "Bones", other: "Other" };

const flaggedFirst = (a, b) => Number(b.present) - Number(a.present) || sureness(b) - sureness(a);

// The findings by family: families with something flagged first, flagged findings first in each. A finding that implies another one of
// its family is folded under that, unless it alone is flagged.
/** @param {ScannedFinding[]} findings @returns {Group[]} */
export function groupFindings(findings) {
  const byId = new Map(findings.map((finding) => [finding.id, finding]));
  const above = (finding) => finding.parents.map((id) => byId.get(id)).filter((parent) => parent?.family === finding.family);
  const topOf = (finding) => above(finding).reduce((top, parent) => (above(top).length > above(parent).length || top === finding ? parent : top), finding);
  const folded = (finding) => topOf(finding) !== finding && (!finding.present || topOf(finding).present);
  const families = [...new Set(findings.map(({ family }) => family))];
  const groups = families.map((family) => {
    const own = findings.filter((finding) => finding.family === family).sort(flaggedFirst);
    const entries = own.filter((finding) => !folded(finding)).map((finding) => ({ finding, kinds: own.filter((each) => folded(each) && topOf(each) === finding) }));
    return { family, entries };
  });
  return groups.sort((a, b) => flaggedFirst(a.entries[0].finding, b.entries[0].finding));
}

// The cautions of every finding alike, which are told once.
/** @param {ScannedFinding[]} findings */
export const sharedCautions = (findings) => (findings[0]?.cautions ?? []).filter((caution) => findings.every(({ cautions }) => cautions.includes(caution)));

// Every finding of the image's modality: bars with the operating point, small maps of those flagged. Asked once an image.
// `probe`: { viewer, fetch() that resolves to the server's answer, pick(sentence) }.
/** @param {HTMLElement} panel @param {{ viewer: Viewer, fetch(): Promise<ScanReply | null>, pick(sentence: string): void }} probe */
export function createScan(panel, probe) {
  const root = panel.querySelector(".scan"), opener = panel.querySelector(".scan-all");
  let turn = 0, findings = null;

  /** @param {boolean} on */
  function show(on) {
    panel.toggleAttribute("data-scanning", on);
    root.hidden = !on;
    opener.setAttribute("aria-expanded", String(on));
    if (on) askForAll();
  }

  async function askForAll() {
    if (findings) return;
    const mine = ++turn;
    root.replaceChildren(make("p", "state", "Asking for every finding…"));
    const reply = await probe.fetch().catch(() => /** @type {ScanReply} */ ({ error: "The server does not answer. Open the scan again in a moment." }));
    if (mine !== turn) return;
    if (!reply || reply.error) return root.replaceChildren(make("p", "state", reply?.error ?? "Open an image first."));
    findings = reply.findings;
    showFound();
  }

  function showFound() {
    const groups = groupFindings(findings), shared = sharedCautions(findings), flagged = findings.filter(({ present }) => present);
    const shown = groups.flatMap(({ entries }) => entries.map(({ finding }) => finding)).filter(({ present }) => present);
    const maps = make("div", "maps");
    maps.append(...shown.map((finding) => card(finding, shared)));
    const summary = findings[0]?.present === null ? "Nothing is judged: bars show the fit, not whether it is there."
      : `${flagged.length || "None"} of ${findings.length} flagged. The tick on a bar: flagged from there on.`;
    const cautions = make("div", "warning");
    cautions.append(...shared.map((caution) => make("p", "", caution)));
    root.replaceChildren(make("p", "state", summary), ...(shared.length ? [cautions] : []), ...(shown.length ? [maps] : []), ...groups.map((group) => family(group, shared)));
    root.scrollTop = 0;
  }

  /** @param {Group} group @param {string[]} shared */
  function family({ family, entries }, shared) {
    const made = make("div", "family"), bars = make("div", "bars");
    for (const { finding, kinds } of entries) {
      bars.append(...row(finding, shared));
      if (!kinds.length) continue;
      const fold = make("details", "kinds"), flagged = kinds.filter(({ present }) => present).length;
      fold.append(make("summary", "", `${kinds.length} ${kinds.length > 1 ? "kinds" : "kind"} of it${flagged ? `, ${flagged} flagged` : ""}`), ...kinds.flatMap((kind) => row(kind, shared)));
      bars.append(fold);
    }
    made.append(make("h3", "", TITLES[family] ?? capital(family)), bars);
    return made;
  }

  /** @param {ScannedFinding} finding */
  function asking(finding, className) {
    const made = button(`${className}${finding.present ? " flagged" : ""}`);
    made.title = `Ask “${finding.name}”: ${shortVerdict(finding)}`;
    made.addEventListener("click", () => probe.pick(finding.name));
    return made;
  }

  /** @param {ScannedFinding} finding @param {string[]} shared @returns {HTMLElement[]} */
  function row(finding, shared) {
    const value = sureness(finding), made = asking(finding, "bar"), track = make("span", "track"), line = make("div", "row");
    const level = make("i", "level"), operating = make("i", "operating");
    level.style.width = `${100 * value}%`;
    operating.style.left = `${100 * finding.operating_point}%`;
    track.append(level, ...(finding.operating_point === null ? [] : [operating]));
    made.append(make("span", "name", finding.name), track, make("span", "value", value.toFixed(2)));
    return withMark(line, made, finding, shared);
  }

  /** @param {ScannedFinding} finding @param {string[]} shared */
  function card(finding, shared) {
    const made = asking(finding, "card"), canvas = make("canvas"), holder = make("div", "holder");
    canvas.width = canvas.height = 128;
    canvas.setAttribute("aria-hidden", "true");
    const { film, shades, colors } = probe.viewer;
    paintThumbnail(canvas, film, shades, readMap(finding.grid), { colors, opacity: 0.9, threshold: PAINT_FROM });
    made.append(canvas, make("span", "name", finding.name), make("span", "value", sureness(finding).toFixed(2)));
    holder.append(...withMark(make("div", "row"), made, finding, shared));
    return holder;
  }

  /** @param {HTMLElement} line @param {HTMLElement} made @param {ScannedFinding} finding @param {string[]} shared @returns {HTMLElement[]} */
  function withMark(line, made, { cautions }, shared) {
    const marked = cautionMark(cautions.filter((caution) => !shared.includes(caution)));
    line.append(made, ...(marked ? [marked.mark] : []));
    return marked ? [line, marked.text] : [line];
  }

  function forget() { turn++; findings = null; root.replaceChildren(); }
  const toggle = () => show(root.hidden);

  return {
    show, toggle,
    // Another image or modality: what was found belongs to the last one.
    forget() { forget(); show(false); },
    // What is shown is no longer true: it is asked for anew.
    again() { forget(); show(!root.hidden); },
  };
}
