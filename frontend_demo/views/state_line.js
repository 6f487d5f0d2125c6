/** Owns the line that says how safe the student's minutes are: the link, and what is durable (P26). */

import { h, say } from "./element.js";
import { length } from "./format.js";

const LINK = { connecting: "Connecting …", online: "Online", offline: "Offline", refused: "Signed out" };

/** @returns {{element: HTMLElement, close: () => void}} */
export function stateLine(client, player) {
  const link = h("span", { data: { testid: "status" } });
  const saved = h("span", { class: "state-line__saved", data: { testid: "saved" } });
  const element = h("p", { class: "state-line", role: "status" }, h("i", { class: "state-line__dot" }), link, saved);
  const update = () => {
    const { state, text } = savedness(client, player);
    element.dataset.link = client.status;
    link.dataset.state = client.status;
    say(link, LINK[client.status]);
    element.dataset.saved = state;
    saved.dataset.state = state;
    say(saved, text);
  };
  const offs = ["status", "saving", "saved", "degraded"].map((name) => client.on(name, update));
  const timer = setInterval(update, 1_000);
  update();
  return { element, close: () => (clearInterval(timer), offs.forEach((off) => off())) };
}

/** What to say about what is not durable yet. "Saved" only when everything is, and nothing plays on. */
export function savedness(client, player) {
  const { entries, unsaved_ms } = client.unsaved;
  if (entries === 0 && !player?.active) return { state: "saved", text: "Saved" };
  if (client.status === "online") return { state: "saving", text: "Saving …" };
  const kept = client.durability === "memory" ? " (keep this page open)" : "";
  return { state: "unsaved", text: `${unsaved_ms >= 1_000 ? length(unsaved_ms) : "A change"} unsaved${kept}` };
}
