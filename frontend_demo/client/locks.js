/**
 * Owns the claim of one tab to be one device: a lock per device id, held as long as the tab lives.
 *
 * Web Locks where they are (secure pages). Elsewhere a lease in localStorage: renewed each second, free when
 * its holder was silent for `LEASE_MS`, longer than the minute to which a browser slows a hidden tab's timers.
 * Whatever a lock says, the store lets only the latest writer write (store.js): a lock that is lost costs a
 * tab its id and never an entry.
 */

import { newId } from "./ids.js";

const RENEW_MS = 1_000;
const LEASE_MS = 90_000;

/**
 * @typedef {(() => void) & {held: () => boolean}} Release  gives the lock back; `held`: whether it is still ours
 */

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

  /** The release of the lock, or null if another tab has it. @returns {Promise<Release | null>} */
  take(name) {
    return new Promise((resolve, reject) => {
      let held = true;
      const over = this.#locks.request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        return new Promise((release) => resolve(Object.assign(release, { held: () => held })));
      });
      // Rejected as well when another page steals the lock.
      over.catch(reject).finally(() => (held = false));
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
    const holder = this.#holder(name);
    if (holder && holder.tab !== this.#me && this.#time.wall() - holder.at < LEASE_MS) return null;
    let stop = () => {};
    const held = () => this.#holder(name)?.tab === this.#me;
    const renew = () => {
      this.#storage.setItem(name, JSON.stringify({ tab: this.#me, at: this.#time.wall() }));
      // A tab that was frozen for long finds another holder, and leaves it alone.
      stop = this.#time.after(RENEW_MS, () => held() && renew());
    };
    renew();
    const release = () => {
      stop();
      if (held()) this.#storage.removeItem(name);
    };
    return Object.assign(release, { held });
  }

  #holder(name) {
    try {
      return JSON.parse(this.#storage.getItem(name) ?? "null");
    } catch {
      return null;
    }
  }
}

/** Without any shared storage no other tab can know this one's device id, so there is nothing to claim. */
export class NoLocks {
  async take() {
    return Object.assign(() => {}, { held: () => true });
  }
}
