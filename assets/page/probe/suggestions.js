// What stands below the answer: descriptions to try, the scan, or what was asked on this page.

import { button, make } from "../shared/dom.js";
/** @import { ProbeProps } from "../types" */

const MOST_CHIPS = 8;               // on a phone, where nothing else bounds their number
const MOST_RECENT = 30;

// `descriptions`: by modality and wording, as the server gives them; `openScan()` is called when the scan is asked for.
/** @param {HTMLElement} panel @param {ProbeProps["descriptions"]} descriptions @param {() => void} openScan */
export function createSuggestions(panel, descriptions, openScan) {
  const find = (selector) => panel.querySelector(selector);
  const chips = find("[data-panel=try]"), phone = matchMedia("(max-width: 860px)");
  let modality = null, wording = "simple", all = false;
  let recent = [];                                    // newest first; in memory only

  function show(name) {
    panel.dataset.offer = name;
    for (const part of panel.querySelectorAll("[data-panel]")) part.hidden = part.dataset.panel !== name;
    for (const tab of panel.querySelectorAll("button[data-offer]")) tab.setAttribute("aria-pressed", String(tab.dataset.offer === name));
    find(".wordings").hidden = name !== "try";
    if (name === "scan") openScan();
    if (name === "recent") showRecent();
    if (name === "try") showChips();
  }

  const overflows = () => chips.scrollHeight > chips.clientHeight;

  // As many as fit, the rest on request.
  function showChips() {
    const sentences = descriptions[modality]?.[wording] ?? [];
    chips.dataset.wording = wording;
    chips.replaceChildren(...sentences.map((sentence, i) => Object.assign(button("chip", sentence), { title: descriptions[modality].about[i] })));
    chips.scrollTop = 0;
    if (all) return;
    while (phone.matches && chips.children.length > MOST_CHIPS) chips.lastChild.remove();
    if (chips.children.length < sentences.length || overflows()) chips.append(button("more quiet", `all ${sentences.length}`));
    while (overflows() && chips.children.length > 1) chips.lastChild.previousSibling.remove();
    if (overflows()) chips.replaceChildren();
  }

  function showRecent() {
    find(".recent").replaceChildren(...recent.map((text) => button("chip", text)));
    if (!recent.length) find(".recent").textContent = "What you ask on this page is listed here until you leave it.";
  }

  panel.addEventListener("click", (event) => {
    const target = event.target.closest("button");
    if (target?.matches(".more")) { all = true; showChips(); }
    if (target?.dataset.offer) show(target.dataset.offer);
    if (!target?.dataset.wording) return;
    wording = target.dataset.wording;
    for (const other of panel.querySelectorAll("button[data-wording]")) other.setAttribute("aria-pressed", String(other === target));
    showChips();
  });
  new ResizeObserver(() => { if (panel.dataset.offer === "try") showChips(); }).observe(chips.parentElement);   // an answer may need the room

  return {
    show,
    // What is shown is no longer true: it is asked for anew.
    again() { show(panel.dataset.offer); },
    get modality() { return modality; },
    set modality(name) {
      if (name === modality) return;
      modality = name;
      all = false;
      showChips();
    },
    remember(text) {
      recent = [text, ...recent.filter((other) => other !== text)].slice(0, MOST_RECENT);
      if (panel.dataset.offer === "recent") showRecent();
    },
  };
}

// A hint for who is here for the first time; it goes with the first word typed, or when told to.
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
