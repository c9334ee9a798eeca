// Descriptions to try, in one line under the field; all of them, and what was asked on this page, unfold over what is below.

import { button, make } from "../shared/dom.js";
/** @import { ProbeProps } from "../types" */

const MOST_RECENT = 30;
const MOST_TRIED = 12;              // of which those that fit stand in the line

// `descriptions`: by modality and wording, as the server gives them.
/** @param {HTMLElement} root @param {ProbeProps["descriptions"]} descriptions */
export function createSuggestions(root, descriptions) {
  const find = (selector) => root.querySelector(selector);
  const few = find(".few"), all = find(".all"), chips = find("[data-panel=try]"), more = button("more quiet");
  let modality = null, wording = "simple", offer = "try";
  let recent = [];                                    // newest first; in memory only

  const sentences = (wanted) => descriptions[modality]?.[wanted] ?? [];
  const chipsOf = (wanted) => sentences(wanted).map((sentence, i) => Object.assign(button("chip", sentence), { title: descriptions[modality].about[i] }));

  // Those that fit in the line, in their order, and a button for all.
  function showFew() {
    more.textContent = `all ${sentences("simple").length}`;
    more.hidden = !modality;
    few.replaceChildren(more);
    for (const chip of chipsOf("simple").slice(0, MOST_TRIED)) {
      more.before(chip);
      if (few.scrollWidth > few.clientWidth) chip.remove();
    }
  }

  function showAll() {
    for (const part of all.querySelectorAll("[data-panel]")) part.hidden = part.dataset.panel !== offer;
    for (const tab of all.querySelectorAll("button[data-offer]")) tab.setAttribute("aria-pressed", String(tab.dataset.offer === offer));
    for (const other of all.querySelectorAll("button[data-wording]")) other.setAttribute("aria-pressed", String(other.dataset.wording === wording));
    find(".wordings").hidden = offer !== "try";
    chips.dataset.wording = wording;
    chips.replaceChildren(...chipsOf(wording));
    find(".recent").replaceChildren(...recent.map((text) => button("chip", text)));
    if (!recent.length) find(".recent").textContent = "What you ask on this page is listed here until you leave it.";
  }

  /** @param {boolean} on */
  function unfold(on) {
    if (on) showAll();
    all.hidden = !on;
    more.setAttribute("aria-expanded", String(on));
  }

  root.addEventListener("click", (event) => {
    const target = event.target.closest("button");
    if (target === more) return unfold(all.hidden);
    if (target?.matches(".chip")) return unfold(false);
    offer = target?.dataset.offer ?? offer;
    wording = target?.dataset.wording ?? wording;
    if (!all.hidden) showAll();
  });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || all.hidden) return;
    event.stopPropagation();
    unfold(false);
    more.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => { if (!all.hidden && !root.contains(/** @type {Node} */ (target))) unfold(false); });
  new ResizeObserver(showFew).observe(root);
  unfold(false);

  return {
    get modality() { return modality; },
    set modality(name) {
      if (name === modality) return;
      modality = name;
      showFew();
      if (!all.hidden) showAll();
    },
    remember(text) {
      recent = [text, ...recent.filter((other) => other !== text)].slice(0, MOST_RECENT);
      if (!all.hidden) showAll();
    },
  };
}

// A hint for who is here for the first time. It goes with the first word typed, with the user's own image, or when told to.
/** @param {HTMLElement} stage */
export function createHint(stage) {
  let seen = null;
  try { seen = localStorage.getItem("afloc-hint"); } catch { /* storage is off: the hint comes with every visit */ }
  const close = button("close", "Got it");
  const hint = make("p", "hint", "This is an example. Describe anything in your own words, or open your own image. ");
  hint.append(close);
  function end() {
    hint.remove();
    try { localStorage.setItem("afloc-hint", "seen"); } catch { /* as above */ }
  }
  close.addEventListener("click", end);
  if (!seen) stage.append(hint);
  return { end };
}
