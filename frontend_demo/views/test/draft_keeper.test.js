/** What is edited reaches the server, on top of the draft it was made from, and nothing is overwritten unseen. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { DraftKeeper } from "../draft_keeper.js";

const COURSE = { title: "A", description: "", sections: [{ title: "", items: [{ id: "v", kind: "video", title: "V", version: null, content: {} }] }] };
const withVersion = (content, version) => ({ ...content, sections: [{ title: "", items: [{ ...COURSE.sections[0].items[0], version }] }] });

/** A server with one draft, timers that run when told, and saves that end when told. */
function bench() {
  const timers = [];
  const server = { content: COURSE, rev: 1, saves: 0, fails: [], hold: null };
  const save = async (content, etag) => {
    server.saves += 1;
    await server.hold;
    const failure = server.fails.shift();
    if (failure && !failure.is_late) throw failure;
    if (etag !== String(server.rev)) throw Object.assign(new Error("stale"), { status: 412 });
    server.rev += 1;
    server.content = content;
    if (failure) throw failure;
    return { etag: String(server.rev) };
  };
  const states = [];
  let adopted = 0;
  const keeper = new DraftKeeper({
    content: COURSE, etag: "1", save,
    read: async () => ({ content: server.content, etag: String(server.rev) }),
    tell: (what) => (states.push(keeper.state), (adopted += what.adopted ? 1 : 0)),
    time: { after: (ms, act) => (timers.push({ ms, act }), timers.at(-1)), cancel: (timer) => timers.includes(timer) && timers.splice(timers.indexOf(timer), 1) },
  });
  const tick = async () => {
    for (const { act } of timers.splice(0)) act();
    await settled();
  };
  return { keeper, server, timers, states, tick, adopted: () => adopted };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const failure = (status, more = {}) => Object.assign(new Error(`status ${status}`), { status, ...more });

test("typing is saved once, when it pauses", async () => {
  const { keeper, server, tick, timers } = bench();
  keeper.edit({ ...COURSE, title: "Ab" });
  keeper.edit({ ...COURSE, title: "Abc" });
  assert.equal(timers.length, 1);
  await tick();
  assert.deepEqual([server.content.title, server.saves, keeper.state], ["Abc", 1, "saved"]);
});

test("what is typed during a save is saved after it, never lost", async () => {
  const { keeper, server, tick } = bench();
  let release;
  server.hold = new Promise((resolve) => (release = resolve));
  keeper.edit({ ...COURSE, title: "B" });
  await tick();
  keeper.edit({ ...COURSE, title: "Bc" });
  release();
  await settled();
  assert.deepEqual([server.content.title, keeper.is_clean, keeper.state], ["B", false, "edited"]);
  await tick();
  assert.deepEqual([server.content.title, keeper.is_clean], ["Bc", true]);
});

test("several who wait for a save do not save against each other", async () => {
  const { keeper, server } = bench();
  keeper.edit({ ...COURSE, title: "B" });
  const all = await Promise.all([keeper.flush(), keeper.flush(), keeper.flush()]);
  assert.deepEqual([all, server.saves, keeper.state], [[true, true, true], 1, "saved"]);
});

test("the version an upload has made joins what is edited, without a question", async () => {
  const { keeper, server, tick, adopted } = bench();
  Object.assign(server, { content: withVersion(COURSE, "u1"), rev: 2 });
  keeper.edit({ ...COURSE, title: "Mine" });
  await tick();
  await tick();
  assert.equal(server.content.title, "Mine");
  assert.equal(server.content.sections[0].items[0].version, "u1");
  assert.deepEqual([keeper.state, adopted()], ["saved", 1]);
});

test("a change of somebody else stops the saving until a person has chosen: mine", async () => {
  const { keeper, server, tick, timers } = bench();
  Object.assign(server, { content: { ...COURSE, title: "Theirs" }, rev: 2 });
  keeper.edit({ ...COURSE, title: "Mine" });
  await tick();
  assert.equal(keeper.state, "conflict");
  keeper.edit({ ...COURSE, title: "Mine too" });
  await keeper.flush();
  assert.deepEqual([server.content.title, timers.length, keeper.is_clean], ["Theirs", 0, false]);
  await keeper.resolve("mine");
  assert.deepEqual([server.content.title, keeper.state, server.rev], ["Mine too", "saved", 3]);
});

test("a change of somebody else stops the saving until a person has chosen: theirs", async () => {
  const { keeper, server, tick, adopted } = bench();
  Object.assign(server, { content: { ...COURSE, title: "Theirs" }, rev: 2 });
  keeper.edit({ ...COURSE, title: "Mine" });
  await tick();
  await keeper.resolve("theirs");
  assert.deepEqual([keeper.content.title, keeper.state, server.rev, adopted()], ["Theirs", "saved", 2, 1]);
});

test("without a network it is tried again, ever more rarely, and goes on saving", async () => {
  const { keeper, server, tick, timers } = bench();
  server.fails = [failure(0), failure(503, { retry_after_ms: 4_000 }), failure(0)];
  keeper.edit({ ...COURSE, title: "B" });
  await tick();
  assert.deepEqual([keeper.state, timers[0].ms], ["failed", 2_000]);
  await tick();
  assert.equal(timers[0].ms, 4_000, "as the server asks");
  await tick();
  assert.equal(timers[0].ms, 15_000);
  await tick();
  assert.deepEqual([keeper.state, server.content.title], ["saved", "B"]);
});

test("a save whose answer was lost is nobody else's change", async () => {
  const { keeper, server, tick, states } = bench();
  server.fails = [failure(0, { is_late: true })];
  keeper.edit({ ...COURSE, title: "Mine" });
  await tick();
  assert.deepEqual([keeper.state, server.content.title], ["failed", "Mine"]);
  keeper.edit({ ...COURSE, title: "Mine too" });
  await tick();
  await tick();
  assert.deepEqual([keeper.state, server.content.title], ["saved", "Mine too"]);
  assert.ok(!states.includes("conflict"));
});

test("what the server refuses as it is written is not sent again until it is written differently", async () => {
  const { keeper, server, tick, timers } = bench();
  server.fails = [failure(422)];
  keeper.edit({ ...COURSE, title: "B" });
  await tick();
  assert.deepEqual([keeper.state, keeper.problem, timers.length], ["failed", "status 422", 0]);
  keeper.edit({ ...COURSE, title: "C" });
  await tick();
  assert.deepEqual([keeper.state, server.content.title], ["saved", "C"]);
});
