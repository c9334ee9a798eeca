
// The Probe tab: an image and a description go to the server, a small map and a score come back.
// `element`, `props` and `server` are given by gr.HTML. Whatever a user wrote is put in place as text, never as markup.

const PAUSE = 80;                   // ms without a key before a description is asked
const MOST_CHIPS = 14;
const RETRY = 3000;                 // ms between attempts while the server does not answer

const find = (selector) => element.querySelector(selector);
const viewer = createViewer(find(".viewer"), props.colors);
const box = find("textarea"), verdict = find(".verdict"), picker = find(".modality select"), chooser = find("input[type=file]");
const endpoint = (window.gradio_config?.root || location.origin).replace(/\/$/, "") + "/afloc/images";

let image = null;                   // { token, source, about } of the image shown
let opening = 0, answers = 0;       // counters: the newest image asked for, the newest answer painted
let modality = null;                // chosen by the user; null leaves it to the model
let offered = null;                 // what the chips are for
let wording = "simple", allChips = false;
let answer = null;                  // the finding shown, or null
let waiting = null, busy = false, timer = 0;
let ownWords = false;               // the description was typed, not taken from an example

// --- images -------------------------------------------------------------------------------------------------------

// `source` is { file } or { example }; it is kept so that the image can be sent again if the server dropped it.
async function send(source) {
  const query = source.example ? "?example=" + encodeURIComponent(source.example) : "";
  const response = await fetch(endpoint + query, { method: "POST", body: source.file ?? "", headers: { "Content-Type": "application/octet-stream" } });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Refusal(problem.error || "The server could not take this image.");
  }
  return [JSON.parse(response.headers.get("X-AFLoc-Image")), response];
}

class Refusal extends Error {}

