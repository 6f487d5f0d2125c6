/**
 * Owns /demo: one student on three devices side by side. Each is the real app in a frame with a device id and
 * a storage of its own; what they say about themselves stands under them.
 */

import { clock } from "./format.js";
import { demoHistory } from "./demo_history.js";
import { deviceIcon, h, icon, say, show } from "./element.js";
import { mark } from "./shell.js";
import { pasteLink } from "./paste_link.js";
import { recall, remember } from "./place.js";

/** Size in which each device's page is laid out; it is scaled to the place it gets. */
const DEVICES = [
  { id: "phone", name: "Phone", width: 390, height: 760 },
  { id: "laptop", name: "Laptop", width: 1180, height: 738 },
  { id: "tv", name: "TV", width: 1280, height: 720 },
];

const LINES_KEPT = 60;
const CODE_KEY = "playhead.demo:code";

/** The device whose sign-in reads the history. */
const READER = "laptop";

const sets = new Map();
const histories = { bar: h("span"), place: h("div", { class: "demo-history" }), shown: null };
let sounding = null;
let sound_on = true;

start();

function start() {
  const code = takeCode();
  const root = document.getElementById("demo");
  if (!code && !DEVICES.every(({ id }) => recall(`playhead.${id}:sign-in`))) return root.replaceChildren(noCode());
  for (const device of DEVICES) sets.set(device.id, deviceSet(device, code));
  root.replaceChildren(
    header(),
    h("main", { class: "desk", "aria-label": "Devices" }, [...sets.values()].map((set) => set.element)),
    histories.place,
    h("footer", { class: "demo-foot" }, legend()),
  );
  window.addEventListener("message", hear);
  for (const set of sets.values()) set.fit();
}

