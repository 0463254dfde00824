// The page: one figure, its curves, its controls.

(function () {
  "use strict";
  const page = JSON.parse(document.getElementById("page").textContent);
  const clocks = page.clocks.map(clock), curves = page.curves.map((entry) => new Curve(entry, clocks));
  const {data, layout} = page.figure, plot = document.getElementById("plot"), note = document.getElementById("note");
  const config = {responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"]};
  const drawn = data.map((trace, at) => at).filter((at) => data[at].meta && data[at].meta.curve !== undefined);
  const ofTrace = (at) => curves[data[at].meta.curve];
  const ends = drawn.map(ofTrace).filter((curve) => curve.x.length > 0);
  const span = page.span || [Math.min(...ends.map((curve) => curve.x[0])),
    Math.max(...ends.map((curve) => curve.x[curve.x.length - 1]))];
  const overview = ends[0] || ofFigure(data.find((trace) => trace.type === "scatter" && !trace.fill));
  const chosen = {node: new Set(page.nodes.keys()), metric: new Set(page.metrics.keys())};
  let view = span, strip = null, lengths = null, waiting = 0;

  const visible = (at) => ["node", "metric"].every((kind) => {
    const meta = data[at].meta || {};
    return meta[kind] === undefined || chosen[kind].has(page[kind + "s"].indexOf(meta[kind]));
  });

  function coordinates() {  // of every curve, for the stretch in view; also says what is shown
    const buckets = Math.min(2000, Math.max(200, Math.round(plot.clientWidth || 1000)));
    const views = drawn.map((at) => ofTrace(at).view(view[0], view[1], buckets));
    tell(views.filter((_, number) => visible(drawn[number])));
    return {x: views.map((one) => one.x), y: views.map((one) => one.y)};
  }

  function tell(views) {
    if (!views.length) { note.textContent = page.note; return; }
    const most = views.reduce((one, other) => (other.points > one.points ? other : one));
    const words = [];
    const short = !most.whole || most.inPage < most.points;
    if (short) {
      const count = (number) => number.toLocaleString("en"), zoomed = view[0] > span[0] || view[1] < span[1];
      words.push(`${count(most.points)} points a line${zoomed ? "; those in view" : ""} drawn as ` +
        `${count(most.drawn)} ${most.whole && most.inPage === most.points ? "points" : "min/max"}`);
      if (!most.whole) words.push("zoom in for more");
      else if (most.inPage < most.points) words.push(`this page holds no more: ${count(most.inPage)} a line`);
    }
    note.textContent = [...words, page.note].filter(Boolean).join(" · ");
  }

  function redraw() {
    if (drawn.length) Plotly.restyle(plot, coordinates(), drawn);
  }

  function show(from, to) {
    Plotly.relayout(plot, {"xaxis.range": [from, to]});
  }

  function rows() {  // rows of which nothing is chosen give their height to the others
    const used = page.rows.map((row) => data.some((trace, at) => (trace.yaxis || "y") === row.axis && visible(at)));
    const total = page.rows.reduce((sum, row, at) => sum + (used[at] ? row.weight : 0), 0) || 1;
    const all = page.rows.reduce((sum, row) => sum + row.weight, 0) || 1;
    const inner = (layout.height - layout.margin.t - layout.margin.b) * total / all;
    const update = {height: inner + layout.margin.t + layout.margin.b};
    let top = 1, lowest = "y";
    page.rows.forEach((row, at) => {
      const name = row.axis.replace("y", "yaxis"), legend = row.axis.replace("y", "legend");
      const title = layout.annotations.findIndex((annotation) => annotation.name === "title " + row.axis);
      update[name + ".visible"] = used[at];
      update[legend + ".visible"] = used[at] && !row.crowded;
      const names = data.filter((trace, one) => (trace.yaxis || "y") === row.axis && trace.name && visible(one) &&
        trace.showlegend !== false);
      const needed = 16 + 10.5 * layout.annotations[title].text.replace(/<[^>]*>/g, "").length +
        names.reduce((sum, trace) => sum + 46 + 7.5 * trace.name.length, 0);  // pixels of title and legend side by side
      const narrow = plot.clientWidth - layout.margin.l - layout.margin.r < needed && !row.crowded;
      const alike = new Set(names.map((trace) => trace.meta.metric)).size < 2;  // then the legend names nodes
      update[`annotations[${title}].visible`] = used[at] && (!narrow || alike);
      if (narrow && alike) update[legend + ".visible"] = false;
      if (!used[at]) return;
      const upper = top - page.head / inner;
      top -= row.weight / total;
      update[name + ".domain"] = [Math.max(top, 0), upper];
      update[legend + ".y"] = upper;
      update[`annotations[${title}].y`] = upper;
      lowest = row.axis;
    });
    update["xaxis.anchor"] = lowest;
    return update;
  }

  function strips() {  // rows of colour close up where one of them is hidden
    const axes = {}, places = [], traces = [], update = {};
    data.forEach((trace, at) => {
      if (!trace.meta || !trace.meta.strip || !visible(at)) return;
      const names = axes[trace.yaxis || "y"] = axes[trace.yaxis || "y"] || [];
      places.push([names.length]);
      traces.push(at);
      names.push(trace.name);
    });
    for (const [axis, names] of Object.entries(axes)) {
      const every = Math.ceil(names.length / 40), name = axis.replace("y", "yaxis");
      const shown = [...names.keys()].filter((at) => at % every === 0);
      update[name + ".tickvals"] = shown;
      update[name + ".ticktext"] = shown.map((at) => names[at]);
      update[name + ".range"] = [names.length - 0.5, -0.5];
    }
    return [{y: places}, update, traces];
  }

  function choose(kind, names) {
    chosen[kind] = names;
    if (!plot.data) return;
    const every = data.map((trace, at) => at);
    const shown = {visible: every.map((at) => visible(at) && (data[at].visible === undefined || data[at].visible))};
    Plotly.update(plot, shown, page.rows.length ? rows() : {}, every)
      .then(() => Plotly.update(plot, ...strips())).then(redraw);
  }

  function scale(type) {
    const update = {};
    for (const row of page.rows) {
      if (row.scalable) update[row.axis.replace("y", "yaxis") + ".type"] = type;
    }
    Plotly.relayout(plot, update);
  }

  function follow(event) {  // a zoom or a pan, from wherever it came
    if (!Object.keys(event).some((key) => key.startsWith("xaxis.range") || key.startsWith("xaxis.autorange"))) return;
    view = event["xaxis.autorange"] ? span : plot.layout.xaxis.range.map(milliseconds);
    if (strip) strip.show(view[0], view[1]);
    if (lengths) {
      const whole = view[0] <= span[0] && view[1] >= span[1];
      lengths.press(whole ? null : Math.abs(view[1] - span[1]) < 1 ? Math.round(view[1] - view[0]) : undefined);
    }
    clearTimeout(waiting);
    waiting = setTimeout(redraw, 40);  // dragging sends many; the last one counts
  }

  function controls() {
    const bar = document.getElementById("controls"), labels = (names) => Object.fromEntries(names.entries());
    for (const [kind, title] of [["node", "Nodes"], ["metric", "Metrics"]]) {
      const names = page[kind + "s"];
      const titles = kind === "metric" ? page.titles : page.labels;
      if (names.length > 1) {
        bar.append(chooser(title, [...names.keys()], labels(titles), (picked) => choose(kind, picked)));
      }
    }
    if (page.timed && span[1] > span[0]) {
      lengths = switches("length of time", spans(span[0], span[1]),
        (length) => (length ? show(Math.max(span[1] - length, span[0]), span[1]) : show(span[0], span[1])));
      lengths.press(null);
      bar.append(lengths);
    }
    if (page.rows.some((row) => row.scalable)) {
      const scales = switches("scale", [["linear", "linear"], ["log", "log"]], scale);
      scales.press("linear");
      bar.append(scales);
    }
    bar.hidden = !bar.children.length;
  }

  const PAPER = 680;  // pixels between the margins of A4

  function paper(on) {  // paper is not as wide as the screen
    const size = on ? {width: PAPER, autosize: false} : {width: null, autosize: true};
    Plotly.relayout(plot, {...(page.rows.length ? rows() : {}), ...size});
  }

  window.addEventListener("beforeprint", () => paper(true));
  window.addEventListener("afterprint", () => paper(false));
  controls();
  const first = drawn.length ? coordinates() : {x: [], y: []};
  drawn.forEach((at, number) => { data[at].x = first.x[number]; data[at].y = first.y[number]; });
  if (!drawn.length) note.textContent = page.note;
  if (page.timed && span[1] > span[0]) layout.xaxis.range = [...span];
  Plotly.newPlot(plot, data, layout, config).then(() => {
    plot.on("plotly_relayout", follow);
    if (page.timed && overview && span[1] > span[0]) {
      strip = slider(span[0], span[1], overview, show);
      plot.after(strip);
      strip.show(span[0], span[1]);
      strip.paint();
      new ResizeObserver(strip.paint).observe(strip);
    }
    if (page.rows.length) Plotly.relayout(plot, rows());
    document.documentElement.dataset.ready = "yes";
  });
}());
