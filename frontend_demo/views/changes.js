/** Owns what the server's history of an item's head says, asked again when a head tells that it may have grown. */

import { Emitter } from "../client/emitter.js";

const PAGE = 20;

/** A head this much further than its play explains has been moved (docs/sync.md, jump tolerance). */
const JUMP_MS = 15_000;

/** Less than this between two places is the same place. */
const SAME_MS = 1_000;

/** The history is at rest: a change is in it a second after a pause or a seek, 31 s after a beat (P26). */
const LOOKS_MS = [900, 3_000, 31_000];

/**
 * Events: `page` {changes, next}: the newest page was read; `problem` {error}: it could not be read;
 * `moved` {head, before}: a head came that its play alone does not explain.
 */
export class Changes extends Emitter {
  newest = null;
  #api;
  #client;
  #moved = null;
  #item;
  #head;
  #timer = null;
  #off;

  /**
   * @param {{on: (name: string, listener: (detail: any) => void) => () => void,
   *          clock_state?: {offset_ms: number}}} client  tells of heads
   */
  constructor(api, item, client, head) {
    super();
    this.#api = api;
    this.#client = client;
    this.#item = item;
    this.#head = head;
    this.#off = client.on("head", ({ head, fresh }) => fresh && head.item === item && this.#heard(head));
    if (head) this.#lookSoon(head.rev, LOOKS_MS.slice(0, 1));
  }

  /**
   * Whether the newest row tells what an undo takes back, and to where: it is of the latest move that was seen
   * here, and what was there before rested (a run that played may still report how far it had come).
   */
  get settled() {
    return this.newest !== null && this.#moved !== null && this.newest.rev >= this.#moved.rev && !this.#moved.from_play;
  }

  /** The server's time: a device's own clock may be an hour off. */
  now() {
    return new Date(Date.now() + (this.#client.clock_state?.offset_ms ?? 0));
  }

  /** Reads the newest page, for whoever listens. */
  async look() {
    try {
      const page = await this.#api.history(this.#item, { limit: PAGE });
      this.newest = page.changes.find(isUndoable) ?? null;
      this.emit("page", page);
    } catch (error) {
      this.emit("problem", { error });
    }
    return this.newest;
  }

  /** The page after `before`. */
  earlier(before) {
    return this.#api.history(this.#item, { before, limit: PAGE });
  }

  /** Why the head is where it is, or was at `at`, a UTC instant. */
  explain(at) {
    return this.#api.explain(this.#item, at);
  }

  close() {
    clearTimeout(this.#timer);
    this.#off();
    this.silence();
  }

  #heard(head) {
    const before = this.#head;
    this.#head = head;
    if (before && !isMoved(before, head)) return;
    if (before) this.#moved = { rev: head.rev, from_play: before.playing };
    if (before) this.emit("moved", { head, before });
    this.#lookSoon(head.rev, LOOKS_MS);
  }

  #lookSoon(rev, [first_ms, ...later_ms]) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      const newest = await this.look();
      if (later_ms.length && !(newest?.rev >= rev)) this.#lookSoon(rev, later_ms);
    }, first_ms);
  }
}

/** Whether a row is one that an undo takes back: an offer moved nothing, an edit is not the student's. */
export function isUndoable({ what }) {
  return what !== "offer" && what !== "version";
}

/** Whether the item is elsewhere, on another device, done, or begun afresh: more than its play explains. */
function isMoved(before, head) {
  if (before.done !== head.done || before.epoch !== head.epoch || before.device !== head.device) return true;
  return away(before, head, JUMP_MS);
}

/** Whether the place is another one, and not just further by what was played. */
export function isElsewhere(before, head) {
  return away(before, head, SAME_MS);
}

function away(before, head, by_ms) {
  const played_ms = before.playing ? Math.max(0, head.as_of_ms - before.as_of_ms) * before.rate : 0;
  const moved_ms = head.position_ms - before.position_ms;
  return moved_ms < -by_ms || moved_ms > played_ms + by_ms;
}
