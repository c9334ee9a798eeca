// Before anything is painted: the surroundings chosen last time, dark at first.
try { document.documentElement.dataset.theme = localStorage.getItem("afloc-theme") || "dark"; }
catch { document.documentElement.dataset.theme = "dark"; }
