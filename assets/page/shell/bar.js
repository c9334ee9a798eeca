// The top bar: Open and the sheets of the tab that is shown, and the surroundings.

/** @param {{ element: HTMLElement }} bar */
export function mount({ element }) {
  const themeButton = element.querySelector(".theme");

  function showTheme(name) {
    document.documentElement.dataset.theme = name;
    document.body.classList.toggle("dark", name === "dark");
    themeButton.title = name === "dark" ? "Light surroundings" : "Dark surroundings";
    themeButton.setAttribute("aria-label", themeButton.title);
  }

  themeButton.addEventListener("click", () => {
    const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("afloc-theme", name); } catch { /* storage is off: the choice lasts for this page */ }
    showTheme(name);
  });
  // The tab that is shown hears of what is pressed here.
  const tell = (what) => document.dispatchEvent(new CustomEvent(`afloc:${what}`));
  for (const [name, what] of [["open", "open"], ["folder", "folder"], ["keysheet", "keys"], ["help", "help"]]) {
    element.querySelector(`.${name}`).addEventListener("click", () => tell(what));
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "o" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    tell("open");
  });
  showTheme(document.documentElement.dataset.theme);
}
