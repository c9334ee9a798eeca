// The PACS: a search whose images open like files, and results as DICOM.
// Whatever the PACS says is put in place as text. Nothing of it is kept when the sheet closes.

import { button, make } from "../shared/dom.js";
import { openSheet } from "../shared/key_sheet.js";
import { toRegion } from "../shared/regions.js";
import { saveFile } from "../shared/save_file.js";
import { Refusal, addressOf, inOneSentence, post, sendAgain } from "../shared/server.js";
/** @import { Finding, OpenImage, PacsImage, PacsStudy, ProbeProps, Source } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */
/** @import { Given } from "../worklist/worklist.js" */

const FIELDS = [
  ["patient", "Patient ID", "text"], ["name", "Name", "text"], ["since", "From", "date"], ["until", "To", "date"],
  ["modality", "Modality", "text"], ["accession", "Accession", "text"],
];

/** @param {string} route @param {object} sent */
async function ask(route, sent) {
  const response = await post(addressOf(`pacs/${route}`), JSON.stringify(sent), "The PACS could not be asked.", { "Content-Type": "application/json" });
  return response.json();
}

// A button that opens the search, `open(source)` for what is chosen there, `openAll({ sources })` for a whole study.
/** @param {HTMLElement} tab @param {(source: Source) => void} open @param {(given: Given) => void} openAll */
export function createSearch(tab, open, openAll) {
  const sheet = Object.assign(make("dialog", "sheet pacs"), { ariaLabel: "From the PACS" }), fields = make("form", "fields");
  const list = make("div", "found"), said = make("output", "done"), closing = make("form"), opener = button("from-pacs", "From the PACS…");
  let turn = 0;                     // counter: the newest question
  for (const [name, title, type] of FIELDS) {
    const label = make("label", "", title);
    label.append(Object.assign(make("input"), { name, type, maxLength: 64, autocomplete: "off", spellcheck: false }));
    fields.append(label);
  }
  fields.append(Object.assign(make("button", "go", "Search"), { type: "submit" }));
  said.setAttribute("role", "status");
  closing.method = "dialog";
  closing.append(said, make("button", "quiet", "Close"));
  sheet.append(make("h2", "", "From the PACS"), fields, list, closing);
  tab.querySelector(".sharing").after(sheet);
  tab.querySelector(".images").prepend(opener);
  opener.title = "Search the PACS and open an image";

  async function show(route, sent, put) {
    const mine = ++turn;
    said.textContent = "Asking the PACS…";
    try {
      const reply = await ask(route, sent);
      if (mine === turn) said.textContent = put(reply) ?? "";
    } catch (error) {
      if (mine === turn) { list.replaceChildren(); said.textContent = inOneSentence(error); }
    }
  }

  const search = () => show("search", Object.fromEntries(new FormData(fields)), ({ studies }) => showStudies(studies));

  /** @param {PacsStudy[]} studies */
  function showStudies(studies) {
    list.replaceChildren(...studies.map((study) => row([
      study.name || "(no name)", study.patient, study.date.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3"), study.modalities, [study.description, study.accession].filter(Boolean).join(", "),
    ], () => show("images", { study: study.study }, ({ images }) => showImages(images)))));
    return studies.length ? `${studies.length} ${studies.length === 1 ? "study" : "studies"}` : "Nothing fits. Fewer or shorter words find more.";
  }

  /** @param {PacsImage[]} images */
  function showImages(images) {
    if (images.length === 1) return take(images[0]);
    const back = row(["‹ Back to the studies"], search);
    const all = row([`Open all ${images.length}`], () => { sheet.close(); openAll({ sources: images.map(toFilm) }); });
    list.replaceChildren(back, ...(images.length ? [all] : []), ...images.map((image) => row([
      image.modality, image.number, image.width ? `${image.width} × ${image.height}` : "", image.frames > 1 ? `${image.frames} frames` : "", image.description,
    ], () => take(image))));
    back.focus();
    return images.length ? `${images.length} images` : "The study holds no images.";
  }

  // For a list of films: what names no patient, and the place in its series.
  /** @param {PacsImage} image */
  const toFilm = ({ place, modality, number, description }) => ({
    source: { ...place }, name: [modality, number, description].filter(Boolean).join(" "), head: { series: place.series, number: Number.parseInt(number, 10), directory: false },
  });

  /** @param {PacsImage} image */
  function take({ place }) {
    sheet.close();
    open({ ...place });
  }

  fields.addEventListener("submit", (event) => { event.preventDefault(); search(); });
  sheet.addEventListener("close", () => { ++turn; fields.reset(); list.replaceChildren(); said.textContent = ""; });
  opener.addEventListener("click", () => { openSheet(sheet); fields.querySelector("input").focus(); });
}

/** @param {string[]} cells @param {() => void} choose */
function row(cells, choose) {
  const made = button("row");
  made.append(...cells.map((cell) => make("span", "", cell)));
  made.addEventListener("click", choose);
  return made;
}

// Buttons in the Share sheet: the map and the report as files, and to the PACS.
// `probe`: the viewer, and what is shown and asked just now.
/** @param {HTMLDialogElement} sheet @param {ProbeProps["pacs"]} offered @param {{ viewer: Viewer, state(): { image: OpenImage | null, modality: string | null, finding: Finding | null } }} probe */
export function createResults(sheet, offered, probe) {
  const done = sheet.querySelector(".done"), download = button("", "Download DICOM map and report"), send = button("", "Send both to the PACS");
  const pending = /** @type {Set<HTMLButtonElement>} */ (new Set());
  const shown = [...(offered.dicom ? [download] : []), ...(offered.send ? [send] : [])];
  sheet.querySelector(".choices").append(make("h3", "", "DICOM, with the patient of the image"), ...shown);

  async function results(address, headers, otherwise) {
    const { image, modality, finding } = probe.state(), { viewer } = probe;
    const about = { description: finding.text, modality, threshold: viewer.display.threshold, regions: viewer.shapes.map(toRegion) };
    const body = () => new Blob([JSON.stringify({ image: image.token, ...about }), ...(headers ? [] : ["\n", image.source.file ?? ""])]);
    try {
      return await post(addressOf(address), body(), otherwise, headers);
    } catch (error) {
      if (!(error instanceof Refusal && error.gone)) throw error;
      await sendAgain(image);
      return post(addressOf(address), body(), otherwise, headers);
    }
  }

  async function save() {
    const response = await results("dicom", undefined, "The DICOM files could not be made.");
    return saveFile(await response.blob(), "afloc-dicom.zip");
  }

  async function store() {
    await results("pacs/results", { "Content-Type": "application/json" }, "The PACS could not be asked.");
    return "The map and the report are stored in the PACS.";
  }

  for (const [made, act, doing] of /** @type {[HTMLButtonElement, () => Promise<string>, string][]} */ ([[download, save, "Making the files…"], [send, store, "Sending…"]])) {
    made.addEventListener("click", async () => {
      pending.add(made);            // once is enough: each time stores another report
      offer();
      done.textContent = doing;
      try { done.textContent = await act(); }
      catch (error) { done.textContent = inOneSentence(error); }
      pending.delete(made);
      offer();
    });
  }

  function offer() {
    const { image, finding } = probe.state();
    download.disabled = pending.has(download) || !finding || !(image?.source.file || image?.source.instance);
    send.disabled = pending.has(send) || !finding || !image?.source.instance;
    send.title = image?.source.instance ? "" : "For images that were opened from the PACS";
  }

  new MutationObserver(offer).observe(sheet, { attributeFilter: ["open"] });
  offer();
}
