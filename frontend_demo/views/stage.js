/** Owns the stage: the video with its controls, and everything that is said on top of it. */

import { Captions } from "./captions.js";
import { Changes } from "./changes.js";
import { Media } from "./media.js";
import { actions } from "./actions.js";
import { candidateChip, peekChip } from "./offers.js";
import { controls } from "./controls.js";
import { coverage } from "./coverage.js";
import { deviceIcon, h, icon, say, show } from "./element.js";
import { clock } from "./format.js";
import { dock } from "./dock.js";
import { gestures } from "./gestures.js";
import { handoff } from "./handoff.js";
import { historyPanel } from "./history.js";
import { mediaSession } from "./media_session.js";
import { observe } from "./observe.js";
import { stateLine } from "./state_line.js";
import { toastBox } from "./toast.js";
import { undoing } from "./undo.js";

/** Controls step aside after this long without a pointer or a key while it plays. */
const QUIET_MS = 2_800;

/** How long the words of a skip stay. */
const SKIPPED_MS = 700;

/** A wait shorter than this shows no spinner. */
const SPINNER_MS = 350;

/** Closer to the end than this, a play begins at the start (client/player.js). */
const END_MS = 750;

/**
 * The stage of one item, and what stands around it. `next()` gives what opens the lecture after it, or null.
 * @param {{play: string, addresses: import("./addresses.js").Addresses}} of  `play`: a random id of this visit
 * @returns {{element: HTMLElement, dock: HTMLElement, line: {element: HTMLElement, notes: HTMLElement},
 *            actions: HTMLElement, history: HTMLElement, named: (course: {title: string}) => void, close: () => void}}
 */
export function stage(of) {
  const { video, player, client, item, frame, api, next, signIn, addresses } = of;
  const { media, captions, seen, quality } = playing(of);
  const press = { toggle: () => void toggle(player, media, quality), continueHere: () => void takeOver(player, media, quality) };
  const trouble = troubleBox(() => media.again());
  const toast = toastBox();
  const bar = controls({ video, player, item, press, media, captions, seen });
  const session = mediaSession({ player, video, press, title: item.title, next });
  const hand = handoff({ player, client, press });
  const offers = [peekChip(player), candidateChip(player)];
  const big = bigButton(player, media, press);
  const { element, said, course_title, skipped } = picture({ video, item, player, parts: { bar, big, trouble, captions } });
  const around = surroundings({ player, client, api, item, toast, signIn });
  // What the toast says is of the action before.
  for (const part of [element, around.actions, around.history]) part.addEventListener("click", toast.pass, { capture: true });
  const docked = dock(element, [[toast.element, element], ...[hand.hint, ...offers.map((offer) => offer.element)].map((notice) => [notice, said]), [hand.card, element]]);
  bar.fullscreenOf(element);
  if (frame) video.muted = true;
  const update = () => {
    element.dataset.phase = player.phase;
    seen.update();
    for (const part of [bar, hand, big, ...offers]) part.update();
  };
  media.on("trouble", ({ text }) => trouble.say(text));
  media.on("addresses", ({ answer }) => (captions.use(answer.captions), bar.useSprite(answer.sprite ?? null)));
  const calm = quiet(element, player);
  const offs = [
    calm.off, spin(element, player, media), keys(bar.keys, toast), touched({ video, player, press, bar, calm, skipped }),
    whenOutdated(player, client, toast), whenTaken(player, toast), whenHanded(player, toast), whenEnded(player, video, toast, next),
    player.on("change", update), every(250, update),
    quality.close, session.close, docked.close, hand.close, around.close, toast.close, seen.close, bar.close,
    () => captions.close(), () => media.close(),
  ];
  update();
  void media.load();
  const named = (course) => {
    say(course_title, course.title);
    session.describe(course, addresses.latest?.poster_url);
  };
  return { element, dock: docked.element, ...around, named, close: () => offs.forEach((off) => off()) };
}

/** What is not seen of a play: its bytes, its lines, what was seen of it, and how well it goes. */
function playing({ video, player, client, item, api, play, addresses }) {
  const place_ms = () => (player.position_ms >= item.duration_ms - END_MS ? 0 : player.position_ms);
  const media = new Media(video, { item: item.id, play, addresses, place_ms });
  return {
    media,
    captions: new Captions(video),
    seen: coverage({ player, client, api, item }),
    quality: observe({ video, player, media, client, api, play }),
  };
}

