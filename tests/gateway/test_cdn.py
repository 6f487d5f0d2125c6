"""A CDN in front of the private bucket: nginx with the shipped configuration, the real gateway and store."""

import base64
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from playwright.async_api import async_playwright
from yarl import URL

from gateway.http.deps import open_deps
from gateway.http.server import WebServer, make_app
from gateway.http.settings import WebSettings
from persistence import items
from persistence.delivery import address, path_token
from persistence.embedded import Embedded
from persistence.items import Item, Version
from persistence.media import Caption, Media, Rendition, Sprite
from persistence.migrate import migrate
from persistence.objects import WINDOW_S, ObjectStore, open_objects
from persistence.postgres import PostgresSettings, open_postgres
from tests.acceptance.system import free_port
from tests.browser.conftest import FLAGS
from tests.gateway.edge import Edge, running_edge
from tests.persistence.catalogue import write_catalogue
from tests.requirements import chromium_path

pytestmark = [pytest.mark.requires("nginx"), pytest.mark.timeout(120)]

MIB = 1024 * 1024
SECRET = "0123456789abcdef" * 4
FOLDER = "course/systems/intro/u1"
LECTURE = bytes(range(256)) * (3 * MIB // 256) + b"the end"
PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
PLAYLIST = '#EXTM3U\n#EXT-X-MAP:URI="360p.mp4",BYTERANGE="9@0"\n#EXTINF:4,\n#EXT-X-BYTERANGE:5@9\n360p.mp4\n'


@dataclass(frozen=True)
class Cdn:
    """The edge, the gateway behind it, and a viewer."""

    edge: Edge
    web: str
    store: ObjectStore
    viewer: ClientSession
    token: Any
    server: WebServer

    async def media(self, student: str, item: str = "intro") -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token(student)}"}
        async with self.viewer.get(f"{self.web}/v1/items/{item}/media", headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, url: str, method: str = "GET", **headers: str) -> tuple[ClientResponse, bytes]:
        """One request to an address, byte for byte as it stands."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.viewer.request(method, URL(url, encoded=True), headers=sent) as answer:
            return answer, await answer.read()

    async def status(self, url: str, method: str = "GET") -> int:
        return (await self.get(url, method))[0].status

    def url(self, key: str, **changes: Any) -> str:
        """The address of a key; `now_s` and `secret` may be others than they should."""
        secret = changes.get("secret", SECRET)
        return address(
            replace(self.store, media_token_key=secret), key, changes.get("now_s", time.time())
        ).url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cdn(
    embedded: Embedded, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cdn]:
    folder: Path = tmp_path_factory.mktemp("cdn")
    s3, port = embedded.s3, free_port()
    store = ObjectStore(
        s3.endpoint_url, s3.public_url, s3.region, s3.access_key, s3.secret_key, "cdn",
        media_base_url=f"http://127.0.0.1:{port}", media_token_key=SECRET,
    )  # fmt: skip
    await _fill(folder, store)
    await _catalogue(postgres_dsn)
    settings = WebSettings(
        port=0,
        postgres_dsn=postgres_dsn,
        redis_url=embedded.redis_url,
        objects=store,
        keys_folder=folder / "keys",
    )
    async with open_deps(settings) as deps, ClientSession(timeout=ClientTimeout(total=20)) as viewer:
        server = WebServer(make_app(deps), settings)
        host, web_port = await server.start()
        async with running_edge(port, folder / "edge", store, f"{host}:{web_port}") as edge:
            yield Cdn(
                edge,
                f"http://{host}:{web_port}",
                store,
                viewer,
                lambda student: deps.issuer.issue("access", student),
                server,
            )
        await server.stop()


async def _fill(folder: Path, store: ObjectStore) -> None:
    async with open_objects(store) as objects:
        await objects.ensure_bucket()
        for key, content_type, content in (
            (f"{FOLDER}/360p.mp4", "video/mp4", LECTURE),
            (f"{FOLDER}/cold.mp4", "video/mp4", LECTURE[::-1]),
            (f"{FOLDER}/poster.jpg", "image/gif", PICTURE),
            (f"{FOLDER}/en.vtt", "text/vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"),
            ("course/other/theirs/u1/360p.mp4", "video/mp4", b"theirs"),
        ):
            file = folder / "file"
            file.write_bytes(content)
            await objects.put_file(key, file, content_type)


async def _catalogue(dsn: str) -> None:
    postgres = await open_postgres(PostgresSettings(dsn, "tests"))
    await migrate(postgres)
    await write_catalogue(postgres)
    rendition = Rendition(
        "360p", 640, 360, 25.0, 400_000, 500_000, "avc1.4d401e", f"{FOLDER}/360p.mp4", PLAYLIST
    )
    document = Media(
        kind="hls",
        renditions=(rendition,),
        poster=f"{FOLDER}/poster.jpg",
        plain=f"{FOLDER}/360p.mp4",
        sprite=Sprite(f"{FOLDER}/poster.jpg", "WEBVTT\n\n00:00.000 --> 00:05.000\nsprite.jpg#xywh=0,0,9,9\n"),
        captions=(Caption("en", "English", f"{FOLDER}/en.vtt"),),
    )
    await items.put(
        postgres,
        [Item("intro", "systems", "video", "Intro", "u1", 0)],
        [Version("intro", "u1", 61_000, document.document())],
    )
    await postgres.close()


async def test_a_student_plays_by_the_cdn(cdn: Cdn) -> None:
    status, media = await cdn.media("mira")
    assert status == 200
    base = cdn.store.media_base_url
    for url in (
        media["mp4_url"],
        media["poster_url"],
        media["sprite"]["image_url"],
        media["captions"][0]["url"],
    ):
        assert url.startswith(f"{base}/"), url
        assert "X-Amz" not in url
    answer, body = await cdn.get(media["mp4_url"])
    assert (answer.status, body == LECTURE) == (200, True)
    assert answer.content_type == "video/mp4"
    playlist = (await cdn.get(f"{cdn.web}{media['hls_url']}".replace("master", "360p")))[1].decode()
    assert playlist.count(f'URI="{media["mp4_url"]}"') == 1 and playlist.endswith(f"\n{media['mp4_url']}\n")
    cues = (await cdn.get(f"{cdn.web}{media['sprite']['vtt_url']}"))[1].decode()
    assert f"{media['sprite']['image_url']}#xywh=0,0,9,9" in cues


async def test_ranges_etags_and_a_day_in_the_browsers_cache(cdn: Cdn) -> None:
    url = cdn.url(f"{FOLDER}/360p.mp4")
    for first, last in ((0, 99), (MIB - 5, MIB + 5), (len(LECTURE) - 3, len(LECTURE) - 1), (10, 2 * MIB)):
        answer, body = await cdn.get(url, Range=f"bytes={first}-{last}", Origin="https://learn.example")
        assert (answer.status, body == LECTURE[first : last + 1]) == (206, True)
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(LECTURE)}"
        # Once each: two of a kind, the store's and the edge's, and a browser takes none.
        assert answer.headers.getall("Access-Control-Allow-Origin") == ["*"]
        assert answer.headers.getall("Cache-Control") == ["private, max-age=86400, immutable"]
    whole, _ = await cdn.get(url)
    assert whole.headers["ETag"] and whole.headers["Accept-Ranges"] == "bytes"
    assert (await cdn.get(url, If_None_Match=whole.headers["ETag"]))[0].status == 304
    head, nothing = await cdn.get(url, "HEAD")
    assert (head.status, nothing, int(head.headers["Content-Length"])) == (200, b"", len(LECTURE))
    suffix, end = await cdn.get(url, Range="bytes=-7")
    assert (suffix.status, end) == (206, b"the end")
    assert (await cdn.get(url, Range=f"bytes={len(LECTURE) + 9}-"))[0].status == 416


async def test_everybodys_copy_is_one_and_the_hit_rate_shows_it(cdn: Cdn) -> None:
    key, now_s = f"{FOLDER}/cold.mp4", time.time()
    # Thirty viewers of three windows, each in six steps: as many addresses as windows, one copy.
    seen: Counter[str] = Counter()
    for viewer in range(30):
        url = cdn.url(key, now_s=now_s + (viewer % 3 - 1) * WINDOW_S)
        for step in range(6):
            at = step * MIB // 2
            answer, body = await cdn.get(url, Range=f"bytes={at}-{at + 1023}")
            if answer.status == 403:
                continue  # a window ended meanwhile, and with it the addresses of the one before
            assert body == LECTURE[::-1][at : at + 1024]
            seen[answer.headers["X-Cache-Status"]] += 1
    assert seen["MISS"] == 3, "one for each MiB that was asked for"
    assert seen["HIT"] / seen.total() > 0.97
    print(f"hit rate {seen['HIT'] / seen.total():.1%} of {seen.total()} requests: {dict(seen)}")


async def test_s1_s6_an_altered_address_is_403(cdn: Cdn) -> None:
    key = f"{FOLDER}/360p.mp4"
    base, token = cdn.store.media_base_url, cdn.url(key).split("/")[3]
    ends, digest = token.split("-", 1)
    other = "B" if digest[5] != "B" else "C"
    for altered in (
        f"{base}/{ends}-{digest[:5]}{other}{digest[6:]}/{key}",
        f"{base}/{int(ends) + 900}-{digest}/{key}",
        f"{base}/{token}/{FOLDER}/poster.jpg",
        f"{base}/{token}/course/other/theirs/u1/360p.mp4",
        f"{base}/{token}/{FOLDER}/../u1/poster.jpg",
        f"{base}/{token}/{FOLDER}/%2e%2e/u1/poster.jpg",
        f"{base}/{token}/{FOLDER}%2f360p.mp4.",
        f"{base}/{token}/",
        f"{base}/{token}",
        f"{base}/{key}",
        f"{base}/-/{key}",
        f"{base}/",
        f"{base}/places/x",
        cdn.url(key, secret="f" * 64),
    ):
        answer, body = await cdn.get(altered)
        assert answer.status == 403, altered
        assert b"theirs" not in body and LECTURE[:64] not in body
        assert answer.headers["Cache-Control"] == "no-store"
    assert await cdn.status(f"{base}/{token}/{key}") == 200


async def test_a_token_with_no_key_in_it_never_fits(cdn: Cdn) -> None:
    key = f"{FOLDER}/360p.mp4"
    assert (
        await cdn.status(f"{cdn.store.media_base_url}/{path_token('', key, int(time.time()) + 60)}/{key}")
        == 403
    )


async def test_an_address_that_ended_is_403_though_the_copy_is_there(cdn: Cdn) -> None:
    key = f"{FOLDER}/360p.mp4"
    assert await cdn.status(cdn.url(key)) == 200
    assert await cdn.status(cdn.url(key, now_s=time.time() - 2 * WINDOW_S)) == 403


async def test_who_is_not_enrolled_gets_nothing(cdn: Cdn) -> None:
    assert (await cdn.media("zoe"))[0] == 404
    # Neither by way of the gateway's answer to the edge, nor of the bucket.
    base, key = urlsplit(cdn.store.endpoint_url), f"{FOLDER}/360p.mp4"
    assert await cdn.status(f"{cdn.web}/v1/edge/{cdn.token('zoe')}/{key}") == 404
    assert await cdn.status(f"{base.scheme}://{base.netloc}/cdn/{key}") == 403


async def test_the_edge_is_told_a_place_and_no_host(cdn: Cdn) -> None:
    key = f"{FOLDER}/360p.mp4"
    token = cdn.url(key).split("/")[3]
    answer, body = await cdn.get(f"{cdn.web}/v1/edge/{token}/{key}")
    assert (answer.status, body, answer.headers["Cache-Control"]) == (204, b"", "no-store")
    place = answer.headers["X-Playhead-Object"]
    assert place.startswith(f"/cdn/{key}?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert await cdn.status(f"{cdn.web}/v1/edge/{token}/{FOLDER}/poster.jpg") == 404
    assert await cdn.status(f"{cdn.web}/v1/edge/{token}/{FOLDER}%2F360p.mp4") == 204, (
        "the same key, written so"
    )


async def test_s4_nothing_that_is_delivered_can_run_as_a_page(cdn: Cdn) -> None:
    for status, url in ((200, cdn.url(f"{FOLDER}/en.vtt")), (403, f"{cdn.store.media_base_url}/x")):
        answer, _ = await cdn.get(url)
        assert answer.status == status
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"] == "attachment"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "nginx/" not in answer.headers["Server"]


async def test_a_track_and_a_page_of_another_origin_may_load_it(cdn: Cdn) -> None:
    url = cdn.url(f"{FOLDER}/en.vtt")
    answer, body = await cdn.get(url, Origin="https://learn.example")
    assert (answer.content_type, body[:6]) == ("text/vtt", b"WEBVTT")
    assert answer.headers.getall("Access-Control-Allow-Origin") == ["*"]
    asked = {
        "Origin": "https://x.test",
        "Access_Control_Request_Method": "GET",
        "Access_Control_Request_Headers": "range",
    }
    allowed, _ = await cdn.get(url, "OPTIONS", **asked)
    assert allowed.status == 204
    assert "GET" in allowed.headers["Access-Control-Allow-Methods"]
    assert "range" in allowed.headers["Access-Control-Allow-Headers"].lower()


# What a page does with addresses: a track on a video of another origin, thumbnails' cues, ranges, a picture.
LOADS = """async ([captions, cues, lecture, poster]) => {
  const video = document.createElement("video");
  video.crossOrigin = "anonymous";
  const track = document.createElement("track");
  Object.assign(track, { kind: "captions", src: captions, default: true });
  const loaded = new Promise((resolve) => {
    track.onload = () => resolve(track.track.cues[0].text);
    track.onerror = () => resolve("refused");
  });
  video.append(track);
  document.body.append(video);
  track.track.mode = "showing";
  const part = await fetch(lecture, { headers: { Range: "bytes=5-9" } });
  const picture = new Image();
  picture.crossOrigin = "anonymous";
  const seen = new Promise((resolve) => (picture.onload = picture.onerror = ({ type }) => resolve(type)));
  picture.src = poster;
  return {
    caption: await loaded,
    cues: (await (await fetch(cues)).text()).slice(0, 6),
    status: part.status,
    range: part.headers.get("Content-Range"),
    etag: Boolean(part.headers.get("ETag")),
    bytes: [...new Uint8Array(await part.arrayBuffer())],
    picture: await seen,
  };
}"""


@pytest.mark.requires("chromium")
async def test_a_browser_lets_a_page_of_another_origin_load_all_of_it(cdn: Cdn) -> None:
    _, media = await cdn.media("mira")
    asked = [
        media["captions"][0]["url"],
        f"{cdn.web}{media['sprite']['vtt_url']}",
        media["mp4_url"],
        media["poster_url"],
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        # A page of loopback, for only such a one may ask loopback; its own policy is not what is tried.
        page = await browser.new_page(bypass_csp=True)
        await page.goto(f"{cdn.web}/healthz")
        told = await page.evaluate(LOADS, asked)
        await browser.close()
    assert told.pop("picture") == "load"
    assert told == {
        "caption": "Hello",
        "cues": "WEBVTT",
        "status": 206,
        "range": f"bytes 5-9/{len(LECTURE)}",
        "etag": True,
        "bytes": [5, 6, 7, 8, 9],
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND"])
async def test_s6_an_address_to_read_does_nothing_else(cdn: Cdn, method: str) -> None:
    assert await cdn.status(cdn.url(f"{FOLDER}/360p.mp4"), method) == 405


async def test_a_missing_object_is_404_and_not_kept(cdn: Cdn) -> None:
    answer, _ = await cdn.get(cdn.url(f"{FOLDER}/gone.mp4"))
    assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-store")


async def test_s9_no_log_has_a_token(cdn: Cdn) -> None:
    key = f"{FOLDER}/360p.mp4"
    url = cdn.url(key)
    await cdn.get(url)
    await cdn.get(cdn.url(key, secret="f" * 64))
    logged = cdn.edge.log() + cdn.edge.log("error.log")
    assert f'"key":"{key}"' in logged
    assert url.split("/")[3] not in logged and url.split("/")[3].partition("-")[2] not in logged
    assert "X-Amz" not in logged


async def test_what_is_kept_is_served_without_the_gateway(cdn: Cdn) -> None:
    """The last test of the module: it stops the gateway."""
    url = cdn.url(f"{FOLDER}/360p.mp4")
    assert await cdn.status(url) == 200
    await cdn.server.stop()
    answer, body = await cdn.get(url)
    assert (answer.status, body == LECTURE, answer.headers["X-Cache-Status"]) == (200, True, "HIT")
