/** Owns what every page that is read looks like: where it belongs, how safe it is, the box, what can be done. */

import { downloadButton } from "./download_button.js";
import { h } from "./element.js";
import { elsewhereChip, readingActions, saidBox } from "./reading.js";
import { keepTogether } from "./places.js";
import { read } from "../client/index.js";
import { stateLine } from "./state_line.js";
import { upLink } from "./shell.js";

/**
 * A reader of an item, and the page around its box.
 * @param {{context: any, item: any, course: any, label: string, edges: () => number[] | null,
 *          tools?: HTMLElement[], extras?: HTMLElement[]}} of  `edges`: see places.js; `tools` stand in the bar,
 *        `extras` below it
 * @returns {{element: HTMLElement, box: HTMLElement, reader: any, focus: () => void, settle: () => void, searched: () => void,
 *            close: () => void}}
 */
export function readingFrame({ context, item, course, label, edges, tools = [], extras = [] }) {
  const { api, client, signIn, playerChanged } = context;
  const start_ms = item.progress?.position_ms ?? 0;
  const reader = read({ client, item: item.id, version: item.version, duration_ms: item.duration_ms, start_ms });
  // Opened in a tab behind others, nothing is seen yet: the browser says only when that changes.
  if (document.visibilityState === "hidden") reader.flush();
  playerChanged(reader);
  const box = h("div", { class: "reading__box", tabindex: "0", role: "region", "aria-label": label, data: { testid: "reading" } });
  const together = keepTogether({ box, reader, edges });
  const line = stateLine(client, reader, { signIn });
  const parts = [elsewhereChip(reader, item), saidBox(reader, item)];
  const actions = readingActions(reader, item);
  const offline = downloadButton({ api, item });
  const element = h(
    "div",
    { class: `reading reading--${item.kind}` },
    h("div", { class: "reading__head" }, upLink(`#/courses/${encodeURIComponent(course.id)}`, course.title), line.element),
    line.notes,
    h("h1", { tabindex: "-1" }, item.title),
    h("div", { class: "reading__bar" }, tools, h("span", { class: "reading__space" }), offline.element),
    extras,
    h("div", { class: "reading__frame" }, box, h("div", { class: "reading__chips" }, parts.map((part) => part.element))),
    actions.element,
  );
  const mark = () => {
    box.dataset.ms = String(reader.position_ms);
    box.dataset.phase = reader.phase;
  };
  reader.on("change", mark);
  mark();
  const close = () => {
    for (const part of [...parts, actions, line, together, offline]) part.close();
    reader.detach();
  };
  // After the page has given it to the title: who reads scrolls by keys at once.
  const focus = () => setTimeout(() => box.focus({ preventScroll: true }));
  return { element, box, reader, focus, settle: together.settle, searched: together.searched, close };
}

/** A button of the bar. */
export function tool(text, label, act, data = {}) {
  return h("button", { class: "tool", type: "button", "aria-label": label, title: label, data, on: { click: act } }, text);
}
