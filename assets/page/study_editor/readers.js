// Who reads: names that are kept with the answers, codes that nobody guesses, and a sheet for each to take along.

import { make } from "../shared/dom.js";
/** @import { StepContext } from "../types" */

/** @param {HTMLElement} form @param {StepContext} context */
export function buildReaders(form, context) {
  const { values, fields, readOnly, changed, render, ask, explain, say } = context;
  values.readers ??= {};
  form.append(make("p", "hint", "The names are kept with the answers: R1, not Dr Doe. The codes are kept in the study file alone."));
  const table = make("table", "readers"), head = make("tr"), list = make("div", "field");
  list.dataset.key = "readers";
  for (const title of ["Reader", "Code", ""]) head.append(make("th", "", title));
  table.append(make("thead"), make("tbody"));
  table.tHead.append(head);
  for (const [name, code] of Object.entries(values.readers)) {
    const line = make("tr"), cell = (...inside) => { const made = make("td"); made.append(...inside); line.append(made); };
    const named = { name }, field = fields.text(`Name of ${name}`, named, "name", { bare: true, key: `readers.${name}`, longest: 60, kept: true });
    // The order of the list decides who reads what: a reader who is renamed stays in place.
    field.querySelector("input").addEventListener("change", () => {
      const wanted = named.name.trim();
      if (wanted === name) return;
      if (!wanted || wanted in values.readers) { say(wanted ? `There is a reader ${wanted} already.` : "A reader needs a name.", true); return render(); }
      values.readers = Object.fromEntries(Object.entries(values.readers).map(([each, kept]) => [each === name ? wanted : each, kept]));
      changed();
      render();
    });
    const shown = make("code", "", String(code)), renew = fields.action("New code", async () => { const [fresh] = await codes(1); if (fresh) { values.readers[name] = fresh; changed(); render(); } }, "quiet");
    const gone = fields.action("Remove", () => { delete values.readers[name]; changed(); render(); }, "quiet");
    renew.setAttribute("aria-label", `New code for ${name}`);
    gone.setAttribute("aria-label", `Remove ${name}`);
    cell(field); cell(shown); cell(renew, gone);
    table.tBodies[0].append(line);
  }
  if (Object.keys(values.readers).length) list.append(table);
  form.append(list);

  const line = make("div", "line-buttons"), count = Object.assign(make("input", "number"), { type: "number", min: "1", max: "200", value: "1", disabled: readOnly });
  count.setAttribute("aria-label", "How many readers to add");
  const add = fields.action("Add readers", async () => {
    const fresh = await codes(Math.min(200, Math.max(1, Number(count.value) || 1)));
    let number = 1;
    for (const code of fresh) {
      while (`R${number}` in values.readers) number++;
      values.readers[`R${number}`] = code;
    }
    if (fresh.length) { changed(); render(); }
  }, "go");
  const print = make("button", "quiet bordered", "Print invitation sheets…");
  print.type = "button";
  print.disabled = !Object.keys(values.readers).length;
  print.addEventListener("click", () => printSheets(values));
  line.append(count, add, print);
  form.append(line, fields.text("Code of this study's coordinator", values, "coordinator", { key: "coordinator", longest: 200, hint: "It opens this study and its results, and nothing else. Without one only the page's coordinator does." }));

  async function codes(wanted) {
    try {
      return (await ask("codes", { count: wanted })).codes;
    } catch (error) {
      say(explain(error), true);
      return [];
    }
  }
}

// A sheet for each reader. It is printed from a frame of its own and left nowhere; no code stands in an address.
function printSheets(values) {
  const frame = make("iframe", "print"), { title, by, contact, minutes } = values, address = location.origin + location.pathname;
  frame.title = "Invitation sheets";
  document.body.append(frame);
  const sheets = frame.contentDocument, style = sheets.createElement("style");
  style.textContent = "@page { margin: 25mm } body { font: 12pt/1.5 system-ui, sans-serif; color: #000 } section { break-after: page } h1 { font-size: 20pt; margin: 0 0 4mm } .code { font: 600 20pt ui-monospace, monospace; letter-spacing: .06em } dt { color: #444; margin-top: 5mm } dd { margin: 0 } small { color: #444 }";
  sheets.head.append(style);
  sheets.title = title || "Reader study";
  for (const [name, code] of Object.entries(values.readers)) {
    const sheet = sheets.createElement("section"), list = sheets.createElement("dl"), put = (tag, text, className = "") => { const made = sheets.createElement(tag); made.textContent = text; made.className = className; return made; };
    sheet.append(put("h1", title || "Reader study"), put("p", `You are invited to read in this study as ${name}.`));
    for (const [term, said, className] of [
      ["Open in a browser", address], ["Tab", "Reader study"], ["Your code", code, "code"], ...(minutes ? [["It takes about", `${minutes} minutes. You can stop at any time and go on where you stopped, on any computer.`]] : []),
      ...(by ? [["By", by]] : []), ...(contact ? [["Questions to", contact]] : []),
    ]) list.append(put("dt", term), put("dd", said, className));
    sheet.append(list, put("small", "The code is yours alone: please give it to nobody. Research use only, not for diagnosis."));
    sheets.body.append(sheet);
  }
  frame.contentWindow.addEventListener("afterprint", () => frame.remove());
  frame.contentWindow.focus();
  frame.contentWindow.print();
}
