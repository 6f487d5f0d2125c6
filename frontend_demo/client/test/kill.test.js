/** A page that is killed in mid play loses about two seconds, and nothing counts twice (R8, S30). */

import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Journal } from "../journal.js";
import { LocalStore, MemoryStore, openStore } from "../store.js";
import { FakeStorage, FakeVideo, TabLocks, VirtualTime, WireEnd, clientOn, fakePage, mortal, settle } from "./fakes.js";

let databases = 0;

const STORES = {
  indexeddb: () => openStore(`kill-${(databases += 1)}`),
  localstorage: async () => new LocalStore("kill", new FakeStorage()),
  memory: async () => new MemoryStore(),
};

const run = { session: "v", item: "lec1", version: "v1", base_rev: 0, kind: "played", rate: 1, boot: "b", wall: "w", from_ms: 0, to_ms: 4_000, mono_ms: 4_000 };
const open = (store, more = {}) => Journal.open({ store, student: "ana", device: "d1", namespace: "t", ...more });
const played = (journal) => journal.ready(0).filter((each) => each.kind === "played").map((each) => [each.from_ms, each.to_ms]);

for (const [name, make] of Object.entries(STORES)) {
  test(`${name}: a span that ran when the page was killed becomes an entry, once`, async () => {
    const store = await make();
    const journal = await open(store);
    journal.append({ ...run, kind: "opened", mono_ms: 0 });
    journal.note(run);
    await journal.settled();
    assert.deepEqual(played(journal), [], "a note is not sent");
    assert.deepEqual(await store.waiting("ana"), ["d1"]);
    const next = await open(store);
    assert.deepEqual(played(next), [[0, 4_000]]);
    assert.equal(next.last_seq, 2);
    assert.deepEqual(played(await open(store)), [[0, 4_000]]);
  });

  test(`${name}: the beat takes the place of the note in one write`, async () => {
    const store = await make();
    const journal = await open(store);
    journal.note(run);
    await journal.settled();
    journal.append({ ...run, to_ms: 5_000, mono_ms: 5_000 });
    await journal.settled();
    assert.deepEqual(played(await open(store)), [[0, 5_000]]);
  });
}

test("a note does not outlive its beat: after `durable` nothing is left to count again", async () => {
  const store = await STORES.indexeddb();
  const journal = await open(store);
  journal.note(run);
  journal.append({ ...run, to_ms: 5_000, mono_ms: 5_000 });
  await journal.settled();
  journal.forget(1);
  await journal.settled();
  assert.deepEqual(await store.waiting("ana"), []);
  assert.equal((await open(store)).length, 0);
});

test("a note that counts no more is cleared away, so that nobody looks for it again", async () => {
  const store = new MemoryStore();
  const spillStorage = new FakeStorage();
  const journal = await open(store, { spillStorage });
  journal.append({ ...run, kind: "opened", mono_ms: 0 });
  journal.note({ ...run, to_ms: 0 });
  await journal.settled();
  journal.forget(1);
  await journal.settled();
  assert.deepEqual(await store.waiting("ana"), ["d1"]);
  assert.equal((await open(store)).length, 0);
  assert.deepEqual(await store.waiting("ana"), []);
});

test("a journal with nothing to deliver costs no connection", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const store = new MemoryStore();
  await store.write("ana", "left", { last_seq: 4, durable_seq: 4, offered_seq: 4, open: { v: { ...run, to_ms: 0 } } }, []);
  await clientOn(time, end, { store });
  await time.pass(5_000);
  assert.equal(end.sockets.length, 1);
});

test("a note alone is found by the tab that looks for left journals", async () => {
  const store = await STORES.indexeddb();
  const journal = await open(store);
  journal.note(run);
  await journal.settled();
  assert.deepEqual(await store.waiting("ana"), ["d1"]);
  assert.deepEqual(await store.waiting("ben"), []);
});

