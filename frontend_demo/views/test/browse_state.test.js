/** A search and its address say the same. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { browseHash, chosen, readBrowse, toggled, unfiltered } from "../browse_state.js";

const NOTHING = { q: "", category: "", difficulty: "", language: "", duration: "" };

test("an address and what it asks for are the same both ways", () => {
  for (const asked of [{}, { q: "graph theory" }, { q: "a&b=c#d+e %41", category: "Maths & more", duration: "12h+" }]) {
    const wanted = { ...NOTHING, ...asked };
    assert.deepEqual(readBrowse(browseHash(wanted)), wanted);
  }
  assert.equal(browseHash(NOTHING), "#/browse");
});

test("what an address says besides is left out, and what is too long cut", () => {
  assert.deepEqual(readBrowse("#/browse?q=x&limit=5000&after=..&constructor=y"), { ...NOTHING, q: "x" });
  assert.equal(readBrowse(`#/browse?q=${"x".repeat(5000)}`).q.length, 200);
  assert.deepEqual(readBrowse("#/browse?q=%E0%A4"), { ...NOTHING, q: "\ufffd" });
});

test("a value is chosen, changed and given up", () => {
  const one = toggled({ ...NOTHING, q: "x" }, "difficulty", "beginner");
  assert.equal(toggled(one, "difficulty", "advanced").difficulty, "advanced");
  assert.equal(toggled(one, "difficulty", "beginner").difficulty, "");
  assert.deepEqual(chosen(toggled(one, "language", "de")), [["difficulty", "beginner"], ["language", "de"]]);
  assert.deepEqual(unfiltered(one), { ...NOTHING, q: "x" });
});
