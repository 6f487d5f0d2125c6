/**
 * Owns the journal entries of one player, from `opened` to `closed`, and the run they belong to.
 *
 * A visit is written down with its first real event: a page that is only opened leaves no trace (R1, S05).
 */

import { newId } from "./ids.js";

/** A run is real from this much content in its visit (R1). */
export const REAL_PLAY_MS = 5_000;

/** A visit opened at a bookmark is a peek until it has played this much (R1). */
const PEEK_MS = 60_000;

/**
 * @typedef {object} Run
 * @property {number} base_rev     newest revision seen when the user acted
 * @property {{seq: number}} entry  the one that began it
 * @property {{seq: number} | null} real_entry  the one with which it became real, null until then
 * @property {boolean} held        whether the server has said that it has the baton
 */

export class Visit {
  /** @type {Run | null} */
  run = null;
  content_ms = 0;
  #client;
  #of;
  #intent;
  #place_ms;
  #session = null;
  #since_mono;

  constructor(client, { item, version, intent = "resume", at_ms = null }) {
    this.#client = client;
    this.#of = { item, version };
    this.#intent = intent;
    this.#place_ms = at_ms;
    this.#begin();
  }

  /** Whether anything real happened in it. */
  get begun() {
    return this.#session !== null;
  }

  /** Whether it only looks at a bookmark: it moves no head until it has played a minute or the user stays. */
  get peeking() {
    return this.#intent === "bookmark" && this.content_ms < PEEK_MS;
  }

  /** Begins a run: a user action. `real` for all but play, which has to prove itself (R1). */
  act(kind, fields, { real = true, base_rev = this.#client.heads.rev(this.#of.item), at_mono } = {}) {
    const entry = this.#write(kind, base_rev, fields, at_mono);
    const is_real = real || this.content_ms >= REAL_PLAY_MS;
    this.run = { base_rev, entry, real_entry: is_real ? entry : null, held: false };
    if (kind === "chosen" && this.#intent === "bookmark") this.#intent = "resume";
    return entry;
  }

  /** Writes down a span that was played. */
  played(span) {
    if (!span) return;
    const { from_ms, to_ms, rate, mono_ms } = span;
    const entry = this.#write("played", this.#base_rev, { from_ms, to_ms, rate }, mono_ms);
    this.content_ms += to_ms - from_ms;
    if (this.run && this.content_ms >= REAL_PLAY_MS) this.run.real_entry ??= entry;
  }

  /** Notes what is being played, on disk only: if the page is killed, this much is not lost. */
  playing(span) {
    if (!span || !this.begun) return;
    const { from_ms, to_ms, rate, mono_ms } = span;
    const { item, version } = this.#of;
    const fields = { session: this.#session, item, version, base_rev: this.#base_rev, kind: "played", from_ms, to_ms, rate };
    this.#client.note(fields, mono_ms);
  }

  /** The player stopped: `paused` or `ended`. */
  stopped(kind, position_ms, at_mono) {
    this.#write(kind, this.#base_rev, { position_ms }, at_mono);
  }

  /** Says goodbye; what comes next is another visit. */
  close() {
    if (this.begun) this.#write("closed", this.#base_rev, {});
    this.renew();
  }

  /** What comes next is another visit, of another device: this one cannot say goodbye any more. */
  renew() {
    this.#session = null;
    this.#intent = "resume";
    this.#place_ms = null;
    this.run = null;
    this.content_ms = 0;
    this.#begin();
  }

  get #base_rev() {
    return this.run?.base_rev ?? this.#client.heads.rev(this.#of.item);
  }

  /** The journal has given its newest entries other numbers. */
  renumbered(after, by) {
    const entries = new Set([this.run?.entry, this.run?.real_entry]);
    for (const entry of entries) if (entry?.seq > after) entry.seq += by;
  }

  /** The monotonic clock has begun anew: what is not written down yet is stamped with the new one. */
  restamp() {
    if (!this.begun) this.#begin();
  }

  #begin() {
    this.#since_mono = this.#client.time.mono();
  }

  #write(kind, base_rev, fields, at_mono) {
    if (!this.begun) {
      this.#session = newId("visit");
      const place = this.#place_ms === null ? {} : { position_ms: this.#place_ms };
      this.#record("opened", base_rev, { intent: this.#intent, ...place }, this.#since_mono);
    }
    return this.#record(kind, base_rev, fields, at_mono);
  }

  #record(kind, base_rev, fields, at_mono) {
    const { item, version } = this.#of;
    return this.#client.record({ session: this.#session, item, version, base_rev, kind, ...fields }, at_mono);
  }
}
