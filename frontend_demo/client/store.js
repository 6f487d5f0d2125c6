/**
 * Owns the place on disk: entries, one row per (student, device) journal, and this browser's device id.
 *
 * Three stores with the same verbs. IndexedDB; localStorage where that is missing or refused; memory as the
 * last resort, which survives nothing and says so (`durability`). A journal has one writer: whoever has loaded
 * it last. A write of anybody else is refused with `Fenced`, in the transaction itself, whatever that page
 * believes about its lock.
 */

import { newId } from "./ids.js";
import { readEntry } from "./entries.js";
import { systemTime, within } from "./time.js";

/**
 * @typedef {object} JournalRow
 * @property {number} last_seq     the newest seq ever given out
 * @property {number} durable_seq  the newest seq known durable
 * @property {number} offered_seq  entries above it have certainly never been sent
 * @property {Record<string, object>} open  the span that runs, per visit: becomes an entry if the page is killed
 * @property {string | null} writer  who may write
 */

const NO_ROW = Object.freeze({ last_seq: 0, durable_seq: 0, offered_seq: 0, open: {}, writer: null });

/**
 * The layout of the database. Layouts only ever gain stores, so a page finds what it needs in a newer one, and
 * rows only gain fields, so `rowOf` reads older ones.
 */
const LAYOUT = 1;
const STORES = Object.freeze({
  entries: { keyPath: ["student", "device", "seq"] },
  journals: { keyPath: ["student", "device"] },
  devices: { keyPath: "role" },
});

/** Opening that takes longer than this is given up: a browser that hangs must not keep the student waiting. */
const OPEN_MS = 4_000;

/** Another tab has this journal now: nothing has been written. */
export class Fenced extends Error {
  name = "Fenced";
}

/** The browser has thrown the journal away (storage cleared, or evicted): nothing has been written. */
export class Evicted extends Error {
  name = "Evicted";
}

/**
 * The best store this browser grants.
 * @param {string} namespace  keeps several clients on one origin apart
 */
export async function openStore(
  namespace,
  { indexedDB = globalThis.indexedDB, localStorage = webStorage(), time = systemTime } = {},
) {
  if (indexedDB) {
    try {
      return await IndexedStore.open(namespace, indexedDB, time);
    } catch (error) {
      console.warn("playhead: IndexedDB refuses, the journal goes to localStorage.", error);
    }
  }
  if (localStorage && storageWorks(localStorage, namespace)) return new LocalStore(namespace, localStorage);
  console.warn("playhead: no storage here, the journal lives in memory and dies with the page.");
  return new MemoryStore();
}

/** localStorage, or null where touching it throws (blocked cookies, sandboxed frames). */
export function webStorage(name = "localStorage") {
  try {
    return globalThis[name] ?? null;
  } catch {
    return null;
  }
}

function storageWorks(storage, namespace) {
  try {
    storage.setItem(`${namespace}:probe`, "1");
    storage.removeItem(`${namespace}:probe`);
    return true;
  } catch {
    return false;
  }
}

export class IndexedStore {
  durability = "indexeddb";
  #open;
  #database = null;
  #closed = false;
  #ranges = globalThis.IDBKeyRange;

  constructor(open) {
    this.#open = open;
  }

  static async open(namespace, indexedDB, time = systemTime) {
    const store = new IndexedStore(() => openDatabase(namespace, indexedDB, time));
    await store.#opened();
    return store;
  }

  async device() {
    const row = await result((await this.#read("devices")).get("primary"));
    return row?.id ?? null;
  }

  async setDevice(id) {
    await this.#change(["devices"], "strict", (stores) => stores.devices.put({ role: "primary", id }));
  }

  /** Takes the journal over for `writer`. @returns {Promise<{row: JournalRow, entries: object[]}>} */
  async load(student, device, writer = newId("life")) {
    let row;
    await this.#change(["journals"], "strict", (stores) => {
      const asked = stores.journals.get([student, device]);
      asked.onsuccess = () => {
        row = asked.result;
        if (row) stores.journals.put({ ...row, writer });
        else stores.journals.put({ student, device, ...NO_ROW, writer });
      };
    });
    const entries = await this.#entries(student, device);
    return { row: { ...rowOf(row, entries), writer }, former: row?.writer ?? null, entries };
  }

