/** Owns the history on /demo: one panel for the lecture that the devices show, told by what their frames say. */

import { Api } from "./api.js";
import { Changes } from "./changes.js";
import { Emitter } from "../client/emitter.js";
import { historyPanel } from "./history.js";

/**
 * @param {string} namespace  of the device whose sign-in asks
 * @param {(kind: string) => void} tell  to that device's frame
 * @returns {{element: HTMLElement, button: HTMLElement, hear: (head: object) => void, item: string, close: () => void}}
 */
export function demoHistory(item, namespace, tell) {
  const heads = new Emitter();
  const player = { item, head: null };
  const changes = new Changes(new Api(namespace), item, heads, null);
  const panel = historyPanel({ player, changes, undo: { act: () => tell("undo") } });
  const hear = (head) => {
    const fresh = head.rev !== player.head?.rev;
    player.head = head;
    if (fresh) heads.emit("head", { head, fresh });
  };
  return { ...panel, hear, item, close: () => changes.close() };
}
