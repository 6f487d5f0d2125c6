/** Owns the stage: the video with its controls, and everything that is said on top of it. */

import { Media } from "./media.js";
import { controls } from "./controls.js";
import { handoff } from "./handoff.js";
import { deviceIcon, h, icon, say, show } from "./element.js";
import { clock, length } from "./format.js";
import { stateLine } from "./state_line.js";

/** Controls step aside after this long without a pointer or a key while it plays. */
const QUIET_MS = 2_800;

/** A wait shorter than this shows no spinner. */
const SPINNER_MS = 350;

/** How long a passing word (who took over, where it went on) stays. */
const TOAST_MS = 7_000;

/**
 * @returns {{element: HTMLElement, stateLine: HTMLElement, actions: HTMLElement, close: () => void}}
 */
export function stage({ video, player, client, item, course, frame, api, next }) {
  const offs = [];
  const trouble = troubleBox(() => media.again());
  const media = new Media(video, () => api.media(item.id), trouble.say);
  const press = { toggle: () => void toggle(player, media), continueHere: () => void takeOver(player, media) };
  const toast = toastBox();
  const bar = controls({ video, player, client, item, press });
  const hand = handoff({ player, client, press });
  const big = bigButton(player, press);
  const spinner = h("span", { class: "stage__spinner", "aria-hidden": "true" });
  const element = h(
    "section",
    { class: "stage", "aria-label": `Player: ${item.title}`, data: { testid: "player", phase: player.phase } },
    video,
    spinner,
    h("div", { class: "stage__top" }, h("p", { class: "stage__title" }, h("span", {}, course.title), item.title), hand.chip),
    bar.element,
    big.element,
    hand.card,
    toast.element,
    trouble.element,
  );
  bar.fullscreenOf(element);
  if (frame) video.muted = true;
  offs.push(quiet(element, player), spin(spinner, element, player), keys(element, bar.keys));
  offs.push(whenOutdated(player, client, toast), whenTaken(player, toast), whenHanded(player, toast), whenEnded(player, video, toast, next));
  const update = () => {
    element.dataset.phase = player.phase;
    bar.update();
    hand.update();
    big.update();
  };
  offs.push(player.on("change", update));
  const timer = setInterval(update, 250);
  const line = stateLine(client, player);
  update();
  void media.load();
  const close = () => {
    clearInterval(timer);
    offs.forEach((off) => off());
    line.close();
    toast.close();
    media.close();
  };
  return { element, stateLine: line.element, actions: actions(player, client, toast), close };
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
function keys(element, act) {
  const hear = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable], summary, .menu")) return;
    const button = event.target.closest("button, a");
    if (button && (event.key === " " || event.key === "Enter")) return;
    if (act(event.key.toLowerCase())) event.preventDefault();
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

function toastBox() {
  const element = h("div", { class: "stage__toast", role: "status", hidden: true });
  let timer = null;
  const close = () => (clearTimeout(timer), show(element, false));
  const tell = (content, { stays = false } = {}) => {
    element.replaceChildren(...content);
    show(element, true);
    clearTimeout(timer);
    if (!stays) timer = setTimeout(close, TOAST_MS);
  };
  return { element, say: tell, close };
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
    toast.say([h("span", {}, "There is a newer version of this lecture."), reload], { stays: true });
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

/** What a student can say about an item besides playing it. */
function actions(player, client, toast) {
  const done = h("button", { class: "action", type: "button", "aria-pressed": "false", data: { testid: "mark-done" } }, icon("check"), h("span", {}, "Mark as done"));
  const undo = h("button", { class: "action", type: "button", data: { testid: "undo" } }, icon("undo"), "Undo last move");
  const reset = h("button", { class: "action", type: "button", data: { testid: "reset" } }, icon("replay"), "Start afresh");
  const seen = h("span", { class: "actions__seen" });
  const element = h("div", { class: "actions" }, done, undo, reset, seen);
  const update = () => {
    const head = player.head;
    done.setAttribute("aria-pressed", String(Boolean(head?.done)));
    say(done.lastElementChild, head?.done ? "Done" : "Mark as done");
    undo.disabled = !head || head.rev === 0;
    reset.disabled = !head || head.rev === 0;
    say(seen, head?.content_ms ? `${length(head.content_ms)} watched, ${Math.round((100 * head.coverage_ms) / Math.max(1, head.duration_ms))} % seen` : "");
  };
  done.addEventListener("click", () => player.mark(!player.head?.done));
  undo.addEventListener("click", () => player.undo());
  reset.addEventListener("click", () => {
    const sure = h("button", { class: "button button--small", type: "button" }, "Clear it");
    sure.addEventListener("click", () => (player.reset(), toast.close()));
    toast.say([h("span", {}, "Clear what you have seen of this lecture, on every device?"), sure]);
  });
  player.on("change", update);
  update();
  return element;
}
