/** Owns the search inside a document: the field, the hits, and the way from one to the next. */

import { h, say, show } from "./element.js";
import { tool } from "./reading_frame.js";

const TYPED_MS = 250;

/** @returns {{toggle: HTMLElement, element: HTMLElement, open: () => void, bind: (pdf: any, searched: () => void) => () => void}} */
export function finder() {
  let pdf = null;
  let timer = null;
  const field = h("input", { class: "tool tool--find", type: "search", "aria-label": "Find in this document", placeholder: "Find in this document", data: { testid: "find-field" } });
  const hits = h("span", { class: "reading__hits", role: "status", data: { testid: "find-hits" } });
  let searched = () => {};
  const look = (again, back = false) => {
    if (field.value) searched();
    pdf?.find({ text: field.value, again, back });
  };
  const element = h(
    "div",
    { class: "reading__find", role: "search", hidden: true },
    field, tool("‹", "Hit before", () => look(true, true)), tool("›", "Next hit", () => look(true)), hits, tool("×", "End the search", () => close()),
  );
  const toggle = tool("Find", "Find in this document", () => (element.hidden ? open() : close()), { testid: "find" });
  const open = () => {
    show(element, true);
    field.focus();
    field.select();
    if (field.value) look(false);
  };
  const close = () => {
    show(element, false);
    pdf?.find({ text: "" });
    toggle.focus();
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => look(false), TYPED_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Enter") look(true, event.shiftKey);
  });
  const bind = (opened, tell) => {
    [pdf, searched] = [opened, tell];
    pdf.onHits(({ current, total, text }) => say(hits, !text ? "" : total ? `${current || 1} of ${total}` : "Not found"));
    return () => clearTimeout(timer);
  };
  return { toggle, element, open, bind };
}
