/**
 * Owns how long to wait before coming back: when the server said, else full jitter, base 0.5 s, cap 30 s
 * (docs/protocol.md, Close codes).
 */

export const BASE_MS = 500;
export const CAP_MS = 30_000;

/** However soon a server says, no client comes back more often than this. */
export const SOONEST_MS = 100;

/** A link that has held this long has proved itself: the next break starts from the base again. */
export const PROVEN_MS = 10_000;

export class Backoff {
  #random;
  #failures = 0;

  /** @param {() => number} random  uniform in [0, 1) */
  constructor(random = Math.random) {
    this.#random = random;
  }

  get failures() {
    return this.#failures;
  }

  /** The wait that a close reason states: a slot of our own. Jitter on top would be somebody else's slot. */
  told(retry_after_ms) {
    return Math.max(SOONEST_MS, Math.round(retry_after_ms));
  }

  /** The wait before the next attempt, never shorter than `least_ms` (an HTTP server's Retry-After). */
  next(least_ms = 0) {
    const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** this.#failures);
    this.#failures += 1;
    // Jitter above a stated least as well: everybody was told the same whole second.
    return Math.round(least_ms + this.#random() * ceiling);
  }

  reset() {
    this.#failures = 0;
  }
}
