/**
 * Owns the signed addresses of items: asked over the socket where there is one, kept while they are good, renewed
 * before they end (S46).
 */

/** Items whose addresses are kept: the one that plays, the one after, and those somebody pointed at. */
const KEPT = 8;

/** Asked again after this share of their life where the server does not say when. */
const RENEW_SHARE = 0.8;

const kept = new Map();

/** The addresses of an item, one object for all who want them; what is signed for a student is theirs alone. */
export function addressesOf({ api, client }, item) {
  const key = `${client.student} ${item}`;
  const known = kept.get(key) ?? new Addresses(() => ask(api, client, item));
  kept.delete(key);
  kept.set(key, known);
  for (const oldest of [...kept.keys()].slice(0, -KEPT)) kept.delete(oldest);
  return known;
}

/**
 * The socket is open and quick; HTTP is there before it, and without it. Where something is kept on this device it
 * goes by HTTP, through the worker that knows of it.
 */
async function ask(api, client, item) {
  if (!client?.online || !client.media || globalThis.navigator?.serviceWorker?.controller) return api.media(item);
  try {
    return await client.media(item);
  } catch {
    return api.media(item);
  }
}

export class Addresses {
  #ask;
  #now;
  #answer = null;
  #asking = null;
  #asked_ms = 0;

  /** @param {() => Promise<object>} ask  as `GET /v1/items/{item}/media` answers @param {() => number} now  wall ms */
  constructor(ask, now = Date.now) {
    this.#ask = ask;
    this.#now = now;
  }

  /** What is known, be it old; null before the first answer. */
  get latest() {
    return this.#answer;
  }

  /** Ms until they should be renewed; 0 or less: now. */
  get good_ms() {
    if (!this.#answer) return 0;
    const { expires_in_s, renew_at_s = expires_in_s * RENEW_SHARE } = this.#answer;
    // Asked at, not answered at: the server counted from before the answer came.
    return this.#asked_ms + renew_at_s * 1000 - this.#now();
  }

  /** Addresses of another version are of no use: the item has been published anew. */
  mustBe(version) {
    if (this.#answer?.version && this.#answer.version !== version) this.#answer = null;
  }

  /** Addresses that are good now. */
  async get() {
    return this.good_ms > 0 ? this.#answer : this.renew();
  }

  /** New ones, asked for once however many want them. */
  renew() {
    this.#asking ??= this.#renew().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #renew() {
    const asked_ms = this.#now();
    this.#answer = await this.#ask();
    this.#asked_ms = asked_ms;
    return this.#answer;
  }
}
