/** Owns the history on /demo: one panel for the lecture that the devices show, told by what their frames say. */

import { Api } from "./api.js";
import { Changes } from "./changes.js";
import { Emitter } from "../client/emitter.js";
import { historyPanel } from "./history.js";
import { undoWords } from "./undo.js";

/**
 * @param {string} namespace  of the device whose sign-in asks
 * @param {(kind: string) => void} tell  to that device's frame
 * @returns {{element: HTMLElement, button: HTMLElement, hear: (state: {head: object, clean: boolean, clock_offset_ms: number}) => void, item: string, close: () => void}}
 */
export function demoHistory(item, namespace, tell) {
  const heads = Object.assign(new Emitter(), { clock_state: { offset_ms: 0 } });
  const player = { item, head: null };
  const changes = new Changes(new Api(namespace), item, heads, null);
  let clean = false;
  const undo = { words: () => undoWords(changes, player.head, clean), follow: (update) => heads.on("clean", update), act: () => tell("undo") };
  const panel = historyPanel({ player, changes, undo });
  const hear = (state) => {
    const { head } = state;
    const turned = clean !== state.clean;
    clean = state.clean;
    heads.clock_state = { offset_ms: state.clock_offset_ms };
    const fresh = head.rev !== player.head?.rev;
    player.head = head;
    if (fresh) heads.emit("head", { head, fresh });
    if (turned) heads.emit("clean");
  };
  return { ...panel, hear, item, close: () => changes.close() };
}
