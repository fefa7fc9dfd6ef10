// 标注 with the keyboard: 1–5 choose, Enter records, S skips, V shows the suggestion, B names another unit.
(() => {
  "use strict";
  const form = () => document.getElementById("label");

  function send(skip) {
    const one = form();
    const chosen = one.querySelector("input[name=unit]:checked") || one.elements.other.value.trim();
    if (!skip && !chosen) { Zhipai.toast("先选一个单位（1 到 5），或按 B 填别的单位；说不准就按 S 跳过。"); return; }
    one.elements.skip.value = skip ? "on" : "";
    // A form that has just come is bound a moment later; a key that is quicker would send it as a plain form.
    htmx.process(one);
    one.requestSubmit();
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-skip]")) send(true);
    else if (event.target.closest("[data-peek]")) form().elements.peeked.value = "on";
    else if (event.target.closest("[data-answer]")) { event.preventDefault(); send(false); }
  });
  document.addEventListener("change", (event) => {
    // Of two answers the last one counts: whoever chooses a unit has not named another.
    if (event.target.name === "unit" && form()) form().elements.other.value = "";
    if (event.target.name === "other" && event.target.value) for (const one of form().querySelectorAll("input[name=unit]")) one.checked = false;
  });
  document.addEventListener("keydown", (event) => {
    if (!form() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && event.target.id === "other") { event.preventDefault(); event.target.dispatchEvent(new Event("change", { bubbles: true })); send(false); return; }
    if (event.key === "Escape" && event.target.id === "other") { event.target.blur(); return; }
    if (Zhipai.typing(event)) return;
    const choice = form().querySelector(`[data-number="${CSS.escape(event.key)}"]`);
    if (choice) { event.preventDefault(); choice.checked = true; choice.focus(); choice.dispatchEvent(new Event("change", { bubbles: true })); }
    else if (event.key === "Enter" && !event.target.closest("a, button, summary")) { event.preventDefault(); send(false); }
    else if (event.key.toLowerCase() === "s") { event.preventDefault(); send(true); }
    else if (event.key.toLowerCase() === "v") { event.preventDefault(); form().querySelector("[data-peek]").click(); }
    else if (event.key.toLowerCase() === "b") { event.preventDefault(); form().elements.other.focus(); }
  });
})();
