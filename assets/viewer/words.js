
// The words under the description, tinted by their pull; a word's own map shows for as long as it is pointed at or focused.
// `show(word or null)` is told which; `word` is { text, known, pull, grid: rows }.
function createWords(root, show) {
  let words = [];

  function readGrid(text, columns) {
    const cells = Array.from(text.match(/../g), (byte) => parseInt(byte, 16) / 255);
    return Array.from({ length: cells.length / columns }, (_, row) => cells.slice(row * columns, (row + 1) * columns));
  }

  const wordOf = (event) => words[[...root.children].indexOf(event.target.closest("button"))] ?? null;
  for (const name of ["pointerover", "focusin"]) root.addEventListener(name, (event) => show(wordOf(event)));
  for (const name of ["pointerleave", "focusout"]) root.addEventListener(name, () => show(null));

  return {
    // `list` as the server gives it; `columns` of the finding's grid.
    put(list, columns) {
      root.classList.remove("more");
      words = list.filter(({ text }) => /[\p{L}\p{N}]/u.test(text)).map((word) => ({ ...word, grid: readGrid(word.grid, columns) }));
      root.replaceChildren(...words.map(({ text, known, pull }) => {
        const made = document.createElement("button");
        made.type = "button";
        made.className = known ? "word" : "word unknown";
        made.textContent = text;
        made.style.setProperty("--pull", pull);
        made.title = known ? `${pull.toFixed(2)} of this word's own map where the whole description's is strongest` : "not a word the model knows";
        return made;
      }));
      root.classList.toggle("more", root.scrollHeight > root.clientHeight + 4);
    },
  };
}
