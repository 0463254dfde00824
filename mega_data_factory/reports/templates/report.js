"use strict";
// Shows the figures in the look that the reader prefers. The library comes packed, in the page itself.
(() => {
  const PAPER = 680; // pixels of the width of A4 between its margins
  const HEIGHTS = { sankey: 430, stages: 430 }; // of charts on paper that would fill a page and leave half of one empty
  const store = JSON.parse(document.getElementById("figures").textContent);
  const plots = [...document.querySelectorAll("[data-figure]")];
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("look");
  const root = document.documentElement;
  const moved = {}; // thresholds that the reader has moved, by figure

  const look = () => root.dataset.theme || (system.matches ? "dark" : "light");

  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  const figure = (name, theme) => {
    const made = structuredClone({ data: store.figures[name].data, layout: store.figures[name].layout });
    if (theme === "dark") {
      for (const [path, value] of store.figures[name].dark) {
        const last = path[path.length - 1];
        path.slice(0, -1).reduce((at, key) => at[key], made)[last] = value;
      }
    }
    made.layout.template = store.templates[theme];
    const line = made.layout.shapes && made.layout.shapes[0];
    if (line && name in moved) line.x0 = line.x1 = moved[name];
    return made;
  };

  const draw = (plot, theme, width) => {
    const { data, layout } = figure(plot.dataset.figure, theme);
    if (width) {
      const height = Math.min(layout.height, HEIGHTS[plot.dataset.figure] || layout.height);
      Object.assign(layout, { width, height, autosize: false });
      for (const trace of data) if (trace.type === "sankey") trace.textfont.size = 9; // labels of many columns
    }
    else layout.autosize = true;
    const remove = ["select2d", "lasso2d", "autoScale2d"];
    // A static plot is drawn at once; else paper would show the first moment of an animation.
    const config = { responsive: !width, staticPlot: Boolean(width), displaylogo: false, modeBarButtonsToRemove: remove };
    return Plotly.react(plot, data, layout, config);
  };

  const drawAll = (theme, width) => plots.map((plot) => draw(plot, theme, width));

  const slide = (slider) => {
    const name = slider.dataset.threshold;
    const { values, sentences } = store.thresholds[name];
    const input = slider.querySelector("input");
    const plot = document.querySelector(`[data-figure="${name}"]`);
    input.hidden = false;
    input.addEventListener("input", () => {
      const place = Number(input.value);
      moved[name] = values[place];
      slider.querySelector("output").textContent = sentences[place];
      input.setAttribute("aria-valuetext", sentences[place]);
      if (plot.layout.shapes) Plotly.relayout(plot, { "shapes[0].x0": values[place], "shapes[0].x1": values[place] });
    });
  };

  const named = () => {
    button.textContent = look() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${button.textContent.toLowerCase()} look`);
  };

  const refuse = (why) => {
    root.classList.add("failed-plots");
    for (const plot of plots) {
      const note = document.createElement("p");
      note.className = "note";
      note.textContent = `The chart cannot be drawn in this browser (${why}); the tables hold the numbers.`;
      plot.after(note);
    }
  };

  const start = async () => {
    button.hidden = false;
    named();
    const script = document.createElement("script");
    script.textContent = await unpack(document.getElementById("library").textContent);
    document.head.append(script);
    for (const plot of plots) {
      await draw(plot, look());
      await new Promise((next) => setTimeout(next)); // the page stays responsive between two charts
    }
    document.querySelectorAll("[data-threshold]").forEach(slide);
    const redraw = () => {
      named();
      drawAll(look());
    };
    button.addEventListener("click", () => {
      root.dataset.theme = look() === "dark" ? "light" : "dark";
      redraw();
    });
    system.addEventListener("change", redraw);
    const closed = [...document.querySelectorAll("details:not(.example):not([open])")];
    window.addEventListener("beforeprint", () => {
      for (const details of closed) details.open = true;
      drawAll("light", PAPER);
    });
    window.addEventListener("afterprint", () => {
      for (const details of closed) details.open = false;
      drawAll(look());
    });
    root.dataset.ready = "yes";
  };

  if (plots.length) start().catch((error) => refuse(error.message));
  else root.dataset.ready = "yes";
})();
