/** Owns the page of a text: the words, and where one is in them. */

import { h } from "./element.js";
import { markdown } from "./markdown.js";
import { readingFrame } from "./reading_frame.js";
import { skeleton } from "./states.js";

/** @returns {Promise<{leave: () => void}>} */
export async function textView(context, id) {
  const { api, main, still } = context;
  document.title = "Text · Playhead";
  main.replaceChildren(skeleton("header"), skeleton("row", 6));
  const item = await api.item(id);
  const [course, answer] = await Promise.all([api.course(item.course), api.document(id)]);
  const words = await markdown(answer.markdown);
  if (!still()) return {};
  document.title = `${item.title} · Playhead`;
  const text = h("article", { class: "text prose", "aria-label": item.title }, words);
  // The text is cut into equal parts: each is what a page is to a document.
  const edges = () => {
    const height = text.offsetHeight;
    if (!height) return null;
    return Array.from({ length: answer.parts + 1 }, (_, n) => (height * n) / answer.parts);
  };
  const frame = readingFrame({ context, item, course, label: item.title, edges });
  frame.box.append(text);
  main.replaceChildren(frame.element);
  const layout = new ResizeObserver(frame.settle);
  layout.observe(text);
  layout.observe(frame.box);
  frame.focus();
  const leave = () => {
    layout.disconnect();
    frame.close();
  };
  return { leave };
}
