/** Owns one change of the playhead as a line of the history: when, by whom, from where to where, and why. */

import { deviceIcon, h, say, show } from "./element.js";
import { ago, clock } from "./format.js";
import { kindOf, plain, ruleWords, whyView } from "./why.js";

let made = 0;

/** @returns {{element: HTMLElement, update: (is_newest: boolean) => void}} `is_newest` of those an undo takes back */
export function changeRow(change, { changes, undo, player }) {
  const number = (made += 1);
  const body = h("div", { class: "why", id: `why-${number}`, hidden: true, data: { testid: "why" } });
  const why = h("button", { class: "change__why", type: "button", "aria-expanded": "false", "aria-controls": body.id, data: { testid: "why-toggle" } }, "Why?");
  const back = h("button", { class: "change__why", type: "button", hidden: true, data: { testid: "history-undo" } });
  const when = h("time", { datetime: change.at, title: new Date(change.at).toLocaleString() });
  const element = h(
    "li",
    { class: "change", data: { testid: "change", rule: change.rule, what: change.what } },
    h("span", { class: "change__icon" }, deviceIcon(change.device_kind || kindOf(change.device_name))),
    h(
      "div",
      { class: "change__text" },
      h("p", { class: "change__sentence" }, plain(change.sentence)),
      h("p", { class: "change__facts" }, when, h("span", {}, change.device_name || "A device"), move(change), rule(change.rule)),
      h("p", { class: "change__acts" }, why, back),
      body,
    ),
  );
  let asked = false;
  why.addEventListener("click", () => {
    const open = body.hidden;
    show(body, open);
    why.setAttribute("aria-expanded", String(open));
    if (open && !asked) {
      asked = true;
      void explain(body, changes, change.at).catch(() => (asked = false));
    }
  });
  back.addEventListener("click", () => undo.act());
  const update = (is_newest) => {
    say(when, ago(new Date(change.at), changes.now()));
    say(back, undo.words());
    show(back, is_newest && (player.head?.rev ?? 0) > 0);
  };
  update(false);
  return { element, update };
}

async function explain(body, changes, at) {
  say(body, "Looking …");
  try {
    body.replaceChildren(whyView(await changes.explain(at)));
  } catch (error) {
    say(body, error.status === 0 ? "The server cannot be reached now." : "The reason cannot be read now.");
    throw error;
  }
}

function move({ what, former_ms, position_ms }) {
  if (what === "done" || former_ms === null || former_ms === undefined) return h("span", { class: "change__move" }, clock(position_ms));
  return h("span", { class: "change__move" }, clock(former_ms), h("span", { "aria-hidden": "true" }, " → "), h("span", { class: "sr-only" }, " to "), clock(position_ms));
}

function rule(name) {
  if (!name) return null;
  return h("span", { class: "change__rule", title: ruleWords(name) }, name);
}
