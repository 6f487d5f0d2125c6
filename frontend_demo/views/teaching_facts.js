/** Owns the form of what a course says of itself: title, description, facets, picture. */

import { DIFFICULTIES, LANGUAGES, languageName } from "./course_facts.js";
import { h } from "./element.js";
import { uploadPanel } from "./teaching_upload.js";

/** @returns {{element: HTMLElement, redraw: () => void, close: () => void}} */
export function facts(editor) {
  const fields = [
    field(editor, "title", "Title", (on) => h("input", { ...text("title", 200), required: true, on })),
    field(editor, "description", "Description", (on) => h("textarea", { class: "field__input", id: "course-description", rows: "5", maxlength: "5000", on })),
    field(editor, "instructor", "Taught by", (on) => h("input", { ...text("instructor", 200), on })),
    field(editor, "category", "Category", (on) => h("input", { ...text("category", 60), on })),
    field(editor, "difficulty", "Level", (on) => select("difficulty", [["", "Not said"], ...DIFFICULTIES], on)),
    field(editor, "language", "Language", (on) => select("language", languages(editor.content.language), on)),
  ];
  const picture = uploadPanel(editor, {
    item: null,
    purpose: "poster",
    accept: "image/png,image/jpeg,image/webp",
    has: () => Boolean(editor.content.poster),
    words: { none: "A picture for the catalogue, 16:9.", there: "The course has a picture.", choose: "Choose a picture", again: "Choose another picture" },
    ready: ({ key }) => key && editor.edit({ ...editor.content, poster: key }),
  });
  const element = h(
    "section",
    { class: "panel", "aria-labelledby": "about-heading" },
    h("h2", { id: "about-heading" }, "About the course"),
    ...fields.map((each) => each.element),
    h("div", { class: "field" }, h("span", { class: "field__label" }, "Picture"), picture.element),
  );
  return { element, redraw: () => fields.forEach((each) => each.redraw()), close: picture.close };
}

/** A field of the document; while it has the focus it is not written over by what it says itself. */
function field(editor, name, label, make) {
  const read = () => editor.content[name] ?? "";
  const control = make({
    input: () => editor.edit({ ...editor.content, [name]: control.value }),
    change: () => void editor.keeper.flush(),
  });
  control.value = read();
  control.dataset.testid = `course-${name}`;
  const element = h("label", { class: "field" }, h("span", { class: "field__label" }, label), control);
  const redraw = () => {
    if (control.value === read()) return;
    if (control.tagName === "SELECT" && ![...control.options].some(({ value }) => value === read())) control.append(h("option", { value: read() }, read()));
    control.value = read();
  };
  return { element, redraw };
}

function text(name, most) {
  return { class: "field__input", id: `course-${name}`, type: "text", maxlength: String(most), autocomplete: "off" };
}

function select(name, options, on) {
  return h("select", { class: "field__input", id: `course-${name}`, on }, options.map(([value, words]) => h("option", { value }, words)));
}

/** The languages to choose from, and the one the course has. */
function languages(now) {
  const tags = [...new Set([...LANGUAGES, now].filter(Boolean))];
  return [["", "Not said"], ...tags.map((tag) => [tag, languageName(tag)])];
}
