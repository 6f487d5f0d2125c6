/** How to play an item, asked on the link (P34-P36). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualTime, WireEnd, clientOn, settle } from "./fakes.js";

async function stage() {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const client = await clientOn(time, end);
  const asked = () => end.frames.filter((each) => each.type === "media");
  return { time, end, client, asked };
}

const DOCUMENT = { kind: "hls", version: "v1", hls_url: "/v1/media/secret/master.m3u8", expires_in_s: 700, renew_at_s: 400 };

test("P34 the answer is the document; whoever asks meanwhile gets the same", async () => {
  const { end, client, asked } = await stage();
  const [one, other] = [client.media("lec1"), client.media("lec1")];
  await settle();
  assert.deepEqual(asked(), [{ type: "media", item: "lec1" }]);
  end.say({ type: "media", item: "lec1", media: DOCUMENT, code: "", retry_after_ms: 0 });
  assert.deepEqual(await one, DOCUMENT);
  assert.deepEqual(await other, DOCUMENT);
  void client.media("lec1").catch(() => {});
  await settle();
  assert.equal(asked().length, 2, "an answer is not kept: the next question is asked");
});

test("P34 no is 404, busy and unavailable are 503 with a time to come back", async () => {
  const { end, client } = await stage();
  for (const [code, status, retry_after_ms] of [["not_found", 404, 0], ["busy", 503, 1500], ["unavailable", 503, 2000]]) {
    const answer = client.media("lec1");
    await settle();
    end.say({ type: "media", item: "lec1", media: null, code, retry_after_ms });
    await assert.rejects(answer, { name: "MediaRefused", status, retry_after_ms });
  }
});

test("without an answer, and without a link, it rejects with status 0", async () => {
  const { time, end, client } = await stage();
  const late = client.media("lec1");
  const refused = assert.rejects(late, { status: 0 });
  await time.pass(6_100);
  await refused;
  const cut = assert.rejects(client.media("lec2"), { status: 0 });
  await settle();
  end.close(1006);
  await cut;
  await assert.rejects(client.media("lec3"), { status: 0 });
});

test("answers to other items, and late ones, disturb nobody", async () => {
  const { end, client } = await stage();
  const answer = client.media("lec1");
  await settle();
  end.say({ type: "media", item: "other", media: DOCUMENT, code: "", retry_after_ms: 0 });
  end.say({ type: "media", item: "lec1", media: DOCUMENT, code: "", retry_after_ms: 0 });
  end.say({ type: "media", item: "lec1", media: null, code: "busy", retry_after_ms: 1 });
  assert.deepEqual(await answer, DOCUMENT);
});

test("S9 those who watch the wire see no address", async () => {
  const { end, client } = await stage();
  const seen = [];
  client.on("wire", (line) => seen.push(line));
  const answer = client.media("lec1");
  await settle();
  end.say({ type: "media", item: "lec1", media: DOCUMENT, code: "", retry_after_ms: 0 });
  await answer;
  assert.ok(seen.some((line) => line.type === "media" && line.way === "down" && line.item === "lec1"));
  assert.ok(!JSON.stringify(seen).includes("secret"));
});
