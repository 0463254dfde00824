// Curves: all points that the page holds of a series, and the few of them that a screen can show.
//
// A curve keeps the time of every point, so that a peak keeps its place at every zoom. What is drawn of a stretch
// are the least and the greatest point of each bucket of time; zooming in gives smaller buckets, down to every
// point that is in the page.

class Curve {
  constructor(entry, clocks) {
    this.x = clocks[entry.clock];
    this.y = decode(entry.y, Float32Array);
    this.points = entry.points;
  }

  first(time) {  // index of the first point that is not before `time`
    let low = 0, high = this.x.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.x[middle] < time) low = middle + 1; else high = middle;
    }
    return low;
  }

  // The points from index `start` to `end` (not included) in at most about 2 * `buckets` points, onto `x` and `y`.
  draw(start, end, buckets, x, y) {
    if (end - start <= 2 * buckets) {
      for (let i = start; i < end; i++) { x.push(this.x[i]); y.push(shown(this.y[i])); }
      return true;
    }
    const from = this.x[start], width = (this.x[end - 1] - from) / buckets || 1;
    for (let i = start; i < end;) {
      const bucket = Math.floor((this.x[i] - from) / width);
      let least = -1, most = -1, gap = -1;
      for (; i < end && Math.floor((this.x[i] - from) / width) <= bucket; i++) {
        const value = this.y[i];
        if (!Number.isFinite(value)) { gap = gap < 0 ? i : gap; continue; }
        if (least < 0 || value < this.y[least]) least = i;
        if (most < 0 || value > this.y[most]) most = i;
      }
      for (const at of [...new Set([least, most, gap])].filter((at) => at >= 0).sort((a, b) => a - b)) {
        x.push(this.x[at]);
        y.push(shown(this.y[at]));
      }
    }
    return false;
  }

  // What to draw while `from` to `to` is in view: fine there, coarse beside it, so that panning never meets a void.
  view(from, to, buckets) {
    const x = [], y = [];
    const start = Math.max(this.first(from) - 1, 0), end = Math.min(this.first(to) + 1, this.x.length);
    const beside = Math.ceil(buckets / 8);
    this.draw(0, start, beside, x, y);
    const before = x.length;
    const whole = this.draw(start, end, buckets, x, y);
    const drawn = x.length - before;
    this.draw(end, this.x.length, beside, x, y);
    return {x, y, drawn, whole, inPage: this.x.length, points: this.points};
  }
}

function shown(value) { return Number.isFinite(value) ? value : null; }

function ofFigure(trace) {  // a curve of what a trace draws itself
  if (!trace || !trace.x || !trace.x.bdata) return null;
  const curve = Object.create(Curve.prototype);
  return Object.assign(curve, {x: decode(trace.x.bdata, Float64Array), y: decode(trace.y.bdata, Float32Array)});
}

function decode(text, Kind) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return new Kind(bytes.buffer);
}

function clock(entry) {  // times as whole steps from a start: half the bytes of dates
  const steps = decode(entry.steps, Uint32Array), times = new Float64Array(steps.length);
  for (let i = 0; i < steps.length; i++) times[i] = entry.start + steps[i] * entry.unit;
  return times;
}

function milliseconds(date) {  // Plotly writes a time as `2026-11-22 18:30:00.1234`, in UTC and as short as it can
  if (typeof date === "number") return date;
  const [day, time = ""] = date.split(/[ T]/);
  const [hours = 0, minutes = 0, seconds = 0] = time.split(":").map(Number);
  return Date.parse(day + "T00:00:00Z") + ((hours * 60 + minutes) * 60 + seconds) * 1000;
}
