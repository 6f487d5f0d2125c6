/** What is kept on a device: ranges of a whole, playlists with local names, a shelf with nothing half on it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, isKept } from "../offline/answers.js";
import { answered, rangeOf } from "../offline/ranges.js";
import { filesOf, masterOf, qualitiesOf } from "../offline/playlists.js";
import { Shelf, keptAt, pathOf } from "../offline/shelf.js";
import { ShellCache } from "../offline/shell_cache.js";
import { makeRoom, sizeWords } from "../offline/download.js";

const SITE = "https://learn.example";

/** Cache Storage, enough of it. */
class FakeCaches {
  #caches = new Map();

  async open(name) {
    if (!this.#caches.has(name)) this.#caches.set(name, new FakeCache());
    return this.#caches.get(name);
  }

  async has(name) {
    return this.#caches.has(name);
  }

  async keys() {
    return [...this.#caches.keys()];
  }

  async delete(name) {
    return this.#caches.delete(name);
  }
}

class FakeCache {
  #rows = new Map();

  async put(path, response) {
    this.#rows.set(at(path), [await response.blob(), response.headers]);
  }

  async match(path) {
    const [body, headers] = this.#rows.get(at(path)) ?? [];
    return body && new Response(body, { headers });
  }

  async keys() {
    return [...this.#rows.keys()].map((url) => ({ url }));
  }

  async delete(path) {
    return this.#rows.delete(at(path));
  }
}

const at = (path) => new URL(path.url ?? path, SITE).href;

const locks = { request: async (_, __, act) => act({}) };

const slip = (id, fields = {}) => ({ id, item: "lec1", version: "v1", course: "c1", kind: "video", title: "A lecture", bytes: 9, at: "2026-01-01T00:00:00Z", ...fields });

const token = (student) => `Bearer x.${btoa(JSON.stringify({ sub: student }))}.x`;

const asked = (path, student = "ada") => new Request(SITE + path, { headers: { Authorization: token(student) } });

const offline = () => Promise.reject(new TypeError("no network"));

test("a Range is a part of the whole, from the front, the back, or nothing", () => {
  assert.deepEqual(rangeOf("bytes=0-3", 10), [0, 3]);
  assert.deepEqual(rangeOf("bytes=8-99", 10), [8, 9]);
  assert.deepEqual(rangeOf("bytes=4-", 10), [4, 9]);
  assert.deepEqual(rangeOf("bytes=-4", 10), [6, 9]);
  assert.equal(rangeOf("bytes=10-", 10), "unsatisfiable");
  for (const whole of [null, "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "lines=0-1"]) assert.equal(rangeOf(whole, 10), null);
});

test("what is kept answers 206 with the very bytes, 416 past them, 200 for the whole", async () => {
  const kept = () => new Response("0123456789", { headers: { "Content-Type": "video/mp4" } });
  const part = await answered(kept(), new Request(`${SITE}/x`, { headers: { Range: "bytes=2-5" } }));
  assert.deepEqual([part.status, part.headers.get("Content-Range"), await part.text()], [206, "bytes 2-5/10", "2345"]);
  assert.equal(part.headers.get("Content-Type"), "video/mp4");
  assert.equal(part.headers.get("X-Content-Type-Options"), "nosniff");
  assert.equal(part.headers.get("Content-Security-Policy"), "sandbox");
  assert.equal((await answered(kept(), new Request(`${SITE}/x`, { headers: { Range: "bytes=99-" } }))).status, 416);
  const whole = await answered(kept(), new Request(`${SITE}/x`));
  assert.deepEqual([whole.status, whole.headers.get("Content-Length"), await whole.text()], [200, "10", "0123456789"]);
});

const MASTER = `#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=900,AVERAGE-BANDWIDTH=800,CODECS="avc1.4d401e,mp4a.40.2",RESOLUTION=640x360
360p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3000,AVERAGE-BANDWIDTH=2500,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720
720p.m3u8?x=1
`;

const PLAYLIST = `#EXTM3U
#EXT-X-MAP:URI="https://store.example/v.mp4?sig=1",BYTERANGE="800@0"
#EXTINF:4.0,
#EXT-X-BYTERANGE:1000@800
https://store.example/v.mp4?sig=1
#EXTINF:4.0,
#EXT-X-BYTERANGE:500
https://store.example/v.mp4?sig=1
#EXT-X-ENDLIST
`;

test("the qualities of a lecture, best first, and a playlist of one of them", () => {
  const found = qualitiesOf(MASTER);
  assert.deepEqual(found.map(({ name, height }) => [name, height]), [["720p", 720], ["360p", 360]]);
  const [local] = qualitiesOf(masterOf(found[0], "720p.m3u8"));
  assert.equal(local.info, found[0].info);
});

test("a playlist names its files and how many bytes of them, whoever signed the address", () => {
  const { files, playlist } = filesOf(PLAYLIST, `${SITE}/v1/media/t/720p.m3u8`);
  assert.deepEqual(files, [{ url: "https://store.example/v.mp4?sig=1", bytes: 2_300 }]);
  const local = playlist((index) => `/offline/id/${index}.mp4`);
  assert.ok(!local.includes("store.example"));
  assert.equal(local.match(/\/offline\/id\/0\.mp4/g).length, 3);
  assert.ok(local.includes('URI="/offline/id/0.mp4",BYTERANGE="800@0"'));
});

test("a download without its slip is not there, and is cleared away", async () => {
  const storage = new FakeCaches();
  const shelf = new Shelf("ada", storage);
  await shelf.put("half", "0.mp4", new Response("x"));
  await shelf.put("whole", "0.mp4", new Response("y"));
  await shelf.close(slip("whole"));
  assert.deepEqual((await shelf.list()).map(({ id }) => id), ["whole"]);
  await shelf.tidy({ request: async (_, __, act) => act(null) });
  assert.ok(await keptAt(pathOf("half", "0.mp4"), storage), "somebody is working on it");
  await shelf.tidy(locks);
  assert.equal(await keptAt(pathOf("half", "0.mp4"), storage), null);
  assert.ok(await keptAt(pathOf("whole", "0.mp4"), storage));
  await shelf.remove("whole");
  assert.equal(await keptAt(pathOf("whole", "0.mp4"), storage), null);
  assert.deepEqual(await shelf.list(), []);
});

test("a deletion that breaks off leaves half a download, and never a whole one with a hole", async () => {
  const storage = new FakeCaches();
  const shelf = new Shelf("ada", storage);
  await shelf.put("d1", "0.mp4", new Response("x"));
  await shelf.close(slip("d1"));
  const cache = await storage.open((await storage.keys())[0]);
  const remove = cache.delete.bind(cache);
  let left = 1;
  cache.delete = async (path) => (left-- > 0 ? remove(path) : Promise.reject(new Error("the tab was closed")));
  await assert.rejects(shelf.remove("d1"));
  assert.deepEqual(await shelf.list(), []);
});

async function shelved(storage = new FakeCaches()) {
  const shelf = new Shelf("ada", storage);
  await shelf.putJson("d1", "item.json", { id: "lec1", version: "v1", progress: { position_ms: 5 } });
  await shelf.putJson("d1", "course.json", { id: "c1", sections: [] });
  await shelf.putJson("d1", "media.json", { version: "v1", hls_url: "/offline/d1/master.m3u8", local: true });
  await shelf.close(slip("d1"));
  return { storage, shelf };
}

test("off line the worker answers for what its student has, and for nobody else", async () => {
  const { storage } = await shelved();
  const from = { fetch: offline, storage };
  assert.equal((await (await answer(asked("/v1/items/lec1"), from)).json()).progress.position_ms, 5);
  assert.equal((await (await answer(asked("/v1/items/lec1/media"), from)).json()).hls_url, "/offline/d1/master.m3u8");
  assert.equal((await (await answer(asked("/v1/courses/c1"), from)).json()).id, "c1");
  await assert.rejects(answer(asked("/v1/items/lec2"), from));
  await assert.rejects(answer(asked("/v1/items/lec1", "ben"), from));
  await assert.rejects(answer(new Request(`${SITE}/v1/items/lec1`, { headers: { Authorization: "Bearer junk" } }), from));
  assert.ok(isKept(asked("/v1/items/lec1/document")));
  for (const path of ["/v1/courses", "/v1/progress/lec1/history", "/v1/items/lec1/other"]) assert.ok(!isKept(asked(path)), path);
});

test("on line the server is believed: its place is kept, its refusal stands, another version is its own", async () => {
  const { storage, shelf } = await shelved();
  const says = (value, status = 200) => ({ storage, fetch: async () => Response.json(value, { status }) });
  await answer(asked("/v1/items/lec1"), says({ id: "lec1", version: "v1", progress: { position_ms: 77 } }));
  assert.equal((await shelf.json("d1", "item.json")).progress.position_ms, 77);
  assert.equal((await answer(asked("/v1/items/lec1"), says({}, 404))).status, 404);
  assert.equal((await (await answer(asked("/v1/items/lec1"), says({}, 503))).json()).progress.position_ms, 77);
  const same = await answer(asked("/v1/items/lec1/media"), says({ version: "v1", hls_url: "/v1/media/t/master.m3u8" }));
  assert.equal((await same.json()).local, true, "what is here is played from here");
  const newer = await answer(asked("/v1/items/lec1/media"), says({ version: "v2", hls_url: "/v1/media/t2/master.m3u8" }));
  assert.equal((await newer.json()).hls_url, "/v1/media/t2/master.m3u8");
  await answer(asked("/v1/items/lec1"), says({ id: "lec1", version: "v2", progress: null }));
  assert.equal((await shelf.json("d1", "item.json")).version, "v1", "the kept item stays of its version");
});

test("a signed address of a picture is not kept with its course", async () => {
  const { storage, shelf } = await shelved();
  const course = { id: "c1", title: "Optics", poster_url: "https://store.example/p.jpg?sig=1" };
  const told = await answer(asked("/v1/courses/c1"), { storage, fetch: async () => Response.json(course) });
  assert.deepEqual(await told.json(), course, "on line it is shown");
  assert.deepEqual(await shelf.json("d1", "course.json"), { ...course, poster_url: null });
});

test("an answer that cannot be read is none, and one that cannot be kept is an answer", async () => {
  const { storage } = await shelved();
  const cut = new ReadableStream({ start: (controller) => controller.error(new TypeError("cut off")) });
  for (const body of ["<html>Pay for this network</html>", cut]) {
    for (const path of ["/v1/items/lec1", "/v1/items/lec1/media"]) {
      const told = await answer(asked(path), { storage, fetch: async () => new Response(body) });
      assert.equal((await told.json()).version, "v1", path);
    }
  }
  const cache = await storage.open((await storage.keys())[0]);
  cache.put = () => Promise.reject(new DOMException("full", "QuotaExceededError"));
  const says = async () => Response.json({ id: "lec1", version: "v1", progress: { position_ms: 99 } });
  assert.equal((await (await answer(asked("/v1/items/lec1"), { storage, fetch: says })).json()).progress.position_ms, 99);
});

function server(version, files, served = files) {
  return async (path) => {
    if (path === "/shell.json") return Response.json({ version, files });
    return new Response(path, { headers: { ETag: served[path] ?? '"none"' } });
  };
}

test("the pages are kept whole and of one version, or not at all", async () => {
  const files = { "/": '"a"', "/views/app.js": '"b"', "/vendor/pdfjs/pdf.mjs": '"c"' };
  const storage = new FakeCaches();
  const one = new ShellCache("one", { storage, fetch: server("one", files) });
  await one.install();
  assert.ok(await one.match("/views/app.js"));
  assert.equal(await one.match("/vendor/pdfjs/pdf.mjs"), null, "not before a PDF is kept");
  await one.installLater();
  assert.ok(await one.match("/vendor/pdfjs/pdf.mjs"));
  const torn = new ShellCache("two", { storage, fetch: server("two", files, { ...files, "/views/app.js": '"newer"' }) });
  await assert.rejects(torn.install(), /another version/);
  const late = new ShellCache("two", { storage, fetch: server("three", files) });
  await assert.rejects(late.install(), /another version/);
  assert.deepEqual(await storage.keys(), ["playhead-shell-one"]);
  const two = new ShellCache("two", { storage, fetch: server("two", files) });
  await two.install();
  assert.ok(await two.match("/vendor/pdfjs/pdf.mjs"), "who had what PDFs need has it again");
  assert.deepEqual((await storage.keys()).sort(), ["playhead-shell-one", "playhead-shell-two"], "the old one serves its pages");
  await two.activate();
  assert.deepEqual(await storage.keys(), ["playhead-shell-two"]);
});

test("what does not fit is said before anything is fetched, with what is free", async () => {
  const disk = (quota, usage) => ({ estimate: async () => ({ quota, usage }), persist: async () => true });
  await makeRoom(100_000_000, disk(2_000_000_000, 0));
  await makeRoom(100_000_000, {});
  await assert.rejects(makeRoom(900_000_000, disk(1_000_000_000, 500_000_000)), /takes 900 MB, and 483 MB are free/);
  assert.equal(sizeWords(1_234_000_000), "1.2 GB");
});
