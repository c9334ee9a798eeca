
// The Probe tab: an image and a description go to the server, a small map and a score come back.
// `element`, `props` and `server` are given by gr.HTML. Whatever a user wrote is put in place as text, never as markup.

const PAUSE = 80;                   // ms without a key before a description is asked, at most; less where answers take less
const DWELL = 1500;                 // ms an answer stands before its description counts as asked
const MOST_KEPT = 3;                // maps beside the newest one

const find = (selector) => element.querySelector(selector);
const viewer = createViewer(find(".viewer"), { colors: props.colors, onClose: closePane, onShapes: (shapes) => feedback.drawn(shapes) });
const box = find("textarea"), verdict = find(".verdict"), picker = find(".modality select"), chooser = find("input[type=file]");

let image = null;                   // { token, source, about } of the image shown
let opening = 0, answers = 0;       // counters: the newest image asked for, the newest answer painted
let modality = null;                // chosen by the user; null leaves it to the model
let answer = null, kept = [];       // the finding shown, or null; findings kept beside it
let insisted = false;               // "show the map anyway" is on
let doubt = null, trusted = false;  // why the image may be none the model knows; the user goes on all the same
let waiting = null, busy = false, timer = 0, dwelling = 0;
let took = 0;                       // ms the last answer took
let ownWords = false;               // the description was typed, not taken from an example
let pending = null;                 // a view to restore on the next image

const words = createWords(find(".each"), peekAtWord);
const scan = createScan(find(".scan"), { viewer, fetch: askForAll, pick: (text) => propose(text) });
const offers = createOffers(find(".panel"), props.descriptions, scan.open), hint = createHint(find(".stage"));
const help = createHelp(find, props);
const feedback = createFeedback(find(".feedback"), { viewer, server, about: () => ({ token: image.token, modality }), renew });
const share = createShare(find(".sharing"), { viewer, state: shareState, model: props.model, fingerprint: props.fingerprint });

// --- images -------------------------------------------------------------------------------------------------------

