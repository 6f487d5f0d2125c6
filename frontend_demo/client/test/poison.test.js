/** One entry that nobody can read, refuse or carry blocks no other (P23, R9). */

import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Journal } from "../journal.js";
import { LocalStore, MemoryStore, openStore } from "../store.js";
import { readEntry } from "../entries.js";
import { FakeStorage, VirtualTime, WireEnd, clientOn } from "./fakes.js";

let databases = 0;
const fresh = () => `poison-${(databases += 1)}`;
const entry = (seq, more = {}) => ({ seq, kind: "marked", done: true, item: `i${seq}`, ...more });
const open = (store) => Journal.open({ store, student: "ana", device: "d1", namespace: "t" });
const sent = (journal) => journal.ready(0).map((each) => [each.seq, each.kind]);

/** A store with five entries of which `seq` 3 was made `bad` on disk. */
async function spoilt(bad) {
  const name = fresh();
  const store = await openStore(name);
  const journal = await open(store);
  for (let n = 1; n <= 5; n += 1) journal.append({ kind: "marked", done: true, item: `i${n}` });
  await journal.settled();
  const database = await new Promise((resolve) => (indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result)));
  const change = database.transaction("entries", "readwrite");
  const key = ["ana", "d1", 3];
  if (bad === "gone") change.objectStore("entries").delete(key);
  else change.objectStore("entries").put({ student: "ana", device: "d1", seq: 3, entry: bad });
  await new Promise((resolve) => (change.oncomplete = resolve));
  database.close();
  return store;
}

const FIVE = [[1, "marked"], [2, "marked"], [3, "unreadable"], [4, "marked"], [5, "marked"]];

for (const [what, bad] of Object.entries({
  "is gone": "gone",
  "is no entry": 77,
  "is half written": { seq: 3 },
  "says another seq": entry(9),
  "has half a character": entry(3, { item: "\ud800" }),
  "has a field within a field": entry(3, { item: { toString: 1 } }),
  "has no number": entry(3, { position_ms: Number.NaN }),
})) {
  test(`an entry that ${what} goes up as its seq, and the rest as they are`, async () => {
    assert.deepEqual(sent(await open(await spoilt(bad))), FIVE);
  });
}

test("fields that no event has are not sent: `student` in a body ends the link for good (P25)", () => {
  assert.deepEqual(readEntry(1, { ...entry(1), student: "ben" }), entry(1));
});

test("localStorage: a row of garbage and an entry of garbage", async () => {
  const storage = new FakeStorage();
  const journal = await open(new LocalStore("p", storage));
  for (let n = 1; n <= 5; n += 1) journal.append({ kind: "marked", done: true });
  await journal.settled();
  storage.setItem("p:entry:ana:d1:3", '{"seq":3,"ki');
  assert.deepEqual(sent(await open(new LocalStore("p", storage))), FIVE);
  storage.setItem("p:journal:ana:d1", "{{{");
  const again = await open(new LocalStore("p", storage));
  assert.deepEqual(sent(again), FIVE);
  assert.equal(again.append({ kind: "marked", done: true }).seq, 6);
});

test("a disk that can read all rows but one reads all but one", async () => {
  const store = await spoilt(entry(3));
  const { getAll, get } = IDBObjectStore.prototype;
  const failing = (request) => {
    const shell = { error: new DOMException("damaged", "DataError") };
    setTimeout(() => shell.onerror?.({ preventDefault() {} }), 0);
    return request && shell;
  };
  IDBObjectStore.prototype.getAll = function (...all) {
    return this.name === "entries" ? failing(true) : getAll.apply(this, all);
  };
  IDBObjectStore.prototype.get = function (key) {
    return this.name === "entries" && key[2] === 3 ? failing(true) : get.call(this, key);
  };
  try {
    assert.deepEqual(sent(await open(store)), FIVE);
  } finally {
    Object.assign(IDBObjectStore.prototype, { getAll, get });
  }
});

