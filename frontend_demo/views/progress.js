/** Owns how far a student is in an item: what HTTP said at first, and what heads say since. */

import { h, icon, kindIcon, say } from "./element.js";
import { clock, length, plural, share } from "./format.js";
import { nextUp, pathOf } from "./next_up.js";

/** A video this close to its end has nothing left to continue. */
const END_MS = 1_000;

/** A page of a document, and a part of a text, are a second of it each (docs/protocol.md). */
const PART_MS = 1_000;

/**
 * Where a student stands in `item` now.
 * @returns {{position_ms: number, done: boolean, begun: boolean, playing_on: string | null, at_ms: number}}
 */
export function standing(client, item) {
  const head = client.heads.get(item.id);
  const stored = item.progress;
  if (head && head.rev > 0 && head.rev >= (stored?.rev ?? 0)) {
    const elsewhere = head.playing && head.device !== client.device.id;
    return {
      position_ms: client.heads.place(item.id),
      done: head.done,
      begun: head.position_ms > 0,
      playing_on: elsewhere ? head.device_name || head.device_kind : null,
      at_ms: head.as_of_ms,
    };
  }
  const at_ms = stored?.updated_at ? Date.parse(stored.updated_at) : 0;
  const position_ms = stored?.position_ms ?? 0;
  return { position_ms, done: stored?.done ?? false, begun: position_ms > 0, playing_on: null, at_ms };
}

/** Where the student stands in each item, in order, as `nextUp` wants it. */
export function standings(client, items) {
  return items.map((item) => {
    const now = standing(client, item);
    const ended = item.kind === "video" && now.position_ms >= item.duration_ms - END_MS;
    const open = now.begun && !now.done && !ended;
    return { item, ...now, open };
  });
}

/** The item to go on with among those of one or more courses, or null: the newest thing that is under way. */
export function latestToContinue(client, items) {
  const courses = new Map();
  for (const item of items) courses.set(item.course?.id, [...(courses.get(item.course?.id) ?? []), item]);
  const next = [...courses.values()].map((of_course) => {
    const now = standings(client, of_course);
    const touched_ms = Math.max(0, ...now.filter(({ begun, done }) => begun || done).map(({ at_ms }) => at_ms));
    return { item: nextUp(now)?.item ?? null, touched_ms };
  });
  return next.filter(({ item }) => item).sort((a, b) => b.touched_ms - a.touched_ms)[0]?.item ?? null;
}

/** A place in an item as people say it: `1:12`, `page 3`, `40 %`. */
export function placeWords({ kind, duration_ms }, position_ms) {
  if (kind === "pdf") return `page ${Math.min(Math.floor(position_ms / PART_MS) + 1, Math.max(1, duration_ms / PART_MS))}`;
  if (kind === "text") return `${Math.round(100 * share(position_ms, duration_ms))} %`;
  return clock(position_ms);
}

/** How long an item is, as people say it. */
export function lengthWords({ kind, duration_ms }) {
  if (kind === "pdf") return duration_ms ? plural(Math.round(duration_ms / PART_MS), "page") : "PDF";
  if (kind === "video" || kind === "audio") return duration_ms ? length(duration_ms) : "";
  return KINDS[kind] ?? kind;
}

/** Kinds of items for people; one that is not here is said as the course calls it. */
export const KINDS = { video: "Video", pdf: "PDF", text: "Text", quiz: "Quiz", assignment: "Assignment" };

/** A thin bar; `label` is read out. */
export function meter(label) {
  const fill = h("i");
  const element = h("span", { class: "meter", role: "progressbar", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100" }, fill);
  const update = (part) => {
    const percent = Math.round(part * 100);
    element.setAttribute("aria-valuenow", String(percent));
    fill.style.setProperty("--part", String(part));
    element.classList.toggle("meter--empty", percent === 0);
  };
  return { element, update };
}

/**
 * One item in a list: its state, title, and where to go on. Follows the heads until `off` is called, and the
 * player of the page if it is the item that plays there.
 */
export function itemRow(client, item, player = null) {
  const current = player !== null;
  const state = h("span", { class: "item__state" });
  const line = meter(`Progress in ${item.title}`);
  const said = h("span", { class: "item__place" });
  const path = pathOf(item);
  const row = h(
    path ? "a" : "div",
    { class: "item", href: path, "aria-current": current ? "true" : null, data: { testid: "item", item: item.id, kind: item.kind } },
    state,
    h("span", { class: "item__title" }, item.title),
    h("span", { class: "item__facts" }, said, h("span", {}, lengthWords(item))),
    line.element,
  );
  const update = () => {
    const now = standing(client, item);
    if (player?.active) Object.assign(now, { position_ms: player.position_ms, begun: true, playing_on: null });
    const part = share(now.position_ms, item.duration_ms);
    row.dataset.state = now.done ? "done" : now.begun ? "begun" : "new";
    row.classList.toggle("item--live", now.playing_on !== null);
    state.replaceChildren(now.done ? icon("check") : kindIcon(item.kind));
    line.update(now.done && !now.begun ? 1 : part);
    const words = placeWords(item, now.position_ms);
    const place = now.begun && !now.done ? `at ${words}` : "";
    say(said, now.playing_on ? `on ${now.playing_on} · ${words}` : now.done ? "Done" : place);
  };
  update();
  const offs = [liveUpdates(client, [item.id], update), player?.on("change", update) ?? (() => {})];
  const timer = current ? setInterval(update, 1_000) : null;
  return { element: row, off: () => (clearInterval(timer), offs.forEach((off) => off())) };
}

/** Calls `update` when a head of one of `items` changes, and each half second while one plays elsewhere. */
export function liveUpdates(client, items, update) {
  const wanted = new Set(items);
  const off = client.on("head", ({ head }) => wanted.has(head.item) && update());
  const timer = setInterval(() => {
    if (items.some((item) => client.heads.get(item)?.playing)) update();
  }, 500);
  return () => {
    off();
    clearInterval(timer);
  };
}
