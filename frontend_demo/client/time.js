/** Owns where time comes from; tests pass their own. */

/**
 * @typedef {object} Time
 * @property {() => number} mono  ms on a clock that only counts, from an origin of its own
 * @property {() => number} wall  ms since 1970 on the device's clock, right or wrong
 * @property {(ms: number, act: () => void) => () => void} after  acts once, later; returns the cancel
 */

/** The browser's own clocks. @type {Time} */
export const systemTime = {
  mono: () => performance.now(),
  wall: () => Date.now(),
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * The value of `promise`, or `fallback` if it takes longer than `ms`. A late value is dropped;
 * an error passes through if it is in time.
 */
export function within(time, ms, promise, fallback) {
  return new Promise((resolve, reject) => {
    const cancel = time.after(ms, () => resolve(fallback));
    promise.then(
      (value) => (cancel(), resolve(value)),
      (error) => (cancel(), reject(error)),
    );
  });
}
