// The cases: images that are sent, of a set, or that come with AFLoc; what each is asked, and where it belongs.

import { make } from "../shared/dom.js";
import { Refusal, addressOf, post } from "../shared/server.js";
import { thumbnail } from "./pictures.js";
/** @import { StepContext } from "../types" */

const MODALITIES = [["", "recognised"], ["chest_xray", "chest film"], ["fundus", "fundus"], ["histopathology", "tissue"]];
const EXAMPLES = [["chest_film", "chest_xray"], ["retina", "fundus"], ["immunohistochemistry", "histopathology"]];
const asking = new Map();           // what is asked of the images that are added, by study
const refused = new Map();          // why the images that were given last did not all become cases, by study
const names = new Map();            // what the images were called when they were sent, while the page is open; the server keeps no name

/** @param {HTMLElement} form @param {StepContext} context */
export function buildCases(form, context) {
  const { study, values, fields, readOnly, changed, render, ask, request, explain, say, sets } = context;
  values.cases ??= [];
  const taken = () => [...values.cases, ...(values.training ?? [])].map(({ id }) => id);
  const bound = { get finding() { return asking.get(study.name) ?? ""; }, set finding(text) { asking.set(study.name, text); } };

  const adder = make("div", "adder"), problem = make("p", "problem"), line = make("div", "line-buttons");
  problem.setAttribute("role", "alert");
  problem.textContent = refused.get(study.name) ?? "";
  const pick = (title, options) => {
    const input = Object.assign(make("input"), { type: "file", multiple: true, hidden: true, ...options });
    input.addEventListener("change", () => { send([...input.files]); input.value = ""; });
    adder.append(input);
    return fields.action(title, () => input.click());
  };
  line.append(pick("Images…", { accept: ".dcm,.png,.jpg,.jpeg,.tif,.tiff,.webp,.dicom,.ima" }), pick("Folder…", { webkitdirectory: true }), pick("ZIP, or a set with its table…", { accept: ".zip,.csv,.json,.dcm,.png,.jpg,.jpeg,.tif,.tiff,.webp" }));
  if (sets.length) {
    const chooser = make("select");
    chooser.setAttribute("aria-label", "A set of the server");
    chooser.append(new Option("A set of the server…", ""), ...sets.map((name) => new Option(name, name)));
    chooser.disabled = readOnly;
    chooser.addEventListener("change", () => { if (chooser.value) add(chooser.value); });
    line.append(chooser);
  }
  const examples = make("select");
  examples.setAttribute("aria-label", "An example image");
  examples.append(new Option("An example image…", ""), ...EXAMPLES.map(([name]) => new Option(name.replaceAll("_", " "), name)));
  examples.disabled = readOnly;
  examples.addEventListener("change", () => {
    const [name, modality] = EXAMPLES.find(([each]) => each === examples.value) ?? [];
    if (name) take({ cases: [{ id: nextId(), image: `example:${name}`, description: bound.finding, modality }], names: [name], problems: [] });
  });
  line.append(examples);
  const asked = fields.text("What is asked of the images that are added", bound, "finding", { longest: 300, hint: "A finding in words, such as “pleural effusion”. Of a set without it, each image is asked for what the set marks there." });
  adder.append(asked, line, make("p", "hint", "Or drop files here. They are named after their content: no file name is kept, for it may be a patient's."), problem);
  if (!readOnly) form.append(adder);
  if (!readOnly) {
    for (const kind of ["dragover", "dragleave", "drop"]) {
      adder.addEventListener(kind, (event) => {
        event.preventDefault();
        event.stopPropagation();
        adder.classList.toggle("over", kind === "dragover");
        if (kind === "drop") send([.../** @type {DragEvent} */ (event).dataTransfer.files]);
      });
    }
  }

  function nextId() {
    const known = new Set(taken());
    let number = values.cases.length + 1;
    while (known.has(`c${String(number).padStart(3, "0")}`)) number++;
    return `c${String(number).padStart(3, "0")}`;
  }

  // The files go to the server as a set does, one after the other, and become cases there.
  async function send(files) {
    if (!files.length) return;
    refuse("");
    let set = "";
    try {
      for (const [number, file] of files.entries()) {
        say(`Sending ${number + 1} of ${files.length}…`);
        const query = new URLSearchParams({ name: file.webkitRelativePath || file.name, ...(set && { set }) });
        set = (await (await post(`${addressOf("sets")}?${query}`, file, "The file could not be sent.", { "Content-Type": "application/octet-stream" })).json()).set;
      }
    } catch (error) {
      return refuse(error instanceof Refusal ? error.message : "The files could not be sent: the server does not answer.");
    }
    await add(set);
  }

  async function add(set) {
    say("Reading the images…");
    try {
      take(await ask("cases", { name: study.name, set, finding: bound.finding.trim(), taken: taken() }));
    } catch (error) {
      refuse(explain(error));
    }
  }

  // The step may have been drawn anew meanwhile, or be another one: then the head of the page says it too.
  function refuse(sentence) {
    const shown = form.querySelector(".adder .problem");
    refused.set(study.name, sentence);
    if (shown) shown.textContent = sentence;
    say(shown ? "" : sentence, !shown && sentence !== "");
  }

  // A case that misses its image gets the one with its name; every other image becomes a case.
  function take(found) {
    const missing = new Set(study.faults.filter(({ key }) => key.endsWith(".image")).map(({ key }) => key));
    found.cases.forEach((added, place) => {
      const called = found.names[place].split("/").at(-1);
      names.set(added.image, called);
      const waiting = ["cases", "training"].flatMap((list) => (values[list] ?? []).filter((each, n) => missing.has(`${list}[${n + 1}].image`) && each.image.split("/").at(-1) === called));
      for (const each of waiting) each.image = added.image;
      if (!waiting.length) (values.cases ??= []).push({ ...added, description: added.description || bound.finding.trim() });
    });
    changed();
    render();
    const { problems } = found, more = problems.length > 5 ? ` And ${problems.length - 5} more.` : "";
    refuse(problems.length ? `Not taken: ${problems.slice(0, 5).join(" ")}${more}` : "");
  }

  const count = values.cases.length, practice = values.training?.length ?? 0;
  const counted = count === 1 ? "1 case counts" : count ? `${count} cases count` : "No case counts yet";
  form.append(make("p", "count", `${counted}${practice ? `; ${practice} for training come first` : ""}.`));
  const table = make("table", "cases"), head = make("tr");
  for (const title of ["Image", "Id", "What is asked", "Kind", "Use", "Block", "Patient", ""]) head.append(make("th", "", title));
  table.append(make("thead"), make("tbody"));
  table.tHead.append(head);
  if (practice) values.training.forEach((each, place) => table.tBodies[0].append(row(each, place, "training")));
  values.cases.forEach((each, place) => table.tBodies[0].append(row(each, place, "cases")));
  if (count + practice) form.append(table);

  function row(each, place, list) {
    const key = `${list}[${place + 1}]`, line = make("tr"), cell = (...inside) => { const made = make("td"); made.append(...inside); line.append(made); return made; };
    line.dataset.key = key;
    const picture = cell(thumbnail(request, study.name, each.image ?? "", ""));
    picture.dataset.key = `${key}.image`;
    picture.title = names.get(each.image) ?? each.image ?? "";
    if (each.image?.startsWith("example:")) picture.append(make("small", "hint", "example"));
    const bare = { bare: true, kept: true };
    cell(fields.text(`Id of ${each.id}`, each, "id", { ...bare, key: `${key}.id`, longest: 60 }));
    cell(fields.text(`What is asked of ${each.id}`, each, "description", { ...bare, key: `${key}.description`, longest: 300 })).className = "wide";
    cell(fields.choice(`Kind of image of ${each.id}`, each, "modality", MODALITIES, { bare: true, key: `${key}.modality` }));
    const use = { use: list };
    cell(fields.choice(`Use of ${each.id}`, use, "use", [["cases", "counts"], ["training", "training"]], { bare: true, then: () => {
      values[list].splice(place, 1);
      (values[use.use] ??= []).push(each);
      if (use.use === "training") delete each.block; else delete each.explanation;
      if (!values.training?.length) delete values.training;
      changed();
      render();
    } }));
    if (list === "cases") cell(fields.text(`Block of ${each.id}`, each, "block", { bare: true, key: `${key}.block`, longest: 60 })); else cell();
    cell(fields.text(`Patient of ${each.id}`, each, "patient", { bare: true, key: `${key}.patient`, longest: 60 }));
    const gone = fields.action("Remove", () => { values[list].splice(place, 1); if (list === "training" && !values.training.length) delete values.training; changed(); render(); }, "quiet");
    gone.setAttribute("aria-label", `Remove ${each.id}`);
    cell(gone);
    return line;
  }
}
