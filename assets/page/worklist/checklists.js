// Checklists: named lists of findings that are asked of every film. They stay in this browser, until they are deleted.

const KEY = "afloc-checklists";
const MOST_LISTS = 50, LONGEST_NAME = 80;
const LONGEST_LINE = 4000;

/** @typedef {{ name: string, findings: string[] }} Checklist */

// What is asked, one finding a line: each once, without those that hold no word; at most `most`.
/** @param {string} text @param {number} most */
export function linesOf(text, most) {
  const lines = text.split(/[\r\n]+/).map((line) => line.trim().slice(0, LONGEST_LINE)).filter((line) => /[\p{L}\p{N}]/u.test(line) && !line.startsWith("#"));
  return [...new Set(lines)].slice(0, most);
}

// The checklists that are kept; what is not one is left out, whoever wrote it.
/** @param {string | null} text @returns {Checklist[]} */
export function readChecklists(text) {
  let given;
  try { given = JSON.parse(text ?? "[]"); } catch { return []; }
  const isList = (each) => typeof each?.name === "string" && each.name && Array.isArray(each.findings) && each.findings.every((line) => typeof line === "string");
  return Array.isArray(given) ? given.filter(isList).slice(0, MOST_LISTS).map(({ name, findings }) => ({ name: name.slice(0, LONGEST_NAME), findings })) : [];
}

// The lists with one more, in place of the one of its name, in the order of their names.
/** @param {Checklist[]} lists @param {Checklist} added */
export function withChecklist(lists, { name, findings }) {
  const named = { name: name.trim().slice(0, LONGEST_NAME), findings };
  return [...lists.filter((each) => each.name !== named.name), named].sort((a, b) => a.name.localeCompare(b.name));
}

// As text, to be kept elsewhere: its name after "#", then a finding a line.
/** @param {Checklist} list */
export const asText = ({ name, findings }) => `# ${name}\n${findings.join("\n")}\n`;

// The name in such a text, or "".
/** @param {string} text */
export const nameIn = (text) => /^#[ \t]*(.*)$/m.exec(text)?.[1].trim().slice(0, LONGEST_NAME) ?? "";

// Those of this browser. Where storage is off they last as long as the page.
export function createChecklists() {
  let lists = [];
  try { lists = readChecklists(localStorage.getItem(KEY)); } catch { /* storage is off */ }
  function keep(changed) {
    lists = changed;
    try { localStorage.setItem(KEY, JSON.stringify(lists)); } catch { /* storage is off, or full */ }
  }
  return {
    get all() { return lists; },
    /** @param {Checklist} list */
    save(list) { keep(withChecklist(lists, list)); },
    /** @param {string} name */
    remove(name) { keep(lists.filter((each) => each.name !== name)); },
  };
}
