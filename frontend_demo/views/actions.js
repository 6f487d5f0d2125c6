/** Owns what a student can say about an item besides playing it: done, undo, start afresh, history. */

import { h, icon, say } from "./element.js";
import { ask } from "./dialog.js";
import { clock, length } from "./format.js";

/**
 * @param {{player: any, history: {button: HTMLElement}, undo: ReturnType<import("./undo.js").undoing>}} of
 * @returns {HTMLElement}
 */
export function actions({ player, history, undo }) {
  const done = h("button", { class: "action", type: "button", "aria-pressed": "false", data: { testid: "mark-done" } }, icon("check"), h("span", {}, "Mark as done"));
  const back = h("button", { class: "action", type: "button", data: { testid: "undo" } }, icon("undo"), h("span", {}, "Undo"));
  const reset = h("button", { class: "action", type: "button", data: { testid: "reset" } }, icon("replay"), "Start afresh");
  const seen = h("span", { class: "actions__seen" });
  const element = h("div", { class: "actions" }, done, back, reset, history.button, seen);
  const update = () => {
    const head = player.head;
    done.setAttribute("aria-pressed", String(Boolean(head?.done)));
    say(done.lastElementChild, head?.done ? "Done" : "Mark as done");
    back.disabled = reset.disabled = !head || head.rev === 0;
    say(back.lastElementChild, undo.words());
    say(seen, head?.content_ms ? `${length(head.content_ms)} watched, ${seenPercent(head)} % seen` : "");
  };
  done.addEventListener("click", () => (player.head?.done ? void takeDoneBack(player, undo) : undo.mark(true)));
  back.addEventListener("click", undo.act);
  reset.addEventListener("click", () => void startAfresh(player, undo));
  undo.follow(update);
  update();
  return element;
}

async function startAfresh(player, undo) {
  const { head } = player;
  const sure = await ask({
    title: "Start this lecture afresh?",
    text: [
      `Your place (${clock(player.position_ms)}) and the ${seenPercent(head)} % you have seen are cleared on every device.`,
      "The time you have watched stays counted, and Undo brings the rest back.",
    ],
    yes: "Clear it",
    testid: "reset-dialog",
  });
  if (sure) undo.reset();
}

/** Without its tick the lecture begins a new count, as after a fresh start (R7); only the place stays. */
async function takeDoneBack(player, undo) {
  const sure = await ask({
    title: "Take \u201cdone\u201d back?",
    text: [
      `What you have seen of it (${seenPercent(player.head)} %) starts from zero; your place (${clock(player.position_ms)}) stays.`,
      "The time you have watched stays counted, and Undo brings the rest back.",
    ],
    yes: "Take it back",
    testid: "not-done-dialog",
  });
  if (sure) undo.mark(false);
}

function seenPercent({ coverage_ms, duration_ms }) {
  return Math.round((100 * coverage_ms) / Math.max(1, duration_ms));
}
