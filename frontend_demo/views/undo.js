/** Owns what an undo would do, before, and what it did, afterwards, on every device that shows the item (R4). */

import { deviceIcon, h } from "./element.js";
import { clock } from "./format.js";

/** An undo that no head has answered by then was none. */
const ANSWER_MS = 10_000;

/**
 * @param {{changes: import("./changes.js").Changes, player: any, client: any, toast: any}} of
 * @returns {{words: () => string, act: () => void}}
 */
export function undoing({ player, client, toast, changes }) {
  let pressed_mono = -Infinity;
  changes.on("moved", ({ head }) => {
    const answers = performance.now() - pressed_mono < ANSWER_MS;
    if (answers) tellUndone(toast, head);
    else if (!player.active && !head.playing && head.device !== client.device.id) void tellMoved(toast, head, changes);
    if (answers) pressed_mono = -Infinity;
  });
  const act = () => {
    pressed_mono = performance.now();
    if (!client.online) toast.say([h("span", {}, "Undone as soon as this device is back on line.")]);
    player.undo();
  };
  return { words: () => undoWords(changes.newest, player.head), act };
}

/**
 * What the button says. After a contest (R3) an undo goes to where the other run stood, which may have come home
 * after the change was written down: then it promises no place.
 */
export function undoWords(change, head) {
  if (head?.rule === "R3") return "Undo last move";
  if (change?.what === "done") return change.done ? "Undo: not done" : "Undo: done again";
  if (change?.what === "epoch") return "Undo the fresh start";
  if (change?.what !== "place" || change.former_ms === null) return "Undo last move";
  return `Undo: back to ${clock(change.former_ms)}`;
}

function tellUndone(toast, head) {
  toast.say([h("span", {}, "Undone on all your devices: ", h("b", {}, headWords(head)))]);
}

/** Another device moved what rests here; the history knows whether that was an undo. */
async function tellMoved(toast, head, changes) {
  const mover = head.device_name || "another device";
  const tell = (verb) => toast.say([deviceIcon(head.device_kind), h("span", {}, `${verb} on ${mover}: `, h("b", {}, headWords(head)))]);
  tell("Moved");
  const off = changes.on("page", ({ changes: [newest] }) => {
    if (!newest || newest.rev < head.rev) return;
    off();
    if (/^the undo\b/i.test(newest.sentence)) tell("Undone");
  });
}

function headWords(head) {
  return `${head.done ? "done, " : ""}at ${clock(head.position_ms)}`;
}
