// The Reader study tab. The server says what the reader sees now ("place"); what is answered goes back as drafts, then as the answer.
// Texts are put in place as text, never as markup.

import { answerKind, createAnswer } from "../shared/answer.js";
import { make } from "../shared/dom.js";
import { openKeys, openSheet } from "../shared/key_sheet.js";
import { toRegion, toShape } from "../shared/regions.js";
import { UNHURRIED, clockTime, makeId, notSaved } from "../shared/saving.js";
import { RETRY, Refusal, aboutOf, addressOf, pause, post } from "../shared/server.js";
import { createStopwatch } from "../shared/stopwatch.js";
import { isShown, watchKeys } from "../shared/tab_events.js";
import { allCautions, hasPlace, isHeldBack } from "../shared/verdict.js";
import { readImage } from "../viewer/image_pixels.js";
import { createViewer } from "../viewer/viewer.js";
import { cardBefore, showSteps, studyFacts } from "./cards.js";
import { createQuestions } from "./questions.js";
import { inLabels, showTruth } from "./truth.js";
/** @import { CaseTruth, Orientation, StudyPlace, StudyProps, StudyServer, Tab } from "../types" */

const CARDS = { enter: "Sign in", consent: "I agree, begin", training: "Begin the training", cases: "Begin", waiting: "Look again", end: "" };

