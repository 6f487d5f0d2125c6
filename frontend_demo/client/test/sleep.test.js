/** The machine sleeps and wakes: stamps stay true, and slept time is nobody's (docs/sync.md, corrected time). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Boot } from "../boot.js";
import { FakeVideo, VirtualTime, WireEnd, clientOn } from "./fakes.js";

const HOUR = 3_600_000;

async function stage() {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const client = await clientOn(time, end);
  const video = new FakeVideo(time);
  const player = client.attach(video, { item: "lec1", version: "v1" });
  await time.pass(50);
  const hellos = () => end.frames.filter((each) => each.type === "hello");
  const played = () => end.entries.filter((each) => each.kind === "played");
  return { time, end, client, video, player, hellos, played };
}

/** True time of a stamp: by the hello of its boot. */
function trueTime(entry, hellos) {
  const { clock } = hellos.find((each) => each.clock.boot === entry.boot);
  return Date.parse(clock.wall) + entry.mono_ms - clock.mono_ms;
}

test("a sleep that stops the monotonic clock ends the span at the last frame, under the old boot", async () => {
  const { time, end, video, player, hellos, played } = await stage();
  const began_ms = time.wall();
  void player.play();
  await time.pass(8_030);
  time.sleep(HOUR);
  await time.pass(20_000);
  player.pause();
  await time.pass(1_000);
  const boots = hellos().map((each) => each.clock.boot);
  assert.equal(new Set(boots).size, 2);
  const before = played().filter((each) => each.boot === boots[0]);
  const after = played().filter((each) => each.boot === boots[1]);
  assert.ok(before.at(-1).to_ms >= 7_500 && before.at(-1).to_ms <= 8_030);
  assert.equal(after[0].from_ms, before.at(-1).to_ms, "no hole in the content");
  for (const entry of before) assert.ok(trueTime(entry, hellos()) <= began_ms + 9_000);
  for (const entry of after) assert.ok(trueTime(entry, hellos()) >= began_ms + HOUR + 8_000);
  for (const entry of end.entries) assert.ok(Math.abs(Date.parse(entry.wall) - trueTime(entry, hellos())) < 1_000, entry.kind);
  const content = played().reduce((sum, each) => sum + each.to_ms - each.from_ms, 0);
  assert.ok(Math.abs(content - video.currentTime * 1000) < 400, `${content}`);
  assert.ok(!end.kinds().includes("sought"));
});

test("after a sleep the link is made anew at once, and the server's time is learned anew", async () => {
  const { time, end, client, player } = await stage();
  void player.play();
  await time.pass(6_000);
  time.sleep(HOUR);
  await time.pass(1_000);
  assert.equal(end.sockets.length, 2);
  assert.equal(end.sockets[0].closed, 1000);
  assert.equal(client.status, "online");
  assert.ok(Math.abs(client.clock.now() - time.wall()) < 50);
});

test("a sleep during which the monotonic clock went on is no real time of a span, and no new boot", async () => {
  const { time, end, client, video, player, hellos, played } = await stage();
  void player.play();
  await time.pass(8_030);
  video.freeze();
  const slept_mono = time.mono();
  time.sleep(HOUR, { mono: true });
  video.thaw();
  // The first thing to run after a sleep may be late by half a second of play.
  time.sleep(500, { mono: true });
  await time.pass(11_500);
  player.pause();
  await time.pass(100);
  assert.equal(new Set(hellos().map((each) => each.clock.boot)).size, 1);
  const before = played().filter((each) => each.mono_ms <= slept_mono);
  assert.ok(before.at(-1).to_ms >= 7_500, "what was played before the sleep is dated before it");
  for (const [index, entry] of played().entries()) {
    const began = entry.mono_ms - (entry.to_ms - entry.from_ms);
    if (index) assert.ok(began >= played()[index - 1].mono_ms - 50, "real time is nobody's twice");
    assert.ok(entry.to_ms - entry.from_ms <= 11_000);
  }
  const content = played().reduce((sum, each) => sum + each.to_ms - each.from_ms, 0);
  assert.ok(Math.abs(content - 20_000) < 500, `${content}`);
  assert.equal(client.unsaved.entries, end.entries.length);
});

test("asleep while paused: the next action is stamped with the new boot", async () => {
  const { time, end, client, hellos } = await stage();
  await time.pass(60_000);
  time.sleep(8 * HOUR);
  client.mark("lec2", "v1", true);
  await time.pass(2_000);
  const marked = end.entries.find((each) => each.kind === "marked");
  assert.equal(hellos().length, 2);
  assert.equal(marked.boot, hellos()[1].clock.boot);
  assert.ok(Math.abs(trueTime(marked, hellos()) - time.wall()) < 3_000);
});

test("a visit opened before the sleep and played after it is stamped after it", async () => {
  const { time, end, player, hellos } = await stage();
  time.sleep(8 * HOUR);
  const woke_at = time.wall();
  void player.play();
  await time.pass(6_000);
  for (const entry of end.entries) assert.ok(trueTime(entry, hellos()) >= woke_at, entry.kind);
});

test("what was known of the server's time is forgotten in a sleep", async () => {
  const { time, client } = await stage();
  client.cut();
  assert.ok(client.clock.known);
  time.sleep(HOUR);
  client.wake();
  assert.ok(!client.clock.known);
  assert.equal(client.clock.now(), time.wall());
});

test("off line, a sleep changes the boot as well, and stamps of before keep their wall clock", async () => {
  const { time, end, client, player } = await stage();
  client.cut();
  void player.play();
  await time.pass(8_000);
  const slept_at = time.wall();
  time.sleep(HOUR);
  await time.pass(8_000);
  player.pause();
  await time.pass(100);
  assert.equal(end.sockets.length, 1);
  client.start();
  await time.pass(100);
  const boots = [...new Set(end.entries.map((each) => each.boot))];
  assert.equal(boots.length, 2);
  for (const entry of end.entries.filter((each) => each.boot === boots[0])) assert.ok(Date.parse(entry.wall) <= slept_at);
  for (const entry of end.entries.filter((each) => each.boot === boots[1])) assert.ok(Date.parse(entry.wall) >= slept_at + HOUR);
});

test("a clock that drifts, or is put back, is no sleep", async () => {
  const time = new VirtualTime();
  const boot = new Boot(time);
  const { id } = boot;
  for (let minute = 0; minute < 600; minute += 1) {
    await time.pass(61_000);
    time.stepWall(30);
    assert.equal(boot.slept_ms(), 0);
  }
  time.stepWall(-HOUR);
  assert.equal(boot.slept_ms(), 0);
  await time.pass(1_000);
  assert.equal(boot.wallAt(time.mono()), time.wall());
  time.sleep(5_000);
  assert.ok(boot.slept_ms() >= 5_000);
  boot.renew();
  assert.notEqual(boot.id, id);
  assert.equal(boot.slept_ms(), 0);
});
