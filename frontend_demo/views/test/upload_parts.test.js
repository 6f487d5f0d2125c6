/** Which parts of a file are sent, under way and left, whatever fails in between. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Parts } from "../upload_parts.js";

const MB = 1_000_000;
const urls = (...numbers) => numbers.map((number) => ({ number, length_bytes: MB, url: `u${number}` }));

function parts(length_bytes = 2.5 * MB) {
  const made = new Parts({ length_bytes, part_bytes: MB });
  made.heard({ parts: urls(1, 2, 3) });
  return made;
}

test("parts cover the file, in order, the last one shorter", () => {
  const all = parts();
  assert.deepEqual([all.take(), all.take(), all.take(), all.take()], [
    { number: 1, url: "u1", from: 0, to: MB },
    { number: 2, url: "u2", from: MB, to: 2 * MB },
    { number: 3, url: "u3", from: 2 * MB, to: 2.5 * MB },
    null,
  ]);
  assert.equal(new Parts({ length_bytes: 3 * MB, part_bytes: MB }).count, 3);
});

test("bytes under way count, and those of a part that failed do not", () => {
  const all = parts();
  [all.take(), all.take()].forEach(({ number }) => all.progress(number, 400_000));
  assert.equal(all.sent_bytes, 800_000);
  all.arrived(1, "e1");
  all.failed(2);
  assert.equal(all.sent_bytes, MB);
  all.progress(2, 900_000);
  assert.equal(all.sent_bytes, MB, "an abort may still report");
  assert.equal(all.take().number, 2, "what failed goes first");
});

test("after a reload only what is missing is sent", () => {
  const all = new Parts({ length_bytes: 2.5 * MB, part_bytes: MB });
  all.heard({ parts: urls(2), parts_done: [{ number: 1, etag: "e1" }, { number: 3, etag: "e3" }] });
  assert.equal(all.sent_bytes, 1.5 * MB);
  assert.equal(all.take().number, 2);
  assert.equal(all.take(), null);
  all.arrived(2, "e2");
  assert.ok(all.is_complete);
  assert.deepEqual(all.list, [1, 2, 3].map((number) => ({ number, etag: `e${number}` })));
});

test("an address that has run out is asked for again", () => {
  const all = parts();
  const taken = [all.take(), all.take(), all.take()];
  taken.forEach(({ number }) => all.failed(number, { stale: true }));
  assert.ok(all.needs_urls);
  assert.equal(all.take(), null);
  all.heard({ parts: [{ number: 2, length_bytes: MB, url: "fresh" }] });
  assert.equal(all.take().url, "fresh");
});

test("a part that arrived and is told again stays arrived", () => {
  const all = parts();
  all.take();
  all.arrived(1, "e1");
  all.heard({ parts: urls(1, 2, 3), parts_done: [{ number: 1, etag: "e1" }] });
  all.failed(1);
  assert.equal(all.take().number, 2);
});
