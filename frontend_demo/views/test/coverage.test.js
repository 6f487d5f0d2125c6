/** What has been seen of a lecture is asked for while its page is open. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { coverage } from "../coverage.js";

test("an answer that comes after the page has been left asks for no other", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked = [];
  const api = { explain: () => new Promise((resolve) => asked.push(resolve)) };
  const client = { device: { id: "d1" }, on: () => () => {} };
  const player = { head: { rev: 3, epoch: 2 }, position_ms: 0, phase: "paused" };
  const behind = async () => {
    asked.at(-1)({ epoch: 1, coverage: [] });
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(60_000);
  };
  const seen = coverage({ player, client, api, item: { id: "lec1" } });
  await behind();
  assert.equal(asked.length, 2, "an answer from before a fresh start is asked for again");
  seen.close();
  await behind();
  assert.equal(asked.length, 2);
});
