/** Owns a course's picture, or the quiet pattern that stands for one. */

import { h } from "./element.js";

/** Patterns to choose from, by the title: two courses without a picture need not look the same. */
const PATTERNS = 5;

/** @param {{title: string, poster_url?: string | null}} course */
export function poster(course) {
  if (!course.poster_url) return pattern(course.title);
  const picture = h("img", { src: course.poster_url, alt: "", loading: "lazy", decoding: "async" });
  const frame = h("span", { class: "poster" }, picture);
  picture.addEventListener("error", () => frame.replaceWith(pattern(course.title)));
  return frame;
}

/** The pattern by itself. */
export function pattern(title) {
  const sum = [...title].reduce((total, sign) => (total * 31 + sign.codePointAt(0)) % 9_973, 7);
  return h("span", { class: "poster poster--none", "aria-hidden": "true", data: { pattern: sum % PATTERNS } }, [...title][0] ?? "");
}
