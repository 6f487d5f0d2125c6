/** Where the bytes of a lecture come from, without an engine: addresses that are no good any more are asked for anew. */

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.window = globalThis;
globalThis.location = new URL("https://learn.example/");
globalThis.document = { querySelector: () => null };
Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true });
globalThis.fetch = async () => new Response("", { status: 404 });

const { Addresses } = await import("../addresses.js");
const { Media } = await import("../media.js");

/** An element, enough of it. */
class FakeVideo extends EventTarget {
  buffered = { length: 0 };
  currentTime = 0;
  paused = true;
  error = null;
  src = "";

  canPlayType() {
    return "";
  }

  removeAttribute() {}

  load() {}
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

async function playing(t, answers) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const video = new FakeVideo();
  const addresses = new Addresses(async () => {
    const next = answers.shift();
    if (!next) throw new Error("away");
    return { expires_in_s: 9_000, renditions: [], ...next };
  });
  const media = new Media(video, { item: "lec1", play: "p1", addresses, place_ms: () => 0 });
  await media.load();
  const fail = async () => {
    video.error = { code: 2 };
    video.dispatchEvent(new Event("error"));
    t.mock.timers.tick(15_000);
    await settle();
  };
  return { video, media, fail };
}

test("a lecture whose download was deleted plays from the server without a reload", async (t) => {
  const { video, media, fail } = await playing(t, [{ mp4_url: "/offline/d1/0.mp4" }, { mp4_url: "https://store/v.mp4" }]);
  assert.equal(video.src, "/offline/d1/0.mp4");
  await fail();
  assert.equal(video.src, "https://store/v.mp4");
  media.close();
});

test("trying again asks for addresses anew, and makes do with those there are", async (t) => {
  const { video, media, fail } = await playing(t, [{ mp4_url: "https://store/v.mp4" }, { mp4_url: "/offline/d1/0.mp4" }]);
  media.again();
  await settle();
  assert.equal(video.src, "/offline/d1/0.mp4");
  video.src = "";
  await fail();
  assert.equal(video.src, "/offline/d1/0.mp4");
  media.close();
});
