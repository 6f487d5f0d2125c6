/** What is not saved when an editor closes is not lost: it is saved later, or there when the editor opens again. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { keeperOf } from "../draft_keepers.js";

const COURSE = { title: "A", description: "", sections: [] };
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Editors of one course, at a server that may be away. */
function bench(course) {
  const server = { content: COURSE, rev: 1, is_away: false };
  const timers = [];
  const open = (student = "ada") => {
    const told = [];
    const made = keeperOf(student, course, {
      content: server.content, etag: String(server.rev), tell: (what) => told.push(what),
      read: async () => ({ content: server.content, etag: String(server.rev) }),
      save: async (content) => {
        if (server.is_away) throw Object.assign(new Error("away"), { status: 0 });
        Object.assign(server, { content, rev: server.rev + 1 });
        return { etag: String(server.rev) };
      },
      time: { after: (_, act) => (timers.push(act), act), cancel: (timer) => timers.includes(timer) && timers.splice(timers.indexOf(timer), 1) },
    });
    return { ...made, told };
  };
  const tick = async () => {
    for (const act of timers.splice(0)) act();
    await settled();
  };
  return { server, timers, open, tick };
}

test("what could not be saved is there when the editor opens again, for whom it belongs to", async () => {
  const { server, open } = bench("one");
  const first = open();
  server.is_away = true;
  first.keeper.edit({ ...COURSE, title: "Mine" });
  await first.leave();
  assert.equal(open("bob").keeper.content.title, "A");
  const second = open();
  assert.deepEqual([second.keeper === first.keeper, second.keeper.content.title], [true, "Mine"]);
  const heard = first.told.length;
  server.is_away = false;
  await second.leave();
  assert.deepEqual([server.content.title, first.told.length], ["Mine", heard]);
});

test("what could not be saved is saved when it can be, and let go of then", async () => {
  const { server, open, tick, timers } = bench("two");
  const first = open();
  server.is_away = true;
  first.keeper.edit({ ...COURSE, title: "Mine" });
  await first.leave();
  server.is_away = false;
  await tick();
  assert.deepEqual([server.content.title, timers.length], ["Mine", 0]);
  assert.notEqual(open().keeper, first.keeper);
});

test("a keeper that is clean goes with its editor", async () => {
  const { open } = bench("three");
  const first = open();
  await first.leave();
  assert.notEqual(open().keeper, first.keeper);
});
