// The top bar: the surroundings, and the sheets of the tab that is shown.

/** @param {{ element: HTMLElement }} bar */
export function mount({ element }) {
  const themeButton = element.querySelector(".theme");

  function showTheme(name) {
    document.documentElement.dataset.theme = name;
    document.body.classList.toggle("dark", name === "dark");
    themeButton.textContent = name === "dark" ? "Light" : "Dark";
    themeButton.title = name === "dark" ? "Light surroundings" : "Dark surroundings";
  }

  themeButton.addEventListener("click", () => {
    const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("afloc-theme", name); } catch { /* storage is off: the choice lasts for this page */ }
    showTheme(name);
  });
  for (const [name, sheet] of [["keysheet", "keys"], ["help", "help"]]) {
    element.querySelector(`.${name}`).addEventListener("click", () => document.dispatchEvent(new CustomEvent(`afloc:${sheet}`)));
  }
  showTheme(document.documentElement.dataset.theme);
}
