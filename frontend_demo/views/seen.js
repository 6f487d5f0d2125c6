/**
 * Owns what has been seen of one lecture, in spans of content ms: what the server keeps of it, and what plays
 * here and is not at rest yet.
 */

/** A step of the element larger than this is a move, and the way between was not seen. */
const STEP_MS = 3_000;

/** Spans closer than this are one: nobody can see the hole on a line of time. */
const SEAM_MS = 250;

/** @typedef {[number, number]} Span */

/**
 * The union of spans, in order.
 * @param {Span[]} spans @returns {Span[]}
 */
export function unite(spans) {
  const united = [];
  for (const [from_ms, to_ms] of [...spans].sort((a, b) => a[0] - b[0])) {
    if (to_ms <= from_ms) continue;
    const last = united.at(-1);
    if (last && from_ms <= last[1] + SEAM_MS) last[1] = Math.max(last[1], to_ms);
    else united.push([from_ms, to_ms]);
  }
  return united;
}

/** What was seen in one epoch of one item; a fresh start forgets it (R7). */
export class Seen {
  /** @type {Span[]} */
  spans = [];
  #epoch = null;
  #last_ms = null;

  /** The server's word for an epoch. What plays here may be ahead of it and stays. */
  told(epoch, coverage) {
    this.#enter(epoch);
    this.spans = unite([...this.spans, ...coverage]);
  }

  /** The head is of this epoch. @returns {boolean} whether it is a new one, so that nothing is known of it */
  of(epoch) {
    const known = this.#epoch;
    this.#enter(epoch);
    return known !== null && known !== epoch;
  }

  /** The player stands here, and `plays` or does not. */
  at(position_ms, plays) {
    const from_ms = this.#last_ms;
    this.#last_ms = plays ? position_ms : null;
    if (!plays || from_ms === null) return;
    const step_ms = position_ms - from_ms;
    if (step_ms > 0 && step_ms <= STEP_MS) this.spans = unite([...this.spans, [from_ms, position_ms]]);
  }

  #enter(epoch) {
    if (this.#epoch !== null && this.#epoch !== epoch) this.spans = [];
    this.#epoch = epoch;
  }
}