/** The sign-in code leaves the address bar; a reload finds it in this tab. */
function takeCode() {
  const [, code] = location.hash.match(/^#sign-in=(.+)$/) ?? [];
  if (!code) return sessionStorage.getItem(CODE_KEY);
  history.replaceState(null, "", location.pathname);
  sessionStorage.setItem(CODE_KEY, code);
  for (const { id } of DEVICES) remember(`playhead.${id}:sign-in`, null);
  return code;
}

function header() {
  const button = h("button", { class: "switch", type: "button", "aria-pressed": "true" }, icon("sound"), h("span", {}, "Sound follows the play"));
  button.addEventListener("click", () => {
    sound_on = !sound_on;
    button.setAttribute("aria-pressed", String(sound_on));
    say(button.lastElementChild, sound_on ? "Sound follows the play" : "All devices muted");
    button.firstElementChild.replaceWith(icon(sound_on ? "sound" : "muted"));
    spreadSound();
  });
  return h(
    "header",
    { class: "demo-head" },
    h("a", { class: "demo-head__mark", href: "/", "aria-label": "Playhead" }, mark()),
    h("div", {}, h("h1", {}, "One student, three devices, one playhead"), h("p", {}, "Press play on one. Continue on another. Cut a link, watch on, bring it back.")),
    h("div", { class: "demo-head__acts" }, histories.bar, button),
  );
}

/** The code of the link is of no use: said once, here, and forgotten, so that a reload does not try it again. */
function linkFailed({ text, useless }) {
  window.removeEventListener("message", hear);
  if (useless) sessionStorage.removeItem(CODE_KEY);
  sets.clear();
  document.getElementById("demo").replaceChildren(noCode(text));
}

function noCode(problem = null) {
  return h(
    "main",
    { class: "notice" },
    mark(),
    h("h1", {}, problem ? "That link did not work" : "Three devices, one playhead"),
    problem ? h("p", { role: "alert", data: { testid: "link-problem" } }, problem) : null,
    h("p", {}, "Paste one of the sign-in links that ", h("code", {}, "playhead demo"), " printed."),
    pasteLink(),
  );
}

/** One device: its body with the frame, and what it says. */
function deviceSet(device, code) {
  const hash = code ? `#sign-in=${code}` : "";
  const frame = h("iframe", {
    src: `/?frame=${device.id}${hash}`, title: `${device.name}: the app`, allow: "autoplay; fullscreen", data: { device: device.id },
  });
  const screen = h("div", { class: "device__screen" }, frame);
  const body = h("div", { class: `device__body device__body--${device.id}` }, screen);
  const facts = factsOf(device, () => frame.contentWindow);
  const log = wireLog();
  const element = h("article", { class: `device device--${device.id}`, "aria-label": device.name, data: { testid: `device-${device.id}` } }, body, facts.element, log.element);
  const fit = () => {
    const scale = screen.clientWidth / device.width;
    screen.style.setProperty("--scale", String(scale));
    screen.style.setProperty("--width", `${device.width}px`);
    screen.style.setProperty("--height", `${device.height}px`);
  };
  new ResizeObserver(fit).observe(screen);
  const tell = (kind, on) => frame.contentWindow?.postMessage({ to: "playhead-frame", kind, on }, location.origin);
  return { element, fit, facts, log, tell, frame, phase: "away", since: 0 };
}

function factsOf(device, target) {
  const place = h("span", { class: "facts__place", data: { testid: `demo-position-${device.id}` } }, "–:––");
  const holds = h("span", { class: "facts__baton", hidden: true, title: "has the baton", data: { testid: `demo-baton-${device.id}` } }, mark(), h("span", {}, "has the baton"));
  const doing = h("span", { class: "facts__doing" }, "starting");
  const saved = h("span", { class: "facts__saved", data: { testid: `demo-saved-${device.id}` } });
  const link = h("button", { class: "facts__link", type: "button", "aria-pressed": "false", data: { testid: `demo-cut-${device.id}` } }, icon("cut"), h("span", {}, "Cut link"));
  let cut = false;
  let was_cut = false;
  const drawLink = (on) => {
    cut = on;
    link.setAttribute("aria-pressed", String(cut));
    say(link.lastElementChild, cut ? "Reconnect" : "Cut link");
  };
  link.addEventListener("click", () => {
    drawLink(!cut);
    target()?.postMessage({ to: "playhead-frame", kind: "cut", on: cut }, location.origin);
  });
  const element = h(
    "div",
    { class: "facts" },
    h("p", { class: "facts__name" }, deviceIcon(device.id), device.name, holds),
    place,
    h("p", { class: "facts__state" }, doing, saved),
    link,
  );
  const update = (state) => {
    // "Try now" in the frame brings the link back as well.
    if (was_cut && !state.cut) drawLink(false);
    was_cut = state.cut;
    say(place, state.position_ms === null ? "–:––" : clock(state.position_ms));
    show(holds, state.mine);
    say(doing, PHASES[state.phase] ?? state.phase);
    say(saved, state.status === "online" ? state.saved.text : `${LINKS[state.status]} · ${state.saved.text}`);
    element.dataset.phase = state.phase;
    element.dataset.status = state.status;
    saved.dataset.state = state.saved.state;
  };
  return { element, update };
}

const PHASES = { away: "browsing", idle: "at rest", asking: "asks the server", starting: "starts", playing: "plays", stalled: "waits" };
const LINKS = { connecting: "connecting", offline: "offline", refused: "signed out" };

/** The last lines that went over this device's wire. */
function wireLog() {
  const lines = h("ol", { class: "wire__lines", "aria-label": "Messages, newest first" });
  const element = h("div", { class: "wire" }, lines);
  const add = (line) => {
    const text = lineText(line);
    if (!text) return;
    lines.prepend(h("li", { data: { way: line.way, type: line.type } }, h("b", {}, line.way === "up" ? "↑" : "↓"), h("span", {}, line.type), h("i", {}, text)));
    while (lines.childElementCount > LINES_KEPT) lines.lastElementChild.remove();
  };
  return { element, add };
}

function lineText(line) {
  if (line.type === "events") return `${line.kinds.join(", ")} · ${line.to_seq}`;
  if (line.type === "applied" || line.type === "durable") return `up to ${line.seq}`;
  if (line.type === "welcome") return `durable ${line.durable_seq}, epoch ${line.epoch}`;
  if (line.type === "resync") return `from ${line.from_seq}, ${line.reason}`;
  if (line.type === "rejected") return `${line.seq}: ${line.code}`;
  if (line.type !== "head") return " ";
  if (line.rev === 0) return `${line.item}: nothing yet`;
  return `${clock(line.position_ms)} ${line.playing ? "playing" : "at rest"} on ${line.device_name} · ${line.rule}`;
}

function hear({ origin, data, source }) {
  if (origin !== location.origin || data?.from !== "playhead-frame") return;
  const set = sets.get(data.frame);
  if (!set || set.frame.contentWindow !== source) return;
  if (data.kind === "sign-in") return linkFailed(data);
  if (data.kind === "wire") return set.log.add(data.line);
  if (data.kind !== "state") return;
  set.facts.update(data);
  set.element.dataset.mine = String(data.mine);
  if (data.frame === READER) tellHistory(data);
  if (data.phase === "playing" && set.phase !== "playing") set.since = performance.now();
  set.phase = data.phase;
  spreadSound();
}

/** The history follows the lecture that the reading device shows. */
function tellHistory(state) {
  const { head } = state;
  if (head && histories.shown?.item !== head.item) {
    histories.shown?.close();
    histories.shown = demoHistory(head.item, `playhead.${READER}`, (kind) => sets.get(READER).tell(kind));
    histories.bar.replaceChildren(histories.shown.button);
    histories.place.replaceChildren(histories.shown.element);
  }
  if (head) histories.shown.hear(state);
}

/** One device sounds: the one that began to play last. */
function spreadSound() {
  const playing = [...sets.entries()].filter(([, set]) => ["playing", "starting", "stalled"].includes(set.phase));
  playing.sort(([, a], [, b]) => b.since - a.since);
  sounding = sound_on ? (playing[0]?.[0] ?? null) : null;
  for (const [id, set] of sets) set.tell("sound", id === sounding);
}

function legend() {
  const entries = [
    ["applied", "in the server's memory"],
    ["durable", "committed, the device forgets it"],
    ["head", "where you are, and who has it"],
  ];
  return h("dl", { class: "legend" }, entries.map(([word, meaning]) => h("div", {}, h("dt", {}, word), h("dd", {}, meaning))));
}
