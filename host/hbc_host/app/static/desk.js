// The keys, the dialogs and the alarm. One key does one thing; what cannot be taken back asks first.
import { AlarmSound } from "./sound.js";

const DEAD_MS = 1000; // keys meant for something else must not acknowledge an alarm that has just come up
const INITIALS = /^\p{L}[\p{L}\p{M}.\- ]{1,9}$/u;
const SAID_MS = 6000;
const REFUSED_MS = 30000; // what was not done must not go unread
const WRITES = /^[ravnoise0-9x]$/; // keys that write something down; the others only show
const RATING = /^[0-9x]$/; // X is ten, for which there is no key
const byId = (id) => document.getElementById(id);
const words = document.body.dataset;

export class Desk {
  // ask(request) returns false when nobody hears it; repaint() redraws in new colours.
  constructor(ask, repaint) {
    this.ask = ask;
    this.repaint = repaint;
    this.waiting = null; // the alarm on the screen
    this.raisedMs = 0;
    this.toAcknowledge = [];
    this.overWhy = ""; // why nothing is noted any more; empty while a session takes words
    this.sound = new AlarmSound((isOn) => {
      byId("sound").textContent = isOn ? words.saySoundOn : words.saySoundOff;
      byId("sound").dataset.level = isOn ? "ok" : "warn";
      if (isOn && this.waiting !== null) this.sound.start();
    });
    this.useTheme(this.stored("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
    document.addEventListener("keydown", (event) => this.key(event), true);
    document.addEventListener("pointerdown", () => this.sound.wake());
    this.forms();
    byId("alarm").addEventListener("cancel", (event) => event.preventDefault());
    byId("alarm").addEventListener("close", () => { if (this.waiting !== null) this.raise(); });
  }

  key(event) {
    this.sound.wake();
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (this.waiting !== null && this.guardAlarm(event)) return;
    const dialog = document.querySelector("dialog[open]");
    if (dialog !== null) return this.enter(event, dialog);
    const name = event.key.toLowerCase();
    if (this.overWhy !== "" && WRITES.test(name)) {
      event.preventDefault();
      return this.refuse();
    }
    const does = {
      r: () => this.send({ do: "ready" }), a: () => this.acknowledge(), v: () => this.show("event"), n: () => this.show("note"),
      c: () => this.show("cards"), o: () => this.observation(), i: () => this.show("intensity"), s: () => this.show("skip"),
      e: () => this.show("end"), t: () => this.toggleTheme(), m: () => this.sound.test(),
    }[name];
    if (does !== undefined) does();
    else if (RATING.test(name)) this.send({ do: "rating", value: name === "x" ? 10 : Number(name) }); // while the coil is moved the page names the next site, not this one
    else return;
    event.preventDefault(); // the key must not be typed into the dialog that it opened
  }

  // Enter writes from every field, or goes to the one that lacks something. A browser would unfold a list instead; one
  // that is unfolded takes Enter as its choice.
  enter(event, dialog) {
    const list = event.target;
    if (event.key !== "Enter" || !(list instanceof HTMLSelectElement) || this.isUnfolded(list)) return;
    event.preventDefault();
    dialog.querySelector("form").requestSubmit();
  }

  isUnfolded(list) {
    try { return list.matches(":open"); } catch { return false; } // a browser that does not know the word
  }

  send(request) {
    if (!this.ask(request)) this.say(words.sayLater, REFUSED_MS);
  }

  say(text, forMs = SAID_MS) {
    byId("said").textContent = text;
    clearTimeout(this.saidTimer);
    this.saidTimer = setTimeout(() => { byId("said").textContent = ""; }, forMs);
  }

  done({ do: what, ok, text }) {
    if (what === "rating" && ok) this.say(`${words.sayRated} ${text}`);
    else this.say(text || (ok ? words.sayDone : words.sayLater), ok ? SAID_MS : REFUSED_MS);
  }

  show(id) {
    byId(id).querySelector("form").reset();
    this.complain(byId(id), "", null);
    byId(id).showModal();
  }

  // The session is over, or is not any more. A form that is open keeps what was typed: it can still be copied.
  over(why, stays) {
    if (this.overWhy !== why && why !== "") for (const dialog of document.querySelectorAll("dialog[open]")) this.complain(dialog, why, null);
    this.overWhy = why;
    document.body.dataset.over = why === "" ? "" : "yes";
    byId("over-why").textContent = why;
    byId("stays").textContent = stays;
    byId("over-why").hidden = why === "";
  }

  // The line that stands there anyway is what the key is told.
  refuse() {
    const line = byId("over-why");
    line.dataset.asked = "yes";
    clearTimeout(this.askedTimer);
    this.askedTimer = setTimeout(() => { line.dataset.asked = ""; }, SAID_MS);
  }

  // In the page's own words: a browser's would be in the browser's language.
  complain(dialog, text, field) {
    for (const one of dialog.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
    const place = dialog.querySelector(".fault");
    if (place !== null) place.textContent = text;
    field?.setAttribute("aria-invalid", "true");
    field?.focus();
  }

  // What keeps a form from being sent, and in which field; null when nothing does.
  fault(form) {
    if (this.overWhy !== "") return [this.overWhy, null];
    for (const field of form.querySelectorAll("input, select")) {
      if (field.required && field.value.trim() === "" && !field.validity.badInput) return [words.sayNeeded, field];
      if (!field.validity.valid) return [field.type === "number" ? words.sayPercent : words.saySure, field];
    }
    return null;
  }

  submit(event, dialog, request) {
    const fault = this.fault(event.target);
    if (fault === null) return this.send(request(Object.fromEntries(new FormData(event.target))));
    event.preventDefault();
    this.complain(dialog, ...fault);
  }

  // What is sent when a dialog is left with Enter; Esc sends nothing.
  forms() {
    const requests = {
      event: (fields) => ({ do: "adverse_event", ...fields }), note: (fields) => ({ do: "remark", ...fields }),
      intensity: ({ mso_pct, by }) => ({ do: "intensity", mso_pct: Number(mso_pct), by }),
      over: (fields) => ({ do: "observation_over", ...fields }), skip: () => ({ do: "skip_site" }), end: (fields) => ({ do: "end", ...fields }),
      acknowledge: ({ by }) => ({ do: "acknowledge", alarm: this.toAcknowledge[0]?.code ?? "", by }), cards: null,
    };
    for (const [id, request] of Object.entries(requests)) {
      const dialog = byId(id);
      dialog.querySelector(".back").addEventListener("click", () => dialog.close());
      if (request === null) continue;
      dialog.querySelector("form").addEventListener("submit", (event) => this.submit(event, dialog, request));
    }
    byId("alarm").querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); this.confirmAlarm(); });
  }

