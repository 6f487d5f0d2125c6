/** Owns how a place in an item is written: a lecture has minutes, a document pages, a text a share. */

import { clock, share } from "./format.js";

const PAGE_MS = 1_000;

/** The page a place is on, from 1. */
export function pageAt(place_ms, duration_ms) {
  return Math.min(pagesOf(duration_ms), Math.floor(place_ms / PAGE_MS) + 1);
}

/** How many pages that is. */
export function pagesOf(duration_ms) {
  return Math.max(1, Math.round(duration_ms / PAGE_MS));
}

/** `page 7`, `40 %`, `12:05`: a place in an item of that kind. */
export function placeWord({ kind, duration_ms }, place_ms) {
  if (kind === "pdf") return `page ${pageAt(place_ms, duration_ms)}`;
  if (kind === "text") return `${Math.round(100 * share(place_ms, duration_ms))} %`;
  return clock(place_ms);
}

/** The same with the whole: `page 7 of 12`, `40 % read`, `12:05 / 40:00`. */
export function placeWords(item, place_ms) {
  if (item.kind === "pdf") return `${placeWord(item, place_ms)} of ${pagesOf(item.duration_ms)}`;
  if (item.kind === "text") return `${placeWord(item, place_ms)} read`;
  return `${clock(place_ms)} / ${clock(item.duration_ms)}`;
}
