/** A form that is pressed again after its answer was lost does what it does once. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { pressed } from "../teaching_api.js";

test("the same request has the same key until it is answered; another has another", async () => {
  const keys = [];
  let is_lost = true;
  const create = pressed(async (title, key) => {
    keys.push(key);
    if (is_lost) throw new Error("lost");
    return title;
  });
  await assert.rejects(create("A"));
  await assert.rejects(create("A"));
  await assert.rejects(create("B"));
  is_lost = false;
  assert.equal(await create("B"), "B");
  assert.equal(await create("B"), "B");
  assert.deepEqual(keys.map((key) => keys.indexOf(key)), [0, 0, 2, 2, 4]);
});
