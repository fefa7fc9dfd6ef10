// ECharts options stand as JSON in <script type="application/json"> right after <div class="chart" id="…">; colours and
// fonts come from the stylesheet, so that a chart follows the theme. Loaded on pages with charts only.
(() => {
  "use strict";
  const made = new Map();
  const value = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function base() {
    const text = { color: value("--ink"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 13 };
    return {
      color: [value("--bar"), value("--warn"), value("--good"), value("--bad"), value("--soft")],
      textStyle: text,
      animation: false,
      aria: { enabled: true },
      grid: { left: 12, right: 24, top: 36, bottom: 12, containLabel: true },
    };
  }
  /** Axes, legend and tooltip take the theme's colours unless the option says otherwise. */
  function themed(option) {
    const soft = value("--soft"), line = value("--line"), ink = value("--ink");
    const axis = (one) => ({
      ...one,
      axisLabel: { color: soft, ...one.axisLabel }, nameTextStyle: { color: soft, ...one.nameTextStyle },
      axisLine: { lineStyle: { color: line }, ...one.axisLine }, splitLine: { lineStyle: { color: line }, ...one.splitLine },
    });
    const each = (axes) => (axes === undefined ? undefined : Array.isArray(axes) ? axes.map(axis) : axis(axes));
    const whole = { ...base(), ...option, xAxis: each(option.xAxis), yAxis: each(option.yAxis) };
    if (option.legend) whole.legend = { textStyle: { color: ink }, ...option.legend };
    if (option.visualMap) whole.visualMap = { textStyle: { color: ink }, ...option.visualMap };
    // A tooltip in HTML needs inline style, which the page's policy forbids.
    whole.tooltip = { renderMode: "richText", backgroundColor: value("--paper"), borderColor: line, textStyle: { color: ink }, ...option.tooltip };
    return whole;
  }
  function draw(box) {
    const source = box.nextElementSibling;
    const option = JSON.parse(source.textContent);
    if (made.has(box)) made.get(box).dispose();
    const chart = echarts.init(box, null, { renderer: "canvas" });
    chart.setOption(themed(option));
    made.set(box, chart);
    if (box.dataset.link) chart.on("click", (event) => { if (event.data && event.data.href) location.assign(event.data.href); });
  }
  const drawAll = (scope = document) => { for (const box of scope.querySelectorAll(".chart")) draw(box); };
  document.addEventListener("DOMContentLoaded", () => drawAll());
  document.addEventListener("zhipai:theme", () => drawAll());
  document.addEventListener("htmx:afterSwap", (event) => drawAll(event.target));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
  addEventListener("resize", () => { for (const chart of made.values()) chart.resize(); });
})();
