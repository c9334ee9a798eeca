
// The answer to a description: its heading, its place on the scale, and what to make of it in words.

const HEADINGS = {
  none: "Nothing asked yet", present: "Evidence for it", absent: "No evidence for it", uncalibrated: "Fit of the description",
  doubt: "Is this the right kind of image?", problem: "That did not work",
};

// `root` is the section of the answer; `spoken` says it to screen readers.
function createVerdict(root, spoken) {
  const find = (selector) => root.querySelector(selector);
  const put = (selector, text) => { find(selector).textContent = text; };
  let speaking = 0;

  // `kind`: one of HEADINGS. `finding`: what is answered, or null. `sentence`: the doubt or the problem. `insisted`: its map is shown
  // although it is judged absent. `stale`: the server did not answer since, so this belongs to an earlier description.
  function show({ kind, finding, sentence = "", warnings = "", insisted = false, stale = false }) {
    const judged = kind !== "doubt" && kind !== "problem" ? finding : null, value = judged && (judged.probability ?? judged.score);
    const anyway = find(".anyway");
    root.dataset.verdict = kind;
    root.classList.toggle("stale", stale);
    put("h2", HEADINGS[kind]);
    put(".number", judged ? value.toFixed(2) : "");
    put(".legend", judged ? legend(judged) : "");
    put(".words", stale ? `The server does not answer. This is still the answer to “${finding.text}”.` : wordsFor(kind, finding, sentence, insisted));
    put(".warning", judged ? warnings : "");
    find(".warning").title = judged ? warnings : "";
    find(".operating").hidden = judged?.operating_point == null;
    find(".operating").style.left = `${100 * (judged?.operating_point ?? 0)}%`;
    find(".mark").style.left = `${100 * clamp(value ?? 0, 0, 1)}%`;
    anyway.textContent = kind === "doubt" ? "Go on anyway" : "Show the map anyway";
    anyway.setAttribute("aria-pressed", String(insisted));
    anyway.disabled = kind !== "absent" && kind !== "doubt";
    speak();
  }

  // A moment after the last change, so that typing does not make a screen reader stutter.
  function speak() {
    clearTimeout(speaking);
    speaking = setTimeout(() => { spoken.textContent = ["h2", ".number", ".legend", ".words", ".warning"].map((part) => find(part).textContent).join(" "); }, 700);
  }

  return { show };
}

function wordsFor(kind, finding, sentence, insisted) {
  if (kind === "doubt" || kind === "problem") return sentence;
  if (kind === "none") return "Type a finding as you would dictate it, or pick one below.";
  if (kind === "absent") return `No evidence for “${finding.text}”${insisted ? "; its map is shown all the same" : ", so no map is shown"}.`;
  if (kind === "present") return strongest(finding.grid);
  return "No verdict on this: the map shows where the description fits best, not whether it is there.";
}

function legend(finding) {
  if (finding.probability === null) return "score from 0 to 1";
  return `probability · evidence from ${finding.operating_point.toFixed(2)} on`;
}

// Where the map is highest, in words for the image as seen (its left is a patient's right on a frontal film).
function strongest(grid) {
  const highest = grid.map((row) => Math.max(...row));
  const y = highest.indexOf(Math.max(...highest)), x = grid[y].indexOf(highest[y]);
  const third = (at, count, names) => names[Math.floor(3 * (at + 0.5) / count)];
  const row = third(y, grid.length, ["upper", "middle", "lower"]), column = third(x, grid[0].length, ["left", "centre", "right"]);
  return `Strongest in the ${row === "middle" ? (column === "centre" ? "" : "middle ") + column : `${row} ${column}`} of the image.`;
}
