/**
 * Owns the place on disk: entries, one row per (student, device) journal, and this browser's device id.
 *
 * Three stores with the same five verbs. IndexedDB; localStorage where that is missing or refused; memory as
 * the last resort, which survives nothing and says so (`durability`).
 */

/**
 * @typedef {object} JournalRow
 * @property {number} last_seq     the newest seq ever given out
 * @property {number} durable_seq  the newest seq known durable
 */

const NO_ROW = Object.freeze({ last_seq: 0, durable_seq: 0 });

/**
 * The best store this browser grants.
 * @param {string} namespace  keeps several clients on one origin apart
 */
export async function openStore(namespace, { indexedDB = globalThis.indexedDB, localStorage = webStorage() } = {}) {
  if (indexedDB) {
    try {
      return await IndexedStore.open(namespace, indexedDB);
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
  #database;
  #ranges;

  constructor(database, ranges) {
    this.#database = database;
    this.#ranges = ranges;
  }

  static async open(namespace, indexedDB) {
    const request = indexedDB.open(namespace, 1);
    request.onupgradeneeded = () => {
      const database = request.result;
      database.createObjectStore("entries", { keyPath: ["student", "device", "seq"] });
      database.createObjectStore("journals", { keyPath: ["student", "device"] });
      database.createObjectStore("devices", { keyPath: "role" });
    };
    const database = await result(request);
    // Another page wants a newer layout: let go, or it would wait for ever.
    database.onversionchange = () => database.close();
    return new IndexedStore(database, globalThis.IDBKeyRange);
  }

  async device() {
    const row = await result(this.#read("devices").get("primary"));
    return row?.id ?? null;
  }

  async setDevice(id) {
    await this.#change(["devices"], (stores) => stores.devices.put({ role: "primary", id }));
  }

  async load(student, device) {
    const row = await result(this.#read("journals").get([student, device]));
    const rows = await result(this.#read("entries").getAll(this.#span(student, device, Infinity)));
    return { row: row ?? { ...NO_ROW }, entries: rows.map((each) => each.entry) };
  }

  async write(student, device, row, entries) {
    await this.#change(["entries", "journals"], (stores) => {
      for (const entry of entries) stores.entries.put({ student, device, seq: entry.seq, entry });
      stores.journals.put({ student, device, ...row });
    });
  }

  async erase(student, device, row, upTo) {
    await this.#change(["entries", "journals"], (stores) => {
      stores.entries.delete(this.#span(student, device, upTo));
      stores.journals.put({ student, device, ...row });
    });
  }

  async waiting(student) {
    const keys = await result(this.#read("entries").getAllKeys());
    return [...new Set(keys.filter(([owner]) => owner === student).map(([, device]) => device))];
  }

  close() {
    this.#database.close();
  }

  #span(student, device, upTo) {
    return this.#ranges.bound([student, device, 0], [student, device, upTo]);
  }

  #read(name) {
    return this.#database.transaction(name, "readonly").objectStore(name);
  }

  #change(names, act) {
    return new Promise((resolve, reject) => {
      // Strict: resolved means the disk has it, also after a power cut.
      const change = this.#database.transaction(names, "readwrite", { durability: "strict" });
      change.oncomplete = () => resolve();
      change.onabort = () => reject(change.error ?? new Error("the journal's transaction was aborted"));
      act(Object.fromEntries(names.map((name) => [name, change.objectStore(name)])));
    });
  }
}

function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
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

  async load(student, device) {
    const row = JSON.parse(this.#storage.getItem(this.#rowKey(student, device)) ?? "null");
    const entries = this.#entryKeys(student, device).map((key) => JSON.parse(this.#storage.getItem(key)));
    return { row: row ?? { ...NO_ROW }, entries: entries.sort((a, b) => a.seq - b.seq) };
  }

  async write(student, device, row, entries) {
    // The entries first: a row without its entry would be a gap.
    for (const entry of entries) {
      this.#storage.setItem(this.#entryKey(student, device, entry.seq), JSON.stringify(entry));
    }
    this.#storage.setItem(this.#rowKey(student, device), JSON.stringify(row));
  }

  async erase(student, device, row, upTo) {
    this.#storage.setItem(this.#rowKey(student, device), JSON.stringify(row));
    for (const key of this.#entryKeys(student, device)) {
      if (Number(key.slice(key.lastIndexOf(":") + 1)) <= upTo) this.#storage.removeItem(key);
    }
  }

  async waiting(student) {
    const lead = `${this.#prefix}entry:${encodeURIComponent(student)}:`;
    const devices = this.#keys(lead).map((key) => decodeURIComponent(key.slice(lead.length).split(":")[0]));
    return [...new Set(devices)];
  }

  close() {}

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

  async load(student, device) {
    const { row, entries } = this.#journal(student, device);
    return { row: { ...row }, entries: [...entries.values()] };
  }

  async write(student, device, row, entries) {
    const journal = this.#journal(student, device);
    for (const entry of entries) journal.entries.set(entry.seq, entry);
    journal.row = { ...row };
  }

  async erase(student, device, row, upTo) {
    const journal = this.#journal(student, device);
    for (const seq of [...journal.entries.keys()]) if (seq <= upTo) journal.entries.delete(seq);
    journal.row = { ...row };
  }

  async waiting(student) {
    const found = [...this.#journals.values()].filter((each) => each.student === student && each.entries.size);
    return found.map((each) => each.device);
  }

  close() {}

  #journal(student, device) {
    const key = owner(student, device);
    if (!this.#journals.has(key)) {
      this.#journals.set(key, { student, device, row: { ...NO_ROW }, entries: new Map() });
    }
    return this.#journals.get(key);
  }
}