test("a spill that closes the span outdates the note on disk", async () => {
  const store = new MemoryStore();
  const spillStorage = new FakeStorage();
  const journal = await open(store, { spillStorage });
  journal.note(run);
  await journal.settled();
  journal.append({ ...run, to_ms: 5_000, mono_ms: 5_000 });
  journal.append({ ...run, kind: "closed" });
  assert.equal(journal.spill(), true);
  journal.close();
  await settle();
  const next = await open(store, { spillStorage });
  assert.deepEqual(next.ready(0).map((each) => each.kind), ["played", "closed"]);
  assert.deepEqual(played(next), [[0, 5_000]]);
});

test("a lengthened entry outdates the note, also where row and entry are written apart", async () => {
  const storage = new FakeStorage();
  const journal = await open(new LocalStore("kill", storage));
  journal.append(run);
  journal.note({ ...run, from_ms: 4_000, to_ms: 6_000, mono_ms: 6_000 });
  await journal.settled();
  // Killed between the entry and the row.
  storage.setItem("kill:entry:ana:d1:1", JSON.stringify({ seq: 1, ...run, to_ms: 7_000, mono_ms: 7_000 }));
  assert.deepEqual(played(await open(new LocalStore("kill", storage))), [[0, 7_000]]);
});

async function playing(parts = {}) {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const [store, locks, spillStorage, session] = [new MemoryStore(), new TabLocks(), new FakeStorage(), new FakeStorage()];
  const page = fakePage();
  const life = mortal(time);
  const connected = clientOn(life, end, { store, locks, spillStorage, session, page, ...parts }, time);
  const client = await connected;
  const player = client.attach(new FakeVideo(life), { item: "lec1", version: "v1" });
  void player.play();
  const reopen = async () => {
    // What a kill leaves: the disk, and locks given back by the browser.
    life.kill();
    locks.steal(`playhead:device:${client.device.id}`);
    return clientOn(time, end, { store, locks, spillStorage, session });
  };
  return { time, end, client, player, store, page, reopen };
}

const sum = (end) => {
  const bySeq = new Map(end.entries.filter((each) => each.kind === "played").map((each) => [each.seq, each.to_ms - each.from_ms]));
  return [...bySeq.values()].reduce((all, each) => all + each, 0);
};

test("S30 on line, a kill between two beats loses at most about 2 s", async () => {
  const { time, end, client, reopen } = await playing();
  await time.pass(14_030);
  const before = sum(end);
  assert.ok(before < 6_000, "the running span is not on the wire");
  const next = await reopen();
  await time.pass(1_000);
  assert.equal(next.device.id, client.device.id);
  assert.ok(sum(end) >= 14_000 - 2_500 && sum(end) <= 14_030, `${sum(end)}`);
  const seqs = [...new Set(end.entries.map((each) => each.seq))].sort((a, b) => a - b);
  assert.deepEqual(seqs, seqs.map((_, index) => index + 1));
});

test("notes are taken every 2 s and go on no wire", async () => {
  const { time, end, store, client } = await playing();
  let notes = 0;
  const write = store.write.bind(store);
  store.write = (student, device, row, entries, erased) => ((notes += Object.keys(row.open).length && !entries.length ? 1 : 0), write(student, device, row, entries, erased));
  await time.pass(31_000);
  assert.ok(notes >= 9 && notes <= 16, `${notes} notes`);
  assert.equal(end.entries.filter((each) => each.kind === "played").length, 3);
  assert.ok(client.state.unsaved_ms > 0);
});

test("a page that is hidden, or frozen, has written down and sent what was played, in that turn", async () => {
  for (const what of ["hide", "freeze"]) {
    const { time, end, page } = await playing();
    await time.pass(8_530);
    const before = sum(end);
    page[what]();
    assert.ok(sum(end) - before >= 2_500, `${what}: ${sum(end) - before}`);
    await time.pass(5_000);
    assert.ok(!end.kinds().includes("paused"));
  }
});
