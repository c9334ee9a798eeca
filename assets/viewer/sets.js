
// A set of the server: run, its table, its cases.

const ASK_AGAIN = 1500;             // ms between looks at a run under way

// `asks`: { state(question) -> what Sets.state says, open(set, row, truth, style) }.
function createSets(root, asks) {
  const find = (selector) => root.querySelector(selector);
  const runs = endpoint.replace(/images$/, "runs");
  let style = "simple", timer = 0, turn = 0;

  const cell = (name, text, title = "") => Object.assign(document.createElement(name), { textContent: text, title });
  const digits = (value, count) => (value == null ? "–" : value.toFixed(count).replace("-", "−"));

  async function show(run = false) {
    clearTimeout(timer);
    const mine = ++turn, set = find(".sets").value;
    const reply = await asks.state({ set, style, run }).catch(() => ({ error: "The server does not answer. Trying again…", state: "running" }));
    if (mine !== turn) return;
    root.dataset.state = reply.state ?? "failed";
    find("progress").value = reply.of ? reply.done / reply.of : 0;
    find(".state").textContent = reply.error ?? {
      new: reply.done ? `${reply.done} of ${reply.of} images are measured; it goes on from there.` : `${reply.of} images, not evaluated yet.`,
      running: `${reply.done} of ${reply.of} images measured`,
      done: reply.summary && `${reply.summary.n_images} images, ${reply.summary.n_cases} cases`,
    }[reply.state];
    find(".run").disabled = reply.state === "running" || reply.state === "done";
    if (reply.state === "running") timer = setTimeout(show, ASK_AGAIN);
    if (reply.state !== "done") return;
    find(".summary tbody").replaceChildren(...reply.summary.rows.map(summaryRow));
    find(".cases tbody").replaceChildren(...reply.cases.map((each) => caseRow(set, each)));
    for (const link of root.querySelectorAll("[data-file]")) {
      link.href = `${runs}/${link.dataset.file}?${new URLSearchParams({ set, style })}`;
      link.download = link.dataset.file;
    }
  }

  function summaryRow(each) {
    const row = document.createElement("tr");
    row.append(cell("td", each.name, each.name), cell("td", each.n ?? ""));
    for (const [metric, count] of [["iou", 3], ["dice", 3], ["cnr", 2], ["pointing", 2]]) {
      const made = cell("td", digits(each[metric].mean, count)), interval = each[metric].ci95;
      made.append(cell("small", interval ? interval.map((end) => digits(end, 2)).join("–") : ""));
      row.append(made);
    }
    return row;
  }

  function caseRow(set, each) {
    const row = document.createElement("tr"), open = button("pick", each.image.split("/").at(-1)), first = document.createElement("td");
    open.title = each.image;
    open.dataset.row = each.row;
    first.append(open);
    row.append(first, cell("td", each.label, each.label), cell("td", digits(each.iou, 3)), cell("td", digits(each.cnr, 2)));
    row.addEventListener("click", () => asks.open(set, each.row, each.truth, style));
    return row;
  }

  find(".sets").addEventListener("change", () => show());
  find(".run").addEventListener("click", () => show(true));
  function choose(kind, use) {
    for (const choice of root.querySelectorAll(`[data-${kind}]`)) choice.addEventListener("click", () => {
      for (const other of root.querySelectorAll(`[data-${kind}]`)) other.setAttribute("aria-pressed", String(other === choice));
      use(choice.dataset[kind]);
    });
  }
  choose("style", (name) => { style = name; show(); });
  choose("list", (name) => { for (const part of root.querySelectorAll("[data-part]")) part.hidden = part.dataset.part !== name; });
  return { show: () => show() };
}
