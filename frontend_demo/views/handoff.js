/** Owns what one device says about the others: who plays now, and the other place on offer (R4, R10). */

import { deviceIcon, h, icon, say, show } from "./element.js";
import { clock } from "./format.js";

/** @returns {{card: HTMLElement, chip: HTMLElement, update: () => void}} */
export function handoff({ player, client, press }) {
  const live = liveCard(press);
  const offer = offerChip(player);
  const update = () => {
    live.update(player);
    offer.update(player.head?.candidate ?? null);
  };
  return { card: live.element, chip: offer.element, update };
}

/** In the middle of a picture at rest: the other device, where it is, and the way to take over. */
function liveCard(press) {
  const symbol = h("span", { class: "handoff__icon" });
  const name = h("span", { data: { testid: "baton" } });
  const place = h("span", { class: "handoff__place" });
  const take = h("button", { class: "button", type: "button", data: { testid: "continue-here" }, on: { click: press.continueHere } }, "Continue here");
  const element = h("div", { class: "handoff", hidden: true }, symbol, h("p", {}, name, place), take);
  let kind = null;
  const update = (player) => {
    const elsewhere = player.elsewhere;
    const visible = Boolean(elsewhere?.playing) && !player.active;
    show(element, visible);
    if (!visible) return;
    say(name, `Playing on ${elsewhere.device_name || "another device"}`);
    say(place, clock(elsewhere.position_ms));
    if (kind !== elsewhere.device_kind) symbol.replaceChildren(deviceIcon((kind = elsewhere.device_kind)));
  };
  return { element, update };
}

/** A second place, kept from a run that lost: go there, or let it be. */
function offerChip(player) {
  const text = h("span", {});
  const go = h("button", { class: "chip__go", type: "button", data: { testid: "candidate-go" } }, "Go there");
  const close = h("button", { class: "chip__close", type: "button", "aria-label": "Dismiss" }, "×");
  const element = h("div", { class: "chip", hidden: true, data: { testid: "candidate" } }, icon("undo"), text, go, close);
  let offered = null;
  let dismissed = null;
  const update = (candidate) => {
    offered = candidate;
    const visible = Boolean(candidate) && dismissed !== candidate.at_ms;
    show(element, visible);
    if (visible) say(text, `You were at ${clock(candidate.position_ms)} on ${candidate.device_name || "another device"}`);
  };
  go.addEventListener("click", () => player.choose(offered.position_ms));
  close.addEventListener("click", () => ((dismissed = offered.at_ms), update(offered)));
  return { element, update };
}
