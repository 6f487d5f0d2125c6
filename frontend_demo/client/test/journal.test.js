/** The journal keeps what is not durable, through reloads, crashes and two tabs (P20-P22, R8, R9). */

import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Journal } from "../journal.js";
import { IndexedStore, LocalStore, MemoryStore, openStore } from "../store.js";
import { LeaseLocks, NoLocks } from "../locks.js";
import { claimDevice, describeDevice } from "../device.js";
import { FakeStorage, FakeVideo, VirtualTime, WireEnd, clientOn, settle } from "./fakes.js";

let databases = 0;

const STORES = {
  indexeddb: () => openStore(`test-${(databases += 1)}`),
  localstorage: async () => new LocalStore("test", new FakeStorage()),
  memory: async () => new MemoryStore(),
};

const span = (from_ms) => ({ kind: "played", from_ms, to_ms: from_ms + 1_000 });
const open = (store, student = "ana", more = {}) =>
  Journal.open({ store, student, device: "d1", namespace: "test", ...more });

for (const [name, make] of Object.entries(STORES)) {
  test(`${name}: entries are numbered from 1, kept, and forgotten only when durable`, async () => {
    const store = await make();
    const journal = await open(store);
    for (let index = 0; index < 5; index += 1) journal.append(span(index * 1_000));
    await journal.settled();
    journal.forget(3);
    await settle();
    const again = await open(store);
    assert.equal(again.durability, name);
    assert.deepEqual(again.ready(0).map((each) => each.seq), [4, 5]);
    assert.equal(again.last_seq, 5);
    assert.equal(again.durable_seq, 3);
    assert.equal(again.unsaved_ms, 2_000);
    assert.equal(again.append(span(9_000)).seq, 6);
  });

  test(`${name}: a journal emptied by \`durable\` never uses a seq again`, async () => {
    const store = await make();
    const journal = await open(store);
    journal.append(span(0));
    await journal.settled();
    journal.forget(1);
    await settle();
    assert.equal((await open(store)).append(span(0)).seq, 2);
  });

  test(`${name}: R9 N12 journals are sealed to their student`, async () => {
    const store = await make();
    const ana = await open(store, "ana");
    ana.append(span(0));
    const ben = await open(store, "ben");
    ben.append(span(5_000));
    await ana.settled();
    await ben.settled();
    assert.deepEqual((await open(store, "ana")).ready(0).map((each) => each.from_ms), [0]);
    assert.deepEqual((await open(store, "ben")).ready(0).map((each) => each.from_ms), [5_000]);
    assert.deepEqual(await store.waiting("ana"), ["d1"]);
    assert.deepEqual(await store.waiting("cleo"), []);
  });
}

test("P20 an entry is ready to be sent only when the disk has it", async () => {
  const journal = await open(await STORES.indexeddb());
  journal.append(span(0));
  assert.deepEqual(journal.ready(0), []);
  await journal.settled();
  assert.equal(journal.ready(0).length, 1);
});

test("entries appended while the disk is busy follow in order", async () => {
  const store = await STORES.indexeddb();
  const journal = await open(store);
  for (let index = 0; index < 50; index += 1) {
    journal.append(span(index));
    if (index % 7 === 0) await Promise.resolve();
  }
  await journal.settled();
  assert.deepEqual((await open(store)).ready(0).map((each) => each.seq), Array.from({ length: 50 }, (_, i) => i + 1));
});

test("a dying page spills what the disk does not have, and nothing is doubled", async () => {
  const store = await STORES.indexeddb();
  const spillStorage = new FakeStorage();
  const journal = await open(store, "ana", { spillStorage });
  journal.append(span(0));
  journal.append(span(1_000));
  journal.spill();
  assert.equal(journal.ready(0).length, 2);
  const again = await open(store, "ana", { spillStorage });
  assert.deepEqual(again.ready(0).map((each) => each.seq), [1, 2]);
  assert.equal(spillStorage.length, 0);
});

test("a spill alone is enough: the disk never got the entry", async () => {
  const spillStorage = new FakeStorage();
  const journal = await open(new MemoryStore(), "ana", { spillStorage });
  journal.append(span(0));
  journal.spill();
  const elsewhere = await open(new MemoryStore(), "ana", { spillStorage });
  assert.deepEqual(elsewhere.ready(0).map((each) => each.from_ms), [0]);
  assert.equal(elsewhere.append(span(5)).seq, 2);
});

test("a disk that refuses does not stop the student, and is told", async () => {
  const store = new MemoryStore();
  store.write = async () => { throw new Error("quota"); };
  const journal = await open(store);
  let told = false;
  journal.on("degraded", () => (told = true));
  journal.append(span(0));
  await journal.settled();
  assert.ok(told);
  assert.equal(journal.durability, "memory");
  assert.equal(journal.ready(0).length, 1);
});

