/** Owns the other places a student can take: the one a losing run left (R4), and the way back from a peek (R1). */

import { h, icon, say, show } from "./element.js";
import { clock } from "./format.js";

/** Nearer than this is the same place (docs/sync.md, jump tolerance). */
const SAME_PLACE_MS = 15_000;

/**
 * The second place, kept from a run that lost: go there, or let it be.
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function candidateChip(player) {
  const text = h("span", {});
  const go = h("button", { class: "chip__go", type: "button", data: { testid: "candidate-go" } }, "Go there");
  const close = closeButton("candidate-dismiss");
  const element = h("div", { class: "chip", role: "group", "aria-label": "Another place", hidden: true, data: { testid: "candidate" } }, icon("undo"), text, go, close);
  let offered = null;
  const update = () => {
    offered = player.offer;
    show(element, offered !== null);
    if (!offered) return;
    say(text, `You were at ${clock(offered.position_ms)} on ${offered.device_name || "another device"}`);
    go.setAttribute("aria-label", `Go to ${clock(offered.position_ms)}`);
    element.dataset.ms = String(offered.position_ms);
  };
  go.addEventListener("click", () => player.choose(offered.position_ms));
  close.addEventListener("click", () => player.dismissOffer());
  return { element, update };
}

/**
 * A player that was opened at a bookmark only looks: the place stays where it was until a minute has been
 * played here, or the student says so.
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function peekChip(player) {
  const text = h("span", {}, "Looking around; your place stays");
  const back = h("button", { class: "chip__go", type: "button", data: { testid: "peek-back" } });
  const stay = h("button", { class: "chip__go chip__go--quiet", type: "button", data: { testid: "peek-stay" } }, "Stay here");
  const element = h("div", { class: "chip", role: "group", "aria-label": "Looking around", hidden: true, data: { testid: "peek" } }, text, back, stay);
  const update = () => {
    const place_ms = player.returnPlace?.position_ms ?? null;
    const away = place_ms !== null && Math.abs(place_ms - player.position_ms) > SAME_PLACE_MS;
    show(element, away);
    if (!away) return;
    say(back, `Back to ${clock(place_ms)}`);
    element.dataset.ms = String(place_ms);
  };
  back.addEventListener("click", () => player.choose(player.returnPlace.position_ms));
  stay.addEventListener("click", () => player.choose(player.position_ms));
  return { element, update };
}

function closeButton(testid) {
  return h("button", { class: "chip__close", type: "button", "aria-label": "Dismiss", data: { testid } }, "×");
}
