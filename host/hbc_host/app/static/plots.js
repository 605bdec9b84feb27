// RR over time, and the mean response to a train. Redrawn whole: a few hundred points, once a beat or once a train.
import { color, sized } from "./ecg.js";

const SPAN_S = 300;
const TRAIN_GAP_S = 1;
const RR_STEP_MS = 100;

class Plot {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.later = false;
  }

  repaint() {
    if (this.later) return;
    this.later = true;
    requestAnimationFrame(() => {
      this.later = false;
      this.ratio = sized(this.canvas).ratio;
      this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
      this.context.font = `${Math.round(0.75 * this.ratio * parseFloat(getComputedStyle(document.documentElement).fontSize))}px system-ui, sans-serif`;
      if (this.canvas.width) this.draw(this.canvas.width, this.canvas.height);
    });
  }

  label(text, x, y, align = "left") {
    this.context.fillStyle = color("soft");
    this.context.textAlign = align;
    this.context.textBaseline = "middle";
    this.context.fillText(text, x, y);
  }

  line(points, name, width = 2) {
    this.context.strokeStyle = color(name);
    this.context.lineWidth = width * this.ratio;
    this.context.beginPath();
    points.forEach(([x, y], k) => (k ? this.context.lineTo(x, y) : this.context.moveTo(x, y)));
    this.context.stroke();
  }

  hatched(left, top, width, height) {
    const context = this.context;
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.fillStyle = color("blank");
    context.globalAlpha = 0.5;
    context.fillRect(left, top, width, height);
    context.globalAlpha = 1;
    const step = 12 * this.ratio;
    for (let x = Math.floor((left - height) / step) * step; x < left + width; x += step) this.line([[x, top + height], [x + height, top]], "line", 1);
    context.restore();
  }
}

export class RrPlot extends Plot {
  constructor(canvas, restWord) {
    super(canvas);
    this.restWord = restWord;
    this.clear();
  }

  clear() {
    this.beats = [];
    this.trains = [];
    this.rests = [];
    this.now_s = null;
    this.repaint();
  }

  beat(beat) {
    this.now_s = Math.max(this.now_s ?? beat.at_s, beat.at_s);
    if (beat.rr_ms === null || beat.rr_ms === undefined) return;
    this.beats.push(beat);
    while (this.beats.length && this.beats[0].at_s < this.now_s - SPAN_S) this.beats.shift();
    this.repaint();
  }

  pulse(at_s) {
    const last = this.trains.at(-1);
    if (last !== undefined && at_s - last[1] <= TRAIN_GAP_S) last[1] = at_s;
    else this.trains.push([at_s, at_s]);
    while (this.trains.length && this.trains[0][1] < at_s - SPAN_S) this.trains.shift();
  }

  spans(trains, rests) {
    this.trains = trains;
    this.rests = rests;
    this.repaint();
  }

  rest(rests, now_s) {
    this.rests = rests;
    if (now_s !== null) this.now_s = Math.max(this.now_s ?? now_s, now_s);
    this.repaint();
  }

  draw(width, height) {
    if (this.now_s === null) return;
    const left = 4.5 * 12 * this.ratio;
    const bar = 10 * this.ratio;
    const x = (at_s) => left + Math.max(0, 1 - (this.now_s - at_s) / SPAN_S) * (width - left);
    for (const [from, to] of this.rests) {
      if (to < this.now_s - SPAN_S) continue;
      this.hatched(x(from), 0, x(to) - x(from), height - bar);
      if (x(to) - x(from) > 60 * this.ratio) this.label(this.restWord, x(from) + 4 * this.ratio, bar);
    }
    this.context.fillStyle = color("train");
    for (const [from, to] of this.trains) this.context.fillRect(x(from), height - bar, Math.max(2 * this.ratio, x(to) - x(from)), bar);
    const counted = this.beats.filter((beat) => beat.counted !== false);
    if (counted.length < 2) return;
    const values = counted.map((beat) => beat.rr_ms);
    const low = Math.floor((Math.min(...values) - 20) / RR_STEP_MS) * RR_STEP_MS;
    const high = Math.ceil((Math.max(...values) + 20) / RR_STEP_MS) * RR_STEP_MS;
    const y = (ms) => bar + ((high - ms) / (high - low)) * (height - 3 * bar);
    for (const ms of [low, high]) {
      this.label(ms.toString(), left - 6 * this.ratio, y(ms), "right");
      this.line([[left, y(ms)], [width, y(ms)]], "line", 1);
    }
    this.line(counted.map((beat) => [x(beat.at_s), y(beat.rr_ms)]), "trace");
    this.context.strokeStyle = color("stop");
    for (const beat of this.beats) {
      if (beat.counted !== false) continue;
      const [at, ms, arm] = [x(beat.at_s), y(Math.max(low, Math.min(high, beat.rr_ms))), 4 * this.ratio];
      this.line([[at - arm, ms - arm], [at + arm, ms + arm]], "stop");
      this.line([[at - arm, ms + arm], [at + arm, ms - arm]], "stop");
    }
  }
}

export class ResponsePlot extends Plot {
  constructor(canvas, secondsWord) {
    super(canvas);
    this.secondsWord = secondsWord;
    this.curve = { lag_s: [] };
  }

  show(curve) {
    this.curve = curve;
    this.repaint();
  }

  draw(width, height) {
    const { lag_s, bpm, low_bpm, high_bpm } = this.curve;
    if (lag_s.length < 2) return;
    const isNumber = (value) => value !== null && Number.isFinite(value);
    const all = [...bpm, ...low_bpm, ...high_bpm, 0].filter(isNumber);
    const [low, high] = [Math.floor(Math.min(...all) - 0.5), Math.ceil(Math.max(...all) + 0.5)];
    const [left, foot] = [3.2 * 12 * this.ratio, 20 * this.ratio];
    const x = (lag) => left + ((lag - lag_s[0]) / (lag_s.at(-1) - lag_s[0])) * (width - left - 4 * this.ratio);
    const y = (value) => 4 + ((high - value) / (high - low)) * (height - foot - 4);
    const banded = lag_s.map((_, k) => k).filter((k) => isNumber(low_bpm[k]) && isNumber(high_bpm[k]));
    if (banded.length > 1) {
      this.context.fillStyle = color("band");
      this.context.beginPath();
      banded.forEach((k, place) => (place ? this.context.lineTo(x(lag_s[k]), y(high_bpm[k])) : this.context.moveTo(x(lag_s[k]), y(high_bpm[k]))));
      for (const k of banded.reverse()) this.context.lineTo(x(lag_s[k]), y(low_bpm[k]));
      this.context.fill();
    }
    this.line([[left, y(0)], [width, y(0)]], "soft", 1);
    for (const value of [low, 0, high]) this.label(`${value}`.replace("-", "−"), left - 5 * this.ratio, Math.max(7 * this.ratio, Math.min(y(value), height - foot)), "right");
    this.line(lag_s.map((lag, k) => [lag, bpm[k]]).filter(([, value]) => isNumber(value)).map(([lag, value]) => [x(lag), y(value)]), "trace", 3);
    const [first, last] = [lag_s[0], lag_s.at(-1)].map((lag) => lag.toFixed(0).replace("-", "−"));
    this.label(first, left, height - foot / 2);
    const free = width - left - 2 * this.context.measureText(first + last).width - 8 * this.ratio;
    const fits = this.context.measureText(this.secondsWord).width < free;
    this.label(fits ? last : `${last} s`, width - 4, height - foot / 2, "right");
    if (fits) this.label(this.secondsWord, (left + width) / 2, height - foot / 2, "center");
  }
}
