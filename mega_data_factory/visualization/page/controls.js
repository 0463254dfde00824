// Controls: what is chosen of nodes and metrics, the scale, the stretch of time. Names are only ever set as text.

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// A button that opens a list of names to tick; calls `changed` with the set of those that are ticked.
function chooser(title, names, labels, changed) {
  const box = element("details", "chooser"), summary = element("summary"), panel = element("div", "panel");
  const chosen = new Set(names), ticks = new Map();
  const told = () => {
    summary.textContent = chosen.size === names.length ? `${title}: all ${names.length}` :
      `${title}: ${chosen.size} of ${names.length}`;
    for (const [name, tick] of ticks) tick.checked = chosen.has(name);
    changed(chosen);
  };
  const all = (wanted) => { chosen.clear(); wanted.forEach((name) => chosen.add(name)); told(); };
  const bar = element("div", "bar");
  const search = element("input");
  search.type = "search";
  search.placeholder = "filter";
  search.setAttribute("aria-label", `filter ${title}`);
  const shown = () => names.filter((name) => labels[name].toLowerCase().includes(search.value.toLowerCase()));
  for (const [text, wanted] of [["all", shown], ["none", () => []]]) {
    const button = element("button", "", text);
    button.type = "button";
    button.addEventListener("click", () => all(wanted()));
    bar.append(button);
  }
  if (names.length > 8) bar.append(search);
  panel.append(bar);
  for (const name of names) {
    const row = element("label"), tick = element("input");
    tick.type = "checkbox";
    tick.addEventListener("change", () => { if (tick.checked) chosen.add(name); else chosen.delete(name); told(); });
    row.append(tick, element("span", "", labels[name]));
    ticks.set(name, tick);
    panel.append(row);
  }
  search.addEventListener("input", () => {
    const wanted = new Set(shown());
    for (const [name, tick] of ticks) tick.parentElement.hidden = !wanted.has(name);
  });
  document.addEventListener("click", (event) => { if (!box.contains(event.target)) box.open = false; });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { box.open = false; summary.focus(); }
  });
  box.append(summary, panel);
  told();
  return box;
}

// Buttons of which one is pressed; calls `pick` with its value. `press(value)` shows a state that came from elsewhere.
function switches(title, options, pick) {
  const group = element("div", "switches"), buttons = new Map();
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", title);
  for (const [label, value] of options) {
    const button = element("button", "", label);
    button.type = "button";
    button.addEventListener("click", () => { group.press(value); pick(value); });
    buttons.set(value, button);
    group.append(button);
  }
  group.press = (value) => buttons.forEach((button, key) => button.setAttribute("aria-pressed", String(key === value)));
  return group;
}

const SPANS = [["1 min", 6e4], ["5 min", 3e5], ["1 h", 36e5], ["6 h", 216e5], ["1 d", 864e5], ["7 d", 6048e5],
  ["30 d", 2592e6]];

function spans(from, to) {  // the lengths of time that are worth a button
  return [...SPANS.filter(([, length]) => length < to - from && length > (to - from) / 5000).slice(-5), ["all", null]];
}

// A strip that shows all of the time and the stretch in view; drag its middle or its edges, or use the arrow keys.
function slider(from, to, curve, moved) {
  const strip = element("div", "slider"), canvas = element("canvas"), window_ = element("div", "window");
  const edges = ["left", "right"].map((side) => element("span", "edge " + side));
  edges.forEach((edge, at) => {
    edge.tabIndex = 0;
    edge.setAttribute("role", "slider");
    edge.setAttribute("aria-label", at ? "end of the time in view" : "start of the time in view");
    edge.setAttribute("aria-valuemin", "0");
    edge.setAttribute("aria-valuemax", "100");
  });
  window_.append(...edges);
  strip.append(canvas, window_);
  let view = [from, to];
  const least = (to - from) / 5000;
  strip.show = (start, end) => {
    view = [Math.max(from, start), Math.min(to, end)];
    const share = view.map((time) => Math.min(Math.max(100 * (time - from) / (to - from), 0), 100));
    window_.style.left = share[0] + "%";
    window_.style.width = Math.max(share[1] - share[0], 0) + "%";
    edges.forEach((edge, at) => edge.setAttribute("aria-valuenow", share[at].toFixed(1)));
  };
  const set = (start, end) => {
    strip.show(start, end);
    moved(view[0], view[1]);
  };
  strip.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    strip.setPointerCapture(event.pointerId);
    const width = strip.clientWidth, origin = event.clientX, [start, end] = view;
    const side = edges.indexOf(event.target);
    const onto = from + (to - from) * (origin - strip.getBoundingClientRect().left) / width;
    const outside = side < 0 && (onto < start || onto > end);
    if (outside) set(...held(onto - (end - start) / 2, onto + (end - start) / 2));
    const [first, last] = view;
    const drag = (now) => {
      const by = (to - from) * (now.clientX - origin) / width;
      if (side === 0) set(Math.min(Math.max(first + by, from), last - least), last);
      else if (side === 1) set(first, Math.max(Math.min(last + by, to), first + least));
      else set(...held(first + by, last + by));
    };
    const done = () => { strip.removeEventListener("pointermove", drag); };
    strip.addEventListener("pointermove", drag);
    strip.addEventListener("pointerup", done, {once: true});
    strip.addEventListener("pointercancel", done, {once: true});
  });
  const held = (start, end) => {  // moved, not cut, at the ends
    const by = Math.max(from - start, 0) + Math.min(to - end, 0);
    return [start + by, end + by];
  };
  edges.forEach((edge, at) => edge.addEventListener("keydown", (event) => {
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key] * (to - from) / 100;
    if (!by) return;
    event.preventDefault();
    if (at) set(view[0], Math.max(Math.min(view[1] + by, to), view[0] + least));
    else set(Math.min(Math.max(view[0] + by, from), view[1] - least), view[1]);
  }));
  strip.paint = () => {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d"), x = [], y = [];
    context.scale(ratio, ratio);
    curve.draw(0, curve.x.length, Math.max(width, 1), x, y);
    const known = y.filter((value) => value !== null);
    const low = Math.min(0, ...known), high = Math.max(...known, low + 1e-9);
    context.strokeStyle = getComputedStyle(strip).getPropertyValue("--muted");
    context.globalAlpha = 0.7;
    context.beginPath();
    x.forEach((time, at) => {
      const to_x = (time - from) / (to - from) * width, to_y = height - 3 - (y[at] - low) / (high - low) * (height - 6);
      if (y[at] === null) return;
      if (at && y[at - 1] !== null) context.lineTo(to_x, to_y); else context.moveTo(to_x, to_y);
    });
    context.stroke();
  };
  return strip;
}