function picture({ video, item, player, parts: { bar, big, trouble, captions } }) {
  const said = h("div", { class: "stage__said" });
  const course_title = h("span", {});
  const skipped = h("span", { class: "stage__skipped", "aria-hidden": "true", hidden: true });
  const element = h(
    "section",
    { class: "stage", "aria-label": `Player: ${item.title}`, data: { testid: "player", phase: player.phase } },
    video,
    h("span", { class: "stage__spinner", "aria-hidden": "true" }),
    captions.element,
    skipped,
    h("div", { class: "stage__top" }, h("p", { class: "stage__title" }, course_title, item.title), said),
    bar.element,
    big.element,
    trouble.element,
  );
  return { element, said, course_title, skipped };
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
async function toggle(player, media, quality) {
  if (player.active) return player.pause();
  if (media.pending) return;
  if (player.elsewhere?.playing) return takeOver(player, media, quality);
  quality.pressed();
  if (await media.fresh()) await player.play();
}

async function takeOver(player, media, quality) {
  quality.pressed();
  if (await media.fresh()) await player.continueHere();
}

/** The button in the middle, as long as nothing plays here. */
function bigButton(player, media, press) {
  const element = h("button", { class: "stage__big", type: "button", tabindex: "-1", "aria-hidden": "true", on: { click: press.toggle } }, icon("play"));
  const update = () => show(element, !player.active && !media.pending && !player.elsewhere?.playing);
  return { element, update };
}

/** A click on the picture plays; where another device plays, only its card takes over. */
function touched({ video, player, press, bar, calm, skipped }) {
  let timer = null;
  const skip = (ms) => {
    bar.skip(ms);
    say(skipped, `${ms < 0 ? "−" : "+"}${Math.abs(ms) / 1000} s`);
    skipped.dataset.side = ms < 0 ? "left" : "right";
    show(skipped, true);
    clearTimeout(timer);
    timer = setTimeout(() => show(skipped, false), SKIPPED_MS);
  };
  const click = () => (player.active || !player.elsewhere?.playing) && press.toggle();
  const off = gestures(video, { click, tap: calm.turn, skip });
  return () => (clearTimeout(timer), off());
}

function spin(element, player, media) {
  let since = 0;
  const timer = setInterval(() => {
    const waits = media.pending || ["asking", "starting", "stalled"].includes(player.phase);
    since = waits ? since || performance.now() : 0;
    element.classList.toggle("stage--waits", waits && performance.now() - since > SPINNER_MS);
  }, 100);
  return () => clearInterval(timer);
}

/** Hides the controls while it plays and nobody touches anything; `turn` is a finger's tap on the picture. */
function quiet(element, player) {
  let timer = null;
  let was_quiet = false;
  const hide = () => player.phase === "playing" && element.classList.add("stage--quiet");
  const wake = () => {
    element.classList.remove("stage--quiet");
    clearTimeout(timer);
    timer = setTimeout(hide, QUIET_MS);
  };
  element.addEventListener("pointerdown", () => (was_quiet = element.classList.contains("stage--quiet")), { capture: true });
  for (const name of ["pointermove", "pointerdown", "keydown", "focusin"]) element.addEventListener(name, wake);
  element.addEventListener("pointerleave", ({ pointerType }) => pointerType !== "touch" && hide());
  const off = player.on("change", () => (player.phase === "playing" ? timer ?? wake() : wake()));
  wake();
  return { turn: () => was_quiet || hide(), off: () => (off(), clearTimeout(timer)) };
}

/** Keys work wherever the focus is, unless it is in something that wants them itself. */
function keys(act, toast) {
  const hear = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable], summary, dialog, .menu, .sheet")) return;
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
    const open = next();
    if (!open) return;
    const go = h("button", { class: "button button--small", type: "button", on: { click: open } }, "Go on");
    toast.say([h("span", {}, "That was the end."), go], { stays: true });
  };
  video.addEventListener("ended", ended);
  return () => video.removeEventListener("ended", ended);
}
