/**
 * Owns the line of time: where we are, what has been seen, what is loaded, where another device is, and the other
 * place on offer. A drag only shows; the seek happens when it is let go, so one move of the user is one event.
 */

import { h, say } from "./element.js";
import { clock, share, spoken } from "./format.js";
import { thumbnails } from "./thumbnails.js";

const STEP_MS = 5_000;
const PAGE_MS = 30_000;

/** After a key has moved the place, its picture stays this long. */
const KEY_SHOWS_MS = 1_200;

/**
 * @param {{video: HTMLVideoElement, player: any, duration_ms: number, seen: {spans: () => [number, number][] | null}}} of
 * @returns {{element: HTMLElement, update: () => void, useSprite: (sprite: object | null) => void}}
 */
export function seekBar({ video, player, duration_ms, seen }) {
  const total = () => player.duration_ms || duration_ms;
  const track = trackOf(video, seen);
  const knob = h("i", { class: "seek__knob" });
  const ghost = ghostMark();
  const offer = h("i", { class: "seek__offer", hidden: true });
  const glance = glanceMark(total);
  const element = h(
    "div",
    { class: "seek", role: "slider", tabindex: "0", "aria-label": "Position", "aria-valuemin": "0", data: { testid: "seek" } },
    track.element, offer, ghost.element, knob, glance.element,
  );
  let dragged_ms = null;
  const update = () => {
    const at_ms = dragged_ms ?? player.position_ms;
    track.update(at_ms, total());
    place(knob, share(at_ms, total()));
    ghost.update(player.elsewhere, total());
    offerMark(offer, player.head?.candidate, total());
    element.setAttribute("aria-valuemax", String(Math.round(total() / 1000)));
    element.setAttribute("aria-valuenow", String(Math.round(at_ms / 1000)));
    element.setAttribute("aria-valuetext", `${spoken(at_ms)} of ${spoken(total())}`);
  };
  const drag = (at_ms) => {
    dragged_ms = at_ms;
    element.classList.toggle("seek--dragged", at_ms !== null);
    update();
  };
  pointing(element, { total, glance, dragging: () => dragged_ms !== null, drag, drop: () => player.seek(dragged_ms) });
  element.addEventListener("keydown", (event) => {
    const to_ms = keyTarget(event.key, player.position_ms, total());
    if (to_ms === null) return;
    event.preventDefault();
    player.seek(to_ms);
    glance.briefly(to_ms);
  });
  return { element, update, useSprite: glance.useSprite };
}

/** What is loaded, how far we are, and what has been seen: to the left of the knob and to its right. */
function trackOf(video, seen) {
  const loaded = h("i", { class: "seek__loaded" });
  const played = h("i", { class: "seek__played" });
  const spans = h("span", { class: "seek__spans", data: { testid: "seen" } });
  const element = h("span", { class: "seek__track" }, loaded, played, spans);
  let drawn = "";
  const update = (at_ms, total_ms) => {
    place(played, share(at_ms, total_ms));
    place(loaded, share(bufferedTo(video) * 1000, total_ms));
    const known = seen.spans();
    element.classList.toggle("seek__track--mapped", known !== null);
    const key = JSON.stringify([known, total_ms]);
    if (known === null || key === drawn) return;
    drawn = key;
    drawSpans(spans, known, total_ms);
  };
  return { element, update };
}

/** One mark a span; those that are there are moved, not made again. */
function drawSpans(spans, known, total_ms) {
  while (spans.childElementCount > known.length) spans.lastElementChild.remove();
  while (spans.childElementCount < known.length) spans.append(h("i", { class: "seek__seen" }));
  known.forEach(([from_ms, to_ms], index) => {
    const { style } = spans.children[index];
    style.setProperty("--from", share(from_ms, total_ms).toFixed(5));
    style.setProperty("--to", share(to_ms, total_ms).toFixed(5));
  });
  spans.dataset.ms = String(Math.round(known.reduce((sum, [from_ms, to_ms]) => sum + to_ms - from_ms, 0)));
}

/** The time, and the picture, of the moment that is pointed at. */
function glanceMark(total) {
  const words = h("span", { class: "seek__time" });
  const thumb = thumbnails();
  const element = h("span", { class: "seek__hover", hidden: true, "aria-hidden": "true" }, thumb.element, words);
  let timer = null;
  const show = (ms) => {
    clearTimeout(timer);
    element.hidden = false;
    say(words, clock(ms));
    thumb.show(ms);
    place(element, share(ms, total()));
  };
  const hide = () => {
    clearTimeout(timer);
    element.hidden = true;
  };
  const briefly = (ms) => {
    show(Math.min(total(), Math.max(0, ms)));
    timer = setTimeout(hide, KEY_SHOWS_MS);
  };
  return { element, show, hide, briefly, useSprite: thumb.use };
}

function pointing(element, { total, glance, dragging, drag, drop }) {
  const at = (event) => {
    const box = element.getBoundingClientRect();
    return share(event.clientX - box.left, box.width) * total();
  };
  element.addEventListener("pointermove", (event) => {
    glance.show(at(event));
    if (dragging()) drag(at(event));
  });
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    drag(at(event));
    glance.show(at(event));
  });
  const release = (commit) => (event) => {
    if (!dragging()) return;
    if (commit) drop();
    drag(null);
    // A finger that is lifted points at nothing any more.
    if (event.pointerType === "touch") glance.hide();
  };
  element.addEventListener("pointerup", release(true));
  element.addEventListener("pointercancel", release(false));
  element.addEventListener("pointerleave", () => dragging() || glance.hide());
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
