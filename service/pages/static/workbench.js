// 派单工作台: the keyboard, the choice of a unit, live updates. What is decided is decided by the server.
(() => {
  "use strict";
  const $ = (selector, scope = document) => scope.querySelector(selector);
  const bench = () => $("#bench");
  const shown = () => $("#shown");
  const openOrder = () => (shown() ? shown().dataset.order || "" : "");
  // One for each window, so that two windows of the same person are told apart.
  const windowId = crypto.randomUUID ? crypto.randomUUID() : Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0")).join("");
  let quick = false;

  // The choice of a unit

  function chosen() {
    const radio = $("#decide input[name=choice]:checked");
    if (!radio) return "";
    return radio.value || $("#other").value.trim();
  }
  function overriding() { const form = $("#decide"); return Boolean(form) && chosen() !== form.dataset.first; }
  function choiceChanged() {
    const form = $("#decide");
    if (!form) return;
    const why = $("#why");
    why.hidden = !overriding();
    $("#reason").required = !why.hidden;
    $("#go").firstChild.textContent = why.hidden ? "派单 " : "改派 ";
  }
  function pick(number) {
    const radio = $(`#decide input[data-number="${number}"]`);
    if (!radio || radio.disabled || radio.closest("fieldset").disabled) return;
    radio.checked = true;
    radio.dispatchEvent(new Event("input", { bubbles: true }));
    choiceChanged();
    if (number === "b") $("#other").focus();
    else if (overriding()) $("#reason").focus();
    else radio.focus();
  }
  function newKeys(scope) { for (const field of scope.querySelectorAll("[data-new-key]")) field.value = windowId + "-" + Math.random().toString(36).slice(2) + Date.now().toString(36); }

  // The queue

  const lines = () => [...document.querySelectorAll("#rows .line")];
  function move(step) {
    const all = lines();
    if (!all.length) return;
    const here = all.findIndex((line) => line.dataset.order === openOrder());
    const next = all[here < 0 ? 0 : Math.min(Math.max(here + step, 0), all.length - 1)];
    next.scrollIntoView({ block: "nearest" });
    if (next.dataset.order !== openOrder()) next.click();
    if (here + step >= all.length) { const more = $("#rows .more button"); if (more) more.click(); }
  }
  function mark() {
    for (const line of lines()) {
      if (line.dataset.order === openOrder()) { line.setAttribute("aria-current", "true"); line.scrollIntoView({ block: "nearest" }); }
      else line.removeAttribute("aria-current");
    }
  }

  function undo(order) {
    $("#undo-order").value = order;
    Zhipai.open($("#undo"));
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (event.key === "Escape" && ["search", "other", "reason"].includes(at.id)) { at.blur(); $("#main").focus(); return; }
    if (at.id === "other" && event.key === "Enter") { event.preventDefault(); choiceChanged(); (overriding() ? $("#reason") : $("#go")).focus(); return; }
    if (Zhipai.typing(event)) return;
    const inForm = at.closest && at.closest("a, button, summary, select");
    if (/^[1-5]$/.test(event.key)) pick(event.key);
    else if (event.key === "Enter" && !inForm) { const go = $("#go"); if (go && !go.closest("fieldset").disabled) $("#decide").requestSubmit(go); }
    else {
      const key = event.key.toLowerCase();
      if (key === "b") pick("b");
      else if (key === "r") { if (shown() && shown().dataset.waiting === "yes") Zhipai.open($("#refuse")); }
      else if (key === "u") undo(shown() && shown().dataset.waiting === "no" ? openOrder() : "");
      else if (key === "/") $("#search") && $("#search").focus();
      else if (key === "j" || event.key === "ArrowDown") move(1);
      else if (key === "k" || event.key === "ArrowUp") move(-1);
      else return;
    }
    event.preventDefault();
  });
  document.addEventListener("change", (event) => { if (event.target.form && event.target.form.id === "decide") choiceChanged(); });
  document.addEventListener("input", (event) => {
    if (event.target.id === "other") { $('#decide input[data-number="b"]').checked = true; choiceChanged(); }
  });
  document.addEventListener("zhipai:restored", (event) => { if (event.target.id === "decide") choiceChanged(); });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-undo]");
    if (button) undo(button.dataset.undo);
  });

  // htmx

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt.id !== "decide") return;
    event.detail.parameters.set("unit", chosen());
    for (const name of ["choice", "other"]) event.detail.parameters.delete(name);
    if (!overriding()) event.detail.parameters.set("reason", "");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt;
    if (event.detail.successful && form.dataset && "closing" in form.dataset) { const dialog = form.closest("dialog"); if (dialog) dialog.close(); form.reset(); newKeys(document); }
    if (!event.detail.successful && event.detail.xhr.status === 409) refreshNews(event.detail.xhr);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "order") arrived();
    else if (["list", "rows"].includes(event.target.id) || event.target.closest("#rows")) mark();
  });

  function arrived() {
    bench().classList.toggle("has-order", Boolean(openOrder()));
    newKeys(document);
    choiceChanged();
    mark();
    for (const pane of document.querySelectorAll("#order .pane")) pane.scrollTop = 0;
    document.activeElement && document.activeElement.blur();
    follow();
  }
  /** What stands now, in words and with a way to see it; what was typed stays where it is. */
  function news(said) {
    const box = $("#news");
    if (!box) return;
    box.replaceChildren();
    const note = document.createElement("div");
    note.className = "note bad row";
    const words = document.createElement("span");
    words.textContent = said;
    const link = document.createElement("a");
    link.href = "/workbench/orders/" + encodeURIComponent(openOrder());
    link.className = "button small";
    link.textContent = "看现在的内容";
    note.append(words, link);
    box.append(note);
    const fields = $("#decide fieldset");
    if (fields) fields.disabled = true;
    $(".middle").scrollTop = 0;
  }
  function refreshNews(answer) {
    try { news(JSON.parse(answer.responseText).detail); } catch { /* the toast has said it */ }
  }

  // Live updates

  let source = null, lastEvent = 0, timer = null;
  function follow() {
    if (source) source.close();
    lastEvent = Math.max(lastEvent, Number(shown() ? shown().dataset.lastEvent : 0));
    const query = new URLSearchParams({ window: windowId, after: String(lastEvent) });
    if (openOrder()) query.set("order", openOrder());
    source = new EventSource("/workbench/events?" + query);
    source.addEventListener("queue", (event) => {
      lastEvent = Number(event.lastEventId) || lastEvent;
      const changes = JSON.parse(event.data).changes;
      const ours = changes.filter((one) => one.order === openOrder() && one.kind !== "filed");
      if (ours.length && !quick) news("这张工单刚刚有了变化（" + ours[ours.length - 1].said + "）。您没有提交的内容还在。");
      clearTimeout(timer);
      timer = setTimeout(() => htmx.trigger("#filters", "queue-changed"), 400);
    });
    source.addEventListener("presence", (event) => {
      const { order, others } = JSON.parse(event.data);
      const badge = $("#presence");
      if (!badge || order !== openOrder()) return;
      badge.hidden = others.length === 0;
      badge.textContent = others.length ? others.join("、") + " 也在看这张" : "";
    });
  }
  // What this window does itself is no news to it.
  document.addEventListener("htmx:beforeRequest", (event) => { if (event.detail.requestConfig.verb === "post") quick = true; });
  document.addEventListener("htmx:afterSettle", (event) => { if (event.target.id === "order") quick = false; });
  document.addEventListener("htmx:responseError", () => { quick = false; });
  addEventListener("pagehide", () => { if (source) source.close(); });

  document.addEventListener("DOMContentLoaded", () => { if (bench()) { newKeys(document); choiceChanged(); mark(); follow(); } });
})();
