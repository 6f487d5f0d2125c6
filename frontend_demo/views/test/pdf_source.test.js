/** The parts of a PDF come for as long as somebody reads, also after their address has run out. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { pdfSource } from "../pdf_source.js";

const BYTES = Uint8Array.from({ length: 100 }, (_, n) => n);
const fetch_before = globalThis.fetch;
afterEach(() => (globalThis.fetch = fetch_before));

class Transport {
  got = [];

  constructor(length, initial) {
    Object.assign(this, { length, initial });
  }

  onDataRange(begin, chunk) {
    this.got.push([begin, [...chunk]]);
  }
}

/** A store where `says(url)` is the status, 0 for no network. */
function bench(says, { renew = async () => ({ url: "/second" }) } = {}) {
  const [asked, failures, waits] = [[], [], []];
  let renewals = 0;
  globalThis.fetch = async (url, { headers }) => {
    asked.push([url, headers.Range]);
    const status = says(url);
    if (status === 0) throw new TypeError("no network");
    const [from, to] = headers.Range.match(/\d+/g).map(Number);
    return new Response(status === 206 ? BYTES.slice(from, to + 1) : status === 200 ? BYTES : "", { status });
  };
  const source = pdfSource(Transport, {
    answer: { url: "/first", length_bytes: 100 }, failed: (error) => failures.push(error.status),
    renew: () => ((renewals += 1), renew()), time: { after: (_, act) => waits.push(act) },
  });
  return { source, asked, failures, waits, renewals: () => renewals };
}

test("parts are asked for by Range; who answers with the whole is understood", async () => {
  for (const status of [206, 200]) {
    const { source, asked } = bench(() => status);
    await source.requestDataRange(10, 13);
    assert.deepEqual(asked, [["/first", "bytes=10-12"]]);
    assert.deepEqual([source.length, source.got], [100, [[10, [10, 11, 12]]]]);
  }
});

test("an address that has run out is renewed once for all parts", async () => {
  for (const status of [401, 403, 410]) {
    const { source, renewals, failures } = bench((url) => (url === "/first" ? status : 206));
    await Promise.all([source.requestDataRange(0, 1), source.requestDataRange(5, 6)]);
    await source.requestDataRange(7, 8);
    assert.deepEqual([renewals(), source.got.map(([begin]) => begin), failures], [1, [0, 5, 7], []]);
  }
});

test("what is refused at a new address too is told, and nothing waits", async () => {
  const { source, failures, renewals, waits } = bench(() => 403);
  source.opened();
  await source.requestDataRange(0, 1);
  assert.deepEqual([failures, renewals(), waits.length, source.got], [[403], 1, 0, []]);
});

test("without a network a page that opens says so, and one that is open waits for it", async () => {
  let status = 0;
  const { source, failures, waits } = bench(() => status);
  await source.requestDataRange(0, 1);
  assert.deepEqual([failures, waits.length], [[0], 0]);
  source.opened();
  await source.requestDataRange(0, 1);
  status = 206;
  waits[0]();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([failures, source.got], [[0], [[0, [0]]]]);
});

test("what comes after the page was left is nobody's", async () => {
  const { source, failures } = bench(() => 206);
  const coming = source.requestDataRange(0, 1);
  source.abort();
  await coming;
  assert.deepEqual([source.got, failures], [[], []]);
});
