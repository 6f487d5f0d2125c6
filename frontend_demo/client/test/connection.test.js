/** The link: hello, heartbeats, close codes, coming back (P1-P7). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, BASE_MS, CAP_MS } from "../backoff.js";
import { CLOSE_CODES, closeVerdict } from "../close_codes.js";
import { SignInNeeded } from "../connection.js";
import { connect } from "../index.js";
import { FakeStorage, VirtualTime, WireEnd, clientOn } from "./fakes.js";
import { MemoryStore } from "../store.js";
import { NoLocks } from "../locks.js";

async function stage(parts) {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const client = await clientOn(time, end, parts);
  const statuses = [client.status];
  const reasons = [];
  client.on("status", ({ status, reason }) => (statuses.push(status), reasons.push(reason?.name)));
  return { time, end, client, statuses, reasons };
}

test("P1 P2 P3 JSON subprotocol, no query string, hello first with a ticket and both clocks", async () => {
  const { end, client } = await stage();
  assert.deepEqual(end.socket.protocols, ["playhead.v1+json"]);
  assert.equal(end.socket.url, "ws://test/v1/socket");
  const [hello] = end.frames;
  assert.equal(hello.type, "hello");
  assert.equal(hello.ticket, `ticket-of-${client.device.id}`);
  assert.equal(hello.token, undefined);
  assert.deepEqual(Object.keys(hello.clock).sort(), ["boot", "mono_ms", "wall"]);
  assert.deepEqual(hello.device, { id: client.device.id, kind: "phone", name: "Phone" });
  assert.equal(client.status, "online");
});

test("no secret reaches those who watch the wire", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  end.open = false;
  const client = await clientOn(time, end);
  const seen = [];
  client.on("wire", (line) => seen.push(line));
  end.open = true;
  await time.pass(60_000);
  assert.ok(seen.some((line) => line.type === "hello"));
  assert.ok(!JSON.stringify(seen).includes("ticket-of"));
});

test("P6 after a silence of one heartbeat the client asks, after two it comes back", async () => {
  const { time, end } = await stage();
  end.polite = false;
  const pings = () => end.frames.filter((each) => each.type === "ping").length;
  const before = pings();
  await time.pass(19_000);
  assert.equal(pings(), before);
  await time.pass(1_500);
  assert.equal(pings(), before + 1);
  await time.pass(18_000);
  assert.equal(end.sockets.length, 1);
  await time.pass(3_000);
  assert.equal(end.sockets.length, 2);
});

test("P6 a ping of the server is answered with its n", async () => {
  const { end } = await stage();
  end.say({ type: "ping", n: 77 });
  assert.deepEqual(end.frames.at(-1), { type: "pong", n: 77 });
});

test("F22 4000-4499 come back exactly when the server said, however often it says so", async () => {
  const { time, end, client } = await stage();
  end.polite = false;
  for (let times = 1; times <= 8; times += 1) {
    end.close(4004, { code: "overload", retry_after_ms: 5_000 });
    await time.pass(4_990);
    assert.equal(end.sockets.length, times);
    await time.pass(20);
    assert.equal(end.sockets.length, times + 1);
  }
  end.close(1006);
  await time.pass(1_000);
  assert.equal(end.sockets.length, 10, "being told is no failure: the backoff has not grown");
  assert.notEqual(client.status, "refused");
});

test("F22 a short wait for a busy server is 'connecting', a long one 'offline'", async () => {
  const { end, client, time } = await stage();
  end.close(4000, { code: "drain", retry_after_ms: 1_000 });
  assert.equal(client.status, "connecting");
  await time.pass(1_100);
  assert.equal(client.status, "online");
  end.close(4004, { code: "overload", retry_after_ms: 20_000 });
  assert.equal(client.status, "offline");
  await time.pass(20_100);
  assert.equal(client.status, "online");
});

test("F22 a server that says 'at once' for ever is not asked more often than ten times a second", async () => {
  const { time, end } = await stage();
  end.polite = false;
  for (let times = 1; times <= 20; times += 1) {
    end.close(4004, { code: "overload", retry_after_ms: 0 });
    await time.pass(90);
    assert.equal(end.sockets.length, times);
    await time.pass(20);
  }
});

for (const code of [4500, 4501, 4502, 4503, 4504]) {
  test(`${code} is final until the user acts`, async () => {
    const { time, end, client } = await stage();
    end.close(code);
    const attempts = end.sockets.length;
    await time.pass(600_000);
    assert.equal(end.sockets.length, attempts);
    assert.equal(client.status, "refused");
    client.start();
    await time.pass(100);
    assert.equal(client.status, "online");
  });
}

test("one refused ticket is asked for again, a second one is a refused sign-in", async () => {
  const { time, end, client } = await stage();
  end.polite = false;
  end.close(1006);
  await time.pass(1_000);
  end.close(4500);
  await time.pass(2_000);
  assert.equal(end.sockets.length, 3);
  end.close(4500);
  await time.pass(60_000);
  assert.equal(end.sockets.length, 3);
  assert.equal(client.status, "refused");
});

test("P5 4505 waits until this tab becomes active", async () => {
  const { time, end, client } = await stage();
  end.close(4505);
  await time.pass(600_000);
  assert.equal(end.sockets.length, 1);
  client.wake();
  await time.pass(100);
  assert.equal(client.status, "online");
});

test("a sign-in that ran out is refused, a server that does not answer is not", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  let failure = new Error("503");
  const client = await connect({
    student: "ana",
    tickets: async () => { throw failure; },
    parts: {
      time, store: new MemoryStore(), random: () => 0.5, WebSocket: end.WebSocket, locks: new NoLocks(),
      session: new FakeStorage(), spillStorage: new FakeStorage(), page: { window: null, document: null },
    },
  });
  await time.pass(120_000);
  assert.equal(client.status, "offline");
  failure = new SignInNeeded("401");
  await time.pass(60_000);
  assert.equal(client.status, "refused");
  assert.equal(end.sockets.length, 0);
});

test("a broken link is `connecting`, and `offline` once coming back has failed", async () => {
  const { time, end, statuses } = await stage();
  end.open = false;
  end.close(1006);
  await time.pass(60_000);
  end.open = true;
  await time.pass(60_000);
  assert.deepEqual([...new Set(statuses)], ["online", "connecting", "offline"]);
  assert.equal(statuses.at(-1), "online");
});

test("a link that never says welcome is given up after 10 s", async () => {
  const { time, end } = await stage();
  end.polite = false;
  end.close(1006);
  await time.pass(1_000);
  assert.equal(end.sockets.length, 2);
  await time.pass(11_000);
  assert.equal(end.sockets.length, 3);
});

test("a probe that nobody answers ends the link", async () => {
  const { time, end, client } = await stage();
  end.polite = false;
  client.probe();
  await time.pass(4_000);
  assert.equal(end.sockets.length, 2);
});

test("R9 a welcome for another student gets no entry of this journal", async () => {
  const time = new VirtualTime();
  const end = new WireEnd(time, "ben");
  const client = await clientOn(time, end);
  client.mark("lec1", "v1", true);
  await time.pass(60_000);
  assert.deepEqual(end.entries, []);
  assert.equal(client.status, "refused");
});

test("backoff: full jitter, base 0.5 s, doubling, cap 30 s, on top of a stated least", () => {
  const highest = new Backoff(() => 1);
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 8].map(() => highest.next()), [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  const lowest = new Backoff(() => 0);
  assert.equal(lowest.next(), 0);
  assert.equal(lowest.next(1_200), 1_200);
  assert.equal(BASE_MS, 500);
  assert.equal(CAP_MS, 30_000);
});

test("close codes: the class follows from the number, also for codes nobody knows yet", () => {
  for (const [code, { again }] of Object.entries(CLOSE_CODES)) {
    assert.equal(again === "retry", Number(code) < 4500, code);
  }
  assert.equal(closeVerdict(4099, "").again, "retry");
  assert.equal(closeVerdict(4777, "").again, "final");
  assert.equal(closeVerdict(1006, "not json").again, "retry");
  assert.equal(closeVerdict(4004, '{"code":"overload","retry_after_ms":900}').retry_after_ms, 900);
});
