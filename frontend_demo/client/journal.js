/**
 * Owns this device's events from birth to `durable` (P20, R8, R9): numbered at once, written before sent,
 * deleted only when durable, sealed to one student and one device.
 *
 * `seq` is given out in memory, synchronously: the lock on the device id makes this the only writer, and the
 * store fences out whoever believes so wrongly. An entry may be sent from `ready()` on, which holds only what
 * the disk has, and the disk knows that it may have been sent: what it does not know of was certainly not.
 */

import { Emitter } from "./emitter.js";
import { contentMs, lengthened, readEntry, spoiled, startMono } from "./entries.js";
import { newId } from "./ids.js";
import { systemTime, within } from "./time.js";

/** A disk that has not answered for this long refuses. It may still write later: that changes nothing. */
const WRITE_MS = 10_000;

const TOO_LATE = Symbol("too late");

/**
 * Events: `written` (more may be sent), `changed` (entries came or went), `degraded` {durability, error} (the
 * disk refuses, or takes again), `renumbered` {after, by}, `fenced` (another tab is this device now).
 */
export class Journal extends Emitter {
  #store;
  #refusing = false;
  #spillStorage;
  #time;
  #row;
  #entries;
  /** Newest entry that may be sent, as far as the disk is concerned. */
  #written_seq;
  /** Newest entry on disk as it is in memory. */
  #disk_seq;
  /** Oldest entry changed since the write under way began. */
  #changed_seq = Infinity;
  #erased = null;
  #dirty = false;
  #writing = false;
  #spilled = false;
  #closed = false;
  #sending = true;
  #last_start_mono = 0;
  /** The visit and boot that the newest span or opening was stamped in. */
  #stamped_in = "";
  #growing = false;
  #idle = Promise.resolve();

  constructor({ store, student, device, row, entries, disk_seq, spillStorage, spillKey, time = systemTime }) {
    super();
    this.student = student;
    this.device = device;
    this.spillKey = spillKey;
    this.#store = store;
    this.#spillStorage = spillStorage;
    this.#time = time;
    this.#row = row;
    this.#entries = entries;
    this.#disk_seq = this.#written_seq = disk_seq;
  }

  /**
   * Takes the journal of (student, device) over, with what a dying page spilled and the spans that a killed
   * page was playing. Whoever had it before can write no more.
   * @param {{store: any, student: string, device: string, namespace: string, spillStorage?: Storage | null}} of
   */
  static async open({ store, student, device, namespace, spillStorage = null, time = systemTime }) {
    const spillKey = `${namespace}:spill:${encodeURIComponent(student)}:${device}`;
    const disk = await store.load(student, device);
    const spill = readSpill(spillStorage, spillKey);
    const { row, entries, runs } = recovered(disk, spill);
    const disk_seq = sameUpTo(disk.entries, entries, row);
    const journal = new Journal({ store, student, device, row, entries, disk_seq, spillStorage, spillKey, time });
    journal.#spilled = spill !== null;
    for (const span of runs) journal.append(span);
    const tidy = !spill && !Object.keys(disk.row.open).length && entries.length === disk.entries.length;
    if (!tidy) {
      journal.#erase(0, row.durable_seq);
      journal.#write();
    }
    await journal.settled();
    return journal;
  }

  /** Newest seq given out. */
  get last_seq() {
    return this.#row.last_seq;
  }

  /** Newest seq known durable. */
  get durable_seq() {
    return this.#row.durable_seq;
  }

  /** Where entries live now: what the store is, or `memory` as long as the disk refuses. */
  get durability() {
    return this.#refusing ? "memory" : this.#store.durability;
  }

  /** Number of entries not yet durable. */
  get length() {
    return this.#entries.length;
  }

  /** Content ms in spans not yet durable: what "2 min unsaved" means. */
  get unsaved_ms() {
    return this.#entries.reduce((sum, entry) => sum + contentMs(entry), 0);
  }

