/** One writer per device among the tabs of a browser: a restored, frozen or copied tab writes nothing stale. */

import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Journal } from "../journal.js";
import { Fenced, LocalStore, MemoryStore, openStore } from "../store.js";
import { LeaseLocks, WebLocks } from "../locks.js";
import { FakeStorage, FakeVideo, TabLocks, VirtualTime, WireEnd, clientOn, fakePage, mortal, settle } from "./fakes.js";

let databases = 0;

const STORES = {
  indexeddb: () => openStore(`tabs-${(databases += 1)}`),
  localstorage: async () => new LocalStore("tabs", new FakeStorage()),
  memory: async () => new MemoryStore(),
};

const span = (from_ms) => ({ kind: "played", session: "v", from_ms, to_ms: from_ms + 1_000 });
const open = (store) => Journal.open({ store, student: "ana", device: "d1", namespace: "t" });

for (const [name, make] of Object.entries(STORES)) {
  test(`${name}: a journal that another tab has taken over writes nothing and says so`, async () => {
    const store = await make();
    const stale = await open(store);
    stale.append(span(0));
    await stale.settled();
    const fresh = await open(store);
    let fenced = 0;
    stale.on("fenced", () => (fenced += 1));
    stale.append(span(50_000));
    await stale.settled();
    assert.equal(fenced, 1);
    assert.deepEqual(stale.ready(1), [], "what is not on disk is not sent");
    assert.deepEqual(stale.orphans().map((each) => each.from_ms), [50_000]);
    fresh.append(span(2_000));
    await fresh.settled();
    assert.deepEqual((await open(store)).ready(0).map((each) => each.from_ms), [0, 2_000]);
    await assert.rejects(store.write("ana", "d1", { writer: "nobody" }, []), Fenced);
  });
}

/** Two tabs of one browser on one wire; each with a page, a session and a channel of its own. */
async function browser() {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  end.devices = new Map();
  const [store, locks, spillStorage] = [new MemoryStore(), new TabLocks(), new FakeStorage()];
  const channels = new Set();
  const channel = () => {
    const own = {
      postMessage: (data) => channels.forEach((each) => each !== own && time.after(0, () => each.onmessage?.({ data }))),
      close: () => channels.delete(own),
    };
    channels.add(own);
    return own;
  };
  const tab = async (session = new FakeStorage()) => {
    const [page, life] = [fakePage(), mortal(time)];
    const client = await clientOn(life, end, { store, locks, spillStorage, session, page, channel }, time);
    return { client, page, life, session };
  };
  return { time, end, store, locks, tab };
}

test("bfcache: a page that comes back claims its device again and goes on in its journal", async () => {
  const { time, end, store, locks, tab } = await browser();
  const { client, page } = await tab();
  const { id } = client.device;
  client.mark("lec1", "v1", true);
  await time.pass(100);
  page.pagehide();
  await time.pass(100);
  assert.ok(await locks.take(`playhead:device:${id}`).then((release) => (release?.(), release)), "given back");
  assert.equal(client.status, "offline");
  page.pageshow();
  await time.pass(1_000);
  assert.equal(client.device.id, id);
  assert.equal(client.status, "online");
  client.mark("lec2", "v1", true);
  await time.pass(100);
  assert.deepEqual(end.entries.map((each) => [each.seq, each.item]), [[1, "lec1"], [2, "lec2"]]);
  assert.deepEqual(await store.waiting("ana"), [id]);
});

test("bfcache: a page whose device is taken meanwhile becomes another one before it writes", async () => {
  const { time, end, tab } = await browser();
  const first = await tab();
  const { id } = first.client.device;
  first.client.mark("lec1", "v1", true);
  await time.pass(100);
  first.page.pagehide();
  await time.pass(100);
  const second = await tab();
  assert.equal(second.client.device.id, id);
  let told = null;
  first.client.on("device", ({ device }) => (told = device));
  first.page.pageshow();
  first.client.mark("lec9", "v1", true);
  await time.pass(1_000);
  assert.notEqual(first.client.device.id, id);
  assert.equal(told.id, first.client.device.id);
  const last = end.frames.findLast((each) => each.type === "hello");
  assert.equal(last.device.id, told.id);
  const lec9 = end.entries.filter((each) => each.item === "lec9");
  assert.deepEqual(lec9.map((each) => each.seq), [1], "once, the first of the new device");
  second.client.mark("lec2", "v1", true);
  await time.pass(100);
  assert.equal(end.entries.find((each) => each.item === "lec2").seq, 2);
});

test("bfcache: an element that plays on when the page is back is asked for and counted, in a visit of its own", async () => {
  const { time, end, tab } = await browser();
  const { client, page, life } = await tab();
  const video = new FakeVideo(life);
  const player = client.attach(video, { item: "lec1", version: "v1" });
  void player.play();
  await time.pass(7_000);
  page.pagehide();
  assert.equal(player.phase, "idle");
  assert.ok(!video.paused);
  page.pageshow();
  await time.pass(8_000);
  assert.equal(player.phase, "playing");
  const visits = [...new Set(end.entries.map((each) => each.session))];
  assert.equal(visits.length, 2);
  const again = end.entries.filter((each) => each.session === visits[1]).map((each) => each.kind);
  assert.deepEqual(again, ["opened", "play", "played"]);
});

test("bfcache: a page that goes again while it claims holds nothing afterwards", async () => {
  const { time, locks, tab } = await browser();
  const { client, page } = await tab();
  const { id } = client.device;
  page.pagehide();
  page.pageshow();
  page.pagehide();
  await time.pass(1_000);
  assert.equal(client.status, "offline");
  assert.ok(await locks.take(`playhead:device:${id}`));
});

