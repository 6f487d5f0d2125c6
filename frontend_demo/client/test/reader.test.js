/** A document is read: what the reader reports, and where it goes. Named by the rule. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualTime, WireEnd, clientOn, fakePage } from "./fakes.js";

const PAGES = 12;

/** A page that shows pages one by one, each as high as the window. */
class Sheet {
  constructor(time, reader) {
    this.time = time;
    this.reader = reader;
    this.place_ms = reader.position_ms;
    this.shown = [];
    reader.on("show", ({ place_ms }) => {
      this.shown.push(place_ms);
      this.place_ms = place_ms;
      reader.look(this.view(), "page");
    });
    reader.look(this.view(), "page");
  }

  view() {
    const page = Math.min(PAGES - 1, Math.floor(this.place_ms / 1_000));
    return { place_ms: this.place_ms, first: page, last: page };
  }

  scroll(place_ms) {
    this.place_ms = place_ms;
    this.reader.look(this.view(), "user");
  }

  async read(page, ms = 5_000) {
    this.scroll(page * 1_000);
    await this.time.pass(ms);
  }
}

async function desk({ head, start_ms = 0, page = null } = {}) {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  if (head) end.head("doc", { duration_ms: PAGES * 1_000, ...head });
  const client = await clientOn(time, end, page ? { page } : {});
  const reader = client.read({ item: "doc", version: "v1", duration_ms: PAGES * 1_000, start_ms });
  await time.pass(50);
  const sheet = new Sheet(time, reader);
  const covered = () => end.entries.filter((each) => each.kind === "played").map((each) => [each.from_ms, each.to_ms]);
  return { time, end, client, reader, sheet, covered };
}

const sought = (end) => end.entries.filter((each) => each.kind === "sought").map((each) => each.position_ms);

test("R1 opening a document, and its own positioning, are no action of the user", async () => {
  const { time, end, client, sheet } = await desk({ head: { rev: 3, position_ms: 6_000 } });
  assert.equal(sheet.place_ms, 6_000);
  await time.pass(1_500);
  client.leave();
  await time.pass(100);
  assert.deepEqual(end.entries, []);
});

test("R1 a page that is read without being touched is covered and moves nothing", async () => {
  const { time, end, client, covered } = await desk();
  await time.pass(11_000);
  client.leave();
  await time.pass(100);
  assert.deepEqual(end.kinds(), ["opened", "played", "played", "paused", "closed"]);
  assert.deepEqual(covered(), [[0, 1_000], [0, 0]]);
});

test("R1 a move that has come to rest is a seek; one that goes on is not told", async () => {
  const { time, end, sheet } = await desk();
  for (const place_ms of [300, 900, 1_400, 2_200, 3_000]) {
    sheet.scroll(place_ms);
    await time.pass(400);
  }
  assert.deepEqual(sought(end), []);
  await time.pass(1_000);
  assert.deepEqual(sought(end), [3_000]);
  sheet.scroll(3_010);
  await time.pass(2_000);
  assert.deepEqual(sought(end), [3_000], "a nudge is no other place");
});

test("R5 what was in view for two seconds is covered, in time, and the reader stands where they stand", async () => {
  const { time, end, sheet, covered } = await desk();
  await sheet.read(0);
  await sheet.read(1);
  await sheet.read(2, 1_400);
  await sheet.read(3);
  sheet.scroll(3_400);
  await time.pass(20_000);
  const pages = new Set(covered().filter(([from, to]) => to > from).map(([from]) => Math.floor(from / 1_000)));
  assert.deepEqual([...pages].sort(), [0, 1, 3]);
  assert.deepEqual(sought(end), [1_000, 2_000, 3_000, 3_400]);
  let stands = 0;
  for (const each of end.entries) {
    if (each.kind === "sought") stands = each.position_ms;
    if (each.kind === "paused") assert.equal(each.position_ms, stands);
  }
});

test("P10 a span is always followed by a pause: nobody extrapolates a document", async () => {
  const { time, end, sheet } = await desk();
  for (let page = 0; page < 6; page += 1) await sheet.read(page, 3_000 + page * 4_000);
  await time.pass(60_000);
  const kinds = end.kinds();
  kinds.forEach((kind, n) => kind === "played" && assert.ok(["played", "paused"].includes(kinds[n + 1])));
  assert.ok(!kinds.includes("play"));
});

test("R6 stamps of one visit never go back", async () => {
  const { time, end, sheet } = await desk();
  for (let page = 0; page < PAGES; page += 1) await sheet.read(page, 2_500);
  await time.pass(15_000);
  const stamps = end.entries.map((each) => each.mono_ms);
  assert.deepEqual(stamps, [...stamps].sort((a, b) => a - b));
});

test("another device's place is shown at once, as long as nobody has scrolled here", async () => {
  const { time, end, sheet, reader } = await desk({ head: { rev: 1, position_ms: 2_000 } });
  end.push("doc", { rev: 2, position_ms: 7_000 });
  await time.pass(10);
  assert.equal(sheet.place_ms, 7_000);
  assert.equal(reader.elsewhere.position_ms, 7_000);
  assert.deepEqual(sought(end), []);
});

test("who scrolls here is not led away: the other place is offered, and taken by choice", async () => {
  const { time, end, sheet, reader } = await desk();
  await sheet.read(3, 2_000);
  end.push("doc", { rev: 5, position_ms: 8_000, duration_ms: 12_000 });
  await time.pass(10);
  assert.equal(sheet.place_ms, 3_000);
  assert.equal(reader.elsewhere.position_ms, 8_000);
  reader.continueHere();
  await time.pass(2_000);
  assert.equal(sheet.place_ms, 8_000);
  const chosen = end.entries.find((each) => each.kind === "chosen");
  assert.deepEqual([chosen.position_ms, chosen.base_rev], [8_000, 5]);
  assert.deepEqual(sought(end), [3_000]);
});