  /** Writes entries and the row in one transaction, after deleting the entries in `erased` = [from, to]. */
  async write(student, device, row, entries, erased = null) {
    // Without entries it is a note of what runs, or a deletion: worth keeping, not worth a flush of the disk.
    const durability = entries.length ? "strict" : "relaxed";
    await this.#change(["entries", "journals"], durability, (stores, refuse) => {
      const asked = stores.journals.get([student, device]);
      asked.onsuccess = () => {
        const refusal = refusalOf(asked.result, row);
        if (refusal) return refuse(refusal);
        if (erased) stores.entries.delete(this.#span(student, device, ...erased));
        for (const entry of entries) stores.entries.put({ student, device, seq: entry.seq, entry });
        stores.journals.put({ student, device, ...row });
      };
    });
  }

  /** Devices of the student whose journals hold something. */
  async waiting(student) {
    const keys = await result((await this.#read("entries")).getAllKeys());
    const rows = await result((await this.#read("journals")).getAll());
    const owners = [...keys, ...rows.filter(hasOpen).map((row) => [row.student, row.device])];
    return [...new Set(owners.filter(([owner]) => owner === student).map(([, device]) => device))];
  }

  close() {
    this.#closed = true;
    this.#database?.close();
    this.#database = null;
  }

  /** A browser may close the database (storage cleared, disk trouble, another page's upgrade): open it again. */
  async #opened() {
    if (this.#closed) throw new Error("the journal's store is closed");
    if (this.#database) return this.#database;
    const database = await this.#open();
    if (this.#closed) {
      database.close();
      throw new Error("the journal's store is closed");
    }
    const letGo = () => {
      database.close();
      if (this.#database === database) this.#database = null;
    };
    database.onclose = letGo;
    // Another page wants a newer layout: let go, or it would wait for ever.
    database.onversionchange = letGo;
    this.#database = database;
    return database;
  }

  async #entries(student, device) {
    const all = this.#span(student, device, 0, Infinity);
    try {
      const rows = await result((await this.#read("entries")).getAll(all));
      return rows.map((each) => readEntry(each.seq, each.entry));
    } catch {
      return this.#oneByOne(await result((await this.#read("entries")).getAllKeys(all)));
    }
  }

  /** One row that cannot be read fails them all: then each is asked for by itself. */
  async #oneByOne(keys) {
    const entries = [];
    for (const key of keys) {
      const row = await result((await this.#read("entries")).get(key)).catch(() => null);
      entries.push(readEntry(key[2], row?.entry));
    }
    return entries;
  }

  #span(student, device, from, to) {
    return this.#ranges.bound([student, device, from], [student, device, to]);
  }

  async #read(name) {
    return (await this.#begin(name, "readonly")).objectStore(name);
  }

  async #begin(names, mode, options) {
    const database = await this.#opened();
    try {
      return database.transaction(names, mode, options);
    } catch (error) {
      if (error.name !== "InvalidStateError") throw error;
      this.#database = null;
      return (await this.#opened()).transaction(names, mode, options);
    }
  }

  async #change(names, durability, act) {
    const change = await this.#begin(names, "readwrite", { durability });
    return new Promise((resolve, reject) => {
      let refusal = null;
      const refuse = (error) => {
        refusal = error;
        change.abort();
      };
      // Strict: resolved means the disk has it, also after a power cut.
      change.oncomplete = () => resolve();
      change.onabort = () => reject(refusal ?? change.error ?? new Error("the journal's transaction was aborted"));
      act(Object.fromEntries(names.map((name) => [name, change.objectStore(name)])), refuse);
    });
  }
}

async function openDatabase(namespace, indexedDB, time) {
  try {
    return await openLayout(() => indexedDB.open(namespace, LAYOUT), time);
  } catch (error) {
    if (error.name !== "VersionError") throw error;
    // A newer client has been here. Its layout holds what this one needs.
    return openLayout(() => indexedDB.open(namespace), time);
  }
}

async function openLayout(open, time) {
  const request = open();
  request.onupgradeneeded = () => {
    const have = request.result.objectStoreNames;
    for (const [name, key] of Object.entries(STORES)) if (!have.contains(name)) request.result.createObjectStore(name, key);
  };
  const database = await within(time, OPEN_MS, result(request), null);
  if (!database) {
    request.onsuccess = () => request.result.close();
    throw new Error(`IndexedDB did not open in ${OPEN_MS} ms`);
  }
  const missing = Object.keys(STORES).filter((name) => !database.objectStoreNames.contains(name));
  if (!missing.length) return database;
  database.close();
  throw new Error(`the database on disk has no ${missing.join(", ")}`);
}

/** The value of an IndexedDB request. */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = (event) => {
      // Said here: an unread entry must not abort the whole transaction.
      event.preventDefault?.();
      reject(request.error);
    };
  });
}

/** The row as read, with what an older client did not write: then everything may have been sent. */
function rowOf(row, entries) {
  const newest = entries.at(-1)?.seq ?? 0;
  const { last_seq = newest, durable_seq = 0, open = {}, writer = null } = row ?? {};
  const all = Math.max(last_seq, newest);
  return { last_seq: all, durable_seq, offered_seq: row?.offered_seq ?? all, open, writer };
}

/** Why this row may not be written over the one on disk; null if it may. */
function refusalOf(onDisk, row) {
  if (!onDisk && row.writer) return new Evicted("the journal is gone from the disk");
  if (!onDisk?.writer || onDisk.writer === row.writer) return null;
  return new Fenced("another tab writes this journal now");
}

function hasOpen(row) {
  return Object.keys(row.open ?? {}).length > 0;
}

export class LocalStore {
  durability = "localstorage";
  #prefix;
  #storage;

  constructor(namespace, storage) {
    this.#prefix = `${namespace}:`;
    this.#storage = storage;
  }

  async device() {
    return this.#storage.getItem(`${this.#prefix}device`);
  }

  async setDevice(id) {
    this.#storage.setItem(`${this.#prefix}device`, id);
  }

  async load(student, device, writer = newId("life")) {
    const former = this.#row(student, device);
    const entries = this.#entryKeys(student, device).map((key) => readEntry(seqOf(key), parsed(this.#storage.getItem(key))));
    entries.sort((a, b) => a.seq - b.seq);
    const row = { ...rowOf(former, entries), writer };
    this.#storage.setItem(this.#rowKey(student, device), JSON.stringify(row));
    return { row, former: former?.writer ?? null, entries };
  }

  async write(student, device, row, entries, erased = null) {
    const refusal = refusalOf(this.#row(student, device), row);
    if (refusal) throw refusal;
    if (erased) this.#erase(student, device, ...erased);
    // The entries first: a row without its entry would be a gap.
    for (const entry of entries) {
      this.#storage.setItem(this.#entryKey(student, device, entry.seq), JSON.stringify(entry));
    }
    this.#storage.setItem(this.#rowKey(student, device), JSON.stringify(row));
  }

  async waiting(student) {
    const who = encodeURIComponent(student);
    const [entries, rows] = [`${this.#prefix}entry:${who}:`, `${this.#prefix}journal:${who}:`];
    const named = (key, lead) => decodeURIComponent(key.slice(lead.length).split(":")[0]);
    const open = this.#keys(rows).filter((key) => hasOpen(parsed(this.#storage.getItem(key)) ?? {}));
    const found = [...this.#keys(entries).map((key) => named(key, entries)), ...open.map((key) => named(key, rows))];
    return [...new Set(found)];
  }

  close() {}

  #row(student, device) {
    return parsed(this.#storage.getItem(this.#rowKey(student, device)));
  }

  #erase(student, device, from, to) {
    for (const key of this.#entryKeys(student, device)) {
      const seq = seqOf(key);
      if (seq >= from && seq <= to) this.#storage.removeItem(key);
    }
  }

  #keys(lead) {
    const all = Array.from({ length: this.#storage.length }, (_, index) => this.#storage.key(index));
    return all.filter((key) => key.startsWith(lead));
  }

  #entryKeys(student, device) {
    return this.#keys(`${this.#prefix}entry:${owner(student, device)}:`);
  }

  #entryKey(student, device, seq) {
    return `${this.#prefix}entry:${owner(student, device)}:${seq}`;
  }

  #rowKey(student, device) {
    return `${this.#prefix}journal:${owner(student, device)}`;
  }
}

function seqOf(key) {
  return Number(key.slice(key.lastIndexOf(":") + 1));
}

function parsed(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

function owner(student, device) {
  return `${encodeURIComponent(student)}:${encodeURIComponent(device)}`;
}

export class MemoryStore {
  durability = "memory";
  #device = null;
  #journals = new Map();

  async device() {
    return this.#device;
  }

  async setDevice(id) {
    this.#device = id;
  }

  async load(student, device, writer = newId("life")) {
    const journal = this.#journal(student, device);
    const entries = [...journal.entries].map(([seq, entry]) => readEntry(seq, entry)).sort((a, b) => a.seq - b.seq);
    const former = journal.row;
    journal.row = { ...rowOf(former, entries), writer };
    return { row: { ...journal.row }, former: former?.writer ?? null, entries };
  }

  async write(student, device, row, entries, erased = null) {
    const journal = this.#journal(student, device);
    const refusal = refusalOf(journal.row, row);
    if (refusal) throw refusal;
    for (const seq of [...journal.entries.keys()]) {
      if (erased && seq >= erased[0] && seq <= erased[1]) journal.entries.delete(seq);
    }
    for (const entry of entries) journal.entries.set(entry.seq, entry);
    journal.row = { ...row };
  }

  async waiting(student) {
    const holds = (each) => each.student === student && (each.entries.size || hasOpen(each.row ?? {}));
    return [...this.#journals.values()].filter(holds).map((each) => each.device);
  }

  close() {}

  #journal(student, device) {
    const key = owner(student, device);
    if (!this.#journals.has(key)) this.#journals.set(key, { student, device, row: null, entries: new Map() });
    return this.#journals.get(key);
  }
}
