/**
 * Owns what was really played: turns samples of a media element's clock into spans of content.
 *
 * Pure: no element, no timer. A span never claims more than the element showed, ends where it last moved,
 * and is stamped with the moment it was there.
 */

/** Movement this much faster than the rate allows, or backwards, is a jump and not play. */
const JUMP_MS = 1_000;

/** The element may step back a little without having been sought (it re-reads its audio clock). */
const BACKSTEP_MS = 250;

/** Said to play and not moved for this long: frozen. */
const FREEZE_MS = 1_500;

/** What a media element and the protocol can both say of a rate. */
const [RATE_MIN, RATE_MAX] = [0.1, 16];

/** @typedef {{from_ms: number, to_ms: number, rate: number, mono_ms: number}} Span */

export class SpanMeter {
  #from = null;
  #last = null;
  #rate = 1;

  get running() {
    return this.#from !== null;
  }

  /** Content ms since the last cut. */
  get content_ms() {
    return this.running ? this.#last.at_ms - this.#from.at_ms : 0;
  }

  /** Begins a span at content `at_ms`, read at `mono_ms`. */
  start(at_ms, mono_ms, rate) {
    this.#from = { at_ms, mono_ms };
    this.#last = { at_ms, mono_ms };
    this.#rate = rate;
  }

  /** Where it last moved, in content ms; null when nothing runs. */
  get last_ms() {
    return this.#last?.at_ms ?? null;
  }

  /**
   * Takes a reading. `late`: it moved, and stood still in between (the machine slept, or the page was frozen);
   * that belongs to no span. @returns {"moving" | "frozen" | "jumped" | "late"}
   */
  sample(at_ms, mono_ms) {
    const gone_ms = mono_ms - this.#last.mono_ms;
    const moved_ms = at_ms - this.#last.at_ms;
    if (moved_ms < -BACKSTEP_MS || moved_ms > gone_ms * this.#rate + JUMP_MS) return "jumped";
    if (moved_ms > 0 && gone_ms - moved_ms / this.#rate > FREEZE_MS) return "late";
    if (moved_ms > 0) this.#last = { at_ms, mono_ms };
    else if (gone_ms > FREEZE_MS) return "frozen";
    return "moving";
  }

  /** Real ms since the last cut. */
  age_ms(mono_ms) {
    return this.running ? mono_ms - this.#from.mono_ms : 0;
  }

  /** The span up to the last movement, and goes on from there. @returns {Span | null} null if nothing moved */
  cut() {
    const span = this.#span();
    if (span) this.#from = this.#last;
    return span;
  }

  /** The last span; nothing runs after it. @returns {Span | null} */
  stop() {
    const span = this.#span();
    this.#from = this.#last = null;
    return span;
  }

  /** What runs now, as a span; goes on unchanged. @returns {Span | null} */
  peek() {
    return this.#span();
  }

  #span() {
    if (!this.running) return null;
    const from_ms = Math.round(this.#from.at_ms);
    const to_ms = Math.round(this.#last.at_ms);
    if (to_ms <= from_ms) return null;
    return { from_ms, to_ms, rate: this.#rate, mono_ms: this.#last.mono_ms };
  }
}

/** The rate of an element as the protocol can say it. */
export function rateOf(video) {
  const rate = Math.abs(video.playbackRate);
  return Math.min(RATE_MAX, Math.max(RATE_MIN, Number.isFinite(rate) ? rate : 1));
}
