/**
 * Owns how well a lecture plays, as events for `POST /v1/experience`: time to the first frame, waits, switches of
 * quality, errors, dropped frames. Bounded, sent in batches, and never in the way of what plays. Pure: the clock and
 * the way to the server are given.
 */

/** Events kept while they cannot be sent; the oldest give way. */
const KEPT_MAX = 300;

/** Events in one request. */
const BATCH_MAX = 100;

/** A batch leaves this often. */
const EVERY_MS = 20_000;

/** A wait shorter than this is seen by nobody. */
const STALL_MIN_MS = 100;

/** What a play has come to leaves this soon after it stops: a page that rests may be gone before the next batch. */
const SOON_MS = 2_000;

/** The same error within this time is one, counted. */
const SAME_ERROR_MS = 5_000;

/** After "too much" it waits this long if it was told nothing. */
const BUSY_MS = 60_000;

export class Experience {
  quality = "";
  #of;
  #send;
  #now;
  #kept = [];
  #pressed = null;
  #stalled_at = null;
  #playing_since = null;
  #frames = { dropped: 0, total: 0 };
  #next_ms;
  #busy_until_ms = 0;
  #sending = false;

  /**
   * @param {{item: string, version: string, play: string}} of  `play`: a random id of this visit
   * @param {{send: (events: object[], how: {keepalive: boolean}) => Promise<void>, now: () => number}} by
   *        `now` in monotonic ms
   */
  constructor(of, { send, now }) {
    this.#of = of;
    this.#send = send;
    this.#now = now;
    this.#next_ms = now() + EVERY_MS;
  }

  /** Number of events that wait. */
  get waiting() {
    return this.#kept.length;
  }

  /** The student wants it to play. `ready`: what is to be played has been loaded. @returns {boolean} whether that is new */
  pressed(ready) {
    if (this.#pressed) return false;
    this.#pressed = { at_ms: this.#now(), ready };
    return true;
  }

  /** What was pressed did not start: refused, or taken back. */
  gaveUp() {
    this.#pressed = null;
  }

  /** The first frame after a press is on the screen. @param {number} at_ms  when, in `now`'s time */
  firstFrame(at_ms = this.#now()) {
    if (!this.#pressed) return;
    const { at_ms: pressed_ms, ready } = this.#pressed;
    this.#pressed = null;
    this.#note("start", { duration_ms: whole(at_ms - pressed_ms), count: ready ? 1 : 0 });
  }

  /** It plays: the picture moves. */
  plays() {
    this.#playing_since ??= this.#now();
    if (this.#stalled_at === null) return;
    const waited_ms = this.#now() - this.#stalled_at;
    this.#stalled_at = null;
    if (waited_ms >= STALL_MIN_MS) this.#note("stall", { duration_ms: whole(waited_ms) });
  }

  /** It should play and waits for data. */
  stalls() {
    this.#rest();
    if (this.#pressed === null) this.#stalled_at ??= this.#now();
  }

  /** It stands still because somebody wants it to: paused, sought, ended. */
  stops() {
    if (this.#playing_since !== null) this.#next_ms = Math.min(this.#next_ms, this.#now() + SOON_MS);
    this.#rest();
    this.#stalled_at = null;
  }

  /** Another quality is on the screen. @param {boolean} auto  chosen by the player, not the student */
  switched(quality, auto) {
    if (quality === this.quality) return;
    this.#goOn();
    const from = this.quality;
    this.quality = quality;
    if (from) this.#note("switch", { from, auto });
  }

  /** Something went wrong. @param {{code: string, status?: number, fatal?: boolean}} problem */
  failed({ code: said, status = 0, fatal = false }) {
    const code = said.replace(/[^A-Za-z0-9_.:-]/g, "_").slice(0, 64);
    const same = this.#kept.findLast((event) => event.kind === "error" && event.code === code && event.fatal === fatal);
    if (same && this.#now() - same.at_ms < SAME_ERROR_MS) return void (same.count += 1);
    this.#note("error", { code, status, fatal, count: 1 });
  }

  /** Counters of the element since it was made. */
  frames(dropped, total) {
    const [more, shown] = [dropped - this.#frames.dropped, total - this.#frames.total];
    this.#frames = { dropped, total };
    if (more > 0 && shown > 0) this.#note("frames", { count: more, total: shown });
  }

  /** Sends what is due. @param {boolean} reachable  whether there is any use in trying */
  async tick(reachable) {
    if (!reachable || this.#sending || this.#pressed) return;
    if (this.#now() < Math.max(this.#next_ms, this.#busy_until_ms)) return;
    this.#next_ms = this.#now() + EVERY_MS;
    this.#goOn();
    await this.#deliver(false);
  }

  /** The page goes away: what there is leaves with it. */
  async leave() {
    this.stops();
    await this.#deliver(true);
  }

  async #deliver(keepalive) {
    const events = this.#kept.splice(0, BATCH_MAX);
    if (!events.length) return;
    this.#sending = true;
    try {
      await this.#send(events.map((event) => this.#aged(event)), { keepalive });
    } catch ({ status = 0, retry_after_ms = 0 }) {
      // Refused for now: it was not taken. Of anything else nobody knows, and twice would be wrong.
      if (status !== 429 && status !== 503) return;
      this.#kept = [...events, ...this.#kept].slice(-KEPT_MAX);
      this.#busy_until_ms = this.#now() + (retry_after_ms || BUSY_MS);
    } finally {
      this.#sending = false;
    }
  }

  #rest() {
    if (this.#playing_since === null) return;
    const played_ms = whole(this.#now() - this.#playing_since);
    this.#playing_since = null;
    if (played_ms > 0) this.#note("watched", { duration_ms: played_ms });
  }

  /** Cuts what plays, so that a long play is told as it goes. */
  #goOn() {
    if (this.#playing_since === null) return;
    this.#rest();
    this.#playing_since = this.#now();
  }

  #note(kind, fields) {
    this.#kept.push({ kind, at_ms: this.#now(), quality: this.quality, ...fields });
    if (this.#kept.length > KEPT_MAX) this.#kept.shift();
  }

  #aged({ at_ms, ...event }) {
    return { ...this.#of, ...event, age_ms: whole(this.#now() - at_ms) };
  }
}

function whole(ms) {
  return Math.max(0, Math.round(ms));
}