// Starts the tab in its element. `props` and `server`: what the Python side gives and answers.
/** @param {Tab<StudyProps, StudyServer>} tab */
export function mount({ element, props, server }) {
  const find = (selector) => element.querySelector(selector);
  const study = find(".study"), card = find(".card"), saved = find(".hand .saved");
  const viewer = createViewer(find(".viewer"), {
    colors: props.colors, onShapes: () => { questions.show(); changed(); }, nameOf: (place) => (questions.ratesRegions ? String(place + 1) : ""),
  });
  const questions = createQuestions(find(".questions"), viewer, changed), scroller = find(".scroller"), stopwatch = createStopwatch(find(".viewer"));
  const answerBox = createAnswer(find(".model"));
  const session = makeId();

  let code = null, now = null;        // the reader's code; the place shown
  let preview = null;                 // what answers in the server's place while a coordinator looks at a study
  let dirty = false, drafting = 0, turn = 0;
  let truth = null;                   // the reference standard of a training case, once it is shown
  let complaining = false;            // an answer that is missing is asked for
  let begun = null;                   // the first case of a part, whose card has been read
  let moving = false;                 // on the way to another place: what is still on the screen takes no answer
  let queue = Promise.resolve();      // drafts and answers reach the server in the order they were made

  const put = (selector, text) => { find(selector).textContent = text; };

  function say(text, failed = false) {
    saved.textContent = saved.title = text;
    saved.classList.toggle("failed", failed);
  }

  // Asks until the server answers.
  async function call(name, question) {
    for (;;) {
      const reply = await (preview ?? server)[name]({ code, session, ...question }).catch(() => null);
      if (reply) return reply;
      say("Not saved yet: the server does not answer. Trying again…", true);
      put(".card .problem", "The server does not answer. Trying again…");
      await pause(RETRY);
    }
  }

  // --- where the reader is ------------------------------------------------------------------------------------------

  // `warning`: what went wrong before, said again where the reader arrives.
  async function go(index = null, warning = "") {
    const mine = ++turn;
    moving = true;
    const place = await call("place", { index });
    if (mine !== turn) return;
    if (place.stage === "case") return beginsPart(place) ? showStart(place, warning) : showCase(place, mine, warning);
    if (place.stage === "coordinator") return showEditor(mine);
    moving = false;
    if (place.error) return code && now ? say(place.error, true) : refuse(place.error);
    now = place;
    showCard(place);
    put(".card .problem", warning);
  }

  // The training, and the cases after it, begin with a card of their own.
  /** @param {StudyPlace} place */
  const beginsPart = ({ about, slot, answered, saved }) => about.training > 0 && slot.number === 1 && !answered && !saved.visible_ms && slot.index !== begun;

  /** @param {StudyPlace} place @param {string} warning */
  function showStart(place, warning) {
    begun = place.slot.index;
    moving = false;
    now = { ...cardBefore(place), about: place.about };
    showCard(now);
    put(".card .problem", warning);
  }

  function refuse(sentence) {
    leave();
    put(".card .problem", sentence);
  }

  // A coordinator's code opens the part that makes and runs studies; only then is it fetched.
  /** @param {number} mine */
  async function showEditor(mine) {
    const editor = make("div"), opened = code;
    let part;
    try {
      part = await import("../study_editor/study_editor.js");
    } catch {
      return refuse("This part of the page could not be loaded. Please reload the page.");
    }
    if (mine !== turn) return;
    moving = false;
    study.append(editor);
    study.dataset.stage = "editor";
    code = null;
    await part.openEditor({
      root: editor, code: opened,
      leave: () => { editor.remove(); leave(); },
      preview: (answering) => { preview = answering; find(".study").classList.add("previewed"); go(); },
    });
  }

  function endPreview() {
    turn++;
    preview = now = null;
    moving = dirty = false;
    clearTimeout(drafting);
    clearModel();
    find(".study").classList.remove("previewed");
    study.dataset.stage = "editor";
  }

  function leave() {
    if (preview) return endPreview();
    turn++;
    settle();
    code = now = begun = null;
    moving = false;
    clearModel();
    card.code.value = "";
    showCard({ stage: "enter", title: "Reader study", text: `Sign in with the code you were given. You go on where you stopped, on any computer. ${props.hint}`.trim() });
  }


  /** @param {StudyPlace} place */
  function showCard({ stage, title, about, text = "", until, back = null }) {
    study.dataset.stage = stage;
    showSteps(find(".card .steps"), ["consent", "training", "cases"].includes(stage) ? about : undefined, stage);
    put(".card .facts", stage === "consent" ? studyFacts(about).join("\n") : stage === "end" && about.contact ? `Questions: ${about.contact}` : "");
    put(".about .facts", about ? [title, ...studyFacts(about)].join("\n") : "");
    find(".whose").hidden = !about;
    put(".card h2", title);
    put(".card .text", stage === "waiting" ? `The first part is done. The second opens on ${new Date(until).toLocaleString([], { dateStyle: "full", timeStyle: "short" })}, so that the cases are not fresh in mind. Please come back then.` : text.trim().replace(/(\S)\n(?=\S)/g, "$1 "));
    put(".card .problem", "");
    find(".card .code").hidden = stage !== "enter";
    for (const button of card.querySelectorAll(".leave")) button.hidden = stage === "enter";
    const button = find(".card .go");
    button.textContent = CARDS[stage];
    button.hidden = !CARDS[stage];
    find(".card .back").hidden = back === null;
    if (stage === "enter" && isShown(element)) card.code.focus();
  }

  /** @type {(place: StudyPlace) => string} */
  const whoReads = ({ reader }) => (preview ? `Preview as ${reader}: nothing is saved` : reader);

  /** @param {StudyPlace} place @param {number} mine @param {string} warning */
  async function showCase(place, mine, warning) {
    const { slot } = place;
    viewer.showState("loading");
    let image, about;
    try {
      [image, about] = await fetchImage(slot.index);
    } catch (error) {
      if (mine === turn) refuse(error instanceof Refusal ? error.message : "The image could not be fetched. Please sign in again.");
      return;
    }
    if (mine !== turn) return;
    now = place;
    clearModel();
    study.dataset.stage = "case";
    truth = null;
    showTruth(find(".reference"), viewer, null);
    showHead(place);
    questions.ask(slot.questions);
    find(".viewer").dataset.hide = [questions.draws && place.open ? "" : "draw", place.finding ? "" : "maps"].join(" ").trim();
    viewer.setMode("pan");
    const { orientation, spacing, plane } = about;
    viewer.showImage(image, `Case ${slot.number}, ${image.width} by ${image.height} pixels`, [0, 1], { spacing, plane });
    viewer.showOrientation(orientation);
    const ratings = questions.ratingsIn(place.saved.answers);
    viewer.shapes = place.saved.regions.map((region, i) => ({ ...toShape(region), rating: ratings[i] ?? undefined }));
    questions.load(place.saved.answers, place.open);
    if (place.finding) showModel(place, orientation);
    find(".hand .back").disabled = place.back === null;
    put(".hand .go", place.open ? place.answered ? "Save the change" : "Save and go on" : "Go on");
    dirty = moving = false;
    scroller.scrollTop = 0;
    complaining = false;
    say(warning || (place.answered && !place.open ? "This answer is final." : ""), Boolean(warning));
    viewer.showState("ready");
    stopwatch.restart(place.saved.visible_ms, place.saved.active_ms);
    find(".viewer").dataset.case = String(slot.index);
  }

  /** @param {StudyPlace} place */
  function showHead(place) {
    const { slot, title } = place;
    put(".count", `${slot.training ? "Training" : "Case"} ${slot.number} of ${slot.of}`);
    put(".arm", slot.arm === "aided" ? "with the model" : "without the model");
    find(".progress i").style.width = `${100 * (slot.number - 1) / slot.of}%`;
    put(".asked", slot.description);
    put(".who", whoReads(place));
    find(".who").title = title;
  }

  async function fetchImage(index) {
    const response = preview ? await preview.pixels(index) : await post(addressOf("study"), JSON.stringify({ code, index }), "The image could not be fetched. Please sign in again.", { "Content-Type": "application/json" });
    const about = aboutOf(response);
    return /** @type {const} */ ([readImage(await response.arrayBuffer(), about), about]);
  }

  // --- the model, in the aided arm only -----------------------------------------------------------------------------

  // The answer as the Probe tab has it, to the word.
  /** @param {StudyPlace} place @param {Orientation} orientation */
  function showModel({ finding, remarks, doubt }, orientation) {
    find(".model").hidden = false;
    finding.cautions = allCautions(finding, remarks);
    answerBox.show({ kind: answerKind(finding), finding, banner: doubt?.sentence, orientation });
    viewer.showMap(hasPlace(finding) && !isHeldBack(finding) ? finding.grid : null);
  }

  function clearModel() {
    find(".model").hidden = true;
    answerBox.show({ kind: "none", finding: null });
    viewer.showMap(null);
  }

  // --- answers ------------------------------------------------------------------------------------------------------

  const reading = () => ({ code, index: now.slot.index, answers: questions.answers, regions: viewer.shapes.map(toRegion), ...stopwatch.readBoth() });

  function changed() {
    if (moving || truth || now?.stage !== "case" || !now.open) return;
    if (complaining && !questions.complains) { complaining = false; say(""); }
    dirty = true;
    clearTimeout(drafting);
    drafting = setTimeout(settle, UNHURRIED);
  }

  // What is not saved yet goes out as a draft.
  function settle() {
    clearTimeout(drafting);
    if (!dirty || now?.stage !== "case") return;
    dirty = false;
    deliver("draft", { ...reading(), id: makeId() }, (time) => say(`draft saved ${time}`));
  }

  function deliver(name, said, then) {
    const mine = now;
    queue = queue.then(async () => {
      const reply = await call(name, said);
      if (mine !== now) return;
      if (!reply.error) return then(clockTime(reply.time), reply);
      say(notSaved(reply.error), true);
      if (name !== "answer") return;
      moving = false;
      return catchUp(notSaved(reply.error));
    });
    return queue;
  }

  // Where the case was answered in another window meanwhile and is closed, what stands is shown, or else the case that comes next.
  async function catchUp(warning) {
    const mine = now, { index } = now.slot, place = await call("place", { index });
    if (mine !== now) return;
    if (place.error) return go(null, warning);
    if (!place.open) return go(index, warning);
  }

  function answer() {
    if (moving || now?.stage !== "case") return;
    if (!now.open || truth) return go();
    const missing = questions.complain();
    complaining = Boolean(missing);
    if (missing) return say(notSaved(missing), true);
    clearTimeout(drafting);
    dirty = false;
    moving = true;
    say("saving…");
    const { display, place } = viewer;
    deliver("answer", { ...reading(), id: makeId(), display: { ...display, place } }, (time, reply) => {
      say(`saved ${time}`);
      return reply.truth ? reveal(reply.truth) : go();
    });
  }

  // The answer to a training case is held against the reference standard, and the reader goes on when they have seen it.
  /** @param {CaseTruth} shown */
  function reveal(shown) {
    truth = shown;
    moving = false;
    questions.load(questions.answers, false);
    showTruth(find(".reference"), viewer, shown, inLabels(now.slot.questions, questions.answers));
    put(".hand .go", "Go on");
    scroller.scrollTop = 0;
  }

  function goBack() {
    if (moving || now?.back == null) return;
    const { back } = now;
    settle();
    queue = queue.then(() => { settle(); return go(back); });
  }

  const inCase = () => isShown(element) && now?.stage === "case";
  const showKeys = () => openKeys(find(".keys"), ["reading", ...(now.finding ? ["map"] : []), "image", ...(questions.draws && now.open ? ["draw"] : [])]);

  // A sign where more questions lie below the edge.
  function showMore() {
    const edge = scroller.scrollTop + scroller.clientHeight, more = find(".more");
    const below = [...element.querySelectorAll(".questions fieldset")].filter(({ offsetTop, offsetHeight }) => offsetTop + offsetHeight / 2 > edge).length;
    more.hidden = scroller.scrollHeight - edge < 8;
    more.textContent = below > 1 ? `${below} questions below` : below ? "1 question below" : "More below";
  }
  scroller.addEventListener("scroll", showMore, { passive: true });
  const watched = new ResizeObserver(showMore);
  for (const part of [scroller, find(".model"), find(".questions")]) watched.observe(part);
  find(".more").addEventListener("click", () => scroller.scrollBy({ top: scroller.clientHeight / 2, behavior: "smooth" }));

  // --- events -------------------------------------------------------------------------------------------------------

  card.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (moving) return;               // pressed twice: the card that comes next is to be read
    put(".card .problem", "");
    if (study.dataset.stage === "enter") {
      code = card.code.value.trim();
      return code ? go() : put(".card .problem", "Please type your code.");
    }
    moving = true;
    const refused = study.dataset.stage === "consent" ? (await call("agree", {})).error : "";
    go(null, refused);
  });
  find(".card .go").addEventListener("click", (event) => {
    if (event.detail > 1) event.preventDefault();   // the second press of a double click is not meant for the card that came meanwhile
  });
  element.addEventListener("click", (event) => {
    const target = event.target.closest("button");
    if (event.detail && inCase()) target?.blur();   // pressed with the mouse: Enter saves, and does not press it again
    if (target?.matches(".hand .go")) answer();
    if (target?.matches(".back")) goBack();
    if (target?.matches(".leave")) leave();
  });
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") settle(); });
  watchKeys(inCase, viewer, { "?": showKeys }, (event) => {
    if (event.key !== "Enter") return questions.key(event);
    if (event.target.closest("button")) return false;
    answer();
    return true;
  });
  document.addEventListener("afloc:keys", () => { if (inCase()) showKeys(); });
  document.addEventListener("afloc:help", () => { if (isShown(element)) openSheet(find(".about")); });

  find(".viewer").viewer = viewer;
  leave();
}
