// Feedback on the answer shown, in two questions: is the finding there, and is the place right that the map shows. One press saves it,
// every change after that is saved as a correction of it, Undo takes it back.
// `probe`: { viewer, server, about() -> { image, modality } shown, saved(time), told when something was stored }.

import { toRegion } from "../shared/regions.js";
import { UNHURRIED, clockTime, makeId, notSaved } from "../shared/saving.js";
import { RETRY, Refusal, pause, sendAgain } from "../shared/server.js";
import { createStopwatch } from "../shared/stopwatch.js";
/** @import { Asked, Finding, OpenImage, ProbeServer, Said, Shape } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

// Whether of what was said of an image, or drawn on it, something is not stored.
/** @param {Said} said @param {Shape[]} shapes */
export function isUnsaved({ entries, touched }, shapes) {
  const all = [...entries.values()], stored = new Set(all.filter(({ row, failed }) => row && !failed).flatMap((each) => each.shapes.map(({ id }) => id)));
  const waits = ({ row, failed, saving, there, place, comment, confidence }) => failed || saving || (!row && Boolean(there || place || comment || confidence));
  return all.some(waits) || (touched && shapes.some(({ id }) => !stored.has(id)));
}

/** @param {HTMLElement} root @param {{ viewer: Viewer, server: ProbeServer, about(): { image: OpenImage, modality: string | null }, saved(time: string): void }} probe */
export function createFeedback(root, probe) {
  const find = (selector) => root.querySelector(selector);
  const sure = find("select"), comment = find("input"), back = find(".back"), saved = find(".saved"), asked = find(".asked-there"), heading = find("h2");
  const session = makeId(), stopwatch = createStopwatch(probe.viewer.element);
  let entries = new Map(), entry = null, pen = 0;
  let touched = false;              // something was drawn on the image
  let placed = false;               // whether a map with a place is shown
  const choices = { there: [...root.querySelectorAll("[data-there]")], place: [...root.querySelectorAll("[data-place]")] };
  let queue = Promise.resolve();    // one call at a time, so that each correction names the row before it

  // Another answer is shown (null for none): what was said of it before, or nothing yet. `showsPlace`: with a place on the map.
  /** @param {Finding | null} finding */
  function about(finding, showsPlace = false) {
    settle();
    const description = finding?.text ?? null;
    placed = showsPlace;
    nameSubject(finding?.asked ?? null);
    if (entry) entry.visible = stopwatch.read();
    entry = null;
    if (description !== null) {
      if (!entries.has(description)) entries.set(description, { description, there: null, place: null, confidence: null, comment: "", shapes: [], visible: 0, row: null, status: "" });
      entry = entries.get(description);
      const own = new Set(entry.shapes.map(({ id }) => id));
      entry.others = new Set(probe.viewer.shapes.map(({ id }) => id).filter((id) => !own.has(id)));
      stopwatch.restart(entry.visible);
    }
    comment.value = entry?.comment ?? "";
    show();
  }

  // What the questions are about.
  /** @param {Asked | null} said */
  function nameSubject(said) {
    const normal = said?.status === "normal", subject = (!normal && said?.name) || "";
    asked.textContent = normal ? "Any finding?" : "Is it there?";
    heading.textContent = heading.title = subject ? `Your judgement: ${subject}` : "Your judgement";
  }

  function show() {
    for (const [name, buttons] of Object.entries(choices)) {
      const open = isOpen(name);
      for (const button of buttons) {
        button.disabled = !open;
        button.setAttribute("aria-pressed", String(open && button.dataset[name] === entry[name]));
      }
    }
    root.classList.toggle("idle", !entry);
    sure.disabled = comment.disabled = !entry;
    sure.value = entry?.confidence ?? "";
    if (document.activeElement !== comment) comment.value = entry?.comment ?? "";
    back.disabled = !entry?.row;
    saved.textContent = saved.title = entry?.status ?? "";
    saved.classList.toggle("failed", Boolean(entry?.failed));
  }

  function say(about, status, failed = false) {
    Object.assign(about, { status, failed });
    if (about === entry) show();
  }

  // A digit that means something here, 0 for any other key.
  function digitOf({ key, code = "", shiftKey = false }) {
    const digit = Number(/^(?:Digit|Numpad)(\d)$/.exec(code)?.[1] ?? (/^\d$/.test(key) ? key : 0));
    return digit <= (shiftKey ? 5 : 6) ? digit : 0;
  }

  function answerWith(digit, sureness) {
    if (sureness) { entry.confidence = digit; save(); }
    else if (digit <= 3) judge("there", choices.there[digit - 1].dataset.there);
    else judge("place", choices.place[digit - 4].dataset.place);
  }

  // --- saving -------------------------------------------------------------------------------------------------------

  // Of what is not there, or is shown nowhere, no place is asked for.
  const isOpen = (name) => Boolean(entry) && (name !== "place" || (placed && entry.there !== "no"));

  function judge(name, value) {
    if (!isOpen(name) || (entry.row && entry[name] === value)) return;
    entry[name] = value;
    save();
  }

  function save() {
    clearTimeout(pen);
    pen = 0;
    if (!entry) return;
    if (!entry.there && !entry.place) return say(entry, entry.comment || entry.confidence || entry.shapes.length ? "Not saved yet: answer with 1 to 3" : entry.status);
    const mine = entry, { image, modality } = probe.about(), { display, place } = probe.viewer;
    const question = {
      modality, description: mine.description, there: mine.there, place: isOpen("place") ? mine.place : null, confidence: mine.confidence, comment: mine.comment,
      regions: mine.shapes.map(toRegion), threshold: display.threshold, display: { ...display, place, map_shown: probe.viewer.grid !== null && display.map },
      visible_ms: stopwatch.read(), session, id: makeId(),
    };
    say(mine, "saving…");
    mine.saving = (mine.saving ?? 0) + 1;
    queue = queue.then(async () => {
      const reply = await call(mine, "feedback", { ...question, replaces: mine.row }, image);
      mine.saving--;
      if (reply.error) return say(mine, notSaved(reply.error), true);
      mine.row = reply.id;
      probe.saved(clockTime(reply.time));
      const drawn = question.regions.length;
      const what = drawn ? ` with ${drawn} region${drawn > 1 ? "s" : ""}` : question.place === "elsewhere" || (question.there === "yes" && !placed) ? "; draw where (b, d)" : "";
      say(mine, `saved ${clockTime(reply.time)}${what}`);
    });
  }

  function takeBack() {
    if (!entry?.row) return;
    const mine = entry;
    queue = queue.then(async () => {
      if (!mine.row) return;        // a second press: it is taken back already
      const reply = await call(mine, "withdraw", { id: makeId(), session, replaces: mine.row });
      if (reply.error) return say(mine, notSaved(reply.error), true);
      Object.assign(mine, { row: null, there: null, place: null });
      say(mine, `taken back ${clockTime(reply.time)}`);
    });
  }

  // Asks until the server answers; the id keeps a call that arrived twice from counting twice. `image`: what it is about, sent again
  // where the server had dropped it.
  async function call(mine, name, question, image = null) {
    for (;;) {
      try {
        const reply = await probe.server[name]({ ...question, token: image?.token });
        if (!reply.gone) return reply;
        await sendAgain(image);
      } catch (error) {
        if (error instanceof Refusal) return { error: error.message };
        say(mine, "Not saved yet: the server does not answer. Trying again…", true);
        await pause(RETRY);
      }
    }
  }

  // What is typed or drawn but not saved yet goes out now.
  function settle() {
    if (entry && comment.value !== entry.comment) { entry.comment = comment.value; save(); }
    else if (pen) save();
  }

  root.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    for (const name of Object.keys(choices)) if (button?.dataset[name]) judge(name, button.dataset[name]);
    if (button === back) takeBack();
  });
  sure.addEventListener("change", () => { entry.confidence = sure.value ? Number(sure.value) : null; save(); });
  comment.addEventListener("change", settle);
  comment.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "Escape") comment.blur(); });

  return {
    about,
    // Another image: nothing was said of it yet. Resolves when what was said of the last one is stored.
    forget() { about(null); entries = new Map(); touched = false; return queue; },
    // What was said of the image, to be gone on with by `resume` when it is back.
    get said() { return { entries, touched }; },
    // `before`: the shapes as they were called when it was left; they have new names now.
    /** @param {Said} said @param {Shape[]} before */
    resume(said, before) {
      const now = new Map(before.map(({ id }, i) => [id, probe.viewer.shapes[i]]));
      for (const each of said.entries.values()) each.shapes = each.shapes.map(({ id }) => now.get(id)).filter(Boolean);
      ({ entries, touched } = said);
    },
    // Whether something typed or drawn is on no answer that is stored.
    isUnsaved: () => comment.value !== (entry?.comment ?? "") || pen !== 0 || isUnsaved({ entries, touched }, probe.viewer.shapes),
    // The reader's shapes changed: those drawn for this answer belong to it.
    drawn(shapes) {
      touched = true;
      if (!entry) return;
      entry.shapes = shapes.filter(({ id }) => !entry.others.has(id));
      clearTimeout(pen);
      pen = setTimeout(save, UNHURRIED);
    },
    // The map that is shown came or went.
    showsPlace(on) { placed = on; show(); },
    // 1 to 3 say whether it is there, 4 to 6 whether the place is right, Shift and 1 to 5 how sure, n writes a comment, z takes the
    // answer back; true when it was one of them.
    key(event) {
      if (!entry) return false;
      const { key } = event, digit = digitOf(event);
      if (digit) answerWith(digit, event.shiftKey);
      else if (key === "n") comment.focus();
      else if (key === "z") takeBack();
      else return false;
      return true;
    },
  };
}