test("P21 a journal that was rolled back continues where the server is", async () => {
  const journal = await open(new MemoryStore());
  journal.continueFrom(41);
  assert.equal(journal.append(span(0)).seq, 42);
  await journal.settled();
  assert.deepEqual(journal.ready(41).map((each) => each.seq), [42]);
});

test("IndexedDB that refuses gives way to localStorage, and that to memory", async () => {
  const broken = { open: () => { throw new Error("blocked"); } };
  const quiet = console.warn;
  console.warn = () => {};
  assert.equal((await openStore("x", { indexedDB: broken, localStorage: new FakeStorage() })).durability, "localstorage");
  assert.equal((await openStore("x", { indexedDB: broken, localStorage: null })).durability, "memory");
  console.warn = quiet;
  assert.ok((await openStore("x", { localStorage: null })) instanceof IndexedStore);
});

/** Locks shared by the tabs of one browser. */
class TabLocks {
  held = new Set();
  async take(name) {
    if (this.held.has(name)) return null;
    this.held.add(name);
    return () => this.held.delete(name);
  }
}

test("tabs: the first is the device, a second is one of its own, a reload keeps it", async () => {
  const [store, locks] = [new MemoryStore(), new TabLocks()];
  const claim = (session) => claimDevice({ namespace: "t", student: "ana", store, locks, session });
  const [first_tab, second_tab] = [new FakeStorage(), new FakeStorage()];
  const first = await claim(first_tab);
  const second = await claim(second_tab);
  assert.ok(first.primary);
  assert.ok(!second.primary);
  assert.notEqual(first.id, second.id);
  second.release();
  assert.equal((await claim(second_tab)).id, second.id);
});

test("tabs: a duplicated tab finds the copied id locked and takes another", async () => {
  const [store, locks] = [new MemoryStore(), new TabLocks()];
  const claim = (session) => claimDevice({ namespace: "t", student: "ana", store, locks, session });
  await claim(new FakeStorage());
  const session = new FakeStorage();
  const second = await claim(session);
  const copy = new FakeStorage();
  copy.setItem("t:tab-device", session.getItem("t:tab-device"));
  assert.notEqual((await claim(copy)).id, second.id);
});

test("tabs: what a closed tab left behind is taken over before a new id is made up", async () => {
  const [store, locks] = [new MemoryStore(), new TabLocks()];
  await claimDevice({ namespace: "t", student: "ana", store, locks, session: new FakeStorage() });
  await store.write("ana", "left", { last_seq: 1, durable_seq: 0 }, [{ seq: 1, ...span(0) }]);
  const second = await claimDevice({ namespace: "t", student: "ana", store, locks, session: new FakeStorage() });
  assert.equal(second.id, "left");
});

test("leases: held while renewed, free after a silence, free when released", async () => {
  const time = new VirtualTime();
  const storage = new FakeStorage();
  const release = await new LeaseLocks(time, storage).take("d");
  await time.pass(300_000);
  assert.equal(await new LeaseLocks(time, storage).take("d"), null);
  release();
  assert.ok(await new LeaseLocks(time, storage).take("d"));
  const dead = JSON.stringify({ tab: "gone", at: time.wall() });
  storage.setItem("e", dead);
  assert.equal(await new LeaseLocks(time, storage).take("e"), null);
  await time.pass(91_000);
  assert.ok(await new LeaseLocks(time, storage).take("e"));
});

test("what a closed tab left is carried up under its own device, and its own only", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const store = new MemoryStore();
  await store.write("ana", "left", { last_seq: 2, durable_seq: 0 }, [{ seq: 1, ...span(0) }, { seq: 2, ...span(1_000) }]);
  await store.write("ben", "left", { last_seq: 1, durable_seq: 0 }, [{ seq: 1, ...span(7_000) }]);
  const client = await clientOn(time, end, { store, locks: new NoLocks() });
  await time.pass(2_000);
  const hello = end.frames.filter((each) => each.type === "hello").at(-1);
  assert.equal(hello.device.id, "left");
  assert.notEqual(client.device.id, "left");
  assert.deepEqual(end.entries.map((each) => each.from_ms), [0, 1_000]);
  end.durable(2);
  await time.pass(100);
  assert.deepEqual(await store.waiting("ana"), []);
  assert.deepEqual(await store.waiting("ben"), ["left"]);
  assert.equal(client.status, "online");
});

test("a device is what its owner calls it, else what the browser looks like", () => {
  assert.deepEqual(describeDevice("tv", ""), { kind: "tv", name: "TV" });
  assert.equal(describeDevice(null, "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0)").kind, "phone");
  assert.equal(describeDevice(null, "Mozilla/5.0 (Linux; Android 16; Pixel) Mobile Safari").kind, "phone");
  assert.equal(describeDevice(null, "Mozilla/5.0 (Linux; Android 16; SM-X) Safari").kind, "tablet");
  assert.equal(describeDevice(null, "Mozilla/5.0 (SMART-TV; Tizen 9.0)").kind, "tv");
  assert.equal(describeDevice("__proto__", "Mozilla/5.0 (X11; Linux x86_64)").kind, "laptop");
});

