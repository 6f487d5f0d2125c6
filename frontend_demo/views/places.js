/**
 * Owns the way between a scrolling box and places in content: which pages are in view, where a place lies, and who
 * scrolled - the user's hand, or the page itself.
 */

import { PAGE_MS } from "../client/dwell.js";

/** A page is in view if this much of it is, or if it fills this much of the box. */
const ENOUGH = 0.5;

/** A scroll this soon after the user's hand is the user's; fingers and wheels go on for a while. */
const HAND_MS = 400;

/** The scroll position of the page's own move, give or take. */
const OWN_PX = 2;

/** A search has to read the pages first, and scrolls when it has found something. */
const SEARCH_MS = 3_000;

const HANDS = ["wheel", "touchstart", "touchmove", "pointerdown", "pointermove", "keydown"];
/** Also those that bring another link into view, or follow one. */
const SCROLLING_KEYS = new Set([" ", "PageUp", "PageDown", "ArrowUp", "ArrowDown", "Home", "End", "Tab", "Enter"]);

/**
 * What is in view. `edges` are the upper edges of the pages in px, and the lower edge of the last.
 * @returns {{place_ms: number, first: number, last: number}}
 */
export function viewOf(edges, scroll, height) {
  const pages = edges.length - 1;
  const top = Math.min(Math.max(scroll, edges[0]), edges[pages] - 1);
  let page = 0;
  while (page < pages - 1 && edges[page + 1] <= top) page += 1;
  const fraction = (top - edges[page]) / Math.max(1, edges[page + 1] - edges[page]);
  const seen = [];
  for (let at = page; at < pages && edges[at] < scroll + height; at += 1) {
    const part = Math.min(edges[at + 1], scroll + height) - Math.max(edges[at], scroll);
    if (part >= ENOUGH * (edges[at + 1] - edges[at]) || part >= ENOUGH * height) seen.push(at);
  }
  return { place_ms: (page + fraction) * PAGE_MS, first: seen[0] ?? page, last: seen.at(-1) ?? page };
}

/** The page a place is on, from 1. */
export function pageAt(place_ms, duration_ms) {
  return Math.min(Math.max(1, Math.round(duration_ms / PAGE_MS)), Math.floor(place_ms / PAGE_MS) + 1);
}

/** The scroll position in px at which a place is at the upper edge. */
export function scrollOf(edges, place_ms) {
  const pages = edges.length - 1;
  const page = Math.min(pages - 1, Math.max(0, Math.floor(place_ms / PAGE_MS)));
  const fraction = Math.min(1, place_ms / PAGE_MS - page);
  return edges[page] + fraction * (edges[page + 1] - edges[page]);
}

/**
 * Keeps a reader and a scrolling box together: the reader hears what is in view, the box goes where it says.
 * `edges` measures the pages as they lie now; null while there are none.
 * @param {{box: HTMLElement, reader: import("../client/reader.js").Reader, edges: () => number[] | null}} of
 * @returns {{settle: () => void, searched: () => void, close: () => void}}  `settle`: the layout has changed, the
 *          place has not; `searched`: the user looks for something, so what scrolls next is theirs
 */
export function keepTogether({ box, reader, edges }) {
  let own_px = null;
  let hand_at = -Infinity;
  let dragged = false;
  const look = (by) => {
    const lie = edges();
    if (lie) reader.look(viewOf(lie, box.scrollTop, box.clientHeight), by);
  };
  const go = (place_ms) => {
    const lie = edges();
    if (!lie) return;
    const to_px = Math.max(0, Math.min(scrollOf(lie, place_ms), box.scrollHeight - box.clientHeight));
    own_px = to_px;
    if (Math.abs(box.scrollTop - to_px) > 0.5) box.scrollTop = to_px;
    look("page");
  };
  const hand = ({ type, key, buttons }) => {
    // Browsers do not tell when a scrollbar is let go; a pointer that moves with no button down tells it.
    if (type === "pointermove" && buttons === 0) dragged = false;
    if (type === "pointermove" && !dragged) return;
    if (type === "keydown" && !SCROLLING_KEYS.has(key)) return;
    if (type === "pointerdown") dragged = true;
    hand_at = performance.now();
  };
  const drop = () => (dragged = false);
  const scrolled = () => {
    const by_hand = dragged || performance.now() - hand_at < HAND_MS;
    if (own_px !== null && Math.abs(box.scrollTop - own_px) <= OWN_PX && !dragged) return look("page");
    if (!by_hand) return look("page");
    // Fingers that have let go and wheels that run out are the same movement.
    hand_at = performance.now();
    own_px = null;
    look("user");
  };
  for (const name of HANDS) box.addEventListener(name, hand, { passive: true });
  window.addEventListener("pointerup", drop);
  window.addEventListener("pointercancel", drop);
  box.addEventListener("scroll", scrolled, { passive: true });
  const off = reader.on("show", ({ place_ms }) => go(place_ms));
  const close = () => {
    off();
    window.removeEventListener("pointerup", drop);
    window.removeEventListener("pointercancel", drop);
  };
  const searched = () => (hand_at = performance.now() + SEARCH_MS - HAND_MS);
  return { settle: () => go(reader.position_ms), searched, close };
}
