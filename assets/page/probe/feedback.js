// Feedback on the answer shown: one press saves it, every change after that is saved as a correction of it, Undo takes it back.
// `probe`: { viewer, server, about() -> { image, modality } shown }.

import { toRegion } from "../shared/regions.js";
import { UNHURRIED, clockTime, makeId, notSaved } from "../shared/saving.js";
import { RETRY, Refusal, pause, sendAgain } from "../shared/server.js";
import { createStopwatch } from "../shared/stopwatch.js";
/** @import { OpenImage, ProbeServer } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

/** @param {HTMLElement} root @param {{ viewer: Viewer, server: ProbeServer, about(): { image: OpenImage, modality: string | null } }} probe */
export function createFeedback(root, probe) {
  const find = (selector) => root.querySelector(selector);
  const sure = find("select"), comment = find("input"), back = find(".back"), saved = find(".saved");
  const session = makeId(), stopwatch = createStopwatch(probe.viewer.element);
  let entries = new Map(), entry = null, pen = 0;
  let queue = Promise.resolve();    // one call at a time, so that each correction names the row before it

  // Another answer is shown (null for none): what was said of it before, or nothing yet.
  function about(description) {
    settle();
    if (entry) entry.visible = stopwatch.read();
    entry = null;
    if (description !== null) {
      if (!entries.has(description)) entries.set(description, { description, agreement: null, confidence: null, comment: "", shapes: [], visible: 0, row: null, status: "" });
      entry = entries.get(description);
      const own = new Set(entry.shapes.map(({ id }) => id));
      entry.others = new Set(probe.viewer.shapes.map(({ id }) => id).filter((id) => !own.has(id)));
      stopwatch.restart(entry.visible);
    }
    comment.value = entry?.comment ?? "";
    show();
  }

  function show() {
    for (const button of root.querySelectorAll("[data-agreement]")) {
      button.disabled = !entry;
      button.setAttribute("aria-pressed", String(Boolean(entry) && button.dataset.agreement === entry.agreement));
    }
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

  // --- saving -------------------------------------------------------------------------------------------------------

  function agree(value) {
    if (!entry || (entry.row && entry.agreement === value)) return;
    entry.agreement = value;
    save();
  }

  function save() {
    clearTimeout(pen);
    pen = 0;
    if (!entry) return;
    if (!entry.agreement) return say(entry, entry.comment || entry.confidence || entry.shapes.length ? "Not saved yet: answer with 1 to 4" : entry.status);
    const mine = entry, { image, modality } = probe.about(), { display, place, threshold = display.threshold } = probe.viewer;
    const question = {
      modality, description: mine.description, agreement: mine.agreement, confidence: mine.confidence, comment: mine.comment,
      regions: mine.shapes.map(toRegion), threshold, display: { ...display, place, map_shown: probe.viewer.grid !== null && display.map },
      visible_ms: stopwatch.read(), session, id: makeId(),
    };
    say(mine, "saving…");
    queue = queue.then(async () => {
      const reply = await call(mine, "feedback", { ...question, replaces: mine.row }, image);
      if (reply.error) return say(mine, notSaved(reply.error), true);
      mine.row = reply.id;
      const drawn = question.regions.length;
      const what = drawn ? ` with ${drawn} region${drawn > 1 ? "s" : ""}` : question.agreement === "elsewhere" ? "; draw where (b, d)" : "";
      say(mine, `saved ${clockTime(reply.time)}${what}`);
    });
  }

  function takeBack() {
    if (!entry?.row) return;
    const mine = entry;
    queue = queue.then(async () => {
      const reply = await call(mine, "withdraw", { id: makeId(), session, replaces: mine.row });
      if (reply.error) return say(mine, notSaved(reply.error), true);
      Object.assign(mine, { row: null, agreement: null });
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
    if (button?.dataset.agreement) agree(button.dataset.agreement);
    if (button === back) takeBack();
  });
  sure.addEventListener("change", () => { entry.confidence = sure.value ? Number(sure.value) : null; save(); });
  comment.addEventListener("change", settle);
  comment.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "Escape") comment.blur(); });

  const answers = [...root.querySelectorAll("[data-agreement]")].map((button) => button.dataset.agreement);

  return {
    about,
    // Another image: nothing was said of it yet. Resolves when what was said of the last one is stored.
    forget() { about(null); entries = new Map(); return queue; },
    // The reader's shapes changed: those drawn for this answer belong to it.
    drawn(shapes) {
      if (!entry) return;
      entry.shapes = shapes.filter(({ id }) => !entry.others.has(id));
      clearTimeout(pen);
      pen = setTimeout(save, UNHURRIED);
    },
    // 1 to 4 answer, 5 to 9 say how sure, n writes a comment, z takes the answer back; true when it was one of them.
    key({ key }) {
      if (!entry) return false;
      if (key >= "1" && key <= "4") agree(answers[key - 1]);
      else if (key >= "5" && key <= "9") { entry.confidence = Number(key) - 4; save(); }
      else if (key === "n") comment.focus();
      else if (key === "z") takeBack();
      else return false;
      return true;
    },
  };
}
