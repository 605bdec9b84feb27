// The page: takes what the server says and puts it in its place. It decides nothing; all words come from the server.
import { EcgCanvas } from "./ecg.js";
import { ResponsePlot, RrPlot } from "./plots.js";
import { fillMap } from "./map.js";
import { Desk } from "./desk.js";

const AGAIN_MS = 1000;
const SILENT_MS = 3000; // the server speaks twice a second; a page that hears nothing must not look alive
const byId = (id) => document.getElementById(id);

const ecg = new EcgCanvas(byId("ecg"));
const rr = new RrPlot(byId("rr-plot"), document.body.dataset.sayRest);
const response = new ResponsePlot(byId("response"), document.body.dataset.saySeconds);
let socket = null;
let isOver = false; // the server said that it ends: what the page shows is the end, and not old
let heardMs = performance.now();
const desk = new Desk((request) => {
  if (socket === null || socket.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(request));
  return true;
}, repaint);

function repaint() {
  for (const drawing of [ecg, rr, response]) drawing.repaint();
}

function showCells(cells) {
  for (const [id, [text, level]] of Object.entries(cells)) {
    const place = byId(id);
    if (place === null) continue;
    place.textContent = text;
    place.dataset.level = level;
  }
  if (cells.rate) byId("alarm-rate").textContent = cells.rate[0];
}

function showLines(id, tag, lines) {
  byId(id).replaceChildren(
    ...lines.map(([text, level]) => {
      const line = document.createElement(tag);
      line.textContent = text;
      if (level) line.dataset.level = level;
      return line;
    }),
  );
}

const takes = {
  clear: () => { ecg.clear(); rr.clear(); },
  ecg: (message) => ecg.add(message),
  beat: (message) => { ecg.beat(message.at_s); rr.beat(message); },
  beats: (message) => { for (const beat of message.beats) { ecg.beat(beat.at_s); rr.beat(beat); } },
  pulse: (message) => { ecg.pulse(message.at_s); rr.pulse(message.at_s); },
  spans: (message) => rr.spans(message.trains, message.rests),
  rests: (message) => rr.rest(message.rests, message.now_s),
  cells: (message) => showCells(message.cells),
  problems: (message) => { showLines("problems", "p", message.lines); desk.problems(message.open); },
  response: (message) => { response.show(message); byId("response-caption").textContent = message.caption; },
  map: (message) => fillMap(byId("map"), message, document.body.dataset.sayMapSite),
  result: (message) => showLines("result", "li", message.lines.map((line) => [line, ""])),
  session: (message) => {
    byId("pseudonym").textContent = message.pseudonym;
    byId("protocol").textContent = message.protocol;
    document.body.dataset.phase = message.phase;
    document.body.dataset.feed = message.feed;
    desk.over(message.over, message.stays);
  },
  alarm: (message) => desk.alarm(message.alarm),
  done: (message) => desk.done(message),
  report: (message) => { byId("report").textContent = message.text; byId("report").hidden = message.text === ""; },
  tick: () => {},
  bye: () => { isOver = true; },
};

function hear(message) {
  heardMs = performance.now();
  setLink("live");
  takes[message.kind]?.(message);
}

function setLink(state) {
  if (document.body.dataset.link === state) return;
  document.body.dataset.link = state;
  byId("cut").hidden = state !== "cut";
}

function connect() {
  socket = new WebSocket(`ws://${location.host}/socket`);
  socket.onmessage = (event) => hear(JSON.parse(event.data));
  socket.onclose = () => { socket = null; if (!isOver) setTimeout(connect, AGAIN_MS); };
}

setInterval(() => { if (!isOver && performance.now() - heardMs > SILENT_MS) setLink("cut"); }, 500);
const sizes = new ResizeObserver(repaint);
for (const canvas of document.querySelectorAll("canvas")) sizes.observe(canvas);
connect();