  // -- alarms ---------------------------------------------------------------------------------------------------------

  alarm(alarm) {
    const isNew = alarm !== null && this.waiting?.id !== alarm.id;
    this.waiting = alarm;
    if (alarm === null) {
      this.sound.stop();
      if (byId("alarm").open) byId("alarm").close();
      return;
    }
    byId("alarm-text").textContent = alarm.text;
    byId("alarm-over").textContent = alarm.over;
    byId("alarm-more").textContent = alarm.more;
    if (isNew || !byId("alarm").open) this.raise();
  }

  raise() {
    this.raisedMs = performance.now();
    byId("alarm-by").value = "";
    byId("alarm").querySelector(".fault").textContent = "";
    if (!byId("alarm").open) byId("alarm").showModal();
    byId("alarm-by").focus();
    this.sound.start();
    document.dispatchEvent(new CustomEvent("hbc:alarm", { detail: this.waiting }));
  }

  // Nothing but initials reaches an alarm. A browser closes a dialog at the second Esc whatever its "cancel" says, and
  // tells so later: the keys in between would close the form beneath, or be taken for a rating.
  guardAlarm(event) {
    const isAway = !byId("alarm").open;
    if (!isAway && event.key !== "Escape") return false;
    event.preventDefault();
    event.stopPropagation();
    if (isAway) this.raise();
    return true;
  }

  confirmAlarm() {
    const by = byId("alarm-by").value.trim();
    const isTooSoon = performance.now() - this.raisedMs < DEAD_MS;
    if (isTooSoon || !INITIALS.test(by)) {
      byId("alarm-by").value = "";
      if (!isTooSoon) byId("alarm").querySelector(".fault").textContent = words.sayInitials;
      return;
    }
    if (this.ask({ do: "acknowledge", alarm: this.waiting.id, by })) return;
    // Nobody hears it: the screen must be free again, and a page that gets no data must not hide that it does not.
    this.alarm(null);
    this.say(words.sayLater, REFUSED_MS);
  }

  problems(open) {
    this.toAcknowledge = open;
  }

  acknowledge() {
    if (!this.toAcknowledge.length) return this.say(words.sayNothing);
    byId("acknowledge-list").replaceChildren(...this.toAcknowledge.slice(0, 1).map(({ text }) => Object.assign(document.createElement("li"), { textContent: text })));
    this.show("acknowledge");
  }

  observation() {
    if (byId("observation").textContent === "") this.say(words.sayNoObservation);
    else this.show("over");
  }

  // -- light and dark -------------------------------------------------------------------------------------------------

  stored(name) {
    try { return localStorage.getItem(name); } catch { return null; }
  }

  useTheme(theme) {
    document.documentElement.dataset.theme = theme;
    this.repaint?.();
  }

  toggleTheme() {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", theme); } catch { /* a browser that keeps nothing */ }
    this.useTheme(theme);
  }
}
