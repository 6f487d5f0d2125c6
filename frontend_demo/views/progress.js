/** Owns how far a student is in an item: what HTTP said at first, and what heads say since. */

import { h, icon, say } from "./element.js";
import { clock, length, share } from "./format.js";

/** An item this close to its end has nothing left to continue. */
const END_MS = 1_000;

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

/** Whether an item belongs under "Continue": begun, not at its end, not done. */
export function continues(client, item) {
  const { begun, done, position_ms } = standing(client, item);
  return item.kind === "video" && begun && !done && position_ms < item.duration_ms - END_MS;
}

/** The newest item to continue, or null. */
export function latestToContinue(client, items) {
  const open = items.filter((item) => continues(client, item));
  return open.sort((a, b) => standing(client, b).at_ms - standing(client, a).at_ms)[0] ?? null;
}

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
  const kind = item.kind === "video" ? null : item.kind;
  const row = h(
    item.kind === "video" ? "a" : "div",
    {
      class: "item",
      href: item.kind === "video" ? `#/watch/${encodeURIComponent(item.id)}` : null,
      "aria-current": current ? "true" : null,
      data: { testid: "item", item: item.id },
    },
    state,
    h("span", { class: "item__title" }, item.title),
    h("span", { class: "item__facts" }, said, h("span", {}, kind ? kind.toUpperCase() : length(item.duration_ms))),
    line.element,
  );
  const update = () => {
    const now = standing(client, item);
    if (player?.active) Object.assign(now, { position_ms: player.position_ms, begun: true, playing_on: null });
    const part = share(now.position_ms, item.duration_ms);
    row.dataset.state = now.done ? "done" : now.begun ? "begun" : "new";
    row.classList.toggle("item--live", now.playing_on !== null);
    state.replaceChildren(now.done ? icon("check") : kind ? icon(kind) : icon("play"));
    line.update(now.done && !now.begun ? 1 : part);
    const place = now.begun && !now.done ? `at ${clock(now.position_ms)}` : "";
    say(said, now.playing_on ? `on ${now.playing_on} · ${clock(now.position_ms)}` : now.done ? "Done" : place);
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