test("a week off line goes up in chunks of at most frame_bytes, in order, and is forgotten on `durable`", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  end.open = false;
  const client = await clientOn(time, end);
  const fields = { session: "visit-x", item: "lec1", version: "v1", base_rev: 0, kind: "played", rate: 1 };
  for (let index = 0; index < 5_000; index += 1) client.record({ ...fields, from_ms: index * 9, to_ms: index * 9 + 1 });
  end.open = true;
  await time.pass(120_000);
  const chunks = end.frames.filter((each) => each.type === "events");
  assert.ok(chunks.length > 50);
  for (const chunk of chunks) {
    assert.ok(new TextEncoder().encode(JSON.stringify(chunk)).length <= 16_384);
    assert.ok(chunk.events.length <= 200);
  }
  assert.deepEqual(end.entries.map((each) => each.seq), Array.from({ length: 5_000 }, (_, i) => i + 1));
  end.durable(5_000);
  await time.pass(100);
  assert.equal(client.unsaved.entries, 0);
});

test("the announced rate is kept while a journal goes up", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const said = end.say.bind(end);
  end.say = (message, socket) =>
    said(message.type === "welcome" ? { ...message, limits: { ...message.limits, messages_per_s: 10, message_burst: 20 } } : message, socket);
  const client = await clientOn(time, end);
  const fields = { session: "visit-x", item: "lec1", version: "v1", base_rev: 0, kind: "played", rate: 1 };
  for (let index = 0; index < 10_000; index += 1) client.record({ ...fields, from_ms: index * 9, to_ms: index * 9 + 1 });
  await time.pass(2_000);
  assert.ok(end.frames.length <= 40, `${end.frames.length} frames in 2 s`);
  await time.pass(60_000);
  assert.equal(end.entries.length, 10_000);
});

async function playing() {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const client = await clientOn(time, end);
  const player = client.attach(new FakeVideo(time), { item: "lec1", version: "v1" });
  void player.play();
  await time.pass(17_000);
  return { time, end, client, player };
}

test("P26 `saved` is said on `durable`, never on `applied`", async () => {
  const { time, end, client } = await playing();
  const said = [];
  client.on("saving", () => said.push("saving"));
  client.on("saved", () => said.push("saved"));
  await time.pass(10_000);
  assert.ok(client.applied_seq >= 4);
  end.durable(2);
  await time.pass(10);
  assert.deepEqual([...new Set(said)], ["saving"]);
  end.durable(client.applied_seq);
  await time.pass(10);
  assert.equal(said.at(-1), "saved");
});

test("P21 after a break everything after applied_seq is sent again, nothing before", async () => {
  const { time, end } = await playing();
  const before = end.entries.length;
  end.applied_seq = 2;
  end.durable_seq = 1;
  end.close(1006);
  await time.pass(2_000);
  assert.deepEqual(end.entries.slice(before).map((each) => each.seq), Array.from({ length: before - 2 }, (_, i) => i + 3));
});

test("P27 a new epoch asks again on the open socket", async () => {
  const { time, end, client } = await playing();
  const before = end.entries.length;
  end.epoch = 2;
  end.applied_seq = 0;
  end.polite = false;
  end.say({ type: "resync", from_seq: 1, epoch: 2, reason: "epoch" });
  await time.pass(100);
  assert.equal(end.sockets.length, 1);
  assert.deepEqual(end.entries.slice(before).map((each) => each.seq), Array.from({ length: before }, (_, i) => i + 1));
  assert.equal(client.applied_seq, 0);
  end.say({ type: "applied", seq: before });
  assert.equal(client.applied_seq, before);
});

test("P22 an entry that is not applied in 20 s is sent again", async () => {
  const { time, end, client } = await playing();
  end.polite = false;
  client.mark("lec2", "v1", true);
  await time.pass(100);
  const sent = end.entries.length;
  end.say({ type: "ping", n: 1 });
  await time.pass(15_000);
  end.say({ type: "ping", n: 2 });
  await time.pass(6_000);
  assert.ok(end.entries.slice(sent).some((each) => each.kind === "marked"));
});

test("a rejected entry is told and forgotten once `durable` covers it", async () => {
  const { time, end, client } = await playing();
  let told = null;
  client.on("rejected", (message) => (told = message));
  end.say({ type: "rejected", seq: 3, code: "beyond_end", message: "past the end" });
  assert.equal(told.code, "beyond_end");
  assert.ok(client.unsaved.entries >= 3);
  end.durable(client.applied_seq);
  await time.pass(10);
  assert.equal(client.unsaved.entries, 0);
});

test("discontinuity pulls the items named", async () => {
  const { time, end } = await playing();
  end.say({ type: "discontinuity", items: ["lec1", "lec9"] });
  await time.pass(10);
  assert.deepEqual(end.frames.findLast((each) => each.type === "pull").items, ["lec1", "lec9"]);
});
