/** Owns the server's time as this device can know it: an offset to the monotonic clock, never to the wall clock. */

/** A sample this much older than the newest is forgotten: the two clocks drift apart. */
const SAMPLE_LIFE_MS = 10 * 60_000;

export class ServerClock {
  #time;
  #sample = null;

  /** @param {import("./time.js").Time} time */
  constructor(time) {
    this.#time = time;
  }

  /** Whether the server has told its time yet. */
  get known() {
    return this.#sample !== null;
  }

  /**
   * Learns from an exchange: asked at `sent_mono`, answered with `server_ms`, read now. The exchange with the
   * shortest round trip is the best estimate, as in NTP; a worse one replaces it only when it has grown old.
   */
  observe(server_ms, sent_mono) {
    const read_mono = this.#time.mono();
    const trip_ms = Math.max(0, read_mono - sent_mono);
    const best = this.#sample;
    if (best && trip_ms > best.trip_ms && read_mono - best.read_mono < SAMPLE_LIFE_MS) return;
    this.#sample = { offset_ms: server_ms + trip_ms / 2 - read_mono, trip_ms, read_mono };
  }

  /** The monotonic clock has begun anew: what was learned is of the old one. */
  forget() {
    this.#sample = null;
  }

  /** Server ms since 1970 now; before the first exchange, the device's own clock. */
  now() {
    return this.#sample ? this.#sample.offset_ms + this.#time.mono() : this.#time.wall();
  }
}
