/**
 * Owns one stretch of the monotonic clock: its id, and the wall clock beside it (docs/sync.md, corrected time).
 *
 * While a machine sleeps, some browsers stop `performance.now()`. A stamp from before would then seem younger
 * by the whole sleep. The wall clock goes on, so a wall that has run ahead of the monotonic clock means: that
 * stretch is over, and stamps from now on belong to a new one. A user who puts the clock forward looks the
 * same; a new stretch costs one reconnect and harms nothing. A clock put back is no sleep.
 */

import { newId } from "./ids.js";

/** The wall may run ahead by this much, in one go, before it means a sleep. */
const SLEPT_MS = 1_500;

/** Clocks drift apart slowly: the pair is taken afresh this often. */
const PAIR_LIFE_MS = 60_000;

export class Boot {
  id = newId("boot");
  #time;
  #mono_ms;
  #wall_ms;

  /** @param {import("./time.js").Time} time */
  constructor(time) {
    this.#time = time;
    this.#pair();
  }

  /** Real ms by which the wall has run ahead since the last look, if that was a sleep; else 0. */
  slept_ms() {
    const ahead_ms = this.#time.wall() - this.wallAt(this.#time.mono());
    if (ahead_ms >= SLEPT_MS) return ahead_ms;
    if (ahead_ms <= -SLEPT_MS || this.#time.mono() - this.#mono_ms > PAIR_LIFE_MS) this.#pair();
    return 0;
  }

  /** The device's wall clock at a moment of this stretch. */
  wallAt(mono_ms) {
    return this.#wall_ms + mono_ms - this.#mono_ms;
  }

  /** The stretch is over: another id from here. */
  renew() {
    this.id = newId("boot");
    this.#pair();
  }

  #pair() {
    this.#mono_ms = this.#time.mono();
    this.#wall_ms = this.#time.wall();
  }
}
