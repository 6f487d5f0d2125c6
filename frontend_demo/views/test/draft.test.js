/** What is done to a draft, what is told of it, and how two of them meet. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  addItem, addSection, canMoveItem, changeItem, findItem, moveItem, moveSection, newItem, placeOf, removeItem, removeSection, renameSection,
} from "../draft_edit.js";
import { changesBetween, isSame, unfinished } from "../draft_changes.js";
import { merge } from "../draft_merge.js";

const item = (id, more = {}) => ({ id, kind: "video", title: id.toUpperCase(), version: "v1", content: {}, ...more });
const COURSE = freeze({
  title: "A course", description: "", instructor: "Mira", category: "", difficulty: "", language: "en", poster: "",
  sections: [{ title: "One", items: [item("a"), item("b")] }, { title: "Two", items: [item("c")] }],
});

/** So that an edit that writes into the old document fails. */
function freeze(value) {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}

const order = (content) => content.sections.map(({ items }) => items.map(({ id }) => id).join("")).join("|");

test("items move by one place, and over the border of a section", () => {
  assert.equal(order(moveItem(COURSE, "b", -1)), "ba|c");
  assert.equal(order(moveItem(COURSE, "b", 1)), "a|bc");
  assert.equal(order(moveItem(COURSE, "c", -1)), "abc|");
  assert.equal(order(moveItem(COURSE, "a", -1)), "ab|c");
  assert.equal(order(moveItem(COURSE, "c", 1)), "ab|c");
  assert.deepEqual(["a", "b", "c"].map((id) => [canMoveItem(COURSE, id, -1), canMoveItem(COURSE, id, 1)]), [[false, true], [true, true], [true, false]]);
  assert.deepEqual(placeOf(COURSE, "b"), { section: 0, at: 1, of: 2 });
});

test("sections and items are added, renamed, moved and taken out", () => {
  const more = addItem(addSection(COURSE, "Three"), 2, newItem("quiz", "Test", "x1"));
  assert.equal(order(more), "ab|c|quiz-x1");
  assert.deepEqual(findItem(more, "quiz-x1"), { id: "quiz-x1", kind: "quiz", title: "Test", version: null, content: { questions: [] } });
  assert.equal(order(moveSection(COURSE, 0, 1)), "c|ab");
  assert.equal(moveSection(COURSE, 0, -1), COURSE);
  assert.equal(renameSection(COURSE, 1, "Zwei").sections[1].title, "Zwei");
  assert.equal(order(removeSection(removeItem(COURSE, "a"), 1)), "b");
});

test("what a publish changes is said in sentences", () => {
  const edited = removeItem(changeItem({ ...COURSE, title: "Another", description: "New" }, "b", { version: "v2", title: "Bee" }), "c");
  const says = changesBetween(COURSE, addItem(edited, 1, newItem("text", "Read me", "x")));
  assert.deepEqual(says, [
    "Changed: the title and the description.",
    "New: “Read me”.",
    "Taken out: “C”. What students did in it is kept.",
    "“B” is called “Bee”.",
    "“Bee” has a new video.",
  ]);
  assert.deepEqual(changesBetween(COURSE, moveItem(COURSE, "b", -1)), ["The order of the items is another one."]);
  assert.deepEqual(changesBetween(COURSE, moveItem(COURSE, "c", -1)), ["The order of the items is another one."]);
  assert.deepEqual(changesBetween(COURSE, renameSection(COURSE, 0, "Eins")), ["The sections have changed."]);
  assert.deepEqual(changesBetween(COURSE, COURSE), []);
  assert.deepEqual(changesBetween(null, COURSE), ["The course is published for the first time, with 3 items."]);
});

test("a version that a publish gave to a text is no change", () => {
  const text = addItem(COURSE, 1, item("t", { kind: "text", version: null, content: { markdown: "x" } }));
  assert.deepEqual(changesBetween(text, changeItem(text, "t", { version: "t123" })), []);
});

test("what is missing is named before a publish fails", () => {
  assert.deepEqual(unfinished(COURSE), []);
  const empty = ["video", "text", "quiz"].reduce((content, kind) => addItem(content, 0, newItem(kind, kind, "x")), { ...COURSE, title: " " });
  assert.deepEqual(unfinished(empty), [
    "The course has no title.",
    "“video” has no video yet: upload one, or take the item out.",
    "“text” is empty.",
    "“quiz” has no questions.",
  ]);
});

test("an upload that is done meets what is edited meanwhile; other changes of both do not", () => {
  const theirs = changeItem(COURSE, "a", { version: "v2" });
  const mine = { ...moveItem(COURSE, "a", 1), title: "Mine" };
  const both = merge(COURSE, mine, theirs);
  assert.equal(both.title, "Mine");
  assert.equal(order(both), "ba|c");
  assert.equal(findItem(both, "a").version, "v2");
  assert.equal(merge(COURSE, mine, { ...theirs, title: "Theirs" }), null);
  assert.equal(merge(COURSE, COURSE, { ...theirs, title: "Theirs" }).title, "Theirs");
  assert.equal(merge(COURSE, mine, COURSE), mine);
  assert.ok(isSame(merge(COURSE, removeItem(COURSE, "a"), theirs), removeItem(COURSE, "a")), "of an item that is gone here nothing comes back");
});
