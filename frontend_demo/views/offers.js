/** Owns the other places a student can take: the one a losing run left (R4), and the way back from a peek (R1). */

import { h, icon, say, show } from "./element.js";
import { clock } from "./format.js";

/** Nearer than this is the same place (rules.md, jump tolerance). */
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
  let dismissed = null;
  const update = () => {
    offered = (player.offer === undefined ? player.head?.candidate : player.offer) ?? null;
    show(element, Boolean(offered) && dismissed !== offered.at_ms);
    if (!offered) return;
    say(text, `You were at ${clock(offered.position_ms)} on ${offered.device_name || "another device"}`);
    go.setAttribute("aria-label", `Go to ${clock(offered.position_ms)}`);
    element.dataset.ms = String(offered.position_ms);
  };
  go.addEventListener("click", () => player.choose(offered.position_ms));
  close.addEventListener("click", () => {
    dismissed = offered.at_ms;
    player.dismissOffer?.();
    update();
  });
  return { element, update };
}

/**
 * A player that was opened at a bookmark only looks: the place stays where it was until a minute has been
 * played here, or the student says so.
 * @param {number | null} bookmark_ms  where it was opened, null if not at a bookmark
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function peekChip(player, bookmark_ms) {
  const text = h("span", {});
  const back = h("button", { class: "chip__go", type: "button", data: { testid: "peek-back" } });
  const stay = h("button", { class: "chip__go chip__go--quiet", type: "button", data: { testid: "peek-stay" } }, "Stay here");
  const element = h("div", { class: "chip", role: "group", "aria-label": "Looking around", hidden: true, data: { testid: "peek" } }, text, back, stay);
  let over = bookmark_ms === null;
  const update = () => {
    const place_ms = over ? null : returnPlace(player);
    show(element, place_ms !== null);
    if (place_ms === null) return;
    say(text, "Looking around; your place stays");
    say(back, `Back to ${clock(place_ms)}`);
    element.dataset.ms = String(place_ms);
  };
  const decide = (place) => () => {
    const place_ms = place();
    over = true;
    player.choose(place_ms);
    update();
  };
  back.addEventListener("click", decide(() => returnPlace(player)));
  stay.addEventListener("click", decide(() => player.position_ms));
  return { element, update };
}

/** Where the student really is while this player looks elsewhere; null if that is here, or nothing is known. */
function returnPlace(player) {
  if (player.returnPlace !== undefined) return player.returnPlace?.position_ms ?? null;
  const { head } = player;
  if (!head || head.rev === 0) return null;
  return Math.abs(head.position_ms - player.position_ms) > SAME_PLACE_MS ? head.position_ms : null;
}

function closeButton(testid) {
  return h("button", { class: "chip__close", type: "button", "aria-label": "Dismiss", data: { testid } }, "×");
}
