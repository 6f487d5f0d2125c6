/** Owns the line that shows how safe the student's minutes are, and the way out when they are not yet (P26). */

import { h, say, show } from "./element.js";
import { helpFor, linkWords, notes, safety, savedWords } from "./safety.js";

const HELP = { try: "Try now", "sign-in": "Sign in", here: "Use it here", reload: "Load it again" };

/**
 * @param {{signIn: () => void}} acts
 * @returns {{element: HTMLElement, notes: HTMLElement, close: () => void}}
 */
export function stateLine(client, player, { signIn }) {
  const link = h("span", { data: { testid: "status" } });
  const saved = h("span", { class: "state-line__saved", data: { testid: "saved" } });
  const help = h("button", { class: "state-line__help", type: "button", hidden: true, data: { testid: "try-now" } });
  // Heard once a change, not once a second: the visible words count minutes.
  const heard = h("span", { class: "sr-only", role: "status" });
  const element = h("p", { class: "state-line" }, h("i", { class: "state-line__dot" }), link, saved, help, heard);
  const below = h("div", { class: "state-notes", role: "status" });
  let rejected = null;
  let reason = null;
  let facts = null;
  const update = () => {
    facts = safety(client, player, reason);
    draw({ element, link, saved, help, heard }, facts);
    drawNotes(below, notes(facts, rejected));
  };
  help.addEventListener("click", () => act(client, helpFor(facts), signIn));
  const offs = ["state", "clock", "saving", "saved", "degraded"].map((name) => client.on(name, update));
  offs.push(client.on("status", (change) => ((reason = change.reason?.name ?? null), update())));
  offs.push(client.on("rejected", (message) => ((rejected = message), update())));
  const timer = setInterval(update, 1_000);
  update();
  return { element, notes: below, close: () => (clearInterval(timer), offs.forEach((off) => off())) };
}

function draw({ element, link, saved, help, heard }, facts) {
  element.dataset.link = link.dataset.state = facts.link;
  element.dataset.saved = saved.dataset.state = facts.state;
  saved.dataset.ms = String(Math.round(facts.unsaved_ms));
  say(link, linkWords(facts));
  say(saved, savedWords(facts));
  const helps = helpFor(facts);
  show(help, helps !== null);
  if (helps) say(help, HELP[helps]);
  if (heard.dataset.key === `${facts.link} ${facts.state}`) return;
  heard.dataset.key = `${facts.link} ${facts.state}`;
  say(heard, `${linkWords(facts)}, ${savedWords(facts)}`);
}

function drawNotes(below, said) {
  if (below.dataset.said === said.join("\n")) return;
  below.dataset.said = said.join("\n");
  below.replaceChildren(...said.map((text) => h("p", { class: "state-note", data: { testid: "state-note" } }, text)));
}

function act(client, help, signIn) {
  if (help === "reload") return location.reload();
  if (help === "sign-in") return signIn();
  client.retryNow();
}

/** The same in a word or two, for a page that shows several devices. */
export function savedness(client, player) {
  const facts = safety(client, player);
  return { state: facts.state, text: savedWords(facts).split(",")[0] };
}
