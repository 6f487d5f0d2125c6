/** Owns captions of a video: a WebVTT file for a language. */

import { LANGUAGES, languageName } from "./course_facts.js";
import { h } from "./element.js";
import { uploadPanel } from "./teaching_upload.js";

/** @returns {{element: HTMLElement, close: () => void}} */
export function captionsPanel(editor, item) {
  const language = h("select", { class: "field__input", data: { testid: "captions-language" } }, LANGUAGES.map((tag) => h("option", { value: tag }, languageName(tag))));
  language.value = editor.content.language || "en";
  if (language.selectedIndex < 0) language.selectedIndex = 0;
  const panel = uploadPanel(editor, {
    item,
    purpose: "captions",
    accept: "text/vtt,.vtt",
    has: () => false,
    words: { none: "A WebVTT file for each language; one for a language that is there replaces it.", there: "", choose: "Choose captions", again: "" },
    ready: () => editor.keeper.pull().catch(() => {}),
    more: () => ({ language: language.value, label: languageName(language.value) }),
  });
  const element = h(
    "details",
    { class: "captions" },
    h("summary", {}, "Captions"),
    h("label", { class: "field" }, h("span", { class: "field__label" }, "Language of the captions"), language),
    panel.element,
  );
  return { element, close: panel.close };
}
