/** The parts of the player that need no browser: places in playlists, thumbnails, coverage, keys, qualities. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Addresses } from "../addresses.js";
import { addressIn, isSameFile, piecesAt } from "../playlist.js";
import { nameIn, nearest, startRendition } from "../rendition.js";
import { Seen, unite } from "../seen.js";
import { SHORTCUTS, shortcutFor, stepSpeed } from "../shortcuts.js";
import { thumbnailAt, thumbnailsOf } from "../sprite.js";

const PLAYLIST = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MAP:URI="https://store/720p.mp4?sig=a",BYTERANGE="1260@0"
#EXTINF:4.000000,
#EXT-X-BYTERANGE:5000@1260
https://store/720p.mp4?sig=a
#EXTINF:4.000000,
#EXT-X-BYTERANGE:6000
https://store/720p.mp4?sig=a
#EXTINF:2.500000,
#EXT-X-BYTERANGE:3000@12260
https://store/720p.mp4?sig=a
#EXT-X-ENDLIST
`;

test("the segment of a moment is found with its head and its bytes", () => {
  const url = "https://store/720p.mp4?sig=a";
  const head = { from: 0, to: 1259 };
  assert.deepEqual(piecesAt(PLAYLIST, 0), { url, head, segment: { from: 1260, to: 6259 } });
  assert.deepEqual(piecesAt(PLAYLIST, 4).segment, { from: 6260, to: 12259 });
  assert.deepEqual(piecesAt(PLAYLIST, 9.9).segment, { from: 12260, to: 15259 });
  assert.deepEqual(piecesAt(PLAYLIST, 500).segment, { from: 12260, to: 15259 }, "past the end: the last one");
  assert.equal(piecesAt("#EXTM3U\n", 0), null);
});

test("a renewed playlist is of the same file only if all but its addresses is the same", () => {
  const renewed = PLAYLIST.replaceAll("sig=a", "sig=b");
  assert.ok(isSameFile(PLAYLIST, renewed));
  assert.equal(addressIn(renewed), "https://store/720p.mp4?sig=b");
  assert.ok(!isSameFile(PLAYLIST, renewed.replace("6000", "6001")));
  assert.ok(!isSameFile(PLAYLIST, renewed.replace("4.000000", "3.900000")));
});

test("thumbnails are read with or without hours, and what is none is passed over", () => {
  const text = "WEBVTT\n\n00:00.000 --> 00:05.000\nsprite.jpg#xywh=0,0,160,90\n\nNOTE nothing\n\n01:00:05.500 --> 01:00:10.000\nhttps://store/s.jpg?a=1#xywh=160,90,160,90\n\n00:09.000 --> 00:10.000\nno picture\n";
  const found = thumbnailsOf(text);
  assert.deepEqual(found, [
    { from_ms: 0, to_ms: 5_000, x: 0, y: 0, width: 160, height: 90 },
    { from_ms: 3_605_500, to_ms: 3_610_000, x: 160, y: 90, width: 160, height: 90 },
  ]);
  assert.equal(thumbnailAt(found, 4_999), found[0]);
  assert.equal(thumbnailAt(found, 3_605_499), found[0]);
  assert.equal(thumbnailAt(found, 9e9), found[1]);
  assert.equal(thumbnailAt([], 0), null);
  assert.deepEqual(thumbnailsOf("<html>"), []);
});

test("spans unite, and holes nobody can see are closed", () => {
  assert.deepEqual(unite([[5_000, 6_000], [0, 1_000], [900, 2_000], [2_200, 3_000], [4_000, 4_000]]), [[0, 3_000], [5_000, 6_000]]);
});

test("what plays here is seen as it plays; a jump is not", () => {
  const seen = new Seen();
  seen.told(1, [[0, 10_000]]);
  for (const at_ms of [20_000, 20_500, 21_000]) seen.at(at_ms, true);
  seen.at(60_000, true);
  seen.at(60_400, true);
  seen.at(60_600, false);
  seen.at(61_000, true);
  assert.deepEqual(seen.spans, [[0, 10_000], [20_000, 21_000], [60_000, 60_400]]);
});

test("a fresh start forgets what was seen (R7), an older word of the same epoch does not", () => {
  const seen = new Seen();
  assert.equal(seen.of(1), false, "the first word is no fresh start");
  seen.at(0, true);
  seen.at(1_000, true);
  seen.told(1, []);
  assert.deepEqual(seen.spans, [[0, 1_000]]);
  assert.equal(seen.of(2), true);
  assert.deepEqual(seen.spans, []);
});

test("each key has one meaning, and each act is told", () => {
  const keys = SHORTCUTS.flatMap((shortcut) => shortcut.keys);
  assert.equal(new Set(keys).size, keys.length);
  assert.deepEqual([shortcutFor("K").act, shortcutFor(">").of, shortcutFor("7").of, shortcutFor("x")], ["toggle", 1, 7, null]);
  const told = new Set(SHORTCUTS.filter(({ words }) => words).map(({ act }) => act));
  for (const { act } of SHORTCUTS) assert.ok(told.has(act), act);
});

test("speed goes by its steps and stops at the ends", () => {
  assert.deepEqual([stepSpeed(1, 1), stepSpeed(1, -1), stepSpeed(2, 1), stepSpeed(0.5, -1), stepSpeed(1.1, 1)], [1.25, 0.75, 2, 0.5, 1.25]);
});

const RUNGS = [
  { name: "1080p", width: 1920, height: 1080, bitrate: 4_000_000 },
  { name: "360p", width: 640, height: 360, bitrate: 600_000 },
  { name: "720p", width: 1280, height: 720, bitrate: 1_900_000 },
];
const first = (given) => startRendition(RUNGS, { quality: "auto", bandwidth: 0, width_px: 4_000, ...given }).name;

test("a play begins with what the network carries and the picture can show", () => {
  assert.equal(first({ bandwidth: 100_000_000 }), "1080p");
  assert.equal(first({ bandwidth: 100_000_000, width_px: 700 }), "720p");
  assert.equal(first({ bandwidth: 100_000 }), "360p", "something has to play");
  assert.equal(first({}), "720p", "an unknown network");
  assert.equal(first({ quality: "1080p", bandwidth: 100_000 }), "1080p", "whoever chose gets it");
  assert.equal(startRendition([], { quality: "auto", bandwidth: 0, width_px: 1 }), null);
});

test("a quality this lecture has not becomes the one below it", () => {
  assert.equal(nearest(RUNGS, "1440p").name, "1080p");
  assert.equal(nearest(RUNGS.slice(1), "1080p").name, "720p");
  assert.equal(nearest(RUNGS, "144p").name, "360p");
  assert.equal(nearest([], "720p"), null);
  assert.equal(nameIn("/v1/media/abc.def/720p.m3u8"), "720p");
  assert.equal(nameIn("https://a/b"), "");
});

test("addresses are renewed when the server said, asked for once, and what was good is kept if that fails (S46)", async () => {
  let now_ms = 0;
  let asked = 0;
  let fails = false;
  const answer = async () => {
    asked += 1;
    if (fails) throw new Error("away");
    return { expires_in_s: 100, renew_at_s: 60, n: asked };
  };
  const addresses = new Addresses(answer, () => now_ms);
  const [one, other] = await Promise.all([addresses.get(), addresses.get()]);
  assert.equal(one, other);
  now_ms = 59_999;
  assert.equal((await addresses.get()).n, 1);
  now_ms = 60_000;
  fails = true;
  await assert.rejects(addresses.get());
  assert.equal(addresses.latest.n, 1);
  fails = false;
  assert.equal((await addresses.get()).n, 3);
  assert.equal(addresses.good_ms, 60_000);
});

test("where the server does not say when, addresses are renewed at four fifths of their life", async () => {
  let now_ms = 0;
  const addresses = new Addresses(async () => ({ expires_in_s: 100 }), () => now_ms);
  await addresses.get();
  assert.equal(addresses.good_ms, 80_000);
});