  /** Whether there is a link that takes entries: then whatever is written may have been sent. */
  set sending(on) {
    this.#sending = on;
    if (on && this.#row.offered_seq < this.#row.last_seq) this.#write();
  }

  /**
   * Writes an event down and returns its entry, numbered; it may be sent once `written`. A span that only goes
   * on where the last entry ended makes that one longer, unless it may have been sent: so weeks off line are a
   * list of intervals and not of beats.
   */
  append(event) {
    if (this.#closed) throw new Error("the journal is closed: another tab may be this device.");
    if (event.kind === "played" || event.kind === "closed") this.#noteRun(event.session, null);
    const last = this.#entries.at(-1);
    const free = this.#growing && last && last.seq > this.#row.offered_seq;
    const entry = (free && lengthened(last, event, this.#last_start_mono)) || this.#next(event);
    if (entry.seq === last?.seq) {
      this.#entries[this.#entries.length - 1] = entry;
      this.#differs(entry.seq);
      this.#written_seq = Math.min(this.#written_seq, entry.seq - 1);
    } else {
      this.#entries.push(entry);
      this.#begin(entry);
    }
    this.#write();
    this.emit("changed");
    return entry;
  }

  /**
   * Notes the span that a visit is playing now, without sending it: if the page is killed, the next one finds
   * it and it becomes an entry. Whatever closes the span takes the note off in the same write.
   */
  note(event) {
    if (this.#closed) return;
    this.#noteRun(event.session, event);
    this.#write();
  }

  /** Entries after `seq` that may be sent, oldest first, at most `count`, without a gap (P22). */
  ready(seq, count = Infinity) {
    const most = Math.min(this.#written_seq, this.#row.offered_seq);
    const found = [];
    let next = Math.max(seq, this.#row.durable_seq) + 1;
    for (let index = this.#firstAfter(next - 1); index < this.#entries.length; index += 1) {
      const entry = this.#entries[index];
      if (entry.seq > most) break;
      // What the disk lost, or a journal that was rolled back never had, must not hold up the rest.
      while (next < entry.seq && found.length < count) found.push(spoiled(next++));
      if (found.length >= count) break;
      found.push(entry);
      next += 1;
    }
    return found;
  }

  /** Deletes what is durable. A watermark that goes back is ignored. */
  forget(durable_seq) {
    if (durable_seq <= this.#row.durable_seq) return;
    this.#row.durable_seq = durable_seq;
    this.#row.offered_seq = Math.max(this.#row.offered_seq, durable_seq);
    this.#entries.splice(0, this.#firstAfter(durable_seq));
    this.#erase(0, durable_seq);
    this.#write();
    this.emit("changed");
  }

  /**
   * P21: the server knows more of this device than this journal, which was rolled back or could not be written
   * for a while. It continues where the server is, so no seq is used twice; what was written down meanwhile and
   * never sent moves behind that.
   */
  continueFrom(applied_seq) {
    const { offered_seq } = this.#row;
    const by = applied_seq - offered_seq;
    if (by <= 0) return;
    const at = this.#firstAfter(offered_seq);
    const moved = this.#entries.splice(at).map((entry) => Object.freeze({ ...entry, seq: entry.seq + by }));
    this.#entries.push(...moved);
    this.#row.last_seq = Math.max(this.#row.last_seq, offered_seq) + by;
    this.#row.offered_seq = applied_seq;
    this.#differs(offered_seq + 1);
    this.#written_seq = moved.length ? Math.min(this.#written_seq, offered_seq) : applied_seq;
    if (moved.length) this.#erase(offered_seq + 1, Number.MAX_SAFE_INTEGER);
    this.#write();
    this.emit("renumbered", { after: offered_seq, by });
  }

  /** The server cannot even be told of this entry: in its place goes what is refused by its `seq` alone. */
  spoil(seq) {
    const index = this.#firstAfter(seq - 1);
    if (this.#entries[index]?.seq !== seq || this.#entries[index].kind === "unreadable") return false;
    this.#entries[index] = spoiled(seq);
    this.#differs(seq);
    this.#write();
    this.emit("changed");
    return true;
  }

  /** Resolves when everything appended so far is on disk, or the disk has refused it. */
  settled() {
    return this.#idle;
  }

  /**
   * The page may die now: writes what the disk does not have yet to localStorage, synchronously, so that it may
   * be sent in this same turn. The next `open` takes it in; an entry that made it to disk as well is one entry.
   * @returns {boolean} whether nothing would be lost now
   */
  spill() {
    if (this.#closed || !(this.#dirty || this.#writing)) return true;
    if (!this.#spillStorage) return false;
    const late = this.#entries.slice(this.#firstAfter(this.#disk_seq));
    const row = { ...this.#row, offered_seq: this.#row.last_seq };
    try {
      this.#spillStorage.setItem(this.spillKey, JSON.stringify({ row, entries: late }));
    } catch {
      return false;
    }
    this.#spilled = true;
    this.#row.offered_seq = this.#written_seq = this.#row.last_seq;
    this.emit("written");
    return true;
  }

  /** Writes nothing any more: the device id is somebody else's from now on, or nobody's. */
  close() {
    this.#closed = true;
    this.silence();
  }

  /** Entries that reached neither the disk nor the wire when the journal was fenced, without their seq. */
  orphans() {
    const late = this.#entries.slice(this.#firstAfter(this.#written_seq));
    return late.map(({ seq: _, ...event }) => event);
  }

  /**
   * The server grants the first span of a visit in a boot only a beat of real time, unless it has a stamp from
   * before (`opened`, or another span); so that one stays short.
   */
  #begin(entry) {
    if (entry.kind !== "opened" && entry.kind !== "played") return;
    const stamped_in = `${entry.session} ${entry.boot}`;
    this.#growing = entry.kind === "played" && stamped_in === this.#stamped_in;
    this.#stamped_in = stamped_in;
    if (entry.kind === "played") this.#last_start_mono = startMono(entry);
  }

  #next(event) {
    this.#row.last_seq += 1;
    return Object.freeze({ seq: this.#row.last_seq, ...event });
  }

  #noteRun(session, event) {
    if (!event && !Object.hasOwn(this.#row.open, session)) return;
    const { [session]: _, ...others } = this.#row.open;
    this.#row.open = event ? { ...others, [session]: event } : others;
  }

  #firstAfter(seq) {
    // Dense but for a rolled back journal, so the guess is nearly always right.
    let index = Math.min(this.#entries.length, Math.max(0, seq - (this.#entries[0]?.seq ?? 0) + 1));
    while (index > 0 && this.#entries[index - 1].seq > seq) index -= 1;
    while (index < this.#entries.length && this.#entries[index].seq <= seq) index += 1;
    return index;
  }

  #erase(from, to) {
    this.#erased = this.#erased ? [Math.min(from, this.#erased[0]), Math.max(to, this.#erased[1])] : [from, to];
    // What is deleted in passing is written again in the same transaction.
    if (this.#erased[1] > this.#row.durable_seq) this.#differs(this.#erased[0]);
  }

  /** From `seq` on the disk does not have what is here. */
  #differs(seq) {
    this.#disk_seq = Math.min(this.#disk_seq, seq - 1);
    this.#changed_seq = Math.min(this.#changed_seq, seq);
  }

  #write() {
    if (this.#closed) return;
    this.#dirty = true;
    if (this.#writing) return;
    this.#writing = true;
    this.#idle = this.#writeAll();
  }

  async #writeAll() {
    // What is written in one turn of the page goes to disk as one: a span and the note it replaces.
    await null;
    while (this.#dirty && !this.#closed) {
      this.#dirty = false;
      if (this.#sending) this.#row.offered_seq = this.#row.last_seq;
      const batch = this.#entries.slice(this.#firstAfter(this.#disk_seq));
      const erased = this.#erased;
      this.#erased = null;
      this.#changed_seq = Infinity;
      const error = await this.#put(batch, erased);
      if (this.#closed) break;
      if (error?.name === "Fenced") {
        this.#writing = false;
        return this.emit("fenced");
      }
      if (error?.name === "Evicted" && (await this.#takeAgain())) continue;
      if (error) this.#refused(error, erased);
      else this.#stored(batch);
      this.emit("written");
      if (error) break;
    }
    this.#writing = false;
  }

  /** @returns {Promise<Error | null>} */
  async #put(batch, erased) {
    try {
      const write = this.#store.write(this.student, this.device, { ...this.#row }, batch, erased);
      const done = await within(this.#time, WRITE_MS, write, TOO_LATE);
      return done === TOO_LATE ? new Error("the disk does not answer") : null;
    } catch (error) {
      return error;
    }
  }

  /** The browser threw the journal away under our feet: what is here goes to disk once more. */
  async #takeAgain() {
    try {
      await this.#store.load(this.student, this.device, this.#row.writer);
    } catch {
      return false;
    }
    this.#differs(this.#row.durable_seq + 1);
    this.#dirty = true;
    return true;
  }

  /** What has not been changed meanwhile is on disk as it is. */
  #stored(batch) {
    const last_seq = batch.at(-1)?.seq ?? 0;
    this.#disk_seq = Math.max(this.#disk_seq, Math.min(last_seq, this.#changed_seq - 1));
    this.#written_seq = Math.max(this.#written_seq, this.#disk_seq);
    if (this.#spilled && !this.#dirty) this.#unspill();
    this.#becomes(false, null);
  }

  #unspill() {
    this.#spilled = false;
    try {
      this.#spillStorage?.removeItem(this.spillKey);
    } catch {
      // Blocked meanwhile: the next `open` sees that the row on disk is newer.
    }
  }

  /** A disk that refuses must not stop the student: the entry lives in memory and the page says so. */
  #refused(error, erased) {
    if (erased) this.#erase(...erased);
    // Tried again with whatever is written next.
    this.#dirty = true;
    this.#written_seq = this.#row.last_seq;
    if (this.#sending) this.#row.offered_seq = this.#row.last_seq;
    this.#becomes(true, error);
  }

  #becomes(refusing, error) {
    if (refusing === this.#refusing) return;
    this.#refusing = refusing;
    this.emit("degraded", { durability: this.durability, error });
  }
}

/**
 * What there is: the disk's entries and the spill's, the longer of two, and the spans that ran when the page was
 * killed. The note of a span goes in the write that brings its entry; a spill has the entry alone, and then a
 * note of the same play counts no more.
 */
function recovered({ row, former, entries }, spill) {
  // What a page spilled that had lost the journal was never sent under a seq that is its own.
  const own = spill && (!former || !spill.row.writer || spill.row.writer === former);
  const kept = entries.filter((entry) => entry.seq > row.durable_seq);
  const bySeq = new Map(kept.map((entry) => [entry.seq, entry]));
  for (const entry of own ? spill.entries : []) {
    if (entry.seq > row.durable_seq && fuller(entry, bySeq.get(entry.seq))) bySeq.set(entry.seq, entry);
  }
  const all = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
  const runs = Object.values(row.open).filter((span) => isSpan(span) && !all.some((entry) => goesPast(entry, span)));
  const offered_seq = Math.max(row.offered_seq, own ? spill.row.offered_seq : 0);
  const last_seq = Math.max(row.last_seq, all.at(-1)?.seq ?? 0);
  return { row: { ...row, last_seq, offered_seq, open: {} }, entries: all, runs };
}

function fuller(entry, other) {
  return !other || (entry.kind === "played" && (other.kind !== "played" || entry.to_ms > other.to_ms));
}

function isSpan(span) {
  return span?.kind === "played" && span.to_ms > span.from_ms;
}

/** Whether the entry, of the same visit, was written after the span was noted. */
function goesPast(entry, span) {
  return entry.session === span.session && entry.boot === span.boot && entry.mono_ms >= span.mono_ms;
}

/** Newest seq up to which the disk already has these entries. */
function sameUpTo(onDisk, entries, row) {
  const have = new Set(onDisk);
  const first = entries.find((entry) => !have.has(entry));
  return first ? first.seq - 1 : (entries.at(-1)?.seq ?? row.last_seq);
}

/** What a dying page left: {row, entries} or null. */
function readSpill(storage, key) {
  try {
    const spill = JSON.parse(storage?.getItem(key) ?? "null") ?? {};
    // Version 0.1.0 spilled the entries alone.
    const { row, entries } = Array.isArray(spill) ? { row: { offered_seq: spill.at(-1).seq }, entries: spill } : spill;
    return row ? { row, entries: entries.map((entry) => readEntry(entry.seq, entry)) } : null;
  } catch {
    return null;
  }
}
