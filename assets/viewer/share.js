
// What can leave the page, and coming back to it: pictures, the finding, and a view (everything but the image) as a link or a file.
// `probe`: { viewer, state() -> { finding, shown, modality, description, kept, example, image, spacing }, model, fingerprint }; `shown` are
// the findings of the panes, `kept` the descriptions of all but the newest.

const VIEW = 1;                     // version of the view format
const DISPLAY_KEYS = ["invert", "colors", "opacity", "threshold", "outline", "map"];
const MARK = "#view=";

const encodeView = (view) => btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(view)))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const decodeView = (text) => JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0))));

// A view from a link or a file, whoever wrote it: what has the wrong kind is left out. Null where it is no view.
function readView(text, coded = true) {
  let given;
  try { given = coded ? decodeView(text) : JSON.parse(text); } catch { return null; }
  if (given?.afloc !== "view" || given.version !== VIEW) return null;
  const number = (value) => typeof value === "number" && Number.isFinite(value), word = (value) => (typeof value === "string" ? value.slice(0, 4000) : "");
  const display = {};
  for (const key of ["opacity", "threshold"]) if (number(given.display?.[key])) display[key] = given.display[key];
  for (const key of ["invert", "outline", "map"]) if (typeof given.display?.[key] === "boolean") display[key] = given.display[key];
  if (typeof given.display?.colors === "string") display.colors = given.display.colors;
  const range = given.display?.window;
  if (Array.isArray(range) && range.length === 2 && range.every(number) && range[0] < range[1]) display.window = range;
  const points = (ring) => Array.isArray(ring) && ring.length > 1 && ring.every((point) => Array.isArray(point) && point.length === 2 && point.every(number));
  const shapes = (Array.isArray(given.shapes) ? given.shapes : []).slice(0, 200)
    .filter((shape) => shape && ["x", "y", "width", "height"].every((key) => number(shape[key])) && (!shape.rings || (Array.isArray(shape.rings) && shape.rings.every(points))))
    .map(({ x, y, width, height, rings }) => (rings ? { kind: "outline", x, y, width, height, rings } : { kind: "box", x, y, width, height }));
  const place = given.place && ["x", "y", "zoom"].every((key) => number(given.place[key])) ? given.place : null;
  return {
    description: word(given.description), modality: word(given.modality) || null, example: word(given.example) || null, display, shapes, place,
    kept: (Array.isArray(given.kept) ? given.kept : []).slice(0, 3).map(word).filter(Boolean),
    width: given.image?.width, height: given.image?.height, fingerprint: word(given.fingerprint),
  };
}

function createShare(dialog, probe) {
  const done = dialog.querySelector(".done");
  const RESEARCH = "Research use only. Not for diagnosis.";

  function sentence(finding = probe.state().finding) {
    if (!finding) return "No description";
    const verdict = finding.present === null ? "fit" : finding.present ? "evidence for it, probability" : "no evidence for it, probability";
    return `“${finding.text}”: ${verdict} ${sureness(finding).toFixed(2)}`;
  }

  const credit = () => `AFLoc, ${probe.model} (${probe.fingerprint}). ${RESEARCH}`;

  function view() {
    const { finding, modality, description, kept, example, image } = probe.state(), { viewer } = probe;
    const display = Object.fromEntries(DISPLAY_KEYS.map((key) => [key, viewer.display[key]]));
    if (viewer.display.window !== viewer.film?.window) display.window = viewer.display.window;
    return {
      afloc: "view", version: VIEW, model: probe.model, fingerprint: probe.fingerprint, example, image, modality, description, kept, display,
      place: viewer.place, shapes: viewer.shapes.map(({ id, ...shape }) => shape),
    };
  }

  function record() {
    const { finding, modality, image } = probe.state();
    return { finding, modality, image, model: probe.model, fingerprint: probe.fingerprint, shapes: probe.viewer.shapes, note: RESEARCH };
  }

  function picture(overlay) {
    const { spacing, shown } = probe.state(), render = (options) => probe.viewer.render({ overlay, spacing, ...options });
    if (!overlay) return render({ caption: [credit()] });
    if (shown.length < 2) return render({ caption: [sentence(), credit()] });
    return joinPictures(shown.map((finding, pane) => render({ pane, largest: LARGEST / 2, caption: [sentence(finding), credit()] })));
  }

  const blobOf = (canvas) => new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("too large"))), "image/png"));
  const json = (value) => new Blob([JSON.stringify(value, null, 1)], { type: "application/json" });

  function save(blob, name) {
    const link = document.createElement("a"), address = URL.createObjectURL(blob);
    link.href = address;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    return `Saved ${name}.`;
  }

  const ways = {
    picture: async () => save(await blobOf(picture(true)), "afloc-map.png"),
    plain: async () => save(await blobOf(picture(false)), "afloc-image.png"),
    copyPicture: async () => { await navigator.clipboard.write([new ClipboardItem({ "image/png": blobOf(picture(true)) })]); return "Picture copied."; },
    finding: async () => save(json(record()), "afloc-finding.json"),
    copyText: async () => { await navigator.clipboard.writeText(`${sentence()}\n${credit()}`); return "Text copied."; },
    link: async () => { await navigator.clipboard.writeText(location.href.split("#")[0] + MARK + encodeView(view())); return "Link copied. Whoever opens it needs the image too."; },
    file: async () => save(json(view()), "afloc-view.json"),
  };

  dialog.addEventListener("click", async (event) => {
    const name = event.target.dataset?.share;
    if (!name) return;
    try { done.textContent = await ways[name](); }
    catch { done.textContent = "The browser refused; try a download instead."; }
  });

  return {
    open() {
      done.textContent = "";
      const { finding, image } = probe.state();
      for (const button of dialog.querySelectorAll("[data-share]")) button.disabled = !image || (!finding && ["finding", "copyText"].includes(button.dataset.share));
      if (!dialog.open) dialog.showModal();
    },
  };
}
