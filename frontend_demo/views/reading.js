/** Owns what is said and done around a document that is read: the other device, the second place, done, undo. */

import { ask } from "./dialog.js";
import { deviceIcon, h, icon, say, show } from "./element.js";
import { placeWords } from "./progress.js";

/** Nearer than half a page is where one is. */
const HERE_MS = 500;

/** A word that passes stays so long. */
const SAID_MS = 7_000;

/**
 * Where to go on: where another device is, or the second place that is kept (R4).
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function elsewhereChip(reader, item) {
  const symbol = h("span", { class: "reading__device" });
  const text = h("span", {});
  const go = h("button", { class: "chip__go", type: "button", data: { testid: "continue-here" } }, "Go there");
  const close = h("button", { class: "chip__close", type: "button", "aria-label": "Dismiss" }, "×");
  const element = h("div", { class: "chip", role: "group", "aria-label": "Another place", hidden: true, data: { testid: "elsewhere" } }, symbol, text, go, close);
  let place = null;
  let dismissed = null;
  const update = () => {
    place = otherPlace(reader);
    const key = place && `${place.device} ${Math.round(place.position_ms)}`;
    show(element, key !== null && key !== dismissed);
    if (element.hidden) return;
    symbol.replaceChildren(deviceIcon(place.device_kind));
    const where = placeWords(item, place.position_ms);
    say(text, place.offered ? `You were at ${where} on ${place.name}` : `${place.name} is at ${where}`);
    go.setAttribute("aria-label", `Go to ${where}`);
    element.dataset.ms = String(place.position_ms);
    close.onclick = () => ((dismissed = key), place?.offered && reader.dismissOffer(), update());
  };
  go.addEventListener("click", () => reader.choose(place.position_ms));
  const off = reader.on("change", update);
  update();
  return { element, close: off };
}

function otherPlace(reader) {
  const { elsewhere, offer } = reader;
  const there = elsewhere && elsewhere.position_ms !== null && Math.abs(elsewhere.position_ms - reader.position_ms) > HERE_MS;
  if (there) return { ...elsewhere, name: elsewhere.device_name || "Another device", offered: false };
  if (offer) return { ...offer, device_kind: "", name: offer.device_name || "another device", offered: true };
  return null;
}

/** The passing word: it went on where another device was; there is a newer version. */
export function saidBox(reader, item) {
  const element = h("div", { class: "chip reading__said", role: "status", hidden: true, data: { testid: "toast" } });
  let timer = null;
  const tell = (content, stays = false) => {
    clearTimeout(timer);
    element.replaceChildren(...content);
    show(element, true);
    if (!stays) timer = setTimeout(() => show(element, false), SAID_MS);
  };
  const offs = [
    reader.on("handed", ({ from_ms, to_ms }) => {
      const name = reader.elsewhere?.device_name || "another device";
      const back = h("button", { class: "chip__go", type: "button", on: { click: () => (show(element, false), reader.seek(from_ms)) } }, `Back to ${placeWords(item, from_ms)}`);
      tell([h("span", {}, `At ${placeWords(item, to_ms)}, where ${name} is`), back]);
    }),
    reader.on("outdated", () => {
      const again = h("button", { class: "chip__go", type: "button", on: { click: () => location.reload() } }, "Load it");
      tell([h("span", {}, "There is a newer version of this document."), again], true);
    }),
  ];
  return { element, close: () => (clearTimeout(timer), offs.forEach((off) => off())) };
}

/** Done, undo, start afresh. @returns {{element: HTMLElement, close: () => void}} */
export function readingActions(reader, item) {
  const done = h("button", { class: "action", type: "button", "aria-pressed": "false", data: { testid: "mark-done" } }, icon("check"), h("span", {}, "Mark as done"));
  const back = h("button", { class: "action", type: "button", data: { testid: "undo" } }, icon("undo"), h("span", {}, "Undo last move"));
  const reset = h("button", { class: "action", type: "button", data: { testid: "reset" } }, icon("replay"), h("span", {}, "Start afresh"));
  const seen = h("span", { class: "actions__seen", data: { testid: "seen" } });
  const update = () => {
    const { head } = reader;
    done.setAttribute("aria-pressed", String(Boolean(head?.done)));
    say(done.lastElementChild, head?.done ? "Done" : "Mark as done");
    back.disabled = reset.disabled = !head || head.rev === 0;
    say(seen, head?.coverage_ms ? `${seenPercent(head)} % read` : "");
    seen.dataset.ms = String(head?.coverage_ms ?? 0);
  };
  done.addEventListener("click", () => (reader.head?.done ? void takeBack(reader) : reader.mark(true)));
  back.addEventListener("click", () => reader.undo());
  reset.addEventListener("click", () => void startAfresh(reader, item));
  const off = reader.on("change", update);
  update();
  return { element: h("div", { class: "actions reading__actions" }, done, back, reset, seen), close: off };
}

async function startAfresh(reader, item) {
  const sure = await ask({
    title: "Start it afresh?",
    text: [
      `Your place (${placeWords(item, reader.position_ms)}) and the ${seenPercent(reader.head)} % you have read are cleared on every device.`,
      "Undo brings them back.",
    ],
    yes: "Clear it",
    testid: "reset-dialog",
  });
  if (sure) reader.reset();
}

async function takeBack(reader) {
  const sure = await ask({
    title: "Take \u201cdone\u201d back?",
    text: [`What you have read of it (${seenPercent(reader.head)} %) starts from zero; your place stays.`, "Undo brings the rest back."],
    yes: "Take it back",
    testid: "not-done-dialog",
  });
  if (sure) reader.mark(false);
}

function seenPercent({ coverage_ms, duration_ms }) {
  return Math.round((100 * coverage_ms) / Math.max(1, duration_ms));
}