async function stage() {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const store = new MemoryStore();
  const client = await clientOn(time, end, { store });
  return { time, end, store, client };
}

test("an entry larger than a frame goes up as its seq", async () => {
  const { time, end, client } = await stage();
  client.record({ kind: "answered", question: "q", value: "x".repeat(20_000) });
  client.mark("lec1", "v1", true);
  await time.pass(100);
  assert.deepEqual(end.entries.map((each) => [each.seq, each.kind]), [[1, "unreadable"], [2, "marked"]]);
});

/** The server refuses each whole frame that has a poisoned entry, and ends the link at the third. */
function strict(end, poison) {
  let strikes = 0;
  const [hear, welcome] = [end.hear.bind(end), end.welcome.bind(end)];
  end.welcome = (...all) => ((strikes = 0), welcome(...all));
  end.hear = (socket, message) => {
    const index = message.type === "events" ? message.events.findIndex((each) => poison(each)) : -1;
    if (index < 0) return hear(socket, message);
    end.frames.push(message);
    strikes += 1;
    if (strikes === 3) return end.time.after(0, () => end.close(4502));
    end.time.after(1, () => end.say({ type: "error", code: "malformed", field: `events[${index}].item`, message: "no", strikes_left: 3 - strikes }, socket));
  };
}

test("entries that spoil their whole frame are found one by one; the others arrive, once each", async () => {
  const { time, end, client } = await stage();
  strict(end, (each) => each.item === "bad");
  client.cut();
  for (let n = 0; n < 40; n += 1) client.mark([7, 8, 23, 39].includes(n) ? "bad" : `ok${n}`, "v1", true);
  await time.pass(100);
  client.start();
  await time.pass(60_000);
  assert.equal(client.status, "online");
  assert.deepEqual(end.entries.filter((each) => each.kind === "unreadable").map((each) => each.seq), [8, 9, 24, 40]);
  assert.deepEqual([...new Set(end.entries.map((each) => each.seq))], Array.from({ length: 40 }, (_, i) => i + 1));
  client.mark("later", "v1", true);
  await time.pass(100);
  assert.equal(end.entries.at(-1).item, "later");
});

test("what a server refuses even by its seq ends in `refused`, not in a storm", async () => {
  const { time, end, client } = await stage();
  strict(end, () => true);
  client.mark("bad", "v1", true);
  await time.pass(600_000);
  assert.equal(client.status, "refused");
  assert.ok(end.sockets.length <= 4, `${end.sockets.length} connections`);
  assert.equal(client.unsaved.entries, 1);
});

test("a refused entry is told by its own verdict, and the next ones are taken", async () => {
  const { time, end, client } = await stage();
  const told = [];
  client.on("rejected", ({ seq, code }) => told.push([seq, code]));
  for (let n = 0; n < 3; n += 1) client.mark(`i${n}`, "v1", true);
  await time.pass(100);
  end.say({ type: "rejected", seq: 2, code: "unknown_item", message: "no such item" });
  end.durable(3);
  await time.pass(100);
  assert.deepEqual(told, [[2, "unknown_item"]]);
  assert.equal(client.state.state, "saved");
});

test("P22 a journal that was rolled back fills what it does not have, so that no gap holds it up", async () => {
  const { time, end, client } = await stage();
  client.cut();
  end.applied_seq = 6;
  end.durable_seq = 4;
  client.start();
  await time.pass(100);
  client.mark("lec1", "v1", true);
  await time.pass(100);
  assert.deepEqual(end.entries.map((each) => each.seq), [7]);
  end.epoch = 2;
  end.say({ type: "resync", from_seq: 5, epoch: 2, reason: "epoch" });
  await time.pass(100);
  assert.deepEqual(end.entries.slice(1).map((each) => [each.seq, each.kind]), [[5, "unreadable"], [6, "unreadable"], [7, "marked"]]);
});
