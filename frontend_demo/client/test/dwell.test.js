/** What was really read: pages by how long they were in view, and never more than time allows (R5, R9). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Dwell, PAGE_MS, READ_MS } from "../dwell.js";

const content = (spans) => spans.reduce((sum, { from_ms, to_ms }) => sum + to_ms - from_ms, 0);
const places = (spans) => spans.map(({ from_ms, to_ms }) => [from_ms, to_ms]);

test("a page counts after two seconds in view, and not before", () => {
  const dwell = new Dwell();
  dwell.see({ first: 4, last: 4 }, 0);
  assert.equal(dwell.pending_ms(READ_MS - 1), 0);
  assert.equal(dwell.pending_ms(READ_MS), PAGE_MS);
  assert.deepEqual(places(dwell.take(4_000, 10_000)), [[4_000, 5_000], [4_000, 4_000]]);
});

test("pages that fly past are not read", () => {
  const dwell = new Dwell();
  for (let page = 0; page < 20; page += 1) dwell.see({ first: page, last: page + 1 }, page * 300);
  dwell.see(null, 6_500);
  assert.deepEqual(dwell.take(0, 60_000), []);
});

test("a page counts once in a stay, however long it lies open, and again in another stay", () => {
  const dwell = new Dwell();
  dwell.see({ first: 0, last: 0 }, 0);
  assert.equal(content(dwell.take(0, 10_000)), PAGE_MS);
  for (let mono = 11_000; mono < 600_000; mono += 1_000) dwell.see({ first: 0, last: 0 }, mono);
  assert.deepEqual(dwell.take(0, 600_000), []);
  dwell.see({ first: 1, last: 1 }, 600_000);
  dwell.see({ first: 0, last: 0 }, 603_000);
  assert.equal(content(dwell.take(0, 606_000)), 2 * PAGE_MS, "page 1 that was left, and page 0 once more");
});

test("the last span ends where the reader stands, whatever was in view", () => {
  for (const place_ms of [3_000, 3_250, 3_999, 4_000, 4_500, 2_100, 9_000]) {
    const dwell = new Dwell();
    dwell.see({ first: 3, last: 4 }, 0);
    const spans = dwell.take(place_ms, 10_000);
    assert.equal(spans.at(-1).to_ms, place_ms);
    assert.equal(content(spans), 2 * PAGE_MS);
    if (place_ms >= 3_000 && place_ms < 5_000) assert.equal(spans[0].from_ms, place_ms, "and the first begins there");
  }
});

test("R9 no span claims more than its real time at its rate, and together they overlap nowhere", () => {
  let seed = 20;
  const random = () => ((seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31);
  for (let round = 0; round < 300; round += 1) {
    const dwell = new Dwell();
    let mono = 0;
    let spent_mono = 0;
    let slack_ms = 2_000;
    for (let step = 0; step < 60; step += 1) {
      const first = Math.floor(random() * 12);
      dwell.see(random() < 0.1 ? null : { first, last: first + Math.floor(random() * 3) }, mono);
      mono += random() * 4_000;
      if (random() < 0.5) continue;
      for (const span of dwell.take(Math.floor(random() * 14_000), mono)) {
        const length_ms = span.to_ms - span.from_ms;
        const allowed_ms = slack_ms + Math.round((span.mono_ms - spent_mono) * span.rate);
        assert.ok(span.rate >= 0.1 && span.rate <= 2, `rate ${span.rate}`);
        assert.ok(span.mono_ms >= spent_mono - 1e-6, "stamps only grow");
        assert.ok(length_ms <= allowed_ms + 1, `${length_ms} in ${allowed_ms} (round ${round})`);
        slack_ms = Math.max(0, Math.min(2_000, allowed_ms - length_ms));
        spent_mono = span.mono_ms;
      }
    }
  }
});

test("a page is worth its time in view, ten seconds at most", () => {
  const looked = (ms) => {
    const dwell = new Dwell();
    dwell.see({ first: 0, last: 0 }, 0);
    dwell.see(null, ms);
    const [span] = dwell.take(0, ms + 5_000);
    assert.equal(span.mono_ms, ms, "stamped with when it was left");
    return Math.round((span.to_ms - span.from_ms) / span.rate);
  };
  assert.equal(looked(4_000), 4_000);
  assert.equal(looked(9_000), 9_000);
  assert.equal(looked(300_000), 10_000);
});

test("no second is told twice, and a page told right after another claims no more than its rate", () => {
  const dwell = new Dwell();
  dwell.see({ first: 0, last: 0 }, 0);
  dwell.see({ first: 0, last: 1 }, 9_000);
  const [first] = dwell.take(0, 10_000);
  const [second] = dwell.take(0, 19_000);
  assert.deepEqual([first.from_ms, second.from_ms], [0, 1_000]);
  assert.ok(second.mono_ms - (second.to_ms - second.from_ms) / second.rate >= first.mono_ms, "it began after the first ended");
  dwell.see({ first: 4, last: 4 }, 20_000);
  dwell.see({ first: 4, last: 5 }, 20_500);
  dwell.take(0, 22_300);
  dwell.see(null, 22_600);
  const late = dwell.take(0, 30_000);
  assert.equal(late[0].from_ms, 5_000);
  assert.ok(late.every(({ rate }) => rate <= 2));
});
