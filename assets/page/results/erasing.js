// Rows of one reader or of one image are erased for good: first it is said how many, then the name is typed once more.

/** @import { EraseReply, Erasable } from "../types" */

const SILENT = "The server does not answer. Please ask again in a moment how much there is.";

// `ask(request)`: the server's answer, null where there is none; `onErased()` hears when rows are gone.
/** @param {HTMLElement} root @param {(request: { study: string, reader: string, case: string, counted: string }) => Promise<EraseReply | null>} ask @param {() => void} onErased */
export function createErasing(root, ask, onErased) {
  const find = (selector) => root.querySelector(selector);
  const of = find("[name=of]"), name = find("[name=name]"), typed = find("[name=typed]"), go = find("[type=submit]"), state = find(".state");
  let study = "", erasable = { readers: [], cases: [] };
  let counted = "";                   // the key of the rows that were counted, once they can be erased
  let turn = 0;                       // an answer to an earlier turn is about another name

  /** @param {string} chosen @param {Erasable} names */
  function show(chosen, names) {
    if (study === chosen && JSON.stringify(erasable) === JSON.stringify(names)) return;   // what was said stays
    study = chosen;
    erasable = names;
    list();
  }

  function list() {
    name.replaceChildren(...(of.value === "reader" ? erasable.readers : erasable.cases).map((each) => new Option(each, each)));
    reset("");
  }

  function reset(sentence) {
    turn += 1;
    counted = "";
    of.disabled = name.disabled = false;
    typed.value = "";
    find(".sure").hidden = true;
    go.textContent = "How much is it?";
    state.textContent = sentence;
  }

  async function submit() {
    if (name.disabled) return;                        // it is being erased
    if (counted && typed.value.trim() !== name.value) { state.textContent = `Type ${name.value} to erase it.`; return; }
    const mine = ++turn;
    of.disabled = name.disabled = counted !== "";
    const request = { study, reader: of.value === "reader" ? name.value : "", case: of.value === "reader" ? "" : name.value, counted };
    const reply = (await ask(request)) ?? { error: SILENT };
    if (mine !== turn) return;
    of.disabled = name.disabled = false;
    if (reply.error) { reset(reply.error); return; }
    if (reply.done) { reset(`Erased: ${reply.said}.`); onErased(); return; }
    if (!reply.rows) { reset("There is nothing to erase."); return; }
    counted = reply.key;
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
