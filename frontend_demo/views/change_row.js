/** Owns one change of the playhead as a line of the history: when, by whom, from where to where, and why. */

import { deviceIcon, h, say, show } from "./element.js";
import { ago, clock } from "./format.js";
import { plain, ruleWords, whyView } from "./why.js";
import { undoWords } from "./undo.js";

const KINDS = { phone: /phone/i, tablet: /tablet|pad/i, tv: /\btv\b|television/i, desktop: /computer|desktop/i };

let made = 0;

/** @returns {{element: HTMLElement, newest: (is: boolean) => void}} */
export function changeRow(change, { changes, undo, player }) {
  const number = (made += 1);
  const body = h("div", { class: "why", id: `why-${number}`, hidden: true, data: { testid: "why" } });
  const why = h("button", { class: "change__why", type: "button", "aria-expanded": "false", "aria-controls": body.id, data: { testid: "why-toggle" } }, "Why?");
  const back = h("button", { class: "change__why", type: "button", hidden: true, data: { testid: "history-undo" } });
  const element = h(
    "li",
    { class: "change", data: { testid: "change", rule: change.rule, what: change.what } },
    h("span", { class: "change__icon" }, deviceIcon(change.device_kind ?? kindOf(change.device_name))),
    h(
      "div",
      { class: "change__text" },
      h("p", { class: "change__sentence" }, plain(change.sentence)),
      h("p", { class: "change__facts" }, moment(change.at), h("span", {}, change.device_name || "A device"), move(change), rule(change.rule)),
      h("p", { class: "change__acts" }, why, back),
      body,
    ),
  );
  let asked = false;
  let is_newest = false;
  why.addEventListener("click", () => {
    const open = body.hidden;
    show(body, open);
    why.setAttribute("aria-expanded", String(open));
    if (open && !asked) {
      asked = true;
      void explain(body, changes, is_newest ? null : change.at).catch(() => (asked = false));
    }
  });
  back.addEventListener("click", () => undo.act());
  const newest = (is) => {
    is_newest = is;
    say(back, undoWords(change, player.head));
    show(back, is && (player.head?.rev ?? 0) > 0);
  };
  return { element, newest };
}

/** The newest is explained as of now: only of now the server knows what was seen and what is on offer. */
async function explain(body, changes, at) {
  say(body, "Looking …");
  try {
    body.replaceChildren(whyView(await changes.explain(at), kindOf));
  } catch (error) {
    say(body, error.status === 0 ? "The server cannot be reached now." : "The reason cannot be read now.");
    throw error;
  }
}

function moment(at) {
  const when = new Date(at);
  return h("time", { datetime: at, title: when.toLocaleString() }, ago(when));
}

function move({ what, former_ms, position_ms }) {
  if (what === "done" || former_ms === null || former_ms === undefined) return h("span", { class: "change__move" }, clock(position_ms));
  return h("span", { class: "change__move" }, clock(former_ms), h("span", { "aria-hidden": "true" }, " → "), h("span", { class: "sr-only" }, " to "), clock(position_ms));
}

function rule(name) {
  if (!name) return null;
  return h("span", { class: "change__rule", title: ruleWords(name) }, name);
}

/** The kind of a device by what people call it. */
function kindOf(name) {
  const found = Object.entries(KINDS).find(([, pattern]) => pattern.test(name ?? ""));
  return found?.[0] ?? "laptop";
}
