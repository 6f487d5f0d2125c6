/** Owns the list of keys that a player understands. */

import { h } from "./element.js";
import { SHORTCUTS } from "./shortcuts.js";

/** Shows it until it is closed; a second call closes it. */
export function shortcutsDialog() {
  const open = document.querySelector("dialog.shortcuts");
  if (open) return open.close();
  const close = h("button", { class: "button button--quiet", type: "button" }, "Close");
  const rows = SHORTCUTS.filter(({ words }) => words).map(({ shown, words }) =>
    h("div", { class: "shortcuts__row" }, h("dt", {}, shown.map((key) => (key === "–" ? h("span", {}, "–") : h("kbd", {}, key)))), h("dd", {}, words)),
  );
  const element = h(
    "dialog",
    { class: "dialog shortcuts", "aria-labelledby": "shortcuts-title", data: { testid: "shortcuts" } },
    h("h2", { id: "shortcuts-title" }, "Keys"),
    h("dl", { class: "shortcuts__list" }, rows),
    h("p", { class: "dialog__actions" }, close),
  );
  const before = document.activeElement;
  close.addEventListener("click", () => element.close());
  element.addEventListener("click", (event) => event.target === element && element.close());
  element.addEventListener("keydown", (event) => event.key === "?" && (event.preventDefault(), element.close()));
  element.addEventListener("close", () => (element.remove(), before?.focus?.({ preventScroll: true })));
  document.body.append(element);
  element.showModal();
  close.focus();
}
