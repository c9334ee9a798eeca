// Rows of one reader or of one image are erased for good: first it is said how many, then the name is typed once more.

/** @import { EraseReply, Erasable } from "../types" */

const SILENT = "The server does not answer. Nothing was erased; please try again in a moment.";

// `ask(request)`: the server's answer, null where there is none; `onErased()` hears when rows are gone.
/** @param {HTMLElement} root @param {(request: { study: string, reader: string, case: string, rows: number | null }) => Promise<EraseReply | null>} ask @param {() => void} onErased */
export function createErasing(root, ask, onErased) {
  const find = (selector) => root.querySelector(selector);
  const of = find("[name=of]"), name = find("[name=name]"), typed = find("[name=typed]"), go = find("[type=submit]"), state = find(".state");
  let study = "", erasable = { readers: [], cases: [] }, rows = null;

  /** @param {string} chosen @param {Erasable} names */
  function show(chosen, names) {
    if (study === chosen && String(erasable.readers) === String(names.readers)) return;   // what was said stays
    study = chosen;
    erasable = names;
    list();
  }

  function list() {
    name.replaceChildren(...(of.value === "reader" ? erasable.readers : erasable.cases).map((each) => new Option(each, each)));
    reset("");
  }

  function reset(sentence) {
    rows = null;
    typed.value = "";
    find(".sure").hidden = true;
    go.textContent = "How much is it?";
    state.textContent = sentence;
  }

  async function submit() {
    if (rows !== null && typed.value.trim() !== name.value) { state.textContent = `Type ${name.value} to erase it.`; return; }
    const request = { study, reader: of.value === "reader" ? name.value : "", case: of.value === "reader" ? "" : name.value, rows };
    const reply = (await ask(request)) ?? { error: SILENT };
    if (reply.error) { reset(reply.error); return; }
    if (reply.done) { reset(`Erased: ${reply.said}.`); onErased(); return; }
    if (!reply.rows) { reset("There is nothing to erase."); return; }
    rows = reply.rows;
    state.textContent = `${reply.said}. Nothing brings them back.`;
    find(".sure").hidden = false;
    go.textContent = "Erase for good";
    typed.focus();
  }

  of.addEventListener("change", list);
  name.addEventListener("change", () => reset(""));
  find("form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  return { show };
}