async function open(source) {
  if (source.file && /\.json$/i.test(source.file.name)) return openView(source.file);
  const turn = ++opening;
  viewer.showState("loading");
  try {
    const [about, response] = await send(source);
    const film = readFilm(await response.arrayBuffer(), about);
    if (turn !== opening) return forget(about.token);
    feedback.forget();
    if (image) forget(image.token);
    image = { token: about.token, source, about };
    modality = null; doubt = null; trusted = false; kept = [];
    scan.forget();
    offers.show("try");
    viewer.showImage(film, source.example ? about.title : `Image, ${about.width} by ${about.height} pixels`);
    viewer.showSide("");
    viewer.showNotice(about.notes.join(" "));
    if (source.example) { box.value = about.description; ownWords = false; }
    else if (!ownWords) box.value = "";
    showAnswer(null);
    for (const button of element.querySelectorAll(".example")) {
      button.setAttribute("aria-pressed", String(button.dataset.example === source.example));
    }
    restore();
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
  timer = setTimeout(ask, Math.min(PAUSE, took / 2));
}

async function answerWaiting() {
  if (busy || !waiting || !image) return;
  busy = true;
  const question = waiting, about = image, asked = performance.now();
  waiting = null;
  try {
    const reply = await server.locate({ image: about.token, live: true, ...question });
    took = performance.now() - asked;
    if (about !== image) waiting ??= { description: box.value, modality };
    else if (reply.gone) await sendAgain(question);
    else if (!reply.overtaken && !waiting && question.description === box.value) showReply(reply);
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

// The image's new token where the server had dropped it; null once another one is open.
async function renew() {
  const about = image;
  await sendAgain({ description: box.value, modality });
  return about.source === image.source ? image.token : null;
}

function showReply(reply) {
  viewer.showState("ready");
  doubt = reply.doubt ?? null;
  if (reply.modality) showModality(reply.modality);
  if (reply.error) return showProblem(reply.error);
  showAnswer(reply.finding, reply.remarks);
  words.put(reply.finding ? reply.words : [], reply.finding?.grid[0].length);
  clearTimeout(dwelling);
  if (reply.finding) dwelling = setTimeout(() => offers.remember(reply.finding.text), DWELL);
}

async function askForAll() {
  if (!image) return null;
  const about = image, reply = await server.scan({ image: about.token, modality });
  if (!reply.gone || about !== image) return reply;
  await sendAgain({ description: box.value, modality });
  return server.scan({ image: image.token, modality });
}

// A description from a chip, the scan or the list of recent ones.
function propose(text) {
  box.value = text;
  ownWords = true;
  ask();
}

// --- the answer ---------------------------------------------------------------------------------------------------

const put = (selector, text) => { find(selector).textContent = text; };

function kindOf(finding) {
  if (doubt && !trusted) return "doubt";
  if (!finding) return "none";
  return finding.present === null ? "uncalibrated" : finding.present ? "present" : "absent";
}

function showAnswer(finding, remarks = []) {
  answer = finding;
  const kind = kindOf(finding), value = finding && (finding.probability ?? finding.score);
  const warnings = [finding?.warning, ...remarks, trusted && "Not an image the model knows."].filter(Boolean).join(" ");
  verdict.dataset.verdict = kind;
  put(".verdict h2", {
    none: image ? "Nothing asked yet" : "", present: "Evidence for it", absent: "No evidence for it", uncalibrated: "Fit of the description",
    doubt: "Is this the right kind of image?",
  }[kind]);
  put(".verdict .number", finding && kind !== "doubt" ? value.toFixed(2) : "");
  put(".verdict .legend", kind === "doubt" ? "" : legend(finding));
  put(".verdict .warning", kind === "doubt" ? "" : warnings);
  find(".verdict .warning").title = warnings;
  find(".operating").hidden = finding?.operating_point == null;
  find(".operating").style.left = `${100 * (finding?.operating_point ?? 0)}%`;
  find(".mark").style.left = `${100 * Math.min(1, Math.max(0, value ?? 0))}%`;
  setAnyway(false);
  speak();
  feedback.about(finding && kind !== "doubt" ? finding.text : null);
}

function wordsFor(kind, finding) {
  if (kind === "doubt") return doubt;
  if (kind === "none") return "Type a finding as you would dictate it, or pick one below.";
  if (kind === "absent") return `No evidence for “${finding.text}”, ${insisted ? "but its map is shown as you wish" : "so no map is shown"}.`;
  if (kind === "present") return place(finding.grid);
  return "This model has no calibration: the map shows where the description fits best, not whether it is there.";
}

function legend(finding) {
  if (!finding) return "";
  if (finding.probability === null) return "score from 0 to 1";
  return `probability · evidence from ${finding.operating_point.toFixed(2)} on`;
}

// Where the map is highest, in words for the image as seen (its left is a patient's right on a frontal film).
function place(grid) {
  const highest = grid.map((row) => Math.max(...row));
  const y = highest.indexOf(Math.max(...highest)), x = grid[y].indexOf(highest[y]);
  const third = (at, count, names) => names[Math.floor(3 * (at + 0.5) / count)];
  const row = third(y, grid.length, ["upper", "middle", "lower"]), column = third(x, grid[0].length, ["left", "centre", "right"]);
  return `Strongest in the ${row === "middle" ? (column === "centre" ? "" : "middle ") + column : `${row} ${column}`} of the image.`;
}

// The button under the answer: goes on with a doubtful image, or shows a map that is held back.
function setAnyway(on) {
  const kind = verdict.dataset.verdict, button = find(".anyway");
  insisted = on;
  put(".verdict .words", wordsFor(kind, answer));
  button.textContent = kind === "doubt" ? "Go on anyway" : "Show the map anyway";
  button.setAttribute("aria-pressed", String(on));
  button.disabled = kind !== "absent" && kind !== "doubt";
  find(".keep").disabled = !answer || kind === "doubt" || kept.length === MOST_KEPT;
  viewer.showGate(kind === "absent" && on ? "Map shown although there is no evidence for the description" : "");
  showMaps(answer ? ++answers : answers);
}

function goOn() {
  trusted = true;
  ask();
}

// The kept maps and the newest, those without evidence empty unless the user insists.
function showMaps(number = answers) {
  const held = doubt && !trusted;
  viewer.showMaps([...kept, answer].filter(Boolean).map((finding) => ({
    rows: held || (finding.present === false && !insisted) ? null : finding.grid,
    title: kept.length ? finding.text : "",
    note: kept.length ? `${finding.present === false ? "no evidence " : ""}${(finding.probability ?? finding.score).toFixed(2)}` : "",
  })), number);
}

function keep() {
  if (find(".keep").disabled) return;
  kept = [...kept, answer];
  offers.remember(answer.text);
  showAnswer(null);
  box.value = "";
  words.put([]);
  box.focus();
}

function closePane(index) {
  if (index < kept.length) kept = kept.filter((_, i) => i !== index);
  else { box.value = ""; ownWords = false; ask(); }
  showMaps();
}

function peekAtWord(word) {
  viewer.peek(word ? word.grid : undefined);
  viewer.showGate(word ? `The word “${word.text}” alone` : insisted ? "Map shown although there is no evidence for the description" : "");
}

function showProblem(sentence) {
  showAnswer(null);
  words.put([]);
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

function showModality(name) {
  picker.disabled = false;
  picker.value = name;
  viewer.showSide(name === "chest_xray" ? "R" : "");
  offers.modality = name;
}

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

// --- views: everything but the image --------------------------------------------------------------------------------

function shareState() {
  return {
    finding: doubt && !trusted ? null : answer ?? kept.at(-1) ?? null, modality: offers.modality, description: box.value, kept: kept.map((finding) => finding.text),
    example: image?.source.example ?? null, image: viewer.image, spacing: image?.about.spacing?.[1] ?? null,
  };
}

async function openView(file) {
  const view = readView(await file.text(), false);
  if (view) return showView(view);
  showProblem("This is no view file of AFLoc; open an image, or a file saved with “Save view file”.");
}

// The image a view was made on is opened where it is an example, or is open already; otherwise the next one opened gets it.
function showView(view) {
  pending = view;
  if (props.examples.some(({ name }) => name === view.example)) return open({ example: view.example });
  if (image?.source.file && view.width === image.about.width && view.height === image.about.height) { restore(); return ask(); }
  viewer.showNotice("Now open the image this view was made on.");
  if (!image) viewer.showState("empty");
}

async function restore() {
  const view = pending, about = image;
  pending = null;
  if (!view) return;
  useWords(view);
  if (view.width !== image.about.width || view.height !== image.about.height) return viewer.showNotice("The view was made on an image of another size; only its description is used.");
  viewer.setDisplay(view.display);
  viewer.setPlace(view.place);
  viewer.shapes = view.shapes;
  for (const description of view.kept) {
    const reply = await server.locate({ image: about.token, description, modality }).catch(() => null);
    if (about !== image) return;
    if (reply?.finding) kept = [...kept, reply.finding].slice(0, MOST_KEPT);
  }
  if (view.kept.length) showMaps();
}

function useWords(view) {
  box.value = view.description;
  ownWords = true;
  modality = view.modality in props.modalities ? view.modality : null;
}

// --- events -------------------------------------------------------------------------------------------------------

box.addEventListener("input", (event) => { ownWords = box.value !== ""; hint.end(); if (!event.isComposing) askSoon(); });
box.addEventListener("compositionend", askSoon);
box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") box.blur();
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); ask(); }
});
picker.addEventListener("change", () => { feedback.forget(); modality = picker.value; trusted = false; kept = []; scan.forget(); offers.show("try"); ask(); });
chooser.addEventListener("change", () => { if (chooser.files[0]) open({ file: chooser.files[0] }); chooser.value = ""; });

