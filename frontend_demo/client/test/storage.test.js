/** A disk that refuses, fills up, forgets or hangs; a database that is closed, newer or older (R8). */

import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Journal } from "../journal.js";
import { IndexedStore, LocalStore, MemoryStore, openStore } from "../store.js";
import { FakeStorage, VirtualTime, WireEnd, clientOn, settle } from "./fakes.js";

const cleared = Object.assign(new FakeStorage(), {
  clear() {
    while (this.length) this.removeItem(this.key(0));
  },
});

let databases = 0;
const fresh = () => `storage-${(databases += 1)}`;
const span = (from_ms) => ({ kind: "played", session: "v", from_ms, to_ms: from_ms + 1_000 });
const open = (store, more = {}) => Journal.open({ store, student: "ana", device: "d1", namespace: "t", ...more });

function raw(name, version) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = () => version > 1 && request.result.createObjectStore("later", { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

const done = (transaction) => new Promise((resolve) => (transaction.oncomplete = resolve));

test("a disk that is full for a while: said, gone on in memory, and back to disk with everything", async () => {
  const store = await openStore(fresh());
  const journal = await open(store);
  const told = [];
  journal.on("degraded", ({ durability }) => told.push(durability));
  journal.append(span(0));
  await journal.settled();
  const write = store.write.bind(store);
  store.write = async () => { throw new DOMException("full", "QuotaExceededError"); };
  journal.append(span(2_000));
  journal.append(span(4_000));
  await journal.settled();
  assert.equal(journal.durability, "memory");
  assert.deepEqual(journal.ready(0).map((each) => each.seq), [1, 2, 3], "sent from memory");
  store.write = write;
  journal.append(span(6_000));
  await journal.settled();
  assert.equal(journal.durability, "indexeddb");
  assert.deepEqual(told, ["memory", "indexeddb"]);
  assert.deepEqual((await open(store)).ready(0).map((each) => each.from_ms), [0, 2_000, 4_000, 6_000]);
});

for (const [name, make, clear] of [
  ["indexeddb", () => openStore(`storage-${databases + 1}`), () => new Promise((resolve) => (indexedDB.deleteDatabase(fresh()).onsuccess = resolve))],
  ["localstorage", async () => new LocalStore("t", cleared), () => cleared.clear()],
]) {
  test(`${name}: storage that the browser cleared in mid play gets everything not durable once more`, async () => {
    const store = await make();
    const journal = await open(store);
    for (let n = 0; n < 4; n += 1) journal.append(span(n * 5_000));
    await journal.settled();
    journal.forget(1);
    await journal.settled();
    await clear();
    journal.append(span(50_000));
    await journal.settled();
    assert.equal(journal.durability, name);
    const again = await open(store);
    assert.deepEqual(again.ready(0).map((each) => [each.seq, each.from_ms]), [[2, 5_000], [3, 10_000], [4, 15_000], [5, 50_000]]);
    assert.equal(again.durable_seq, 1);
  });
}

test("deleting what is durable is tried again after a refusal", async () => {
  const store = await openStore(fresh());
  const journal = await open(store);
  for (let n = 0; n < 3; n += 1) journal.append(span(n * 5_000));
  await journal.settled();
  const write = store.write.bind(store);
  store.write = async () => { throw new Error("no"); };
  journal.forget(2);
  await journal.settled();
  store.write = write;
  journal.append(span(50_000));
  await journal.settled();
  const { entries } = await store.load("ana", "d1");
  assert.deepEqual(entries.map((each) => each.seq), [3, 4]);
});

test("what is durable and could not be deleted in time is deleted by the next page", async () => {
  const store = new MemoryStore();
  const entries = [1, 2, 3].map((seq) => ({ seq, ...span(seq * 5_000) }));
  await store.write("ana", "d1", { last_seq: 3, durable_seq: 2, offered_seq: 3, open: {} }, entries);
  const journal = await open(store);
  assert.equal(journal.length, 1);
  assert.deepEqual((await store.load("ana", "d1")).entries.map((each) => each.seq), [3]);
});

test("what the disk refused is spilled when the page goes", async () => {
  const store = new MemoryStore();
  const spillStorage = new FakeStorage();
  const journal = await open(store, { spillStorage });
  const write = store.write.bind(store);
  store.write = async () => { throw new Error("no"); };
  journal.append(span(0));
  await journal.settled();
  assert.equal(journal.spill(), true);
  store.write = write;
  assert.deepEqual((await open(store, { spillStorage })).ready(0).map((each) => each.from_ms), [0]);
});

test("what has been renumbered is on disk under its new numbers only", async () => {
  const store = await openStore(fresh());
  const journal = await open(store);
  journal.append(span(0));
  await journal.settled();
  journal.sending = false;
  journal.append(span(2_000));
  journal.append(span(4_000));
  await journal.settled();
  journal.continueFrom(9);
  journal.append(span(6_000));
  await journal.settled();
  const { entries } = await store.load("ana", "d1");
  assert.deepEqual(entries.map((each) => [each.seq, each.from_ms]), [[1, 0], [10, 2_000], [11, 4_000], [12, 6_000]]);
});

test("a disk that never answers holds nobody up for longer than 10 s", async () => {
  const time = new VirtualTime();
  const store = new MemoryStore();
  const journal = await open(store, { time });
  store.write = () => new Promise(() => {});
  journal.append(span(0));
  await time.pass(9_000);
  assert.deepEqual(journal.ready(0), []);
  await time.pass(2_000);
  assert.equal(journal.ready(0).length, 1);
});

test("a database that the browser closed is opened again", async () => {
  const name = fresh();
  const opened = [];
  const watched = { open: (...all) => (opened.push(indexedDB.open(...all)), opened.at(-1)) };
  const store = await IndexedStore.open(name, watched);
  const journal = await open(store);
  journal.append(span(0));
  await journal.settled();
  opened[0].result.close();
  opened[0].result.onclose?.();
  journal.append(span(2_000));
  await journal.settled();
  assert.equal(journal.durability, "indexeddb");
  opened.at(-1).result.close();
  journal.append(span(4_000));
  await journal.settled();
  assert.equal(journal.durability, "indexeddb", "also without a `close` event");
  assert.equal((await open(store)).length, 3);
  store.close();
  await assert.rejects(store.device(), /closed/);
});

test("a newer client upgrades while this one is open: it lets go, and goes on in the newer layout", async () => {
  const name = fresh();
  const store = await openStore(name);
  const journal = await open(store);
  journal.append(span(0));
  await journal.settled();
  (await raw(name, 7)).close();
  journal.append(span(2_000));
  await journal.settled();
  assert.equal(journal.durability, "indexeddb");
  assert.equal((await open(await openStore(name))).length, 2);
});

test("rows of version 0.1.0 are read: everything in them may have been sent", async () => {
  const name = fresh();
  (await openStore(name)).close();
  const database = await raw(name, 1);
  const change = database.transaction(["entries", "journals"], "readwrite");
  change.objectStore("journals").put({ student: "ana", device: "d1", last_seq: 4, durable_seq: 2 });
  for (const seq of [3, 4]) change.objectStore("entries").put({ student: "ana", device: "d1", seq, entry: { seq, ...span(0) } });
  await done(change);
  database.close();
  const spillStorage = new FakeStorage();
  spillStorage.setItem("t:spill:ana:d1", JSON.stringify([{ seq: 5, ...span(8_000) }]));
  const early = await open(await openStore(name));
  early.continueFrom(4);
  assert.deepEqual(early.ready(0).map((each) => each.seq), [3, 4]);
  early.close();
  const journal = await open(await openStore(name), { spillStorage });
  assert.deepEqual(journal.ready(0).map((each) => each.seq), [3, 4, 5]);
  assert.equal(journal.append(span(1_000)).seq, 6);
});

test("an IndexedDB that never opens gives way", async () => {
  const time = new VirtualTime();
  const quiet = console.warn;
  console.warn = () => {};
  const opening = openStore("x", { indexedDB: { open: () => ({}) }, localStorage: new FakeStorage(), time });
  await time.pass(5_000);
  assert.equal((await opening).durability, "localstorage");
  console.warn = quiet;
});

test("a disk that cannot be read at all: another device, in memory, and it says so", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const store = new MemoryStore();
  await store.setDevice("dev-old");
  store.load = async () => { throw new Error("broken"); };
  const quiet = console.warn;
  console.warn = () => {};
  const client = await clientOn(time, end, { store });
  console.warn = quiet;
  assert.notEqual(client.device.id, "dev-old");
  client.cut();
  client.mark("lec1", "v1", true);
  await time.pass(10);
  assert.equal(client.state.state, "memory");
});

test("a page that is granted neither disk nor locks is a device all the same", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const quiet = console.warn;
  console.warn = () => {};
  const locks = { take: async () => { throw new DOMException("sandboxed", "SecurityError"); } };
  const client = await clientOn(time, end, { locks });
  console.warn = quiet;
  assert.equal(client.status, "online");
  client.mark("lec1", "v1", true);
  await time.pass(10);
  assert.deepEqual(end.kinds(), ["marked"]);
});

