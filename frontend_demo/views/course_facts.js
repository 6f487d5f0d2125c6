/** Owns the words for what a course is: level, language, length, category. */

import { length, plural } from "./format.js";

/** Levels of the catalogue, the easiest first. */
export const DIFFICULTIES = new Map([
  ["beginner", "Beginner"],
  ["intermediate", "Intermediate"],
  ["advanced", "Advanced"],
]);

/** Lengths as the catalogue groups them. */
export const DURATIONS = new Map([
  ["0-1h", "Under 1 hour"],
  ["1-4h", "1 to 4 hours"],
  ["4-12h", "4 to 12 hours"],
  ["12h+", "Over 12 hours"],
]);

/** Languages an instructor can choose in one press; any other BCP 47 tag may be written. */
export const LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "ru", "ar", "hi", "zh", "ja", "ko"];

const languages = new Intl.DisplayNames(["en"], { type: "language" });

/** A language by its name; a tag nobody knows stays as it is. */
export function languageName(tag) {
  try {
    return languages.of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** The words for a value of a facet. */
export function facetWords(facet, value) {
  if (facet === "language") return value ? languageName(value) : "Not said";
  const known = { difficulty: DIFFICULTIES, duration: DURATIONS }[facet]?.get(value);
  return known ?? (value || "Not said");
}

/** Level, language, length and size of a course, as far as they are known. */
export function courseFacts({ difficulty, language, duration_ms, items_total }) {
  return [
    difficulty && facetWords("difficulty", difficulty),
    language && languageName(language),
    duration_ms ? length(duration_ms) : "",
    items_total ? plural(items_total, "item") : "",
  ].filter(Boolean);
}
