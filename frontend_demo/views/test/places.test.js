/** Places and pixels: what is in view, and where a place lies. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pageAt, scrollOf, viewOf } from "../places.js";

const EDGES = [10, 1_010, 2_010, 3_010];

test("a place and its scroll position lead to each other", () => {
  for (const place_ms of [0, 1, 250, 999, 1_000, 1_500, 2_999]) {
    assert.ok(Math.abs(viewOf(EDGES, scrollOf(EDGES, place_ms), 600).place_ms - place_ms) < 1);
  }
  assert.equal(viewOf(EDGES, 0, 600).place_ms, 0);
  assert.ok(viewOf(EDGES, 99_999, 600).place_ms < 3_000, "the end is still the last page");
});

test("a page is in view with half of it, or when it fills half of the box", () => {
  assert.deepEqual(viewOf(EDGES, 10, 1_000), { place_ms: 0, first: 0, last: 0 });
  assert.deepEqual([viewOf(EDGES, 500, 1_000).first, viewOf(EDGES, 500, 1_000).last], [0, 0]);
  assert.deepEqual([viewOf(EDGES, 510, 1_000).first, viewOf(EDGES, 510, 1_000).last], [0, 1]);
  assert.deepEqual([viewOf(EDGES, 10, 3_000).first, viewOf(EDGES, 10, 3_000).last], [0, 2]);
  assert.deepEqual([viewOf(EDGES, 400, 100).first, viewOf(EDGES, 400, 100).last], [0, 0]);
  assert.deepEqual([viewOf(EDGES, 1_000, 300).first, viewOf(EDGES, 1_000, 300).last], [1, 1]);
});

test("pages are counted from one, and the end is the last of them", () => {
  assert.deepEqual([0, 999, 1_000, 11_999, 12_000].map((place_ms) => pageAt(place_ms, 12_000)), [1, 1, 2, 12, 12]);
});