test("what a tab wrote after it had lost its device, not knowing, goes up under its new one", async () => {
  const { time, end, locks, tab } = await browser();
  // A browser that does not tell that a lock was taken away: only the store notices.
  const take = locks.take.bind(locks);
  locks.take = async (name) => {
    const release = await take(name);
    return release && (() => release());
  };
  const { client } = await tab();
  const { id } = client.device;
  locks.steal(`playhead:device:${id}`);
  const thief = await tab();
  assert.equal(thief.client.device.id, id);
  client.mark("late", "v1", true);
  await time.pass(1_000);
  assert.notEqual(client.device.id, id);
  assert.deepEqual(end.entries.map((each) => [each.seq, each.item]), [[1, "late"]]);
  const owner = end.frames.filter((each) => each.type === "hello").at(-1).device.id;
  assert.equal(owner, client.device.id);
});

test("an action on a page that is just back waits for the device and is not lost", async () => {
  const { time, end, tab } = await browser();
  const { client, page } = await tab();
  page.pagehide();
  page.pageshow();
  client.mark("lec1", "v1", true);
  assert.equal(client.state.entries, 0, "told with the next change");
  await time.pass(1_000);
  assert.deepEqual(end.kinds(), ["marked"]);
});

test("a tab whose lock was taken away in mid play goes on as another device, in a visit of its own", async () => {
  const { time, end, locks, tab } = await browser();
  const { client, life } = await tab();
  const player = client.attach(new FakeVideo(life), { item: "lec1", version: "v1" });
  void player.play();
  await time.pass(7_030);
  const { id } = client.device;
  locks.steal(`playhead:device:${id}`);
  const thief = await tab();
  assert.equal(thief.client.device.id, id);
  await time.pass(12_000);
  assert.notEqual(client.device.id, id);
  assert.equal(player.phase, "playing");
  const visits = [...new Set(end.entries.filter((each) => each.item === "lec1").map((each) => each.session))];
  assert.equal(visits.length, 2);
  const second = end.entries.filter((each) => each.session === visits[1]).map((each) => each.kind);
  assert.deepEqual(second.slice(0, 2), ["opened", "play"]);
  const spans = end.entries.filter((each) => each.kind === "played").map((each) => [each.from_ms, each.to_ms]);
  const unique = new Map(spans.map((each) => [each.join(), each]));
  const content = [...unique.values()].reduce((sum, [from, to]) => sum + to - from, 0);
  assert.ok(content >= 12_000 && content <= 19_050, `${content}`);
});

test("the offline journal of a closed tab is delivered by another one that is told", async () => {
  const { time, end, tab } = await browser();
  const first = await tab();
  const second = await tab();
  second.client.cut();
  second.client.mark("lec5", "v1", true);
  await time.pass(100);
  assert.ok(!end.entries.some((each) => each.item === "lec5"));
  second.page.pagehide();
  second.life.kill();
  await time.pass(3_000);
  assert.ok(end.entries.some((each) => each.item === "lec5"));
  assert.equal(first.client.status, "online");
});

test("the journal of a killed tab, which told nobody, is found within a minute", async () => {
  const { time, end, locks, tab } = await browser();
  await tab();
  const second = await tab();
  second.client.cut();
  second.client.mark("lec5", "v1", true);
  await time.pass(100);
  second.life.kill();
  locks.steal(`playhead:device:${second.client.device.id}`);
  await time.pass(61_000);
  assert.ok(end.entries.some((each) => each.item === "lec5"));
});

test("a reload takes its own device back: the old page gave it back in time", async () => {
  const { time, tab } = await browser();
  await tab();
  const second = await tab();
  const { id } = second.client.device;
  second.page.pagehide();
  const again = await tab(second.session);
  second.life.kill();
  await time.pass(100);
  assert.equal(again.client.device.id, id);
});

test("leases: a tab frozen for longer than its lease leaves the next holder alone", async () => {
  const time = new VirtualTime();
  const storage = new FakeStorage();
  const frozen = await new LeaseLocks(time, storage).take("d");
  await time.pass(300);
  time.sleep(100_000);
  const next = await new LeaseLocks(time, storage).take("d");
  assert.ok(next);
  assert.equal(frozen.held(), false);
  await time.pass(800);
  assert.equal(next.held(), true, "the frozen tab did not renew");
  frozen();
  assert.equal(next.held(), true, "nor did it release what is not its own");
});

test("Web Locks: held until released, not held when stolen", async () => {
  const grants = [];
  const locks = {
    request: (name, options, act) => new Promise((resolve, reject) => {
      grants.push(reject);
      void Promise.resolve(act({ name })).then(resolve);
    }),
  };
  const release = await new WebLocks(locks).take("d");
  assert.equal(release.held(), true);
  grants[0](new DOMException("stolen", "AbortError"));
  await settle();
  assert.equal(release.held(), false);
  const other = await new WebLocks(locks).take("d");
  other();
  await settle();
  assert.equal(other.held(), false);
  assert.equal(await new WebLocks({ request: async (name, options, act) => act(null) }).take("d"), null);
});

test("a lock that was taken away and is free again is claimed again before anything is written", async () => {
  const { time, end, locks, tab } = await browser();
  const { client } = await tab();
  const { id } = client.device;
  locks.steal(`playhead:device:${id}`);
  client.mark("lec1", "v1", true);
  await time.pass(100);
  assert.equal(client.device.id, id);
  assert.equal(await locks.take(`playhead:device:${id}`), null);
  assert.deepEqual(end.entries.map((each) => [each.seq, each.item]), [[1, "lec1"]]);
});
