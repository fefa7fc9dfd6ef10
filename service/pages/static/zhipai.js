// What every page shares: theme and size, copy, drafts, toasts, dialogs, countdowns, keyboard help, errors of htmx.
(() => {
  "use strict";
  const root = document.documentElement;
  const store = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* storage may be full or off */ } },
    drop(key) { try { localStorage.removeItem(key); } catch { /* as above */ } },
  };

  // Theme and size

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function choose(name, value) {
    root.dataset[name] = value;
    store.set("zhipai." + name, value);
    document.dispatchEvent(new CustomEvent("zhipai:" + name));
    press();
  }
  function press() {
    for (const button of document.querySelectorAll("[data-do=theme]")) button.setAttribute("aria-pressed", isDark());
    for (const button of document.querySelectorAll("[data-do=size]")) button.setAttribute("aria-pressed", root.dataset.size === "large");
  }

  // Toasts: said aloud by screen readers too

  function toast(text, kind = "", link = null) {
    const box = document.getElementById("toasts");
    const one = document.createElement("div");
    one.className = "toast " + kind;
    one.setAttribute("role", kind === "bad" ? "alert" : "status");
    const words = document.createElement("span");
    words.textContent = text;
    one.append(words);
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link.href;
      anchor.textContent = link.text;
      anchor.className = "button small";
      one.append(anchor);
    }
    const close = document.createElement("button");
    close.type = "button";
    close.className = "small";
    close.textContent = "知道了";
    close.addEventListener("click", () => one.remove());
    one.append(close);
    box.append(one);
    while (box.children.length > 4) box.firstElementChild.remove();
    if (kind !== "bad") setTimeout(() => one.remove(), 8000);
  }

  // Drafts: <form data-draft="name">. What is typed stays in this browser until the form was accepted.

  const draftKey = (form) => "zhipai.draft." + form.dataset.draft;
  const kept = (field) => field.name && !["password", "hidden", "file", "submit", "button"].includes(field.type) && !("noDraft" in field.dataset);
  function keep(form) {
    const values = {};
    let any = false;
    for (const field of form.elements) {
      if (!kept(field)) continue;
      if (field.type === "radio" || field.type === "checkbox") { if (field.checked !== field.defaultChecked) { values[field.name + "=" + field.value] = field.checked; any = true; } }
      else if (field.tagName === "SELECT" || field.value !== field.defaultValue) { values[field.name] = field.value; any = true; }
    }
    if (any) store.set(draftKey(form), JSON.stringify(values));
    else store.drop(draftKey(form));
  }
  function restore(form) {
    if (form.dataset.draftRestored) return;
    form.dataset.draftRestored = "yes";
    let values;
    try { values = JSON.parse(store.get(draftKey(form)) || "null"); } catch { values = null; }
    if (!values) return;
    let changed = false;
    for (const field of form.elements) {
      if (!kept(field)) continue;
      if (field.type === "radio" || field.type === "checkbox") {
        const key = field.name + "=" + field.value;
        if (key in values) { field.checked = values[key]; changed = true; }
      } else if (field.name in values && values[field.name] !== field.value) { field.value = values[field.name]; changed = true; }
    }
    if (changed) {
      form.dispatchEvent(new CustomEvent("zhipai:restored", { bubbles: true }));
      if (!("draftQuiet" in form.dataset)) toast("已恢复您上次没有提交的内容。");
    }
  }

  // Countdowns: <time data-due="2026-05-12T23:59:59+08:00">

  function remaining(due, now) {
    const minutes = Math.floor(Math.abs(due - now) / 60000);
    const days = Math.floor(minutes / 1440), hours = Math.floor((minutes % 1440) / 60);
    const text = days ? `${days} 天 ${hours} 小时` : hours ? `${hours} 小时 ${minutes % 60} 分` : `${minutes} 分`;
    return due < now ? `已超 ${text}` : `还剩 ${text}`;
  }
  function countDown(scope = document) {
    const now = Date.now();
    for (const one of scope.querySelectorAll("[data-due]")) {
      const due = Date.parse(one.dataset.due);
      if (Number.isNaN(due)) continue;
      one.textContent = remaining(due, now);
      one.classList.toggle("bad", due < now);
      one.classList.toggle("warn", due >= now && due - now < 86400000);
    }
  }

  async function copy(button) {
    const source = button.dataset.copy ? document.querySelector(button.dataset.copy) : button.previousElementSibling;
    const text = (source.value ?? source.textContent).trim();
    try { await navigator.clipboard.writeText(text); toast("已复制。"); }
    catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      toast("浏览器不让自动复制，文字已选中，请按 Ctrl+C。");
    }
  }

  function open(dialog) {
    if (dialog && !dialog.open) {
      dialog.showModal();
      const first = dialog.querySelector("[autofocus]") || dialog.querySelector("input:not([type=hidden]), select, textarea, button");
      if (first) first.focus();
    }
  }
  /** Whether a key belongs to a field that is being typed in, or to an open dialog. */
  function typing(event) {
    const at = event.target;
    return Boolean(document.querySelector("dialog[open]")) || at.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName) && !["radio", "checkbox"].includes(at.type);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do], [data-copy], [data-opens], [data-closes]");
    if (!button) return;
    if (button.dataset.do === "theme") choose("theme", isDark() ? "light" : "dark");
    else if (button.dataset.do === "size") choose("size", root.dataset.size === "large" ? "normal" : "large");
    else if (button.dataset.do === "print") print();
    else if (button.dataset.opens) open(document.querySelector(button.dataset.opens));
    else if ("closes" in button.dataset) button.closest("dialog").close();
    else if ("copy" in button.dataset) copy(button);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !typing(event) && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      open(document.getElementById("help"));
    }
  });
  document.addEventListener("input", (event) => { const form = event.target.form; if (form && form.dataset.draft) keep(form); });
  document.addEventListener("submit", (event) => {
    // A plain form leaves the page: its draft goes when the next page says that it was accepted (data-accepted).
    const form = event.target;
    if (form.dataset.draft && !form.hasAttribute("hx-post")) keep(form);
  });

  function arrive(scope) {
    for (const form of scope.querySelectorAll("form[data-draft]")) restore(form);
    for (const done of scope.querySelectorAll("[data-accepted]")) store.drop("zhipai.draft." + done.dataset.accepted);
    countDown(scope);
  }
  document.addEventListener("DOMContentLoaded", () => {
    press();
    for (const done of document.querySelectorAll("[data-accepted]")) store.drop("zhipai.draft." + done.dataset.accepted);
    arrive(document);
    for (const one of document.querySelectorAll("[data-toast]")) toast(one.dataset.toast, one.dataset.toastKind || "");
  });
  setInterval(countDown, 30000);

  // htmx: what was answered with an error is said in its own words; nothing that was typed is taken away.

  document.addEventListener("htmx:afterSwap", (event) => arrive(event.target.parentNode || document));
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt.closest ? event.detail.elt.closest("form[data-draft]") : null;
    if (form && event.detail.successful) store.drop(draftKey(form));
  });
  document.addEventListener("htmx:responseError", (event) => {
    const answer = event.detail.xhr;
    if (answer.status === 401) {
      const next = encodeURIComponent(location.pathname + location.search);
      toast("登录已过期。您写的内容已留在这台电脑上，重新登录后会恢复。", "bad", { href: "/login?next=" + next, text: "去登录" });
      return;
    }
    let said = "";
    try { said = JSON.parse(answer.responseText).detail; } catch { /* not a problem document */ }
    toast(said || `服务没有完成这个请求（${answer.status}）。请稍后再试。`, "bad");
  });
  document.addEventListener("htmx:sendError", () => toast("连不上服务。您写的内容还在，请稍后再试。", "bad"));
  document.addEventListener("toast", (event) => toast(event.detail.text || event.detail.value, event.detail.kind || ""));

  window.Zhipai = { toast, typing, open, isDark, countDown, store };
})();
