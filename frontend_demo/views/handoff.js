/** Owns what one device says about the others: who plays now, and who is about to (R10). */

import { deviceIcon, h, say, show } from "./element.js";
import { clock } from "./format.js";

/** A hint that nothing followed is forgotten after this long. */
const NEARBY_MS = 8_000;

/** @returns {{card: HTMLElement, hint: HTMLElement, update: () => void, close: () => void}} */
export function handoff({ player, client, press }) {
  const live = liveCard(press);
  const near = nearbyHint({ player, client });
  const update = () => {
    live.update(player);
    near.update();
  };
  return { card: live.element, hint: near.element, update, close: near.close };
}

/** Beside a picture at rest: the other device, where it is, and the way to take over. */
function liveCard(press) {
  const symbol = h("span", { class: "handoff__icon" });
  const name = h("span", { data: { testid: "baton" } });
  const place = h("span", { class: "handoff__place" });
  const take = h("button", { class: "button", type: "button", data: { testid: "continue-here" }, on: { click: press.continueHere } }, "Continue here");
  const element = h("div", { class: "handoff", role: "group", "aria-label": "Another device plays", hidden: true }, symbol, h("p", {}, name, place), take);
  let kind = null;
  const update = (player) => {
    const elsewhere = player.elsewhere;
    const visible = Boolean(elsewhere?.playing) && !player.active;
    show(element, visible);
    if (!visible) return;
    say(name, `Playing on ${elsewhere.device_name || "another device"}`);
    say(place, elsewhere.position_ms === null ? "" : clock(elsewhere.position_ms));
    if (kind !== elsewhere.device_kind) symbol.replaceChildren(deviceIcon((kind = elsewhere.device_kind)));
  };
  return { element, update };
}

/** A light word before the head says so: another player has just started. It moves nothing. */
function nearbyHint({ player, client }) {
  const symbol = h("span", { class: "nearby__icon" });
  const text = h("span", {});
  const element = h("p", { class: "chip chip--nearby", role: "status", hidden: true, data: { testid: "nearby" } }, symbol, text);
  let heard = null;
  let timer = null;
  const update = () => show(element, heard !== null && player.elsewhere?.device !== heard.device);
  const forget = () => {
    heard = null;
    update();
  };
  const off = client.on("nearby", ({ item, device, device_name, device_kind, state }) => {
    if (item !== player.item || device === client.device.id) return;
    clearTimeout(timer);
    if (state !== "playing") return forget();
    heard = { device };
    symbol.replaceChildren(deviceIcon(device_kind));
    say(text, `${device_name || "Another device"} is starting to play`);
    timer = setTimeout(forget, NEARBY_MS);
    update();
  });
  return { element, update, close: () => (clearTimeout(timer), off()) };
}
