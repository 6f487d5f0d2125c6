/** Owns the newest head of every item, and where a playing one is by now (P10). */

export class Heads {
  #heads = new Map();
  #clock;

  /** @param {import("./clock.js").ServerClock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /** Takes a head unless a newer one is here (P10). Returns whether it was taken. */
  accept(head) {
    const have = this.#heads.get(head.item);
    if (have && (head.rev < have.rev || (head.rev === have.rev && head.as_of_ms < have.as_of_ms))) {
      return false;
    }
    this.#heads.set(head.item, head);
    return true;
  }

  /** The head of an item, or null if the server has not told it. */
  get(item) {
    return this.#heads.get(item) ?? null;
  }

  /** Newest revision seen of an item: the `base_rev` of a run that begins now. */
  rev(item) {
    return this.#heads.get(item)?.rev ?? 0;
  }

  /** Every head here, in no order. */
  all() {
    return [...this.#heads.values()];
  }

  /** Forgets everything: another student is here. */
  clear() {
    this.#heads.clear();
  }

  /** Where an item stands now, in ms of its version; null if unknown. */
  place(item) {
    const head = this.#heads.get(item);
    return head ? placeNow(head, this.#clock.now()) : null;
  }
}

/** Where `head` stands at server time `now_ms` (P10). */
export function placeNow(head, now_ms) {
  if (!head.playing) return head.position_ms;
  const gone_ms = Math.max(0, now_ms - head.as_of_ms) * head.rate;
  return Math.min(head.duration_ms, Math.round(head.position_ms + gone_ms));
}
