/**
 * Owns the claim of one tab to be one device: a lock per device id, held as long as the tab lives.
 *
 * Web Locks where they are (secure pages). Elsewhere a lease in localStorage: renewed each second, free when
 * its holder was silent for `LEASE_MS`, longer than the minute to which a browser slows a hidden tab's timers.
 */

import { newId } from "./ids.js";

const RENEW_MS = 1_000;
const LEASE_MS = 90_000;

/** Locks of this page. @param {import("./time.js").Time} time */
export function pageLocks(time, { locks = globalThis.navigator?.locks, storage } = {}) {
  if (locks) return new WebLocks(locks);
  if (storage) return new LeaseLocks(time, storage);
  return new NoLocks();
}

export class WebLocks {
  #locks;

  constructor(locks) {
    this.#locks = locks;
  }

  /** The release of the lock, or null if another tab has it. @returns {Promise<(() => void) | null>} */
  take(name) {
    return new Promise((resolve, reject) => {
      const held = this.#locks.request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        return new Promise((release) => resolve(() => release()));
      });
      held.catch(reject);
    });
  }
}

export class LeaseLocks {
  #time;
  #storage;
  #me = newId("tab");

  constructor(time, storage) {
    this.#time = time;
    this.#storage = storage;
  }

  async take(name) {
    const holder = JSON.parse(this.#storage.getItem(name) ?? "null");
    if (holder && holder.tab !== this.#me && this.#time.wall() - holder.at < LEASE_MS) return null;
    let stop = () => {};
    const renew = () => {
      this.#storage.setItem(name, JSON.stringify({ tab: this.#me, at: this.#time.wall() }));
      stop = this.#time.after(RENEW_MS, renew);
    };
    renew();
    const release = () => {
      stop();
      this.#storage.removeItem(name);
    };
    globalThis.addEventListener?.("pagehide", release, { once: true });
    return release;
  }
}

/** Without any shared storage no other tab can know this one's device id, so there is nothing to claim. */
export class NoLocks {
  async take() {
    return () => {};
  }
}
