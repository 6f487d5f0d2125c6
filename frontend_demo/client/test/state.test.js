/** What a page may show: one honest state, hints about others, the clock, quizzes (P26, R1, R4, R9, R10). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore } from "../store.js";
import { FakeVideo, VirtualTime, WireEnd, clientOn, fakePage } from "./fakes.js";

class DiskStore extends MemoryStore {
  durability = "indexeddb";
}

async function stage({ head, welcomes = {}, of = {}, ...parts } = {}) {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  end.welcomes = welcomes;
  if (head) end.head("lec1", head);
  const store = new DiskStore();
  const client = await clientOn(time, end, { store, ...parts });
  const said = [];
  client.on("state", ({ state }) => said.push(state));
  const video = new FakeVideo(time);
  const player = client.attach(video, { item: "lec1", version: "v1", ...of });
  await time.pass(50);
  return { time, end, store, client, video, player, said };
}

test("saved, saving, saved: while anything plays it is not saved, however little is in the journal", async () => {
  const { time, end, client, player } = await stage();
  assert.deepEqual({ ...client.state, since: 0 }, { state: "saved", entries: 0, unsaved_ms: 0, since: 0 });
  void player.play();
  await time.pass(6_000);
  end.durable(client.applied_seq);
  await time.pass(100);
  assert.equal(client.unsaved.entries, 0);
  assert.equal(client.state.state, "saving");
  assert.ok(client.state.unsaved_ms >= 0);
  await time.pass(2_500);
  assert.ok(client.state.unsaved_ms >= 2_000, "the span that runs counts");
  player.pause();
  await time.pass(100);
  assert.equal(client.state.state, "saving");
  end.durable(client.applied_seq);
  await time.pass(10);
  assert.equal(client.state.state, "saved");
});

test("offline with so many minutes unsaved, since when, and saved again", async () => {
  const { time, end, client, player, said } = await stage();
  void player.play();
  await time.pass(10_000);
  const cut_at = time.wall();
  client.cut();
  await time.pass(180_000);
  assert.equal(client.state.state, "offline");
  assert.equal(client.state.since, cut_at);
  assert.ok(Math.abs(client.state.unsaved_ms - 190_000) < 3_000, `${client.state.unsaved_ms}`);
  player.pause();
  await time.pass(100);
  client.start();
  await time.pass(100);
  end.durable(client.applied_seq);
  await time.pass(10);
  assert.deepEqual(said.filter((each, index) => each !== said[index - 1]), ["saving", "offline", "saving", "saved"]);
});

test("offline with nothing unsaved is offline, and not saved or saving", async () => {
  const { time, client } = await stage();
  client.cut();
  await time.pass(10);
  assert.deepEqual({ ...client.state, since: 0 }, { state: "offline", entries: 0, unsaved_ms: 0, since: 0 });
});

test("memory: what is unsaved would die with the page, on line or not", async () => {
  const { time, end, store, client } = await stage();
  const write = store.write.bind(store);
  store.write = async () => { throw new Error("full"); };
  client.mark("lec2", "v1", true);
  await time.pass(100);
  assert.equal(client.state.state, "memory");
  client.cut();
  await time.pass(10);
  assert.equal(client.state.state, "memory");
  store.write = write;
  client.mark("lec3", "v1", true);
  await time.pass(10);
  assert.equal(client.state.state, "offline");
  client.start();
  await time.pass(100);
  end.durable(client.applied_seq);
  await time.pass(10);
  assert.equal(client.state.state, "saved");
});

test("refused: until the user acts; retryNow is acting", async () => {
  const { time, end, client } = await stage();
  end.close(4501);
  await time.pass(100);
  assert.equal(client.state.state, "refused");
  client.retryNow();
  await time.pass(100);
  assert.equal(client.status, "online");
});

for (const how of ["retryNow", "the browser's online event"]) {
  test(`${how} does not wait for the end of the backoff`, async () => {
    const page = fakePage();
    const { time, end, client } = await stage({ page, random: () => 0.99 });
    end.open = false;
    end.close(1006);
    await time.pass(300_000);
    assert.equal(client.status, "offline");
    end.open = true;
    const before = end.sockets.length;
    how === "retryNow" ? client.retryNow() : page.online();
    await time.pass(50);
    assert.equal(end.sockets.length, before + 1);
    assert.equal(client.status, "online");
  });
}

test("a hint about another player is told, kept until a head comes, and moves nothing", async () => {
  const { time, end, client, player } = await stage({ head: { rev: 1, position_ms: 10_000 } });
  let told = null;
  client.on("nearby", (hint) => (told = hint));
  const hint = { item: "lec1", device: "tv", device_name: "TV", device_kind: "tv", state: "playing", position_ms: 77_000 };
  end.say({ type: "presence", ...hint });
  await time.pass(10);
  assert.deepEqual(told, hint);
  assert.deepEqual(client.nearby("lec1"), hint);
  assert.equal(player.position_ms, 10_000);
  assert.equal(client.heads.rev("lec1"), 1);
  end.push("lec1", { rev: 2, position_ms: 80_000, playing: true });
  await time.pass(10);
  assert.equal(client.nearby("lec1"), null);
  told = null;
  end.say({ type: "presence", ...hint, device: client.device.id });
  assert.equal(told, null);
});

test("a clock that is wrong is told, by how much, and when it is right again", async () => {
  const { time, end, client } = await stage();
  const told = [];
  client.on("clock", (state) => told.push({ ...state }));
  assert.deepEqual({ ...client.clock_state }, { wrong: false, offset_ms: 0 });
  end.welcomes = { clock_wrong: true, clock_offset_ms: -3_600_000 };
  end.close(1006);
  await time.pass(2_000);
  end.welcomes = { clock_wrong: false, clock_offset_ms: 4 };
  end.close(1006);
  await time.pass(2_000);
  assert.deepEqual(told, [{ wrong: true, offset_ms: -3_600_000 }, { wrong: false, offset_ms: 4 }]);
});

test("next_item and quiz of a head pass through", async () => {
  const { client } = await stage({ head: { rev: 1, next_item: "lec2", quiz: { answers: { q1: "a" }, submitted: false } } });
  assert.equal(client.heads.get("lec1").next_item, "lec2");
  assert.deepEqual(client.heads.get("lec1").quiz, { answers: { q1: "a" }, submitted: false });
});

test("answers: one entry each in a visit of the attempt, then submitted; off line as well", async () => {
  const { time, end, client } = await stage();
  client.cut();
  client.answer("quiz1", "v1", "q1", "Paris");
  client.answer("quiz1", "v1", "q2", "");
  client.submit("quiz1", "v1");
  await time.pass(10);
  client.start();
  await time.pass(100);
  assert.deepEqual(end.kinds(), ["opened", "answered", "answered", "submitted"]);
  const [, first, second] = end.entries;
  assert.deepEqual([first.question, first.value, second.question, second.value], ["q1", "Paris", "q2", ""]);
  assert.equal(new Set(end.entries.map((each) => each.session)).size, 1);
  assert.deepEqual([first.item, first.version], ["quiz1", "v1"]);
});

test("answers that no server takes are refused where they are given", async () => {
  const { client } = await stage();
  for (const [question, value] of [["", "a"], ["q".repeat(65), "a"], ["q", "a".repeat(4_097)], ["q\n", "a"], ["q", "a\0b"], ["q", "a\u0085b"], ["q", "\ud83d"], ["q", "\u{1f600}".repeat(4_000)]]) {
    assert.throws(() => client.answer("quiz1", "v1", question, value), RangeError);
  }
  assert.throws(() => client.answer("quiz1", "v1", "q", 7), TypeError);
  client.answer("quiz1", "v1", "q", "a".repeat(4_096));
  client.answer("quiz1", "v1", "q", "def f(x):\n\treturn x  # Größe \u{1f600}\r\n10\u00a0km \u{1f469}\u200d\u{1f467}");
});

test("S24 a peek has a place to go back to, until the user stays or it was a minute", async () => {
  const of = { intent: "bookmark", at_ms: 30_000 };
  const { time, end, player } = await stage({ head: { rev: 9, position_ms: 500_000, device_name: "TV" }, of });
  assert.deepEqual(player.returnPlace, { position_ms: 500_000, device: "tv", device_name: "TV", device_kind: "tv" });
  void player.play();
  await time.pass(20_000);
  assert.equal(player.returnPlace.position_ms, 500_000);
  player.choose(player.position_ms);
  assert.equal(player.returnPlace, null);
  const other = await stage({ head: { rev: 9, position_ms: 500_000 }, of });
  void other.player.play();
  await other.time.pass(80_000);
  assert.equal(other.player.returnPlace, null);
  assert.equal((await stage({ of })).player.returnPlace, null, "nowhere to go back to");
  assert.equal((await stage({ head: { rev: 9, position_ms: 500_000 } })).player.returnPlace, null, "no peek");
  assert.ok(!end.kinds().includes("sought"));
});

test("R4 an offer is there until the user acts on it or dismisses it; another one is another", async () => {
  const candidate = { position_ms: 99_000, device: "phone", device_name: "Phone", at_ms: 5 };
  for (const act of [(player) => player.choose(99_000), (player) => player.dismissOffer(), (player) => player.undo(), (player) => player.reset()]) {
    const { time, end, player } = await stage({ head: { rev: 3, position_ms: 10_000, candidate } });
    assert.deepEqual(player.offer, candidate);
    act(player);
    await time.pass(500);
    assert.equal(player.offer, null);
    end.push("lec1", { rev: 3, position_ms: 10_000, candidate, as_of_ms: time.wall() });
    assert.equal(player.offer, null);
    end.push("lec1", { rev: 4, position_ms: 20_000, candidate: { ...candidate, at_ms: 6 } });
    assert.equal(player.offer.at_ms, 6);
  }
  const seeker = await stage({ head: { rev: 3, position_ms: 10_000, candidate } });
  seeker.player.seek(200_000);
  await seeker.time.pass(500);
  assert.equal(seeker.player.offer, null);
});

test("R9 a head of another version is never a place here: not elsewhere, not on offer, not to continue at", async () => {
  const candidate = { position_ms: 99_000, device: "phone", device_name: "Phone", at_ms: 5 };
  const { time, end, player } = await stage({ of: { start_ms: 5_000 } });
  end.push("lec1", { rev: 4, version: "v2", position_ms: 300_000, playing: true, candidate });
  await time.pass(100);
  assert.equal(player.elsewhere.device, "tv");
  assert.equal(player.elsewhere.position_ms, null);
  assert.equal(player.offer, null);
  assert.equal(player.returnPlace, null);
  void player.continueHere();
  await time.pass(500);
  assert.equal(end.entries.find((each) => each.kind === "chosen").position_ms, 5_000);
});
