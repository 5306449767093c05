"use strict";
// Paints the figures that `figures.py` describes. A figure is drawn when it first comes into view.
const Figures = (() => {
  const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"];
  const ROLES = { train: "--train", val: "--val", quiet: "--quiet" };
  let figures = {}, axes = {};
  const drawn = new Set();

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Plotly reads some HTML in its texts; names must stand there as they are.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const plotOf = (element) => element.querySelector(".plot");

  function described(element) {
    if (element.dataset.figure === "parallel") return { kind: "parallel", ...axes[element.dataset.sweep] };
    const found = figures[element.dataset.figure];
    if (!found || found.kind !== "variants") return found;
    return found.choices[element.querySelector("[data-variant]").value || 0][1];
  }

  function layout(figure) {
    const axis = (title, more) => ({
      title: { text: plain(title), font: { size: 12, color: css("--muted") }, standoff: 8 },
      gridcolor: css("--line"), linecolor: css("--line"), zeroline: false, automargin: true, ...more,
    });
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12, color: css("--text") },
      margin: { l: 8, r: 14, t: 10, b: 8 }, hovermode: "closest", uirevision: "keep",
      hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--text") } },
      legend: matchMedia("(max-width: 40rem)").matches
        ? { orientation: "h", y: -0.2, yanchor: "top", x: 0, font: { size: 10 } }
        : { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 11 } },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      xaxis: axis(figure.x, { range: figure.x_range, showgrid: false }),
      yaxis: axis(figure.y, { tickformat: "~g", range: figure.y_range, rangemode: figure.from_zero ? "tozero" : "normal" }),
    };
  }

  function colour(trace, index) {
    return css(ROLES[trace.role] || trace.colour || COLOURS[index % COLOURS.length]);
  }

  function line(trace, index) {
    const own = colour(trace, index);
    return {
      type: "scatter", x: trace.x, y: trace.y, name: plain(trace.name), mode: trace.mode || "lines",
      line: { color: own, width: trace.role === "train" ? 1.4 : 2, dash: trace.dash ? "dot" : "solid" },
      marker: { color: own, size: 5 }, text: (trace.hover || []).map(plain), legendgroup: trace.group,
      showlegend: trace.legend !== false, hovertemplate: trace.hover ? "%{text}<br>%{x:.4~g}: %{y:.4~g}" : "%{x}: %{y:.4~g}",
    };
  }

  function lines(figure) {
    const traces = figure.traces.map(line);
    const marks = figure.marks || [];
    if (marks.length) traces.push({
      type: "scatter", mode: "markers", x: marks.map((mark) => mark.x), y: marks.map((mark) => mark.y),
      text: marks.map((mark) => plain(mark.label)), hovertemplate: "%{text}<extra></extra>", showlegend: false,
      marker: { size: 11, symbol: "circle-open", line: { width: 2 }, color: marks.map((mark) => css(mark.colour || "--mark")) },
    });
    const shown = layout(figure);
    shown.showlegend = figure.traces.length > 1;
    if (marks.length === 1) {
      const [mark] = marks;
      shown.shapes = [{ type: "line", x0: mark.x, x1: mark.x, yref: "paper", y0: 0, y1: 1, line: { color: css("--mark"), width: 1, dash: "dot" } }];
    }
    return [traces, shown];
  }

  function bars(figure) {
    const traces = figure.traces.map((trace, index) => ({
      type: "bar", orientation: "h", y: trace.x.map(plain), x: trace.y, name: plain(trace.name), marker: { color: colour(trace, index) },
      text: figure.traces.length > 1 ? undefined : trace.y.map((value) => (+value).toPrecision(3)), textposition: "auto",
      hovertext: (trace.hover || []).map(plain), hovertemplate: trace.hover ? "%{hovertext}<extra></extra>" : "%{x:.3~g}",
    }));
    const shown = layout({ x: figure.y, y: "" });
    Object.assign(shown.yaxis, { autorange: "reversed", showgrid: false });
    shown.xaxis.showgrid = true;
    shown.showlegend = traces.length > 1;
    return [traces, shown];
  }

  function heat(figure) {
    const names = figure.names.map(plain);
    const shares = figure.z.map((row) => { const sum = row.reduce((a, b) => a + b, 0); return row.map((value) => (sum ? value / sum : 0)); });
    const shown = layout(figure);
    const few = names.length <= 20;
    shown.yaxis.autorange = "reversed";
    Object.assign(shown.xaxis, { type: "category", showticklabels: few });
    Object.assign(shown.yaxis, { type: "category", showticklabels: few });
    const trace = {
      type: "heatmap", z: shares, x: names, y: names, customdata: figure.z, showscale: false, xgap: 1, ygap: 1,
      colorscale: [[0, css("--card")], [0.02, css("--plain-page")], [1, css("--heat")]], zmin: 0, zmax: 1,
      hovertemplate: "%{y} taken for %{x}: %{customdata}<extra></extra>",
    };
    if (few) Object.assign(trace, { text: figure.z.map((row) => row.map((value) => value || "")), texttemplate: "%{text}" });
    return [[trace], shown];
  }

  // Lines between upright axes. Plotly's own parallel coordinates need WebGL and know no names on their axes.
  function parallel(figure) {
    const order = figure.trials.map((_, index) => index).reverse(); // the best last, on top
    const traces = order.map((index) => ({
      type: "scatter", mode: "lines", x: figure.axes.map((_, at) => at), y: figure.axes.map((axis) => axis.at[index]),
      line: { color: index ? css("--val") : css("--mark"), width: index ? 1.3 : 3.5 },
      opacity: index ? 0.15 + 0.6 * (1 - index / figure.trials.length) : 1, name: plain(figure.trials[index]), hoverinfo: "name",
      hoverlabel: { namelength: -1 },
    }));
    const shown = layout({ x: "", y: "" });
    shown.showlegend = false;
    shown.shapes = figure.axes.map((_, at) => ({ type: "line", x0: at, x1: at, y0: 0, y1: 1, line: { color: css("--quiet"), width: 1 } }));
    shown.annotations = figure.axes.flatMap((axis, at) => axis.ticks.map(([y, text]) => ({
      x: at, y, text: plain(text), showarrow: false, xanchor: "left", xshift: 4, font: { size: 11 }, bgcolor: css("--card"), opacity: 0.9,
    })));
    Object.assign(shown.xaxis, {
      tickvals: figure.axes.map((_, at) => at), ticktext: figure.axes.map((axis) => plain(short(axis.label))),
      range: [-0.1, figure.axes.length - 0.55], side: "top", fixedrange: true,
    });
    Object.assign(shown.yaxis, { visible: false, range: [-0.06, 1.06], fixedrange: true });
    return [traces, shown];
  }
  const short = (key) => (key.includes("/") ? key : key.split(".").slice(-2).join("."));

  function draw(element) {
    const figure = described(element), plot = plotOf(element);
    if (!figure || typeof Plotly === "undefined") return;
    if (figure.kind === "parallel") plot.style.minWidth = `${figure.axes.length * 110}px`;
    const [traces, shown] = { lines, bars, heat, parallel }[figure.kind](figure);
    Plotly.react(plot, traces, shown, { displayModeBar: false, responsive: true, showTips: false });
    if (figure.text) element.querySelector(".note").textContent = figure.text;
    drawn.add(element);
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting && !drawn.has(entry.target)) draw(entry.target);
  }, { rootMargin: "300px" });

  function watch() {
    for (const element of [...drawn]) if (!element.isConnected) { Plotly.purge(plotOf(element)); drawn.delete(element); }
    seen.disconnect();
    for (const element of document.querySelectorAll("[data-figure]")) seen.observe(element);
  }

  function redraw() {
    for (const element of drawn) draw(element);
  }

  return {
    // Takes what a page draws; what is drawn already is drawn again.
    take(data) {
      figures = { ...figures, ...data.figures };
      axes = data.axes || {};
      redraw();
    },
    set(name, figure) {
      figures[name] = figure;
      for (const element of drawn) if (element.dataset.figure === name) draw(element);
    },
    watch,
    start() {
      document.addEventListener("change", (event) => {
        if (event.target.matches("[data-variant]")) draw(event.target.closest("[data-figure]"));
      });
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
      watch();
    },
  };
})();
