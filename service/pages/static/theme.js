// Runs before the first paint, so that the page does not flash in the other theme.
(() => {
  const root = document.documentElement;
  for (const name of ["theme", "size"]) {
    let value = null;
    try { value = localStorage.getItem("zhipai." + name); } catch { /* storage may be switched off */ }
    if (value) root.dataset[name] = value;
  }
})();
