// What the tabs that open images do alike: files dropped or pasted, keys, and the example images.

import { button, make } from "./dom.js";
/** @import { Example } from "../types" */
/** @import { Viewer } from "../viewer/viewer.js" */

// Files over, dropped on or pasted into a tab while it is shown. `hover(event)`: some are over it, or (null) no longer; `take(files,
// event)`: they are given.
/** @param {HTMLElement} tab @param {(event: DragEvent | null) => void} hover @param {(files: File[], event: DragEvent | ClipboardEvent) => void} take */
export function watchFiles(tab, hover, take) {
  const awaited = (event) => isShown(tab) && [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!awaited(event)) return;
    event.preventDefault();
    hover(event);
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) hover(null); });
  document.addEventListener("drop", (event) => {
    if (!awaited(event)) return;
    event.preventDefault();
    hover(null);
    if (event.dataTransfer.files[0]) take([...event.dataTransfer.files], event);
  });
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (!file || !isShown(tab)) return;
    event.preventDefault();
    take([file], event);
  });
}

// Keys pressed outside a text field and a dialog while `active()`: `own` by their name, then what `press(event)` takes, then the viewer's.
/** @param {() => boolean} active @param {Pick<Viewer, "key" | "actions">} viewer @param {Record<string, () => void>} own @param {(event: KeyboardEvent) => boolean} press */
export function watchKeys(active, viewer, own, press = () => false) {
  document.addEventListener("keydown", (event) => {
    if (!active() || document.querySelector("dialog[open]") || event.target.closest("textarea, select, input:not([type=range])")) return;
    if (event.key === "Enter" && event.repeat) return event.preventDefault();    // however long it is held, it counts once
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (plain && own[event.key]) own[event.key]();
    else if (!(plain && press(event)) && !viewer.key(event)) return;
    event.preventDefault();
  });
  document.addEventListener("keyup", (event) => { if (event.key === "h") viewer.actions.peek(false); });
  window.addEventListener("blur", () => viewer.actions.peek(false));
}

/** @type {(tab: HTMLElement) => boolean} */
export const isShown = (tab) => tab.isConnected && tab.offsetParent !== null;

// A button for each example image, with its title as `caption(title)` has it.
/** @param {HTMLElement} holder @param {Example[]} examples @param {(title: string) => string} caption */
export function offerImages(holder, examples, caption) {
  for (const { name, title, thumbnail } of examples) {
    const made = button("example"), picture = new Image(), text = make("span", "", caption(title));
    picture.src = thumbnail;
    picture.alt = "";
    made.dataset.example = name;
    made.title = title;
    made.append(picture, text);
    holder.append(made);
  }
}

/** @param {HTMLElement} holder @param {string} [name] */
export function markExample(holder, name) {
  for (const made of holder.querySelectorAll(".example")) made.setAttribute("aria-pressed", String(made.dataset.example === name));
}