test("a page that has rested follows, and says so", async () => {
  const { time, end, sheet, reader } = await desk();
  await sheet.read(3, 12_000);
  const handed = [];
  reader.on("handed", (said) => handed.push(said));
  end.push("doc", { rev: 9, position_ms: 8_000 });
  await time.pass(10);
  assert.deepEqual(handed, [{ from_ms: 3_000, to_ms: 8_000 }]);
  assert.equal(sheet.place_ms, 8_000);
  await time.pass(3_000);
  assert.deepEqual(sought(end), [3_000]);
});

test("R10 who reads on after another device has the baton says what they know of it", async () => {
  const { time, end, sheet } = await desk();
  await sheet.read(3, 2_000);
  end.push("doc", { rev: 5, position_ms: 8_000 });
  await time.pass(10);
  await sheet.read(4, 2_000);
  const last = end.entries.findLast((each) => each.kind === "sought");
  assert.deepEqual([last.position_ms, last.base_rev], [4_000, 5]);
});

test("a page number is a seek at once, and a hidden tab reads nothing", async () => {
  const page = fakePage();
  const { time, end, reader, sheet, covered } = await desk({ page: { window: page.window, document: page.document } });
  reader.seek(6_000);
  await time.pass(3_000);
  assert.deepEqual(sought(end), [6_000]);
  assert.equal(sheet.place_ms, 6_000);
  page.hide();
  await time.pass(100);
  assert.deepEqual(covered().filter(([from, to]) => to > from), [[6_000, 7_000]]);
  const told = end.entries.length;
  await time.pass(120_000);
  assert.equal(end.entries.length, told);
  end.push("doc", { rev: 9, position_ms: 9_000 });
  await time.pass(10);
  assert.equal(sheet.place_ms, 9_000, "nobody looks: it follows");
});

test("undo waits for the server's place and goes there", async () => {
  const { time, end, client, reader, sheet } = await desk();
  await sheet.read(3, 2_000);
  end.push("doc", { rev: 2, position_ms: 3_000, device: client.device.id });
  await sheet.read(9, 2_000);
  end.polite = false;
  reader.undo();
  await time.pass(50);
  assert.equal(end.kinds().at(-1), "undone");
  end.push("doc", { rev: 6, position_ms: 3_000, device: client.device.id });
  await time.pass(10);
  assert.equal(sheet.place_ms, 3_000, "also if the head comes before the acknowledgement");
});

test("off line everything is written down, and goes up afterwards", async () => {
  const { time, end, client, sheet, covered } = await desk();
  client.cut();
  for (let page = 0; page < 5; page += 1) await sheet.read(page, 4_000);
  await time.pass(12_000);
  assert.deepEqual(end.entries, []);
  client.start();
  await time.pass(200);
  assert.equal(covered().reduce((sum, [from, to]) => sum + to - from, 0), 5_000);
  assert.deepEqual(sought(end), [1_000, 2_000, 3_000, 4_000]);
});

test("off line too, who starts afresh stays at the beginning", async () => {
  const page = fakePage();
  const { time, end, client, reader, sheet } = await desk({ head: { rev: 3, position_ms: 6_000 }, page: { window: page.window, document: page.document } });
  client.cut();
  reader.reset();
  await time.pass(20_000);
  page.hide();
  await time.pass(1_000);
  page.show();
  await time.pass(1_000);
  assert.deepEqual([reader.position_ms, sheet.place_ms], [0, 0]);
  client.start();
  await time.pass(200);
  assert.equal(end.kinds().find((kind) => kind === "reset"), "reset");
  end.push("doc", { rev: 4, position_ms: 0, device: client.device.id });
  await time.pass(10);
  assert.equal(sheet.place_ms, 0);
});

test("a head of another version is no place here (R9)", async () => {
  const { time, end, sheet, reader } = await desk();
  const told = [];
  reader.on("outdated", ({ version }) => told.push(version));
  end.push("doc", { rev: 4, version: "v2", position_ms: 5_000 });
  await time.pass(10);
  assert.deepEqual(told, ["v2"]);
  assert.equal(sheet.place_ms, 0);
});

test("a layout that changes moves nobody: the place is where the user has been", async () => {
  const { time, end, reader, sheet } = await desk();
  await sheet.read(4, 3_000);
  reader.look({ place_ms: 2_300, first: 2, last: 3 }, "page");
  await time.pass(3_000);
  assert.equal(reader.position_ms, 4_000);
  assert.deepEqual(sought(end), [4_000]);
});

test("R4 what is read until an undo is answered leads back nowhere; afterwards reading counts again", async () => {
  const { time, end, reader, sheet, covered } = await desk();
  await sheet.read(3, 3_000);
  reader.seek(9_000);
  await time.pass(500);
  end.polite = false;
  reader.undo();
  const told = covered().length;
  await time.pass(20_000);
  assert.equal(covered().length, told);
  end.say({ type: "applied", seq: end.entries.at(-1).seq });
  end.push("doc", { rev: 6, position_ms: 3_000, device: "me" });
  await time.pass(15_000);
  assert.equal(sheet.place_ms, 3_000);
  assert.deepEqual(covered().slice(told), [[3_000, 4_000], [3_000, 3_000]]);
});