function forget(token) {
  fetch(`${endpoint}/${token}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

async function open(source) {
  const turn = ++opening;
  viewer.showState("loading");
  try {
    const [about, response] = await send(source);
    const bitmap = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    if (turn !== opening) return forget(about.token);
    if (image) forget(image.token);
    image = { token: about.token, source, about };
    modality = null;
    viewer.showImage(bitmap, source.example ? about.title : `Image, ${about.width} by ${about.height} pixels`);
    viewer.showNotice(about.notes.join(" "));
    if (source.example) { box.value = about.description; ownWords = false; }
    else if (!ownWords) box.value = "";
    showAnswer(null);
    for (const button of element.querySelectorAll(".example")) {
      button.setAttribute("aria-pressed", String(button.dataset.example === source.example));
    }
    ask();
  } catch (error) {
    if (turn !== opening) return;
    viewer.showState(image ? "ready" : "error");
    showProblem(error instanceof Refusal ? error.message : "The server does not answer. Check the connection and open the image again.");
  }
}

// --- descriptions -------------------------------------------------------------------------------------------------

// One call is under way at a time; of those that came meanwhile only the newest is asked, and only the newest answer painted.
function ask() {
  clearTimeout(timer);
  waiting = { description: box.value, modality };
  answerWaiting();
}

function askSoon() {
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE);
}

async function answerWaiting() {
  if (busy || !waiting || !image) return;
  busy = true;
  const question = waiting, about = image;
  waiting = null;
  try {
    const reply = await server.locate({ image: about.token, ...question });
    if (about !== image) waiting ??= { description: box.value, modality };
    else if (reply.gone) await sendAgain(question);
    else if (!waiting && question.description === box.value) showReply(reply);
  } catch {
    viewer.showState("offline");
    waiting ??= question;
    setTimeout(answerWaiting, RETRY);
    busy = false;
    return;
  }
  busy = false;
  answerWaiting();
}

async function sendAgain(question) {
  const turn = opening;
  const [about] = await send(image.source);
  if (turn !== opening) return forget(about.token);
  image = { ...image, token: about.token };
  waiting ??= question;
}

function showReply(reply) {
  viewer.showState("ready");
  if (reply.modality) showModality(reply.modality);
  if (reply.error) showProblem(reply.error);
  else showAnswer(reply.finding);
}

// --- the answer ---------------------------------------------------------------------------------------------------

const put = (selector, text) => { find(selector).textContent = text; };

function showAnswer(finding) {
  answer = finding;
  const kind = !finding ? "none" : finding.present === null ? "uncalibrated" : finding.present ? "present" : "absent";
  const value = finding && (finding.probability ?? finding.score);
  verdict.dataset.verdict = kind;
  put(".verdict h2", { none: image ? "Nothing asked yet" : "", present: "Evidence for it", absent: "No evidence for it", uncalibrated: "Fit of the description" }[kind]);
  put(".verdict .number", finding ? value.toFixed(2) : "");
  put(".verdict .legend", legend(finding));
  put(".verdict .words", words(kind, finding));
  put(".verdict .warning", finding?.warning ?? "");
  find(".mark").style.left = `${100 * Math.min(1, Math.max(0, value ?? 0))}%`;
  setAnyway(false);
  speak();
}

function words(kind, finding) {
  if (kind === "none") return "Type a finding as you would dictate it, or pick one below.";
  if (kind === "absent") return `No evidence for “${finding.text}”, so no map is shown.`;
  if (kind === "present") return place(finding.grid);
  return "This model has no calibration: the map shows where the description fits best, not whether it is there.";
}

function legend(finding) {
  if (!finding) return "";
  if (finding.probability === null) return "score from 0 to 1";
  return "probability" + (props.operating_point == null ? "" : ` · evidence from ${props.operating_point.toFixed(2)} on`);
}

// Where the map is highest, in words for the image as seen (its left is a patient's right on a frontal film).
function place(grid) {
  const highest = grid.map((row) => Math.max(...row));
  const y = highest.indexOf(Math.max(...highest)), x = grid[y].indexOf(highest[y]);
  const third = (at, count, names) => names[Math.floor(3 * (at + 0.5) / count)];
  const row = third(y, grid.length, ["upper", "middle", "lower"]), column = third(x, grid[0].length, ["left", "centre", "right"]);
  return `Strongest in the ${row === "middle" ? (column === "centre" ? "" : "middle ") + column : `${row} ${column}`} of the image.`;
}

function setAnyway(on) {
  const gated = verdict.dataset.verdict === "absent";
  find(".anyway").setAttribute("aria-pressed", String(on));
  find(".anyway").disabled = !gated;
  viewer.showGate(gated && on ? "Map shown although there is no evidence for the description" : "");
  viewer.showMap(answer && (!gated || on) ? answer.grid : null, answer ? ++answers : answers);
}

function showProblem(sentence) {
  showAnswer(null);
  verdict.dataset.verdict = "problem";
  put(".verdict h2", "That did not work");
  put(".verdict .words", sentence);
  speak();
}

// Spoken a moment after the last change, so that typing does not make a screen reader stutter.
let speaking = 0;
function speak() {
  clearTimeout(speaking);
  speaking = setTimeout(() => put(".spoken", ["h2", ".number", ".legend", ".words", ".warning"].map((part) => find(`.verdict ${part}`).textContent).join(" ")), 700);
}

// --- what the panel offers ----------------------------------------------------------------------------------------

function button(className, text) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = className;
  made.textContent = text;
  return made;
}

function showModality(name) {
  picker.disabled = false;
  picker.value = name;
  if (offered !== name) { offered = name; allChips = false; showChips(); }
}

// As many as fit, the rest on request.
function showChips() {
  const sentences = props.descriptions[offered]?.[wording] ?? [], chips = find(".chips");
  chips.dataset.wording = wording;
  chips.replaceChildren(...sentences.map((sentence) => button("chip", sentence)));
  chips.scrollTop = 0;
  if (allChips) return;
  while (chips.children.length > MOST_CHIPS) chips.lastChild.remove();
  if (chips.children.length < sentences.length || overflows(chips)) chips.append(button("more quiet", `all ${sentences.length}`));
  while (overflows(chips) && chips.children.length > 2) chips.lastChild.previousSibling.remove();
}

const overflows = (box) => box.scrollHeight > box.clientHeight;

for (const [name, title] of Object.entries(props.modalities)) picker.add(new Option(title, name));
for (const { name, title, thumbnail } of props.examples) {
  const made = button("example", "");
  const picture = new Image();
  picture.src = thumbnail;
  picture.alt = "";
  const caption = document.createElement("span");
  caption.textContent = title.replace(" (", "\n(");
  made.dataset.example = name;
  made.append(picture, caption);
  find(".images").append(made);
}
put(".model", props.model);
find(".model").title = `fingerprint ${props.fingerprint}`;
find(".operating").hidden = props.operating_point == null;
find(".operating").style.left = `${100 * (props.operating_point ?? 0)}%`;

// --- events -------------------------------------------------------------------------------------------------------

box.addEventListener("input", (event) => { ownWords = box.value !== ""; if (!event.isComposing) askSoon(); });
box.addEventListener("compositionend", askSoon);
box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") box.blur();
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); ask(); }
});
picker.addEventListener("change", () => { modality = picker.value; ask(); });
chooser.addEventListener("change", () => { if (chooser.files[0]) open({ file: chooser.files[0] }); chooser.value = ""; });

element.addEventListener("click", (event) => {
  const target = event.target.closest("button");
  if (!target) return;
  if (target.matches(".clear")) { box.value = ""; ownWords = false; ask(); box.focus(); }
  if (target.matches(".chip")) { box.value = target.textContent; ownWords = true; ask(); }
  if (target.matches(".more")) { allChips = true; showChips(); }
  if (target.matches(".open")) chooser.click();
  if (target.matches(".example")) open({ example: target.dataset.example });
  if (target.matches(".anyway")) setAnyway(target.getAttribute("aria-pressed") !== "true");
  if (target.dataset.wording) {
    wording = target.dataset.wording;
    for (const other of element.querySelectorAll(".switch button")) other.setAttribute("aria-pressed", String(other === target));
    showChips();
  }
});

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
const shown = () => element.isConnected && element.offsetParent !== null;

document.addEventListener("dragover", (event) => {
  if (!hasFiles(event) || !shown()) return;
  event.preventDefault();
  find(".viewer").classList.add("dropping");
});
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) find(".viewer").classList.remove("dropping"); });
document.addEventListener("drop", (event) => {
  if (!hasFiles(event) || !shown()) return;
  event.preventDefault();
  find(".viewer").classList.remove("dropping");
  if (event.dataTransfer.files[0]) open({ file: event.dataTransfer.files[0] });
});
document.addEventListener("paste", (event) => {
  const file = event.clipboardData?.files[0];
  if (file && shown()) { event.preventDefault(); open({ file }); }
});

const showKeys = () => { if (!find("dialog").open) find("dialog").showModal(); };
document.addEventListener("afloc:keys", showKeys);
document.addEventListener("keydown", (event) => {
  if (!shown() || event.ctrlKey || event.metaKey || event.altKey || find("dialog").open) return;
  if (event.target.closest("textarea, select, input:not([type=range])")) return;
  if (event.key === "/") box.focus();
  else if (event.key === "?") showKeys();
  else if (!viewer.key(event)) return;
  event.preventDefault();
});
document.addEventListener("keyup", (event) => { if (event.key === "h") viewer.actions.peek(false); });
window.addEventListener("blur", () => viewer.actions.peek(false));
window.addEventListener("resize", () => { if (offered) showChips(); });
window.addEventListener("pagehide", () => { if (image) forget(image.token); });

find(".viewer").viewer = viewer;
showAnswer(null);
open({ example: props.examples[0].name });
