// Ten seconds of ECG, drawn as on a bedside monitor: a pen runs from left to right and starts again. Only what is new
// is drawn in a frame, so that a slow computer keeps up.
const SPAN_S = 10;
const GAP_S = 0.35; // empty stretch before the pen
const TOP = 0.13; // share of the height for heartbeats; the same below for triggers
const SCALES_MV = [0.5, 1, 1.5, 2, 3, 4, 6, 10];

export const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Give the canvas as many pixels as the screen has there; a canvas that changes its size is empty afterwards.
export function sized(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  const changed = canvas.width !== width || canvas.height !== height;
  if (changed) Object.assign(canvas, { width, height });
  return { ratio, changed };
}

export class EcgCanvas {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.clear();
  }

  clear() {
    this.rateHz = 0;
    this.newest = -1; // index of a sample: its time divided by the period
    this.drawn = -1;
    this.scaleMv = 1.5;
    this.marks = []; // {at, kind, isDrawn}
    this.later = false;
    this.repaint();
  }

  add({ first_s, rate_hz, mv, blanked }) {
    if (rate_hz !== this.rateHz) {
      this.rateHz = rate_hz;
      this.size = Math.round(SPAN_S * rate_hz);
      this.mv = new Float32Array(this.size).fill(NaN);
      this.blanked = new Uint8Array(this.size);
      this.newest = this.drawn = -1;
    }
    const first = Math.round(first_s * rate_hz);
    if (this.newest < 0 || first < this.newest - this.size || first > this.newest + this.size) {
      this.mv.fill(NaN);
      this.newest = this.drawn = first - 1;
    }
    for (let gap = this.newest + 1; gap < first; gap++) this.mv[gap % this.size] = NaN;
    for (let k = 0; k < mv.length; k++) {
      this.mv[(first + k) % this.size] = mv[k] === null ? NaN : mv[k];
      this.blanked[(first + k) % this.size] = blanked[k] ? 1 : 0;
    }
    this.newest = Math.max(this.newest, first + mv.length - 1);
    this.soon();
  }

  beat(at_s) { this.mark(at_s, "beat"); }
  pulse(at_s) { this.mark(at_s, "pulse"); }

  mark(at_s, kind) {
    this.marks.push({ at_s, kind, isDrawn: false });
    if (this.marks.length > 1000) this.marks.splice(0, 500);
    this.soon();
  }

  repaint() {
    this.all = true;
    this.soon();
  }

  soon() {
    if (this.later) return;
    this.later = true;
    requestAnimationFrame(() => { this.later = false; this.draw(); });
  }

  draw() {
    const { ratio, changed } = sized(this.canvas);
    const { width, height } = this.canvas;
    if (changed) this.all = true;
    if (!this.rateHz || !width) return;
    const oldest = this.newest - this.size + Math.round(GAP_S * this.rateHz);
    if (this.all || this.drawn < oldest) {
      this.fitScale();
      this.context.clearRect(0, 0, width, height);
      this.drawn = oldest;
      for (const mark of this.marks) mark.isDrawn = false;
      this.colors = { trace: color("trace"), beat: color("beat"), pulse: color("train"), blank: color("blank"), pen: color("soft") };
      this.all = false;
    }
    this.erase(this.drawn + 1, this.newest + Math.round(GAP_S * this.rateHz), width, height);
    this.bands(this.drawn + 1, this.newest, width, height);
    this.trace(this.drawn, this.newest, width, height, ratio);
    this.drawMarks(width, height, ratio);
    if (Math.floor(this.drawn / this.size) !== Math.floor(this.newest / this.size) && this.fitScale()) this.repaint();
    this.drawn = this.newest;
    document.dispatchEvent(new CustomEvent("hbc:frame", { detail: { newest_s: this.newest / this.rateHz } }));
  }

  // True when the scale has changed; judged once a sweep, since a scale that moves with every wave cannot be read.
  fitScale() {
    let top = 0;
    for (let k = 0; k < this.size; k++) if (!this.blanked[k] && Math.abs(this.mv[k]) > top) top = Math.abs(this.mv[k]);
    const wanted = SCALES_MV.find((scale) => scale >= top * 1.1) ?? SCALES_MV.at(-1);
    const changed = wanted !== this.scaleMv;
    this.scaleMv = wanted;
    return changed;
  }

  x(sample, width) { return ((sample % this.size) / this.size) * width; }

  y(mv, height) {
    const middle = height * 0.56;
    return Math.max(height * TOP, Math.min(height * (1 - TOP), middle - (mv / this.scaleMv) * height * 0.4));
  }

  // Calls back for each stretch of samples that lies side by side on the canvas.
  stretches(from, to, width, paint) {
    for (let at = from; at <= to;) {
      const end = Math.min(to, at - (at % this.size) + this.size - 1);
      paint(at, end, this.x(at, width), ((end % this.size) + 1) / this.size * width);
      at = end + 1;
    }
  }

  erase(from, to, width, height) {
    this.stretches(from, to, width, (_a, _b, left, right) => this.context.clearRect(left, 0, right - left + 1, height));
    this.context.fillStyle = this.colors.pen;
    const pen = this.x(this.newest + 1, width);
    this.context.fillRect(pen + 1, height * TOP, 1, height * (1 - 2 * TOP));
  }

  bands(from, to, width, height) {
    this.context.fillStyle = this.colors.blank;
    this.stretches(from, to, width, (start, end) => {
      for (let at = start; at <= end; at++) {
        if (this.blanked[at % this.size]) this.context.fillRect(this.x(at, width), height * TOP, width / this.size + 0.6, height * (1 - 2 * TOP));
      }
    });
  }

  trace(from, to, width, height, ratio) {
    const context = this.context;
    context.strokeStyle = this.colors.trace;
    context.lineWidth = 2.2 * ratio;
    context.lineJoin = "round";
    context.beginPath();
    let isDown = false;
    for (let at = Math.max(from, 0); at <= to; at++) {
      const place = at % this.size;
      const mv = this.mv[place];
      if (Number.isNaN(mv) || this.blanked[place]) { isDown = false; continue; }
      if (place === 0) isDown = false;
      const [x, y] = [this.x(at, width), this.y(mv, height)];
      if (isDown) context.lineTo(x, y); else context.moveTo(x, y);
      isDown = true;
    }
    context.stroke();
  }

  drawMarks(width, height, ratio) {
    const oldest_s = this.newest / this.rateHz - SPAN_S + GAP_S;
    this.marks = this.marks.filter((mark) => mark.at_s > oldest_s);
    for (const mark of this.marks) {
      if (mark.isDrawn || mark.at_s * this.rateHz > this.newest) continue;
      const x = this.x(Math.round(mark.at_s * this.rateHz), width);
      const size = 6 * ratio;
      this.context.fillStyle = this.colors[mark.kind];
      if (mark.kind === "beat") {
        this.context.beginPath();
        this.context.moveTo(x - size, 1);
        this.context.lineTo(x + size, 1);
        this.context.lineTo(x, 1 + 1.8 * size);
        this.context.fill();
      } else {
        this.context.fillRect(x - ratio, height * (1 - TOP) + 2, 2 * ratio, height * TOP);
      }
      mark.isDrawn = true;
      document.dispatchEvent(new CustomEvent("hbc:mark", { detail: { kind: mark.kind, at_s: mark.at_s } }));
    }
  }
}
