/** Owns what is edited in an item, by its kind, and the word for how far it is. */

import { changeItem, findItem } from "./draft_edit.js";
import { h } from "./element.js";
import { captionsPanel } from "./teaching_captions.js";
import { quizEditor } from "./teaching_quiz.js";
import { textEditor } from "./teaching_text.js";
import { uploadPanel } from "./teaching_upload.js";

const FILES = {
  video: {
    accept: "video/mp4,video/quicktime,video/webm,video/x-matroska,.mp4,.mov,.webm,.mkv",
    words: { none: "No video yet: mp4, mov, webm or mkv, as long as it needs.", there: "The video is there.", choose: "Choose a video", again: "Replace the video" },
  },
  pdf: {
    accept: "application/pdf,.pdf",
    words: { none: "No document yet.", there: "The document is there.", choose: "Choose a PDF", again: "Replace the document" },
  },
};

/**
 * @param {(words: string) => void} say  the word beside the title
 * @returns {{element: () => HTMLElement, redraw: () => void, close: () => void}}  `element` makes it when it is opened
 */
export function itemEditor(editor, { id, kind }, say) {
  const now = () => findItem(editor.content, id);
  const change = (content, how) => {
    if (now()) editor.edit(changeItem(editor.content, id, { content: { ...now().content, ...content } }), how);
  };
  if (FILES[kind]) return fileItem(editor, { id, kind, now }, say);
  const make = { text: textEditor, assignment: textEditor, quiz: quizEditor }[kind];
  if (!make) return unknownItem(kind, say);
  const inside = make({ id, kind, content: () => now()?.content ?? {}, change, flush: () => void editor.keeper.flush() });
  const redraw = () => {
    if (!now()) return;
    say(inside.words());
    inside.redraw();
  };
  return { element: () => inside.element, redraw, close: () => {} };
}

function fileItem(editor, { id, kind, now }, say) {
  const panel = uploadPanel(editor, {
    ...FILES[kind],
    item: id,
    purpose: kind,
    has: () => Boolean(now()?.version),
    ready: () => editor.keeper.pull().catch(() => {}),
    told: (words) => say(words),
  });
  const captions = kind === "video" ? captionsPanel(editor, id) : null;
  const close = () => (panel.close(), captions?.close());
  return { element: () => h("div", { class: "file-item" }, panel.element, captions?.element), redraw: panel.redraw, close };
}

/** A kind this page does not know is kept as it is, and only moved, renamed and taken out. */
function unknownItem(kind, say) {
  const element = () => h("p", { class: "note" }, `This page has no editor for \u201c${kind}\u201d. What is in it is kept as it is.`);
  return { element, redraw: () => say(kind), close: () => {} };
}
