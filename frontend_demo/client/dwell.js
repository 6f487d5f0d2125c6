/**
 * Owns what was really read: turns which pages were in view, and for how long, into spans of content.
 *
 * Pure: no page, no timer. A page is `PAGE_MS` of content (docs/sync.md, documents). It counts once it has been
 * in view for `READ_MS`, once for each stay in view, and never claims more time than it was looked at.
 */

/** Content ms of one page: page p, scrolled by the fraction f, is the place (p + f) × 1000 ms. */
export const PAGE_MS = 1_000;

/** In view for so long, a page has been read. */
export const READ_MS = 2_000;

/** The protocol's least rate: a page is worth at most 10 s of real time, however long it lay open. */
export const SLOWEST = 0.1;

/** Nobody reads faster than this: what is in view beyond it was only looked at. */
const FASTEST = 2;

/** @typedef {{first: number, last: number}} Pages  those in view, from 0, both included */

export class Dwell {
  /** By page: since when it is in view, until when (null: still), and whether it has been told. */
  #stays = new Map();
  #spent_mono = -Infinity;

  /** From `mono_ms` on these pages are in view; null: none, nobody is looking. @param {Pages | null} pages */
  see(pages, mono_ms) {
    for (const [page, stay] of this.#stays) {
      if (isIn(pages, page)) continue;
      stay.until_mono ??= mono_ms;
      if (stay.told || !isRead(stay, mono_ms)) this.#stays.delete(page);
    }
    for (let page = pages?.first ?? 0; page <= (pages?.last ?? -1); page += 1) {
      if (!this.#stays.has(page)) this.#stays.set(page, { since_mono: mono_ms, until_mono: null, told: false });
    }
  }

  /** Content ms that has been read and is not told. */
  pending_ms(mono_ms) {
    return this.#read(mono_ms).length * PAGE_MS;
  }

  /** For how long the oldest page that is read has waited to be told, in real ms from when it came into view. */
  age_ms(mono_ms) {
    return Math.max(0, ...this.#read(mono_ms).map(([, stay]) => mono_ms - this.#from(stay)));
  }

  /**
   * The spans of what has been read and not told; the last one ends at `place_ms`, where the reader stands, so
   * that they move it nowhere. Their real time is that in which those pages were in view.
   * @returns {import("./spans.js").Span[]}
   */
  take(place_ms, mono_ms) {
    const read = this.#read(mono_ms).sort(([a], [b]) => a - b);
    if (!read.length) return [];
    const from_mono = Math.min(...read.map(([, stay]) => this.#from(stay)));
    const to_mono = Math.max(...read.map(([, stay]) => stay.until_mono ?? mono_ms));
    const window_ms = Math.max(1, to_mono - from_mono);
    const pages = [];
    for (const [page, stay] of read) {
      const fits = pages.length === 0 || (pages.length + 1) * PAGE_MS <= window_ms * FASTEST;
      if (fits) pages.push(page);
      if (stay.until_mono !== null) this.#stays.delete(page);
      else if (fits) stay.told = true;
    }
    this.#spent_mono = to_mono;
    const rate = Math.min(FASTEST, Math.max(SLOWEST, (pages.length * PAGE_MS) / window_ms));
    return stamped(endingAt(place_ms, stretches(pages)), rate, to_mono);
  }

  /** Nothing is in view, and what was counts no more. */
  forget() {
    this.#stays.clear();
  }

  #read(mono_ms) {
    return [...this.#stays].filter(([, stay]) => !stay.told && isRead(stay, mono_ms));
  }

  /** Real time up to the last span is spent: no two spans are of the same second. */
  #from(stay) {
    return Math.max(stay.since_mono, this.#spent_mono);
  }
}

function isIn(pages, page) {
  return pages !== null && page >= pages.first && page <= pages.last;
}

function isRead({ since_mono, until_mono }, mono_ms) {
  return (until_mono ?? mono_ms) - since_mono >= READ_MS;
}

/** Neighbouring pages as one stretch of content each. */
function stretches(pages) {
  const found = [];
  for (const page of pages) {
    const [from_ms, to_ms] = [page * PAGE_MS, (page + 1) * PAGE_MS];
    const last = found.at(-1);
    if (last?.to_ms === from_ms) last.to_ms = to_ms;
    else found.push({ from_ms, to_ms });
  }
  return found;
}

/** The same content in an order that begins at the place, where it can, and ends there. */
function endingAt(place_ms, found) {
  const parts = found.flatMap(({ from_ms, to_ms }) =>
    place_ms > from_ms && place_ms < to_ms
      ? [{ from_ms, to_ms: place_ms }, { from_ms: place_ms, to_ms }]
      : [{ from_ms, to_ms }],
  );
  const after = parts.filter(({ from_ms }) => from_ms >= place_ms);
  const before = parts.filter(({ from_ms }) => from_ms < place_ms);
  const ordered = [...after, ...before];
  // A span of no length says where the reader stands, and earns nothing.
  return ordered.at(-1).to_ms === place_ms ? ordered : [...ordered, { from_ms: place_ms, to_ms: place_ms }];
}

/** One after the other in real time, the last one ending at `to_mono`. */
function stamped(spans, rate, to_mono) {
  let mono_ms = to_mono;
  return spans
    .reverse()
    .map((span) => {
      const stamp = { ...span, rate, mono_ms };
      mono_ms -= (span.to_ms - span.from_ms) / rate;
      return stamp;
    })
    .reverse();
}
