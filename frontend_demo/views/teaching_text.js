/** Owns the editor of a text: Markdown on one side, how it reads on the other. */

import { h, say, show } from "./element.js";
import { plural } from "./format.js";

/** @returns {{element: HTMLElement, redraw: () => void, words: () => string}} */
export function textEditor({ id, kind, content, change, flush }) {
  const read = () => content().markdown ?? "";
  const field = h("textarea", { class: "field__input text-editor__field", rows: "12", spellcheck: "true", "aria-label": kind === "assignment" ? "What is to be done, in Markdown" : "Text, in Markdown", data: { testid: "markdown" } });
  const shown = h("div", { class: "text-editor__shown prose", hidden: true, tabindex: "0", role: "region", "aria-label": "Preview" });
  const view = h("button", { class: "action", type: "button", "aria-pressed": "false", data: { testid: "markdown-preview" } }, "Preview");
  const element = h("div", { class: "text-editor", id: `text-${id}` }, h("div", { class: "text-editor__head" }, h("span", { class: "field__label" }, "Markdown: # heading, **bold**, - list, `code`"), view), field, shown);
  field.value = read();
  field.addEventListener("input", () => change({ markdown: field.value }, { redraw: false }));
  field.addEventListener("change", flush);
  view.addEventListener("click", async () => {
    const open = shown.hidden;
    view.setAttribute("aria-pressed", String(open));
    say(view, open ? "Write" : "Preview");
    if (open) shown.replaceChildren(await rendered(read()));
    show(shown, open);
    show(field, !open);
  });
  const redraw = () => {
    if (field.value !== read()) field.value = read();
  };
  const words = () => (read().trim() ? plural(read().trim().split(/\s+/).length, "word") : "Empty");
  return { element, redraw, words };
}

/** As students see it. */
export async function rendered(text) {
  const { markdown } = await import("./markdown.js");
  return markdown(text);
}
