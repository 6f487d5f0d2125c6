/** Heads and the server's clock (P10, P11). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Heads, placeNow } from "../heads.js";
import { ServerClock } from "../clock.js";
import { SpanMeter } from "../spans.js";
import { VirtualTime } from "./fakes.js";

const head = (fields) => ({
  item: "lec1", rev: 1, position_ms: 10_000, duration_ms: 60_000, playing: false, rate: 1, as_of_ms: 0, ...fields,
});

test("P10 a smaller rev is dropped; of equal ones the later as_of_ms stands", () => {
  const heads = new Heads(new ServerClock(new VirtualTime()));
  assert.ok(heads.accept(head({ rev: 5, as_of_ms: 100 })));
  assert.ok(!heads.accept(head({ rev: 4, as_of_ms: 900 })));
  assert.ok(!heads.accept(head({ rev: 5, as_of_ms: 99, playing: true })));
  assert.ok(heads.accept(head({ rev: 5, as_of_ms: 101, playing: true })));
  assert.equal(heads.get("lec1").playing, true);
  assert.equal(heads.rev("lec1"), 5);
  assert.equal(heads.rev("nothing"), 0);
});

test("P10 the place of a playing head runs with its rate and stops at the duration", () => {
  assert.equal(placeNow(head({}), 5_000), 10_000);
  assert.equal(placeNow(head({ playing: true }), 5_000), 15_000);
  assert.equal(placeNow(head({ playing: true, rate: 1.5 }), 4_000), 16_000);
  assert.equal(placeNow(head({ playing: true }), 900_000), 60_000);
  assert.equal(placeNow(head({ playing: true, as_of_ms: 8_000 }), 5_000), 10_000);
});

test("the server's time comes from the exchange with the shortest trip and ignores the wall clock", async () => {
  const time = new VirtualTime();
  const clock = new ServerClock(time);
  const server = (mono) => 5_000_000 + mono;
  const exchange = async (there_ms, back_ms) => {
    const sent_mono = time.mono();
    await time.pass(there_ms);
    const server_ms = server(time.mono());
    await time.pass(back_ms);
    clock.observe(server_ms, sent_mono);
  };
  await exchange(10, 10);
  await exchange(10, 900);
  time.stepWall(-86_400_000);
  await time.pass(1_000);
  assert.equal(clock.now(), server(time.mono()));
});

test("a span claims what moved: no jump, no backstep, no freeze", () => {
  const meter = new SpanMeter();
  meter.start(1_000, 0, 1);
  assert.equal(meter.sample(3_000, 2_000), "moving");
  assert.equal(meter.sample(2_900, 2_100), "moving");
  assert.equal(meter.sample(60_000, 2_400), "jumped");
  assert.equal(meter.sample(3_000, 4_000), "frozen");
  assert.deepEqual(meter.stop(), { from_ms: 1_000, to_ms: 3_000, rate: 1, mono_ms: 2_000 });
  assert.equal(meter.running, false);
  assert.equal(meter.cut(), null);
});

test("a hidden tab that is read once a minute still counts its minute, and not more", () => {
  const meter = new SpanMeter();
  meter.start(0, 0, 2);
  assert.equal(meter.sample(120_000, 60_000), "moving");
  assert.deepEqual(meter.cut(), { from_ms: 0, to_ms: 120_000, rate: 2, mono_ms: 60_000 });
  assert.equal(meter.sample(180_000, 61_000), "jumped");
});
