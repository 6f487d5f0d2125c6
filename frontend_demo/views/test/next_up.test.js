/** What a course goes on with: what is under way, else what comes after what was done last. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { firstUp, nextUp, pathOf } from "../next_up.js";

const KINDS = { q: "quiz", p: "pdf" };

/** `a` untouched, `b5` begun at 5, `c!7` done at 7, `d~9` at its end at 9 and not done. */
function course(...words) {
  return words.map((word) => {
    const [, id, sign, at] = word.match(/^([a-z])([!~]?)(\d*)$/);
    const touched = at !== "";
    const done = sign === "!";
    return { item: { id, kind: KINDS[id] ?? "video" }, done, begun: touched, open: touched && !done && sign !== "~", at_ms: Number(at) };
  });
}

const next = (...words) => nextUp(course(...words))?.item.id ?? null;

test("what was begun last and is not done goes on", () => {
  assert.equal(next("a3", "b5", "c"), "b");
  assert.equal(next("a9", "b5", "c"), "a");
});

test("after what was finished comes the first thing behind it that is not done", () => {
  assert.equal(next("a!5", "b"), "b");
  assert.equal(next("a!5", "b!3", "c"), "c");
  assert.equal(next("a2", "b!5", "c"), "c", "the student goes forward, not back to what was left");
  assert.equal(next("a~5", "b"), "b", "a video at its end has nothing left to continue");
});

test("behind the last item it is what was left open, else what was never begun", () => {
  assert.equal(next("a2", "b", "c!5"), "a");
  assert.equal(next("a", "b!2", "c!5"), "a");
});

test("nothing goes on where nothing was begun, or all is done", () => {
  assert.equal(next("a", "b"), null);
  assert.equal(next("a!1", "b!2"), null);
  assert.equal(next(), null);
});

test("what has no page is neither gone on with nor begun with", () => {
  assert.equal(next("a!5", "q", "b"), "b");
  assert.equal(firstUp(course("q", "a!1", "p"))?.item.id, "p");
  assert.equal(pathOf({ id: "x y", kind: "text" }), "#/read/x%20y");
  assert.equal(pathOf({ id: "x", kind: "hologram" }), null);
});
