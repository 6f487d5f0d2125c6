/** Owns what an undo would do, before, and what a move or a tick of another device did, afterwards (R4, R7). */

import { deviceIcon, h } from "./element.js";
import { clock } from "./format.js";
import { isElsewhere } from "./changes.js";

/** What was pressed here and no head has answered by then, on line, moved nothing. */
const ANSWER_MS = 10_000;

/** Heads that come this soon after the baton was lost are still about that. */
const TAKEN_MS = 5_000;

/**
 * @param {{changes: import("./changes.js").Changes, player: any, client: any, toast: any}} of
 * @returns {{words: () => string, follow: (update: () => void) => void, act: () => void,
 *            mark: (done: boolean) => void, reset: () => void, close: () => void}}
 *          `follow`: told when the words may be others
 */
export function undoing({ player, client, toast, changes }) {
  let pressed = null;
  const press = (kind) => (pressed = { kind, mono: performance.now() });
  const isOurs = () => pressed !== null && (client.state.entries > 0 || performance.now() - pressed.mono < ANSWER_MS);
  let taken_mono = -Infinity;
  player.on("taken", () => (taken_mono = performance.now()));
  changes.on("moved", ({ head, before }) => {
    const kind = isOurs() ? pressed.kind : null;
    pressed = null;
    if (kind === "undo") return tellUndone(toast, head);
    // The player that has just lost the baton has said "Now on ...".
    const is_told = kind !== null || performance.now() - taken_mono < TAKEN_MS;
    if (!is_told && !player.active && !head.playing) tellMoved(toast, before, head, changes, client.device.id);
  });
  const act = () => {
    press("undo");
    if (!client.online) toast.say([h("span", {}, "Undone as soon as this device is back on line.")]);
    player.undo();
  };
  const mark = (done) => (press("mark"), player.mark(done));
  const reset = () => (press("reset"), player.reset());
  const isClean = () => client.state.entries === 0 && client.state.unsaved_ms === 0;
  const followers = new Set();
  const tellFollowers = () => followers.forEach((update) => update());
  const offs = [client.on("state", tellFollowers), changes.on("page", tellFollowers), player.on("change", tellFollowers)];
  return {
    words: () => undoWords(changes, player.head, isClean()),
    follow: (update) => followers.add(update),
    act, mark, reset,
    close: () => offs.forEach((off) => off()),
  };
}

/**
 * What the button says. A place is promised only where nothing that is still to come can change it: everything
 * is saved, and the newest row is of the latest move. After a contest (R3) an undo goes to where the other run
 * stood, which may have come home after the change was written down.
 * @param {{newest: object | null, settled: boolean}} changes
 */
export function undoWords({ newest, settled }, head, clean) {
  const plainly = "Undo last move";
  if (!newest || !head || head.rule === "R3" || !clean) return plainly;
  if (newest.epoch !== head.epoch || newest.done !== head.done) return plainly;
  if (isUndo(newest)) return plainly;
  if (newest.what === "done") return newest.done ? "Undo: not done" : "Undo: done again";
  if (newest.what === "epoch") return isFreshStart(newest) ? "Undo the fresh start" : "Undo: mark as done again";
  if (newest.what !== "place" || !settled || newest.former_ms === null) return plainly;
  return `Undo: back to ${clock(newest.former_ms)}`;
}

/** A fresh start goes to 0:00; whoever takes a tick back begins a new count as well, and the place stays. */
function isFreshStart({ position_ms, former_ms, sentence }) {
  if (position_ms > 0) return false;
  return former_ms > 0 || / afresh/.test(sentence);
}

/** Of the changes only an undo goes by this rule (R4). */
function isUndo({ rule }) {
  return rule === "R4";
}

function tellUndone(toast, head) {
  toast.say([h("span", {}, "Undone on all your devices: ", h("b", {}, headWords(head)))]);
}

/** Another device changed what rests here; the history knows whether a new place came by an undo. */
function tellMoved(toast, before, head, changes, own_device) {
  const words = changeWords(before, head, own_device);
  if (words === null) return;
  const tell = ({ by, text, place }) =>
    toast.say([by && deviceIcon(head.device_kind), h("span", {}, text, place && h("b", {}, place))].filter(Boolean));
  tell(words);
  if (!words.undone) return;
  const off = changes.on("page", ({ changes: [newest] }) => {
    if (!newest || newest.rev < head.rev) return;
    off();
    if (isUndo(newest) && !toast.element.hidden && toast.element.textContent.startsWith(words.text)) tell({ ...words, text: words.undone });
  });
}

/**
 * What became of the lecture, as another device says it; null if nothing that needs words. A tick, and what takes
 * one back, leave the head with the device that has it, so they name none.
 * @returns {{text: string, place?: string, by?: boolean, undone?: string} | null}
 */
export function changeWords(before, head, own_device) {
  const elsewhere = isElsewhere(before, head);
  const on = head.device_name || "another device";
  if (head.epoch !== before.epoch) return epochWords(before, head, on, elsewhere);
  if (head.done !== before.done && !elsewhere) return { text: head.done ? "Marked done" : "Not done any more" };
  if (!elsewhere || head.device === own_device) return null;
  return { text: `Moved on ${on}: `, undone: `Undone on ${on}: `, place: headWords(head), by: true };
}

function epochWords(before, head, on, elsewhere) {
  if (head.epoch < before.epoch) return { text: "Brought back: ", place: headWords(head) };
  if (before.done && !head.done && !elsewhere && head.device === before.device) return { text: "Not done any more; what you have seen starts from zero" };
  if (head.position_ms === 0) return { text: `Started afresh on ${on}`, by: true };
  return { text: "Brought back: ", place: headWords(head) };
}

function headWords(head) {
  return `${head.done ? "done, " : ""}at ${clock(head.position_ms)}`;
}
