/**
 * Owns the drafts that are edited on this page: what is not saved yet goes on being saved while an instructor walks
 * about, is there when the editor opens again, and warns before the page goes.
 */

import { DraftKeeper } from "./draft_keeper.js";

/** By student and course. `heard`: what tells the editor that is open, or null; `of`: how the newest one saves and reads. */
const kept = new Map();

globalThis.addEventListener?.("beforeunload", (event) => {
  if ([...kept.values()].some(({ keeper }) => !keeper.is_clean)) event.preventDefault();
});

/**
 * The keeper of a course for an editor that opens: the one with what was not saved, which takes in what the server
 * has by now, or a new one.
 * @param {string} student @param {string} course @param {object} of  as DraftKeeper has them
 * @returns {{keeper: DraftKeeper, leave: () => Promise<void>}}  `leave`: the editor closes
 */
export function keeperOf(student, course, { tell, ...of }) {
  const key = JSON.stringify([student, course]);
  const before = kept.get(key);
  const entry = before ?? { keeper: null };
  Object.assign(entry, { heard: tell, of });
  const drop = () => {
    if (entry.heard || !entry.keeper.is_clean) return;
    entry.keeper.stop();
    if (kept.get(key) === entry) kept.delete(key);
  };
  if (!before) {
    const [save, read] = [(...what) => entry.of.save(...what), () => entry.of.read()];
    entry.keeper = new DraftKeeper({ ...of, save, read, tell: (what) => (entry.heard?.(what), drop()) });
    kept.set(key, entry);
  } else if (entry.keeper.state !== "conflict") {
    // A conflict has its other draft already, and is met again if that is an old one.
    void entry.keeper.pull().catch(() => {});
  }
  const leave = async () => {
    if (entry.heard === tell) entry.heard = null;
    await entry.keeper.flush();
    drop();
  };
  return { keeper: entry.keeper, leave };
}
