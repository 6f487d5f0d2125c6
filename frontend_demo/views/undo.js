/** Owns what an undo would do, before, and what it did, afterwards, on every device that shows the item (R4). */

import { deviceIcon, h } from "./element.js";
import { clock } from "./format.js";

/** A head this much further than its play explains has been moved. */
const MOVED_MS = 15_000;

/** Changes are asked for again this long after a head that may have brought one. */
const SETTLE_MS = 700;

/** An undo that no head has answered by then was none. */
const ANSWER_MS = 10_000;

/**
 * @param {{latest: () => Promise<object | null>}} changes  the newest change in the item's history
 * @returns {{words: () => string, act: () => void, changed: (listener: () => void) => void, close: () => void}}
 */
export function undoing({ player, client, toast, changes }) {
  const listeners = [];
  let newest = null;
  let timer = null;
  let pressed = null;
  const look = async () => {
    newest = await changes.latest().catch(() => null);
    for (const listener of listeners) listener();
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(look, SETTLE_MS);
  };
  let before = player.head;
  const off = client.on("head", ({ head, fresh }) => {
    if (head.item !== player.item || !fresh) return;
    const moved = before && isOther(before, head, client);
    if (moved) soon();
    if (moved && pressed !== null) tellUndone(toast, head), (pressed = null);
    else if (moved && !player.active && !head.playing && head.device !== client.device.id) void tellMoved(toast, head, changes);
    before = head;
  });
  const act = () => {
    pressed = performance.now();
    setTimeout(() => (pressed = pressed !== null && performance.now() - pressed >= ANSWER_MS ? null : pressed), ANSWER_MS);
    if (!client.online) toast.say([h("span", {}, "Undone as soon as this device is back on line.")]);
    player.undo();
  };
  soon();
  return { words: () => undoWords(newest), act, changed: (listener) => listeners.push(listener), close: () => (clearTimeout(timer), off()) };
}

/** What the button says. */
export function undoWords(change) {
  if (!change) return "Undo last move";
  if (change.what === "done") return change.done ? "Undo: not done" : "Undo: done again";
  if (change.what === "epoch") return "Undo the fresh start";
  if (change.former_ms === null || change.former_ms === undefined) return "Undo last move";
  return `Undo: back to ${clock(change.former_ms)}`;
}

/** Whether the item is elsewhere, done, or another pass than its play alone explains. */
function isOther(before, head, client) {
  if (before.done !== head.done || before.epoch !== head.epoch) return true;
  if (before.device !== head.device) return true;
  const played_ms = before.playing ? Math.max(0, client.clock.now() - before.as_of_ms) * before.rate : 0;
  return head.position_ms < before.position_ms - MOVED_MS || head.position_ms > before.position_ms + played_ms + MOVED_MS;
}

function tellUndone(toast, head) {
  toast.say([h("span", {}, "Undone on all your devices: ", h("b", {}, headWords(head)))]);
}

/** Another device moved what rests here; the history knows whether that was an undo. */
async function tellMoved(toast, head, changes) {
  const mover = head.device_name || "another device";
  const change = await changes.latest().catch(() => null);
  const undone = change && change.rev >= head.rev && /^the undo\b/i.test(change.sentence ?? "");
  const text = undone ? `Undone on ${mover}: ` : `Moved on ${mover}: `;
  toast.say([deviceIcon(head.device_kind), h("span", {}, text, h("b", {}, headWords(head)))]);
}

function headWords(head) {
  return `${head.done ? "done, " : ""}at ${clock(head.position_ms)}`;
}
