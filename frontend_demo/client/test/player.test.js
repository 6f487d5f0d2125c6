/** The player reports what really happened, and nothing else. Named by the rule or the corpus scenario. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeVideo, VirtualTime, WireEnd, clientOn } from "./fakes.js";

async function stage({ head, ...options } = {}) {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  if (head) end.head("lec1", head);
  const client = await clientOn(time, end);
  const video = new FakeVideo(time);
  const player = client.attach(video, { item: "lec1", version: "v1", ...options });
  await time.pass(50);
  const spans = () => end.entries.filter((each) => each.kind === "played").map((each) => [each.from_ms, each.to_ms]);
  return { time, end, client, video, player, spans };
}

const near = (actual, expected, slack = 60) =>
  assert.ok(Math.abs(actual - expected) <= slack, `${actual} is not within ${slack} of ${expected}`);

test("S05 opening, showing and closing writes nothing", async () => {
  const { time, end, client } = await stage({ head: { rev: 3, position_ms: 90_000 } });
  await time.pass(300_000);
  client.leave();
  await time.pass(100);
  assert.deepEqual(end.entries, []);
});

test("S38 the player goes to the head by itself and reports no seek for it", async () => {
  const { time, end, video, player } = await stage({ head: { rev: 3, position_ms: 90_000 } });
  assert.equal(video.currentTime, 90);
  assert.equal(player.position_ms, 90_000);
  await time.pass(5_000);
  assert.deepEqual(end.entries, []);
});

test("a play is opened, play, a first beat at 5 s, one each 10 s, and a closing one", async () => {
  const { time, end, player, spans } = await stage();
  void player.play();
  await time.pass(28_000);
  player.pause();
  await time.pass(1_000);
  assert.deepEqual(end.kinds(), ["opened", "play", "played", "played", "played", "played", "paused"]);
  const [first, second, third, last] = spans();
  near(first[1], 5_000, 300);
  near(second[1] - second[0], 10_000, 300);
  near(third[1] - third[0], 10_000, 300);
  assert.equal(first[1], second[0]);
  assert.equal(second[1], third[0]);
  assert.equal(third[1], last[0]);
  const stop = end.entries.at(-1);
  assert.equal(stop.position_ms, last[1]);
  near(last[1], 27_950, 100);
});

test("entries are dense from 1 and sealed to item, version, session and base_rev", async () => {
  const { time, end, player } = await stage({ head: { rev: 7, position_ms: 1_000 } });
  void player.play();
  await time.pass(12_000);
  player.pause();
  await time.pass(100);
  assert.deepEqual(end.entries.map((each) => each.seq), end.entries.map((_, index) => index + 1));
  for (const entry of end.entries) {
    assert.equal(entry.item, "lec1");
    assert.equal(entry.version, "v1");
    assert.equal(entry.base_rev, 7);
    assert.equal(entry.session, end.entries[0].session);
    assert.match(entry.wall, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Number.isInteger(entry.mono_ms));
  }
});

test("S08 S04 before the first frame the head is pulled and the play starts where it is handed", async () => {
  const { time, end, video, player } = await stage({ head: { rev: 1, position_ms: 10_000 } });
  end.head("lec1", { rev: 2, position_ms: 220_000 });
  void player.play();
  await time.pass(1_000);
  assert.equal(end.frames.at(-1)?.type !== undefined, true);
  const play = end.entries.find((each) => each.kind === "play");
  near(play.position_ms, 220_000);
  assert.equal(play.base_rev, 2);
  near(video.currentTime * 1000, 220_900, 150);
  assert.ok(!end.kinds().includes("sought"));
});

test("while another device plays, the start is where that one is by now (P10)", async () => {
  const { time, end, player } = await stage();
  end.head("lec1", { rev: 4, position_ms: 100_000, playing: true, rate: 2, as_of_ms: time.wall() });
  await time.pass(10_000);
  void player.play();
  await time.pass(500);
  near(end.entries.find((each) => each.kind === "play").position_ms, 120_000, 300);
});

test("a head that does not come in 400 ms is not waited for", async () => {
  const { time, end, player } = await stage({ head: { rev: 1, position_ms: 10_000 } });
  end.polite = false;
  void player.play();
  await time.pass(390);
  assert.equal(player.phase, "asking");
  await time.pass(100);
  assert.equal(player.phase, "playing");
});

test("off line the play starts at once from the last known place", async () => {
  const { time, end, client, player } = await stage({ head: { rev: 1, position_ms: 10_000 } });
  client.cut();
  void player.play();
  await time.pass(12_000);
  assert.equal(player.phase, "playing");
  assert.deepEqual(end.entries, []);
  assert.ok(client.unsaved.unsaved_ms >= 5_000);
  client.start();
  await time.pass(100);
  assert.deepEqual(end.kinds(), ["opened", "play", "played"]);
});

test("S39 a stall ends the span, claims nothing, and play goes on behind it", async () => {
  const { time, end, video, player, spans } = await stage();
  void player.play();
  await time.pass(8_030);
  video.starve();
  await time.pass(300);
  assert.equal(player.phase, "stalled");
  await time.pass(60_000);
  assert.equal(player.phase, "stalled");
  video.feed();
  await time.pass(4_000);
  player.pause();
  await time.pass(100);
  near(spans().reduce((sum, [from, to]) => sum + to - from, 0), 12_000, 600);
  assert.ok(end.frames.some((each) => each.type === "presence" && each.state === "stalled"));
  assert.ok(!end.kinds().includes("sought"));
});

test("S39 a frozen element that says nothing is a stall, stamped where it last moved", async () => {
  const { time, end, video, player, spans } = await stage();
  void player.play();
  await time.pass(7_030);
  const froze_mono = time.mono();
  video.freeze();
  await time.pass(30_000);
  assert.equal(player.phase, "stalled");
  near(spans().reduce((sum, [from, to]) => sum + to - from, 0), 7_000, 300);
  near(end.entries.findLast((each) => each.kind === "played").mono_ms, froze_mono, 300);
});

test("a user's seek closes the span and is written once it has settled", async () => {
  const { time, end, player, spans } = await stage();
  void player.play();
  await time.pass(3_030);
  for (const to_ms of [100_000, 200_000, 300_000]) {
    player.seek(to_ms);
    await time.pass(100);
  }
  await time.pass(7_000);
  player.pause();
  await time.pass(100);
  assert.equal(end.kinds().filter((kind) => kind === "sought").length, 1);
  const sought = end.entries.find((each) => each.kind === "sought");
  assert.equal(sought.position_ms, 300_000);
  near(spans()[0][1], 3_000, 300);
  assert.ok(spans().filter(([from]) => from >= 300_000).length >= 1);
  assert.ok(spans().every(([from, to]) => to - from <= 11_000));
  assert.equal(end.kinds().at(-1), "paused");
});

test("a seek by native controls is the user's as well", async () => {
  const { time, end, video, player } = await stage();
  void player.play();
  await time.pass(3_030);
  video.currentTime = 250;
  await time.pass(1_000);
  assert.equal(end.entries.find((each) => each.kind === "sought").position_ms, 250_000);
});

test("a media engine that skips a gap has not been sought", async () => {
  const { time, end, video, player } = await stage();
  void player.play();
  await time.pass(3_030);
  video.currentTime += 0.4;
  await time.pass(9_000);
  player.pause();
  await time.pass(100);
  assert.ok(!end.kinds().includes("sought"));
});

test("play pressed on native controls asks first as well", async () => {
  const { time, end, video } = await stage({ head: { rev: 1, position_ms: 10_000 } });
  end.head("lec1", { rev: 2, position_ms: 50_000 });
  void video.play();
  await time.pass(1_000);
  near(end.entries.find((each) => each.kind === "play").position_ms, 50_000);
});

test("N10 a change of rate is no stop and no seek; content is counted at each rate", async () => {
  const { time, end, video, player } = await stage();
  void player.play();
  await time.pass(10_030);
  video.setRate(2);
  await time.pass(10_000);
  player.pause();
  await time.pass(100);
  const played = end.entries.filter((each) => each.kind === "played");
  const at = (rate) => played.filter((each) => each.rate === rate).reduce((sum, each) => sum + each.to_ms - each.from_ms, 0);
  near(at(1), 10_000, 300);
  near(at(2), 20_000, 600);
  assert.deepEqual([...new Set(end.kinds())], ["opened", "play", "played", "paused"]);
});

test("N10 a wall clock that is put back in mid play changes no span", async () => {
  const { time, player, spans } = await stage();
  void player.play();
  await time.pass(4_000);
  time.stepWall(-3_600_000);
  await time.pass(8_000);
  player.pause();
  await time.pass(100);
  near(spans().reduce((sum, [from, to]) => sum + to - from, 0), 11_950, 100);
});

test("reaching the end is `ended` at the duration, and the next play begins at 0", async () => {
  const { time, end, player } = await stage({ head: { rev: 2, position_ms: 594_000, device: "tv" } });
  void player.play();
  await time.pass(8_000);
  assert.equal(end.kinds().at(-1), "ended");
  assert.equal(end.entries.at(-1).position_ms, 600_000);
  assert.ok(!end.kinds().includes("paused"));
  end.head("lec1", { rev: 3, position_ms: 600_000, device: "x" });
  void player.play();
  await time.pass(500);
  near(end.entries.findLast((each) => each.kind === "play").position_ms, 0);
});

test("S47 an automatic start does not start what is done", async () => {
  const { time, end, player } = await stage({ head: { rev: 5, position_ms: 600_000, done: true } });
  let declined = false;
  player.on("declined", () => (declined = true));
  assert.equal(await Promise.race([player.play({ by: "auto" }), time.pass(1_000).then(() => null)]), false);
  assert.ok(declined);
  assert.deepEqual(end.entries, []);
});

test("a browser that refuses to play leaves no event", async () => {
  const { time, end, video, player } = await stage();
  video.refuses = Object.assign(new Error("gesture"), { name: "NotAllowedError" });
  let blocked = false;
  player.on("blocked", () => (blocked = true));
  void player.play();
  await time.pass(2_000);
  assert.ok(blocked);
  assert.equal(player.phase, "idle");
  assert.deepEqual(end.entries, []);
});

test("R10 when another device takes the baton, the player pauses and says who has it", async () => {
  const { time, end, client, video, player } = await stage();
  let taken = null;
  player.on("taken", (detail) => (taken = detail));
  void player.play();
  await time.pass(6_000);
  end.push("lec1", { rev: 1, position_ms: 5_000, playing: true, device: client.device.id });
  await time.pass(2_000);
  assert.equal(player.phase, "playing");
  end.push("lec1", { rev: 2, position_ms: 7_900, playing: true, device: "tv", device_name: "TV" });
  await time.pass(100);
  assert.equal(player.phase, "idle");
  assert.ok(video.paused);
  assert.equal(taken.device_name, "TV");
  assert.equal(end.kinds().at(-1), "paused");
});

test("R1 until its own play is real, a player lets the other one have the baton and plays on", async () => {
  const { time, end, player } = await stage({ head: { rev: 4, position_ms: 60_000, playing: true } });
  void player.play();
  await time.pass(3_000);
  end.push("lec1", { rev: 4, position_ms: 63_000, playing: true });
  await time.pass(500);
  assert.equal(player.phase, "playing");
});

test("R10 a play that begins after another device had the baton is a run of its own and is not taken for the old one", async () => {
  const { time, end, client, player } = await stage();
  void player.play();
  await time.pass(6_000);
  end.push("lec1", { rev: 1, position_ms: 5_000, playing: true, device: client.device.id });
  await time.pass(1_000);
  player.pause();
  await time.pass(1_000);
  end.head("lec1", { rev: 2, position_ms: 60_000, device: "tv", device_name: "TV" });
  end.push("lec1", { rev: 2, position_ms: 60_000, device: "tv", device_name: "TV" });
  await time.pass(500);
  void player.play();
  await time.pass(2_000);
  assert.equal(player.phase, "playing");
  near(player.position_ms, 62_000, 500);
});

test("R10 a play that is real and still not the head's yields to the one that plays", async () => {
  const { time, end, player } = await stage({ head: { rev: 4, position_ms: 60_000, playing: true } });
  void player.play();
  await time.pass(6_000);
  end.push("lec1", { rev: 5, position_ms: 66_000, playing: true });
  await time.pass(100);
  assert.equal(player.phase, "idle");
});

test("continueHere is one run: `chosen` at the live place, and an early beat", async () => {
  const { time, end, client, player } = await stage({ head: { rev: 4, position_ms: 60_000, playing: true } });
  await time.pass(5_000);
  end.on_events = (events) => {
    const chosen = events.find((each) => each.kind === "chosen");
    if (chosen) end.head("lec1", { rev: 5, position_ms: chosen.position_ms, device: client.device.id });
  };
  void player.continueHere();
  await time.pass(1_500);
  assert.deepEqual(end.kinds(), ["opened", "chosen", "played"]);
  const [, chosen, played] = end.entries;
  near(chosen.position_ms, 65_050, 100);
  assert.equal(chosen.base_rev, 4);
  near(played.from_ms, chosen.position_ms, 100);
  near(played.to_ms, played.from_ms + 1_000, 300);
});

test("a paused player follows the head; one the user has placed stays until somebody else acts", async () => {
  const { time, end, player } = await stage({ head: { rev: 1, position_ms: 10_000 } });
  end.push("lec1", { rev: 2, position_ms: 80_000 });
  await time.pass(100);
  assert.equal(player.position_ms, 80_000);
  player.seek(200_000);
  end.push("lec1", { rev: 2, position_ms: 80_000 });
  await time.pass(50);
  assert.equal(player.position_ms, 200_000);
  await time.pass(500);
  end.push("lec1", { rev: 4, position_ms: 300_000 });
  await time.pass(100);
  assert.equal(player.position_ms, 300_000);
});

test("after a reload the player follows its own device's head, however near; in mid visit it stands by its stop", async () => {
  const { time, end, client, player } = await stage({ start_ms: 8_000 });
  end.push("lec1", { rev: 1, position_ms: 10_000, device: client.device.id });
  await time.pass(100);
  assert.equal(player.position_ms, 10_000);
  void player.play();
  await time.pass(6_030);
  player.pause();
  await time.pass(100);
  end.push("lec1", { rev: 2, position_ms: 15_000, device: client.device.id });
  await time.pass(100);
  near(player.position_ms, 16_000);
});

test("a head of another version moves nothing here and says so", async () => {
  const { time, end, player } = await stage({ head: { rev: 1, position_ms: 10_000 } });
  let outdated = null;
  player.on("outdated", (detail) => (outdated = detail));
  end.push("lec1", { rev: 2, version: "v2", position_ms: 99_000 });
  await time.pass(100);
  assert.equal(player.position_ms, 10_000);
  assert.equal(outdated.version, "v2");
});

test("S24 a bookmark opens at its place, says so, and is not moved by the head", async () => {
  const { time, end, player } = await stage({ head: { rev: 9, position_ms: 500_000 }, intent: "bookmark", at_ms: 30_000 });
  assert.equal(player.position_ms, 30_000);
  void player.play();
  await time.pass(3_000);
  assert.equal(end.entries[0].intent, "bookmark");
  assert.equal(end.entries[0].position_ms, 30_000);
  near(end.entries[1].position_ms, 30_000);
});

test("leaving says goodbye in the same turn, and a page that comes back is a new visit", async () => {
  const { time, end, client, player } = await stage();
  void player.play();
  await time.pass(7_000);
  client.leave();
  assert.deepEqual(end.kinds().slice(-2), ["played", "closed"]);
  client.wake();
  await time.pass(500);
  player.pause();
  await time.pass(50);
  void player.play();
  await time.pass(2_000);
  const opened = end.entries.filter((each) => each.kind === "opened");
  assert.equal(opened.length, 2);
  assert.notEqual(opened[0].session, opened[1].session);
});

test("a loop is the end and an automatic start, not a seek of the user (R10)", async () => {
  const { time, end, video, player, spans } = await stage({ head: { rev: 1, position_ms: 590_000, device: "tv" } });
  video.loop = true;
  void player.play();
  await time.pass(9_600);
  video.currentTime = 0;
  await time.pass(12_000);
  player.pause();
  await time.pass(100);
  assert.ok(!end.kinds().includes("sought"), end.kinds().join());
  const ended = end.entries.find((each) => each.kind === "ended");
  assert.equal(ended.position_ms, 600_000);
  const again = end.entries.find((each) => each.kind === "play" && each.by === "auto");
  assert.equal(again.position_ms, 0);
  assert.ok(spans().some(([from]) => from < 1_000));
});

test("a rate that the protocol cannot say is told as the nearest it can", async () => {
  const { time, end, video, player } = await stage();
  video.playbackRate = 0.0625;
  void player.play();
  await time.pass(20_000);
  player.pause();
  await time.pass(100);
  for (const { rate } of end.entries.filter((each) => each.rate !== undefined)) assert.equal(rate, 0.1);
});

test("a page frozen for a minute with the element moving on now and then claims what moved, in no more time", async () => {
  const { time, end, video, player, spans } = await stage();
  void player.play();
  await time.pass(3_030);
  video.freeze();
  time.sleep(57_000, { mono: true });
  video.thaw();
  await time.pass(4_000);
  player.pause();
  await time.pass(100);
  near(spans().reduce((sum, [from, to]) => sum + to - from, 0), 7_000, 100);
  for (const entry of end.entries.filter((each) => each.kind === "played")) assert.ok(entry.to_ms - entry.from_ms <= 5_500);
  const [first, second] = end.entries.filter((each) => each.kind === "played");
  assert.ok(second.mono_ms - (second.to_ms - second.from_ms) - first.mono_ms >= 50_000, "the gap is in neither");
});

test("S24 a peek at rest stays where it is; the next play is handed the head again", async () => {
  const { time, end, player } = await stage({ head: { rev: 9, position_ms: 500_000 }, intent: "bookmark", at_ms: 30_000 });
  void player.play();
  await time.pass(8_030);
  player.pause();
  await time.pass(100);
  end.push("lec1", { rev: 9, position_ms: 500_000, as_of_ms: time.wall() });
  await time.pass(500);
  near(player.position_ms, 38_000, 300);
  assert.equal(player.returnPlace.position_ms, 500_000);
  void player.play();
  await time.pass(1_000);
  near(end.entries.findLast((each) => each.kind === "play").position_ms, 500_000);
});