element.addEventListener("click", (event) => {
  const target = event.target.closest("button");
  if (!target) return;
  if (target.matches(".clear")) { box.value = ""; ownWords = false; ask(); box.focus(); }
  if (target.matches(".chip")) propose(target.textContent);
  if (target.matches(".open")) chooser.click();
  if (target.matches(".example")) open({ example: target.dataset.example });
  if (target.matches(".anyway")) verdict.dataset.verdict === "doubt" ? goOn() : setAnyway(target.getAttribute("aria-pressed") !== "true");
  if (target.matches(".keep")) keep();
  if (target.matches(".share")) share.open();
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

const PAGE_KEYS = { "/": () => box.focus(), "?": () => help.keys(), k: keep, s: () => offers.show("scan"), x: () => share.open() };

document.addEventListener("afloc:keys", () => { if (shown()) help.keys(); });
document.addEventListener("afloc:help", () => { if (shown()) help.about(viewer.image, answer?.grid); });
document.addEventListener("keydown", (event) => {
  if (!shown() || element.querySelector("dialog[open]") || event.target.closest("textarea, select, input:not([type=range])")) return;
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (plain && PAGE_KEYS[event.key]) PAGE_KEYS[event.key]();
  else if (!(plain && feedback.key(event)) && !viewer.key(event)) return;
  event.preventDefault();
});
document.addEventListener("keyup", (event) => { if (event.key === "h") viewer.actions.peek(false); });
window.addEventListener("blur", () => viewer.actions.peek(false));
window.addEventListener("pagehide", () => { if (image) forget(image.token); });
window.addEventListener("hashchange", () => { const view = linkedView(); if (view) showView(view); });

const linkedView = () => (location.hash.startsWith(MARK) ? readView(location.hash.slice(MARK.length)) : null);

find(".viewer").viewer = viewer;
showAnswer(null);
offers.show("try");
const linked = linkedView();
if (linked) showView(linked);
else open({ example: props.examples[0].name });
