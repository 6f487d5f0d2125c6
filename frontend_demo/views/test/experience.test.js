/** What is told of how well a lecture plays, and that telling it never grows or repeats itself. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Experience } from "../experience.js";

const OF = { item: "lecture-1", version: "v1", play: "play-1" };

/** An Experience on a clock that stands until told; `answers` are what sending does, in turn. */
function bench(...answers) {
  const made = { now_ms: 1_000, sent: [] };
  const send = async (events, how) => {
    made.sent.push({ events, ...how });
    const failure = answers.shift();
    if (failure) throw failure;
  };
  made.experience = new Experience(OF, { send, now: () => made.now_ms });
  made.after = (ms) => (made.now_ms += ms);
  return made;
}

const kinds = ({ sent }) => sent.flatMap(({ events }) => events.map(({ kind }) => kind));

test("a start is from the press to the first frame", async () => {
  const page = bench();
  assert.equal(page.experience.pressed(true), true);
  assert.equal(page.experience.pressed(true), false, "one press at a time");
  page.after(120);
  page.experience.firstFrame();
  page.experience.firstFrame();
  page.after(20_000);
  await page.experience.tick(true);
  const age_ms = 20_000;
  assert.deepEqual(page.sent, [{ events: [{ ...OF, kind: "start", quality: "", duration_ms: 120, count: 1, age_ms }], keepalive: false }]);
});

test("nothing is sent between a press and its frame", async () => {
  const page = bench();
  page.experience.failed({ code: "fragLoadError", status: 503 });
  page.after(60_000);
  page.experience.pressed(false);
  await page.experience.tick(true);
  assert.equal(page.sent.length, 0);
});

test("a wait is told with its length, a short one and a seek's are not, and the time played is the denominator", async () => {
  const page = bench();
  const { experience } = page;
  experience.switched("360p", true);
  experience.plays();
  page.after(10_000);
  experience.stalls();
  page.after(700);
  experience.plays();
  page.after(2_000);
  experience.stalls();
  page.after(40);
  experience.plays();
  page.after(1_000);
  experience.stops();
  page.after(9_000);
  experience.plays();
  await experience.leave();
  const told = page.sent[0].events.map(({ kind, duration_ms, quality }) => [kind, duration_ms, quality]);
  assert.deepEqual(told, [
    ["watched", 10_000, "360p"], ["stall", 700, "360p"], ["watched", 2_000, "360p"], ["watched", 1_000, "360p"],
  ]);
  assert.equal(page.sent[0].keepalive, true);
});

test("a switch says from where, by whom, and time played belongs to the quality it was played in", async () => {
  const page = bench();
  const { experience } = page;
  experience.switched("360p", true);
  experience.plays();
  page.after(4_000);
  experience.switched("720p", false);
  experience.switched("720p", true);
  page.after(1_000);
  await experience.leave();
  const told = page.sent[0].events.map(({ kind, from, quality, auto }) => ({ kind, from, quality, auto }));
  assert.deepEqual(told[0], { kind: "watched", from: undefined, quality: "360p", auto: undefined });
  assert.deepEqual(told[1], { kind: "switch", from: "360p", quality: "720p", auto: false });
  assert.equal(told.length, 3);
});

test("an error that repeats is one, counted; its code is of the letters the server takes", async () => {
  const page = bench();
  for (let time = 0; time < 50; time += 1) page.experience.failed({ code: "frag load/error", status: 503 });
  page.experience.failed({ code: "frag load/error", status: 503, fatal: true });
  await page.experience.leave();
  assert.deepEqual(page.sent[0].events.map(({ code, count, fatal }) => [code, count, fatal]), [["frag_load_error", 50, false], ["frag_load_error", 1, true]]);
});

test("what waits is bounded, and goes in batches the server takes", async () => {
  const page = bench();
  for (let time = 0; time < 5_000; time += 1) page.experience.switched(`${time % 2 ? 360 : 720}p`, true);
  assert.ok(page.experience.waiting <= 300);
  page.after(20_000);
  await page.experience.tick(true);
  assert.equal(page.sent[0].events.length, 100);
});

test("refused for now is sent again when the server said; an unknown outcome never", async () => {
  const page = bench({ status: 429, retry_after_ms: 30_000 }, { status: 0 });
  page.experience.failed({ code: "one" });
  page.after(20_000);
  await page.experience.tick(true);
  page.after(29_999);
  await page.experience.tick(true);
  assert.equal(page.sent.length, 1);
  page.after(1);
  await page.experience.tick(true);
  page.after(120_000);
  await page.experience.tick(true);
  assert.deepEqual(kinds(page), ["error", "error"]);
});

test("what a play has come to leaves soon after it stops", async () => {
  const page = bench();
  page.experience.plays();
  page.after(5_000);
  page.experience.stops();
  page.after(1_999);
  await page.experience.tick(true);
  assert.equal(page.sent.length, 0);
  page.after(1);
  await page.experience.tick(true);
  assert.deepEqual(kinds(page), ["watched"]);
});

test("off line it waits and keeps", async () => {
  const page = bench();
  page.experience.failed({ code: "one" });
  page.after(600_000);
  await page.experience.tick(false);
  assert.equal(page.sent.length, 0);
  await page.experience.tick(true);
  assert.equal(page.sent.length, 1);
});

test("dropped frames are told since the last time", async () => {
  const page = bench();
  page.experience.frames(0, 100);
  page.experience.frames(3, 200);
  page.experience.frames(3, 300);
  await page.experience.leave();
  assert.deepEqual(page.sent[0].events.map(({ kind, count, total }) => [kind, count, total]), [["frames", 3, 100]]);
});