test("P21 what was numbered while the disk refused is not numbered twice by the next page", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const store = new MemoryStore();
  const client = await clientOn(time, end, { store });
  client.mark("a", "v1", true);
  await time.pass(100);
  const write = store.write.bind(store);
  store.write = async () => { throw new Error("full"); };
  for (const item of ["b", "c", "d"]) client.mark(item, "v1", true);
  await time.pass(100);
  assert.equal(end.applied_seq, 4);
  client.cut();
  store.write = write;
  // The next page starts off line, on a disk that knows of seq 1 only.
  end.open = false;
  const next = await clientOn(time, end, { store });
  next.mark("e", "v1", true);
  next.mark("f", "v1", true);
  await time.pass(100);
  const before = end.entries.length;
  end.open = true;
  end.durable_seq = 4;
  next.retryNow();
  await time.pass(60_000);
  assert.deepEqual(end.entries.slice(before).map((each) => [each.seq, each.item]), [[5, "e"], [6, "f"]]);
  end.durable(6);
  await time.pass(100);
  assert.equal(next.unsaved.entries, 0);
  assert.deepEqual(await store.waiting("ana"), []);
});

test("R9 no refusal of the sign-in deletes an entry: 4500, 4501, 4008, and another student's welcome", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const store = new MemoryStore();
  const client = await clientOn(time, end, { store });
  client.cut();
  client.mark("a", "v1", true);
  for (const code of [4500, 4501, 4008, 4502, 4503, 4504, 4505]) {
    client.start();
    end.polite = false;
    await time.pass(5);
    end.close(code);
    await time.pass(5_000);
    assert.equal(client.unsaved.entries, 1, code);
  }
  end.student = "ben";
  end.polite = true;
  end.durable_seq = 99;
  client.start();
  await time.pass(40_000);
  assert.equal(client.state.state, "refused");
  assert.equal(client.unsaved.entries, 1);
  assert.equal((await open(store, { device: client.device.id })).length, 1);
  assert.deepEqual(end.entries, []);
});
