// Before anything is painted: the surroundings chosen last time, or those of the system.
let surroundings = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
try { surroundings = localStorage.getItem("afloc-theme") || surroundings; } catch { /* storage is off */ }
document.documentElement.dataset.theme = surroundings;
