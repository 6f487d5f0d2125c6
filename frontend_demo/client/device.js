/**
 * Owns which device this tab is.
 *
 * A device is a journal with one writer, so two tabs must never be the same one: their `seq` would collide and
 * the server would take one tab's minutes for repeats of the other's. Hence:
 *
 * 1. The browser has one *primary* id, kept beside the journal (a wiped journal is a new device). The tab that
 *    holds its lock is that device.
 * 2. A tab opened meanwhile is a device of its own. Its id lives in sessionStorage, so a reload keeps it; a
 *    duplicated tab finds the copied id locked and takes a new one.
 * 3. A closed tab may leave entries behind. Whoever starts next finds them (`store.waiting`) and either becomes
 *    that device (2, before making up a new id) or carries its journal up under its name (courier.js).
 */

import { newId } from "./ids.js";

const KINDS = Object.freeze({ phone: "Phone", tablet: "Tablet", laptop: "Laptop", desktop: "Computer", tv: "TV" });

/**
 * Claims a device id for this tab.
 * @returns {Promise<{id: string, primary: boolean, release: import("./locks.js").Release}>}
 */
export async function claimDevice({ namespace, student, store, locks, session }) {
  const primary = (await store.device()) ?? (await newPrimary(store));
  const lock = await locks.take(lockName(namespace, primary));
  if (lock) return { id: primary, primary: true, release: lock };
  const sessionKey = `${namespace}:tab-device`;
  const own = session?.getItem(sessionKey);
  const left = (await store.waiting(student)).filter((id) => id !== primary && id !== own);
  for (const id of [own, ...left, newId("dev"), newId("dev")]) {
    if (!id) continue;
    const release = await locks.take(lockName(namespace, id));
    if (!release) continue;
    session?.setItem(sessionKey, id);
    return { id, primary: false, release };
  }
  throw new Error("No device id is free in this browser; close a tab and reload.");
}

/** Name of the lock that stands for a device. */
export function lockName(namespace, device) {
  return `${namespace}:device:${device}`;
}

async function newPrimary(store) {
  const id = newId("dev");
  await store.setDevice(id);
  return id;
}

/**
 * What people call this device: `kind` as asked for, else guessed from the browser.
 * @param {string | null} kind  "phone", "tablet", "laptop", "desktop" or "tv"
 * @returns {{kind: string, name: string}}
 */
export function describeDevice(kind, userAgent = globalThis.navigator?.userAgent ?? "") {
  const known = kind && Object.hasOwn(KINDS, kind) ? kind : guessKind(userAgent);
  return { kind: known, name: KINDS[known] };
}

function guessKind(userAgent) {
  if (/\b(smart-?tv|tizen|web0s|webos|apple ?tv|android tv|googletv|bravia|aft[a-z])\b/i.test(userAgent)) return "tv";
  if (/ipad|tablet|android(?!.*mobile)/i.test(userAgent)) return "tablet";
  if (/mobi|iphone/i.test(userAgent)) return "phone";
  return "laptop";
}
