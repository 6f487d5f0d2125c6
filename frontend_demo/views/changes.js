/** Owns what the server's history of an item's head says, asked for no more often than it can have changed. */

const PAGE = 20;

/** Answers younger than this are not asked for again. */
const FRESH_MS = 500;

export class Changes {
  #api;
  #item;
  #asked = null;
  #asked_mono = -Infinity;

  constructor(api, item) {
    this.#api = api;
    this.#item = item;
  }

  /** The newest page: `{changes, next}`. */
  page() {
    if (performance.now() - this.#asked_mono < FRESH_MS) return this.#asked;
    this.#asked_mono = performance.now();
    this.#asked = this.#api.history(this.#item, { limit: PAGE });
    return this.#asked;
  }

  /** The page after `before`. */
  earlier(before) {
    return this.#api.history(this.#item, { before, limit: PAGE });
  }

  /** The newest change, or null if there is none. */
  async latest() {
    const { changes } = await this.page();
    return changes[0] ?? null;
  }

  /** Why the head is where it is, or was at `at`, a UTC instant. */
  explain(at) {
    return this.#api.explain(this.#item, at);
  }
}
