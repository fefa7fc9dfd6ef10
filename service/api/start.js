"use strict";
// Everything is set through textContent: what a citizen wrote is never markup.
const make = (tag, text, className) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
};
const table = (heads, rows) => {
  const node = make("table");
  const head = node.createTHead().insertRow();
  heads.forEach((text) => head.append(make("th", text)));
  const body = node.createTBody();
  rows.forEach((cells) => {
    const row = body.insertRow();
    cells.forEach((cell) => row.insertCell().append(cell));
  });
  return node;
};
const card = (title, ...content) => {
  const node = make("section", undefined, "card");
  node.append(make("h2", title), ...content);
  return node;
};
const bar = (p) => {
  const track = make("span", undefined, "track");
  const fill = make("span", undefined, "bar");
  fill.style.width = `${Math.round(p * 100)}%`;
  track.append(fill);
  return track;
};
const STAGES = { sign_in: "签收", return: "退回", first_contact: "首次联系", resolve: "办结" };
const KINDS = { word: "词", similar_order: "相似工单", duty: "职责", field: "字段", rule: "规则" };
const STATES = { hit: "命中", not_evaluated: "无法判断", pass: "未命中" };

function show(p) {
  const out = document.getElementById("out");
  const evidence = (list) => {
    const lines = make("ul", undefined, "lines");
    list.forEach((e) => {
      const line = make("li");
      line.append(make("span", KINDS[e.kind], "kind"), e.text);
      lines.append(line);
    });
    return lines;
  };
  const units = card("承办单位", table(["单位", "概率", "", "依据"],
    p.units.map((u) => [u.unit, `${(u.probability * 100).toFixed(1)}%`, bar(u.probability), evidence(u.evidence)])));
  if (p.abstained) units.append(make("p", `疑难：${p.abstain_reason}`, "note"));
  const verdicts = card("规则判定", p.verdicts.length
    ? table(["结论", "规则", "处置与告知", "依据"], p.verdicts.map((v) => [
        STATES[v.state], v.title,
        v.disposition ? `${v.disposition.action}：${v.disposition.tell}` : (v.cause || "—"),
        `${v.clause.document}${v.clause.article}（${v.clause.confidence}）`]))
    : make("p", "没有命中的规则，按正常受理办理。", "soft"));
  const deadlines = card("到期时刻", table(["环节", "时限", "到期"], p.deadlines.map((d) => [
    d.track ? `${d.track}：${d.title}` : STAGES[d.stage] || d.title, d.limit || "—", d.due_at ? d.due_at.slice(0, 16).replace("T", " ") : `无法判断：${d.cause}`])));
  const entries = card("知识条目", p.entries.length
    ? table(["编号", "标题", "单位"], p.entries.map((e) => [e.id, e.title, e.unit]))
    : make("p", "没有能回答的条目。", "soft"));
  const missing = p.elements.missing || [];
  const elements = card("要素", make("p", missing.length ? `还缺：${missing.join("、")}` : "要素齐全", missing.length ? "note" : "soft"));
  const grid = make("div", undefined, "grid");
  grid.append(deadlines, entries);
  out.replaceChildren(units, elements, verdicts, grid);
}

document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const say = document.getElementById("say");
  say.textContent = "正在研判……";
  try {
    const answer = await fetch("/v1/triage", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ text: document.getElementById("text").value }),
    });
    const body = await answer.json();
    say.textContent = answer.ok ? "" : `${body.detail}（${body.code}）`;
    if (answer.ok) show(body);
  } catch (error) {
    say.textContent = "连不上服务，请确认它还在运行后重试。";
  }
});
