/**
 * Owns the line of time: where we are, what is loaded, where another device is, and the other place on offer.
 * A drag only shows; the seek happens when it is let go, so one move of the user is one event.
 */

import { h, say } from "./element.js";
import { clock, share, spoken } from "./format.js";

const STEP_MS = 5_000;
const PAGE_MS = 30_000;

/** @returns {{element: HTMLElement, update: () => void}} */
export function seekBar({ video, player, client, duration_ms }) {
  const total = () => player.duration_ms || duration_ms;
  const loaded = h("i", { class: "seek__loaded" });
  const played = h("i", { class: "seek__played" });
  const knob = h("i", { class: "seek__knob" });
  const ghost = ghostMark();
  const offer = h("i", { class: "seek__offer", hidden: true });
  const hover = h("span", { class: "seek__hover", hidden: true, "aria-hidden": "true" });
  const element = h(
    "div",
    { class: "seek", role: "slider", tabindex: "0", "aria-label": "Position", "aria-valuemin": "0", data: { testid: "seek" } },
    h("span", { class: "seek__track" }, loaded, played),
    offer, ghost.element, knob, hover,
  );
  let dragged_ms = null;
  const update = () => {
    const at_ms = dragged_ms ?? player.position_ms;
    place(played, share(at_ms, total()));
    place(knob, share(at_ms, total()));
    place(loaded, share(bufferedTo(video) * 1000, total()));
    ghost.update(player.elsewhere, total());
    offerMark(offer, player.head?.candidate, total());
    element.setAttribute("aria-valuemax", String(Math.round(total() / 1000)));
    element.setAttribute("aria-valuenow", String(Math.round(at_ms / 1000)));
    element.setAttribute("aria-valuetext", `${spoken(at_ms)} of ${spoken(total())}`);
  };
  const at = (event) => {
    const box = element.getBoundingClientRect();
    return share(event.clientX - box.left, box.width) * total();
  };
  const point = (event) => {
    const ms = at(event);
    hover.hidden = false;
    say(hover, clock(ms));
    place(hover, share(ms, total()));
  };
  element.addEventListener("pointermove", (event) => {
    point(event);
    if (dragged_ms === null) return;
    dragged_ms = at(event);
    update();
  });
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    dragged_ms = at(event);
    element.classList.add("seek--dragged");
    point(event);
    update();
  });
  const drop = (commit) => () => {
    if (dragged_ms === null) return;
    const to_ms = dragged_ms;
    dragged_ms = null;
    element.classList.remove("seek--dragged");
    if (commit) player.seek(to_ms);
    update();
  };
  element.addEventListener("pointerup", drop(true));
  element.addEventListener("pointercancel", drop(false));
  element.addEventListener("pointerleave", () => (hover.hidden = dragged_ms === null));
  element.addEventListener("keydown", (event) => {
    const to_ms = keyTarget(event.key, player.position_ms, total());
    if (to_ms === null) return;
    event.preventDefault();
    player.seek(to_ms);
  });
  return { element, update };
}

function keyTarget(key, at_ms, total_ms) {
  const targets = {
    ArrowLeft: at_ms - STEP_MS, ArrowRight: at_ms + STEP_MS, PageDown: at_ms - PAGE_MS, PageUp: at_ms + PAGE_MS,
    Home: 0, End: total_ms,
  };
  return targets[key] ?? null;
}

/** The other device on our line of time, with its name. */
function ghostMark() {
  const name = h("span", { class: "seek__ghost-name" });
  const element = h("span", { class: "seek__ghost", hidden: true, data: { testid: "ghost" } }, name);
  const update = (elsewhere, total_ms) => {
    element.hidden = !elsewhere?.playing || elsewhere.position_ms === null;
    if (element.hidden) return;
    const part = share(elsewhere.position_ms, total_ms);
    place(element, part);
    element.dataset.ms = String(elsewhere.position_ms);
    element.classList.toggle("seek__ghost--left", part < 0.08);
    element.classList.toggle("seek__ghost--right", part > 0.92);
    say(name, elsewhere.device_name || elsewhere.device_kind);
  };
  return { element, update };
}

function offerMark(element, candidate, total_ms) {
  element.hidden = !candidate;
  if (candidate) place(element, share(candidate.position_ms, total_ms));
}

function place(element, part) {
  element.style.setProperty("--part", part.toFixed(5));
}

function bufferedTo(video) {
  const { buffered, currentTime } = video;
  for (let index = 0; index < buffered.length; index += 1) {
    if (buffered.start(index) <= currentTime + 0.5 && buffered.end(index) >= currentTime) return buffered.end(index);
  }
  return 0;
}
