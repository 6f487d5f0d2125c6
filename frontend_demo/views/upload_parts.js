/** Owns which parts of a file are sent, under way and left: pure, without a network or a clock. */

/**
 * @typedef {{number: number, length_bytes: number, url: string}} Part  `number` from 1; all but the last as long
 *          as the first
 */
export class Parts {
  #part_bytes;
  #length_bytes;
  #urls = new Map();
  #left;
  #under_way = new Map();
  #done = new Map();

  /** @param {{length_bytes: number, part_bytes: number}} of */
  constructor({ length_bytes, part_bytes }) {
    [this.#length_bytes, this.#part_bytes] = [length_bytes, part_bytes];
    this.#left = Array.from({ length: this.count }, (_, index) => index + 1);
  }

  get count() {
    return Math.max(1, Math.ceil(this.#length_bytes / this.#part_bytes));
  }

  /** Takes what the server says: fresh addresses, and parts that have arrived. */
  heard({ parts = [], parts_done = [] }) {
    for (const { number, url } of parts) this.#urls.set(number, url);
    for (const { number, etag } of parts_done) this.#finish(number, etag);
  }

  /** The next part to send, or null; from then on it is under way. */
  take() {
    const number = this.#left.find((each) => this.#urls.has(each));
    if (number === undefined) return null;
    this.#left = this.#left.filter((each) => each !== number);
    this.#under_way.set(number, 0);
    const from = (number - 1) * this.#part_bytes;
    return { number, url: this.#urls.get(number), from, to: Math.min(this.#length_bytes, from + this.#part_bytes) };
  }

  progress(number, bytes) {
    if (this.#under_way.has(number)) this.#under_way.set(number, bytes);
  }

  arrived(number, etag) {
    this.#finish(number, etag);
  }

  /** Back among those to send; `stale`: its address has run out. */
  failed(number, { stale = false } = {}) {
    if (stale) this.#urls.delete(number);
    if (!this.#under_way.delete(number)) return;
    this.#left = [...this.#left, number].sort((a, b) => a - b);
  }

  /** Whether parts are left and none of them has an address. */
  get needs_urls() {
    return this.#left.length > 0 && !this.#left.some((number) => this.#urls.has(number));
  }

  get is_complete() {
    return this.#done.size === this.count;
  }

  /** Bytes that have arrived, and those of parts under way. */
  get sent_bytes() {
    const done = [...this.#done.keys()].reduce((sum, number) => sum + this.#lengthOf(number), 0);
    return done + [...this.#under_way.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** What `complete` wants: `{number, etag}` of every part. */
  get list() {
    return [...this.#done].sort(([a], [b]) => a - b).map(([number, etag]) => ({ number, etag }));
  }

  #finish(number, etag) {
    this.#under_way.delete(number);
    this.#left = this.#left.filter((each) => each !== number);
    this.#done.set(number, etag);
  }

  #lengthOf(number) {
    return Math.min(this.#part_bytes, this.#length_bytes - (number - 1) * this.#part_bytes);
  }
}
