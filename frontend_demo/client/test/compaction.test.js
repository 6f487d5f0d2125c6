/** Weeks off line are intervals and not beats: an unsent span that goes on is lengthened in place (R8). */

import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Journal } from "../journal.js";
import { IndexedStore } from "../store.js";
import { FakeVideo, VirtualTime, WireEnd, clientOn, settle } from "./fakes.js";

const BEAT = { session: "v", item: "lec1", version: "v1", base_rev: 0, kind: "played", rate: 1, boot: "b", wall: "w" };
const beat = (n, more = {}) => ({ ...BEAT, from_ms: n * 10_000, to_ms: (n + 1) * 10_000, mono_ms: (n + 1) * 10_000, ...more });
const opened = { ...BEAT, kind: "opened", mono_ms: 0 };

let databases = 0;

async function offline() {
  const store = await IndexedStore.open(`compact-${(databases += 1)}`, indexedDB);
  const journal = await Journal.open({ store, student: "ana", device: "d1", namespace: "t" });
  journal.sending = false;
  journal.append(opened);
  return { store, journal };
}

const spans = (journal) => {
  journal.sending = true;
  return journal.settled().then(() => journal.ready(0).filter((each) => each.kind === "played").map((each) => [each.seq, each.from_ms, each.to_ms]));
};

test("beats that go on make one entry longer, on disk as well", async () => {
  const { store, journal } = await offline();
  for (let n = 0; n < 30; n += 1) {
    journal.append(beat(n));
    if (n % 3 === 0) await settle();
  }
  await journal.settled();
  assert.equal(journal.length, 2);
  assert.equal(journal.unsaved_ms, 300_000);
  const again = await Journal.open({ store, student: "ana", device: "d1", namespace: "t" });
  const [, span] = again.ready(0).length ? again.ready(0) : ((again.sending = true), await again.settled(), again.ready(0));
  assert.deepEqual([span.seq, span.from_ms, span.to_ms, span.mono_ms], [2, 0, 300_000, 300_000]);
});

for (const [what, change] of Object.entries({
  "another visit": { session: "w" },
  "another item": { item: "lec2" },
  "another version": { version: "v2" },
  "another rate": { rate: 2, to_ms: 30_000 },
  "another base": { base_rev: 4 },
  "another boot": { boot: "c" },
  "a hole in the content": { from_ms: 10_500, to_ms: 20_500 },
  "a pause in real time": { mono_ms: 21_000 },
})) {
  test(`not across ${what}`, async () => {
    const { journal } = await offline();
    journal.append(beat(0));
    journal.append(beat(1, change));
    assert.equal(journal.length, 3);
  });
}

test("not across another entry", async () => {
  const { journal } = await offline();
  journal.append(beat(0));
  journal.append({ ...BEAT, kind: "marked", done: true, mono_ms: 10_000 });
  journal.append(beat(1));
  assert.equal(journal.length, 4);
});

test("not what may have been sent: the entry that was offered stays as it is", async () => {
  const { journal } = await offline();
  journal.append(beat(0));
  await journal.settled();
  journal.sending = true;
  await settle();
  journal.sending = false;
  journal.append(beat(1));
  journal.append(beat(2));
  assert.deepEqual(await spans(journal), [[2, 0, 10_000], [3, 10_000, 30_000]]);
});

test("after a new start nothing is lengthened that an earlier page may have sent", async () => {
  const { store, journal } = await offline();
  journal.append(beat(0));
  journal.sending = true;
  await journal.settled();
  const again = await Journal.open({ store, student: "ana", device: "d1", namespace: "t" });
  again.sending = false;
  again.append(beat(1));
  assert.deepEqual(await spans(again), [[2, 0, 10_000], [3, 10_000, 20_000]]);
});

test("seams do not add up: a span stays within half a second of the truth, and below an hour", async () => {
  const { journal } = await offline();
  for (let n = 0; n < 100; n += 1) journal.append(beat(n, { mono_ms: (n + 1) * 10_050 }));
  const made = await spans(journal);
  assert.ok(made.length >= 9 && made.length <= 12, `${made.length} spans`);
  const { journal: long } = await offline();
  for (let n = 0; n < 400; n += 1) long.append(beat(n));
  assert.equal((await spans(long)).length, 2);
});

test("the first span of a visit in a boot stays short unless the visit has a stamp of that boot", async () => {
  const { journal } = await offline();
  journal.append(beat(0));
  for (let n = 1; n < 10; n += 1) journal.append(beat(n, { boot: "c" }));
  assert.deepEqual((await spans(journal)).map(([, from, to]) => to - from), [10_000, 10_000, 80_000]);
});

test("a span lengthened while the disk was writing it is written again before it is sent", async () => {
  const { store, journal } = await offline();
  await journal.settled();
  const write = store.write.bind(store);
  let go;
  store.write = async (...all) => (await new Promise((resolve) => (go = resolve)), write(...all));
  journal.append(beat(0));
  await settle();
  journal.append(beat(1));
  journal.sending = true;
  go();
  await settle();
  assert.deepEqual(journal.ready(1), []);
  store.write = write;
  go();
  await settle();
  assert.deepEqual(journal.ready(1).map((each) => each.to_ms), [20_000]);
});

test("two weeks of lectures off line are a few entries each and go up whole", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const client = await clientOn(time, end);
  client.cut();
  for (let day = 0; day < 14; day += 1) {
    const video = new FakeVideo(time, 4_000);
    const player = client.attach(video, { item: `lec${day}`, version: "v1" });
    void player.play();
    await time.pass(600_000);
    player.pause();
    await time.pass(1_000);
    player.detach();
    await time.pass(2 * 3_600_000);
  }
  assert.ok(client.unsaved.entries <= 14 * 6, `${client.unsaved.entries} entries`);
  client.start();
  await time.pass(5_000);
  const content = end.entries.filter((each) => each.kind === "played").reduce((sum, each) => sum + each.to_ms - each.from_ms, 0);
  assert.ok(Math.abs(content - 14 * 600_000) < 14 * 300, `${content}`);
  assert.deepEqual(end.entries.map((each) => each.seq), end.entries.map((_, index) => index + 1));
});

test("a page that starts off line joins its beats as well: nothing was sent yet", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  end.open = false;
  const client = await clientOn(time, end);
  const player = client.attach(new FakeVideo(time), { item: "lec1", version: "v1" });
  void player.play();
  await time.pass(120_000);
  assert.equal(client.unsaved.entries, 3, "opened, play, one span");
  assert.ok(client.unsaved.unsaved_ms >= 110_000);
});
