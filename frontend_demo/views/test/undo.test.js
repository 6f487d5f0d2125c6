/** What an undo promises, and what other devices say of a move, a tick and a fresh start (R4, R7). */

import assert from "node:assert/strict";
import { test } from "node:test";

import { changeWords, undoWords } from "../undo.js";

const HEAD = {
  rev: 9, position_ms: 60_000, as_of_ms: 0, rate: 1, playing: false, done: false, epoch: 1, rule: "R2",
  device: "laptop", device_name: "Laptop", device_kind: "laptop",
};
const PLACE = { rev: 9, what: "place", rule: "R2", former_ms: 6_000, position_ms: 60_000, done: false, epoch: 1, sentence: "" };

const head = (change) => ({ ...HEAD, ...change });
const row = (change) => ({ ...PLACE, ...change });
const promise = (newest, { settled = true, now = HEAD, clean = true } = {}) => undoWords({ newest, settled }, now, clean);

test("an undo promises a place only when nothing to come can change it", () => {
  assert.equal(promise(row({})), "Undo: back to 0:06");
  for (const circumstances of [{ settled: false }, { clean: false }, { now: head({ rule: "R3" }) }]) {
    assert.equal(promise(row({}), circumstances), "Undo last move");
  }
  assert.equal(promise(null), "Undo last move");
  assert.equal(promise(row({ rule: "R4" })), "Undo last move");
});

test("a new epoch is taken back by the name of what began it", () => {
  const epoch = (change) => promise(row({ what: "epoch", rule: "R7", epoch: 2, ...change }), { now: head({ epoch: 2 }) });
  assert.equal(epoch({ position_ms: 0 }), "Undo the fresh start");
  assert.equal(epoch({ former_ms: 60_000 }), "Undo: mark as done again");
  assert.equal(epoch({ former_ms: 0, position_ms: 0, sentence: "Phone started it afresh at 18:02." }), "Undo the fresh start");
  assert.equal(epoch({ former_ms: 0, position_ms: 0, sentence: "Phone took 'done' back at 18:02." }), "Undo: mark as done again");
  assert.equal(epoch({ rule: "R4", position_ms: 0 }), "Undo last move");
  const stale = row({ what: "epoch", epoch: 2, rule: "R7", position_ms: 0 });
  assert.equal(promise(stale), "Undo last move", "the head is in another epoch by now");
});

test("a tick of another device names no device and is no move", () => {
  const words = changeWords(HEAD, head({ done: true }), "phone");
  assert.deepEqual(words, { text: "Marked done" });
  assert.equal(changeWords(head({ done: true }), HEAD, "phone").text, "Not done any more");
});

test("a tick taken back starts what was seen from zero, and nobody started afresh", () => {
  const words = changeWords(head({ done: true }), head({ epoch: 2 }), "phone");
  assert.match(words.text, /^Not done any more; /);
});

test("a fresh start is called one", () => {
  const words = changeWords(HEAD, head({ epoch: 2, position_ms: 0 }), "phone");
  assert.equal(words.text, "Started afresh on Laptop");
  assert.equal(changeWords(head({ epoch: 2, position_ms: 0 }), HEAD, "phone").text, "Brought back: ");
});

test("a place that did not change was not moved, whoever has the head", () => {
  assert.equal(changeWords(HEAD, head({ device: "tv", device_name: "TV" }), "phone"), null);
  const playing = head({ playing: true });
  assert.equal(changeWords(playing, head({ device: "tv", as_of_ms: 8_000, position_ms: 68_000 }), "phone"), null);
});

test("a move of another device names it, one's own is not told", () => {
  const moved = head({ position_ms: 6_000 });
  assert.equal(changeWords(HEAD, moved, "phone").text, "Moved on Laptop: ");
  assert.equal(changeWords(HEAD, moved, "phone").place, "at 0:06");
  assert.equal(changeWords(HEAD, moved, "laptop"), null);
});
