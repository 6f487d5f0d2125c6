/** Owns which page an item that is read opens on: a document or a text. */

import { skeleton } from "./states.js";

/** @returns {Promise<{leave?: () => void}>} */
export async function readView(context, id) {
  context.main.replaceChildren(skeleton("row", 4));
  const { kind } = await context.api.item(id);
  if (!context.still()) return {};
  if (kind === "pdf") return (await import("./document.js")).documentView(context, id);
  return (await import("./text.js")).textView(context, id);
}
