/** Owns the stage: the video with its controls, and everything that is said on top of it. */

import { Changes } from "./changes.js";
import { Media } from "./media.js";
import { actions } from "./actions.js";
import { candidateChip, peekChip } from "./offers.js";
import { controls } from "./controls.js";
import { deviceIcon, h, icon, say, show } from "./element.js";
import { clock } from "./format.js";
import { dock } from "./dock.js";
import { handoff } from "./handoff.js";
import { historyPanel } from "./history.js";
import { stateLine } from "./state_line.js";
import { toastBox } from "./toast.js";
import { undoing } from "./undo.js";

/** Controls step aside after this long without a pointer or a key while it plays. */
const QUIET_MS = 2_800;

/** A wait shorter than this shows no spinner. */
const SPINNER_MS = 350;

/**
 * The stage of one item, and what stands around it.
 * @returns {{element: HTMLElement, dock: HTMLElement, line: {element: HTMLElement, notes: HTMLElement},
 *            actions: HTMLElement, history: HTMLElement, close: () => void}}
 */
export function stage({ video, player, client, item, course, frame, api, next, signIn }) {
  const trouble = troubleBox(() => media.again());
  const media = new Media(video, () => api.media(item.id), trouble.say);
  const press = { toggle: () => void toggle(player, media), continueHere: () => void takeOver(player, media) };
  const toast = toastBox();
  const bar = controls({ video, player, client, item, press });
  const hand = handoff({ player, client, press });
  const offers = [peekChip(player), candidateChip(player)];
  const big = bigButton(player, press);
  const spinner = h("span", { class: "stage__spinner", "aria-hidden": "true" });
  const said = h("div", { class: "stage__said" });
  const element = h(
    "section",
    { class: "stage", "aria-label": `Player: ${item.title}`, data: { testid: "player", phase: player.phase } },
    video,
    spinner,
    h("div", { class: "stage__top" }, h("p", { class: "stage__title" }, h("span", {}, course.title), item.title), said),
    bar.element,
    big.element,
    trouble.element,
  );
  const around = surroundings({ player, client, api, item, toast, signIn });
  // What the toast says is of the action before.
  for (const part of [element, around.actions, around.history]) part.addEventListener("click", toast.pass, { capture: true });
  const docked = dock(element, [[toast.element, element], ...[hand.hint, ...offers.map((offer) => offer.element)].map((notice) => [notice, said]), [hand.card, element]]);
  bar.fullscreenOf(element);
  if (frame) video.muted = true;
  const update = () => {
    element.dataset.phase = player.phase;
    for (const part of [bar, hand, big, ...offers]) part.update();
  };
  const offs = [
    quiet(element, player), spin(spinner, element, player), keys(element, bar.keys, toast),
    whenOutdated(player, client, toast), whenTaken(player, toast), whenHanded(player, toast), whenEnded(player, video, toast, next),
    player.on("change", update), every(250, update),
    docked.close, hand.close, around.close, toast.close, () => media.close(),
  ];
  update();
  void media.load();
  const close = () => offs.forEach((off) => off());
  return { element, dock: docked.element, ...around, close };
}

/** What stands under the picture: how safe the minutes are, what can be done, and how it came to this place. */
function surroundings({ player, client, api, item, toast, signIn }) {
  const changes = new Changes(api, item.id, client, player.head);
  const undo = undoing({ player, client, toast, changes });
  const history = historyPanel({ player, changes, undo });
  const line = stateLine(client, player, { signIn });
  const close = () => [changes, line, undo].forEach((part) => part.close());
  return { line, actions: actions({ player, history, undo }), history: history.element, close };
}

function every(ms, act) {
  const timer = setInterval(act, ms);
  return () => clearInterval(timer);
}

/** Play beside a card that says "Playing on Laptop" means: here, from now on. Two would play at once else. */
async function toggle(player, media) {
  if (player.active) return player.pause();
  if (player.elsewhere?.playing) return takeOver(player, media);
  await media.fresh();
  await player.play();
}

