/**
 * Owns this device's events from birth to `durable` (P20, R8, R9): numbered at once, written before sent,
 * deleted only when durable, sealed to one student and one device.
 *
 * `seq` is given out in memory, synchronously: the lock on the device id makes this the only writer. An entry
 * may be sent from `ready()` on, which holds only what the disk has.
 */

import { Emitter } from "./emitter.js";

/**
 * Events: `written` (more may be sent), `changed` (entries came or went), `degraded` (the disk refuses).
 */
export class Journal extends Emitter {
  #store;
  #spillStorage;
  #row;
  #entries;
  #written_seq;
  #writing = false;
  #idle = Promise.resolve();

  constructor({ store, student, device, row, entries, spillStorage, spillKey }) {
    super();
    this.student = student;
    this.device = device;
    this.durability = store.durability;
    this.spillKey = spillKey;
    this.#store = store;
    this.#spillStorage = spillStorage;
    this.#row = row;
    this.#entries = entries;
    this.#written_seq = entries.at(-1)?.seq ?? row.last_seq;
  }

  /**
   * Opens the journal of (student, device) and takes in what a dying page spilled.
   * @param {{store: any, student: string, device: string, namespace: string, spillStorage?: Storage | null}} of
   */
  static async open({ store, student, device, namespace, spillStorage = null }) {
    const spillKey = `${namespace}:spill:${encodeURIComponent(student)}:${device}`;
    const { row, entries } = await store.load(student, device);
    const spilled = readSpill(spillStorage, spillKey).filter(
      (entry) => entry.seq > row.durable_seq && !entries.some((have) => have.seq === entry.seq),
    );
    const all = [...entries, ...spilled].sort((a, b) => a.seq - b.seq);
    row.last_seq = Math.max(row.last_seq, all.at(-1)?.seq ?? 0);
    if (spilled.length) await store.write(student, device, row, spilled);
    spillStorage?.removeItem(spillKey);
    return new Journal({ store, student, device, row, entries: all, spillStorage, spillKey });
  }

  /** Newest seq given out. */
  get last_seq() {
    return this.#row.last_seq;
  }

  /** Newest seq known durable. */
  get durable_seq() {
    return this.#row.durable_seq;
  }

  /** Number of entries not yet durable. */
  get length() {
    return this.#entries.length;
  }

  /** Content ms in spans not yet durable: what "2 min unsaved" means. */
  get unsaved_ms() {
    return this.#entries.reduce((sum, entry) => sum + (entry.kind === "played" ? entry.to_ms - entry.from_ms : 0), 0);
  }

  /** Writes an event down as the next entry and returns it, numbered; it may be sent once `written`. */
  append(event) {
    this.#row.last_seq += 1;
    const entry = Object.freeze({ seq: this.#row.last_seq, ...event });
    this.#entries.push(entry);
    this.#write();
    this.emit("changed");
    return entry;
  }

  /** Entries after `seq` that the disk has, oldest first, at most `count`. */
  ready(seq, count = Infinity) {
    const from = this.#firstAfter(seq);
    const to = Math.min(this.#firstAfter(this.#written_seq), from + count);
    return this.#entries.slice(from, to);
  }

  /** Deletes what is durable. A watermark that goes back is ignored. */
  forget(durable_seq) {
    if (durable_seq <= this.#row.durable_seq) return;
    this.#row.durable_seq = durable_seq;
    this.#entries.splice(0, this.#firstAfter(durable_seq));
    this.#erase();
    this.emit("changed");
  }

  /** P21: a journal that was rolled back continues where the server is, so no seq is used twice. */
  continueFrom(applied_seq) {
    if (applied_seq <= this.#row.last_seq) return;
    this.#row.last_seq = applied_seq;
    this.#written_seq = applied_seq;
  }

  /** Resolves when everything appended so far is on disk. */
  settled() {
    return this.#idle;
  }

  /**
   * The page may die now: writes what the disk does not have yet to localStorage, synchronously, so that it may
   * be sent in this same turn. The next `open` takes it in; an entry that made it to disk as well is one entry.
   */
  spill() {
    const late = this.#entries.slice(this.#firstAfter(this.#written_seq));
    if (!late.length || !this.#spillStorage) return;
    try {
      this.#spillStorage.setItem(this.spillKey, JSON.stringify(late));
    } catch {
      return;
    }
    this.#written_seq = this.#row.last_seq;
    this.emit("written");
  }

  #firstAfter(seq) {
    // Dense but for a rolled back journal, so the guess is nearly always right.
    let index = Math.min(this.#entries.length, Math.max(0, seq - (this.#entries[0]?.seq ?? 0) + 1));
    while (index > 0 && this.#entries[index - 1].seq > seq) index -= 1;
    while (index < this.#entries.length && this.#entries[index].seq <= seq) index += 1;
    return index;
  }

  #write() {
    if (this.#writing) return;
    this.#writing = true;
    this.#idle = this.#writeAll();
  }

  async #writeAll() {
    let disk_seq = this.#written_seq;
    for (;;) {
      const batch = this.#entries.slice(this.#firstAfter(disk_seq));
      if (!batch.length) {
        this.#writing = false;
        return;
      }
      await this.#touch(() => this.#store.write(this.student, this.device, { ...this.#row }, batch));
      disk_seq = batch.at(-1).seq;
      this.#written_seq = Math.max(this.#written_seq, disk_seq);
      this.emit("written");
    }
  }

  #erase() {
    const { durable_seq } = this.#row;
    void this.#touch(() => this.#store.erase(this.student, this.device, { ...this.#row }, durable_seq));
  }

  /** A disk that refuses must not stop the student: the entry lives in memory and the page says so. */
  async #touch(act) {
    try {
      await act();
    } catch (error) {
      this.durability = "memory";
      this.emit("degraded", { error });
    }
  }
}

function readSpill(storage, key) {
  try {
    return JSON.parse(storage?.getItem(key) ?? "[]").map((entry) => Object.freeze(entry));
  } catch {
    return [];
  }
}
