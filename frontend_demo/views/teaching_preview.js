/** Owns the preview: the draft as students would see it, with what can be read already. */

import { TeachingApi } from "./teaching_api.js";
import { findItem } from "./draft_edit.js";
import { h } from "./element.js";
import { header, outlineRow, sectionList } from "./course.js";
import { emptyView, skeleton } from "./states.js";
import { rendered } from "./teaching_text.js";
import { upLink } from "./shell.js";

/** @returns {Promise<{}>} */
export async function teachingPreviewView({ api, main, still }, id) {
  document.title = "Preview · Playhead";
  const back = upLink(`#/teach/${encodeURIComponent(id)}`, "Back to the draft");
  main.replaceChildren(back, skeleton("header"), skeleton("row", 5));
  const teaching = new TeachingApi(api);
  const [course, { body: draft }] = await Promise.all([teaching.preview(id), teaching.draft(id)]);
  if (!still()) return {};
  document.title = `Preview of ${course.title} · Playhead`;
  const items = course.sections.flatMap((section) => section.items);
  const row = (item) => previewRow(item, findItem(draft.content, item.id)?.content ?? {});
  main.replaceChildren(
    back,
    h("p", { class: "note", data: { testid: "preview-note" } }, "This is the draft as students see it once it is published."),
    header(course, items, []),
    items.length ? h("div", { class: "sections" }, course.sections.map((section) => sectionList(section, row))) : emptyView("Nothing here yet", "Add a section and something in it."),
  );
  return {};
}

/** Texts and questions open in place; what needs a file is a line. */
function previewRow(item, content) {
  const line = outlineRow({ duration_ms: 0, ...item });
  const inside = insideOf(item, content);
  if (!inside) return line;
  const body = h("div", { class: "opening__body" });
  const element = h("details", { class: "opening" }, h("summary", {}, line), body);
  element.addEventListener("toggle", async () => element.open && !body.firstChild && body.append(await inside()), { once: true });
  return element;
}

function insideOf({ kind }, { markdown, questions }) {
  if (kind === "quiz" && questions?.length) return () => h("ol", { class: "opening__quiz" }, questions.map(questionPart));
  if (markdown) return async () => h("div", { class: "prose" }, await rendered(markdown));
  return null;
}

function questionPart({ text, kind, choices }) {
  const type = kind === "many" ? "checkbox" : "radio";
  const answers = choices.map((choice) => h("label", { class: "opening__choice" }, h("input", { type, disabled: true }), choice.text));
  return h("li", {}, h("p", {}, text), kind === "text" ? h("input", { class: "field__input", type: "text", disabled: true, "aria-label": text }) : answers);
}