async function takeOver(player, media) {
  await media.fresh();
  await player.continueHere();
}

/** The button in the middle, as long as nothing plays here. */
function bigButton(player, press) {
  const element = h("button", { class: "stage__big", type: "button", tabindex: "-1", "aria-hidden": "true", on: { click: press.toggle } }, icon("play"));
  const update = () => show(element, !player.active && !player.elsewhere?.playing);
  return { element, update };
}

function spin(spinner, element, player) {
  let since = 0;
  const timer = setInterval(() => {
    const waits = ["asking", "starting", "stalled"].includes(player.phase);
    since = waits ? since || performance.now() : 0;
    element.classList.toggle("stage--waits", waits && performance.now() - since > SPINNER_MS);
  }, 100);
  return () => clearInterval(timer);
}

/** Hides the controls while it plays and nobody touches anything. */
function quiet(element, player) {
  let timer = null;
  const wake = () => {
    element.classList.remove("stage--quiet");
    clearTimeout(timer);
    timer = setTimeout(() => player.phase === "playing" && element.classList.add("stage--quiet"), QUIET_MS);
  };
  for (const name of ["pointermove", "pointerdown", "keydown", "focusin"]) element.addEventListener(name, wake);
  element.addEventListener("pointerleave", () => player.phase === "playing" && element.classList.add("stage--quiet"));
  const off = player.on("change", () => (player.phase === "playing" ? timer ?? wake() : wake()));
  wake();
  return () => (off(), clearTimeout(timer));
}

/** Keys work wherever the focus is, unless it is in something that wants them itself. */
function keys(element, act, toast) {
  const hear = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable], summary, .menu")) return;
    const button = event.target.closest("button, a");
    if (button && (event.key === " " || event.key === "Enter")) return;
    if (!act(event.key.toLowerCase())) return;
    event.preventDefault();
    toast.pass();
  };
  document.addEventListener("keydown", hear);
  return () => document.removeEventListener("keydown", hear);
}

function troubleBox(again) {
  const text = h("span", {});
  const button = h("button", { class: "button button--small", type: "button", on: { click: again } }, "Try now");
  const element = h("div", { class: "stage__trouble", role: "alert", hidden: true }, text, button);
  const tell = (problem) => {
    if (problem) say(text, problem);
    show(element, Boolean(problem));
  };
  return { element, say: tell };
}

function whenTaken(player, toast) {
  return player.on("taken", ({ device_name, device_kind }) =>
    toast.say([deviceIcon(device_kind), h("span", {}, "Now on ", h("b", {}, device_name || "another device"))]),
  );
}

/** Says why it does not start where it stood; small moves need no words. */
function whenHanded(player, toast) {
  return player.on("handed", ({ from_ms, to_ms }) => {
    const elsewhere = player.elsewhere;
    if (Math.abs(to_ms - from_ms) < 5_000 || to_ms === 0 || !elsewhere) return;
    toast.say([deviceIcon(elsewhere.device_kind), h("span", {}, `Going on at ${clock(to_ms)}, where ${elsewhere.device_name || "another device"} was`)]);
  });
}

function whenOutdated(player, client, toast) {
  let told = false;
  return player.on("outdated", () => {
    if (told) return;
    told = true;
    const reload = h("button", { class: "button button--small", type: "button", on: { click: () => location.reload() } }, "Load it");
    toast.say([h("span", {}, "There is a newer version of this lecture."), reload], { stays: true, keeps: true });
  });
}

function whenEnded(player, video, toast, next) {
  const ended = () => {
    if (!next) return;
    const go = h("button", { class: "button button--small", type: "button", on: { click: next } }, "Next lecture");
    toast.say([h("span", {}, "That was the end."), go], { stays: true });
  };
  video.addEventListener("ended", ended);
  return () => video.removeEventListener("ended", ended);
}
