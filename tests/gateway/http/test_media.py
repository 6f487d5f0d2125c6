"""From a student's token to the bytes of a segment: the real web gateway, Postgres and object store."""

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout

from gateway import ingest
from gateway.http.deps import Deps, open_deps
from gateway.http.media import media_playlist, renew_at_s, sprite_cues
from gateway.http.server import WebServer, make_app
from gateway.http.settings import WebSettings
from gateway.keys import open_keys
from gateway.tokens import MEDIA_WINDOW_S, TokenIssuer
from persistence import courses, items, students
from persistence.embedded import Embedded
from persistence.media import Caption, Media, Sprite
from persistence.migrate import migrate
from persistence.objects import WINDOW_S, ObjectStore, open_objects
from persistence.postgres import PostgresSettings, open_postgres
from tests.gateway.demo_lectures import LECTURES

MISSING = {"status": 404, "code": "not_found"}


@dataclass(frozen=True)
class Web:
    """The running gateway and a client of it."""

    url: str
    deps: Deps
    client: ClientSession

    def bearer(self, student: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.deps.issuer.issue('access', student)}"}

    async def media(self, student: str, item: str = "lecture-1") -> tuple[int, dict[str, Any]]:
        async with self.client.get(
            f"{self.url}/v1/items/{item}/media", headers=self.bearer(student)
        ) as answer:
            document: dict[str, Any] = await answer.json(content_type=None)
            return answer.status, document

    async def text(self, path: str) -> tuple[int, str, dict[str, str]]:
        async with self.client.get(self.url + path) as answer:
            return answer.status, await answer.text(), dict(answer.headers)

    async def problem(self, path: str) -> tuple[int, str]:
        async with self.client.get(self.url + path) as answer:
            assert answer.content_type == "application/problem+json"
            return answer.status, (await answer.json(content_type=None))["code"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def web(
    embedded: Embedded, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Web]:
    folder: Path = tmp_path_factory.mktemp("web")
    s3 = embedded.s3
    store = ObjectStore(s3.endpoint_url, s3.public_url, s3.region, s3.access_key, s3.secret_key, "media")
    postgres = await open_postgres(PostgresSettings(postgres_dsn, "tests"))
    await migrate(postgres)
    await ingest.ingest_lecture(folder / "media", store, postgres, lectures=LECTURES)
    await students.put(postgres, [students.Student("eve", "Eve")])
    quiz = items.Item("quiz-1", "learning-how-to-resume", "quiz", "A quiz", "v1", 9)
    await items.put(postgres, [quiz], [items.Version("quiz-1", "v1", 0)])
    await postgres.close()
    settings = WebSettings(
        port=0,
        postgres_dsn=postgres_dsn,
        redis_url=embedded.redis_url,
        objects=store,
        keys_folder=folder / "keys",
    )
    async with open_deps(settings) as deps, ClientSession(timeout=ClientTimeout(total=20)) as client:
        server = WebServer(make_app(deps), settings)
        host, port = await server.start()
        yield Web(f"http://{host}:{port}", deps, client)
        await server.stop()


async def test_a_student_is_told_how_to_play(web: Web) -> None:
    status, media = await web.media("ada")
    assert status == 200
    assert media["kind"] == "hls"
    assert re.fullmatch(r"/v1/media/[A-Za-z0-9_.-]+/master\.m3u8", media["hls_url"])
    assert MEDIA_WINDOW_S - 5 < media["expires_in_s"] <= 15 * 60
    assert 0 < media["renew_at_s"] < media["expires_in_s"]
    assert media["version"]
    assert [(one["name"], one["width"], one["height"]) for one in media["renditions"]] == [
        ("360p", 640, 360),
        ("720p", 1280, 720),
    ]
    async with web.client.get(media["poster_url"]) as poster:
        assert (poster.status, poster.content_type) == (200, "image/jpeg")
    async with web.client.get(media["mp4_url"], headers={"Range": "bytes=0-99"}) as plain:
        assert (plain.status, plain.content_type) == (206, "video/mp4")
        assert (await plain.read())[4:8] == b"ftyp"


async def test_every_byte_range_of_the_playlists_is_there_without_a_header(web: Web) -> None:
    _, media = await web.media("ada")
    base = media["hls_url"].removesuffix("master.m3u8")
    status, master, headers = await web.text(media["hls_url"])
    assert status == 200 and headers["Content-Type"].startswith("application/vnd.apple.mpegurl")
    assert re.fullmatch(r"private, max-age=\d+", headers["Cache-Control"])
    names = [line for line in master.splitlines() if not line.startswith("#")]
    assert names == ["360p.m3u8", "720p.m3u8"]
    assert master.count("#EXT-X-STREAM-INF:BANDWIDTH=") == 2 and 'CODECS="avc1.' in master
    for name in names:
        status, playlist, _ = await web.text(base + name)
        assert status == 200
        urls = set(re.findall(r'http[^\s"]+', playlist))
        assert len(urls) == 1 and ".mp4\n" not in playlist
        [first] = re.findall(r'#EXT-X-MAP:URI="[^"]+",BYTERANGE="(\d+)@0"', playlist)
        at = 0
        for length in [first, *re.findall(r"#EXT-X-BYTERANGE:(\d+)@", playlist)]:
            wanted = f"bytes={at}-{at + int(length) - 1}"
            async with web.client.get(*urls, headers={"Range": wanted, "Origin": web.url}) as answer:
                assert answer.status == 206
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert len(await answer.read()) == int(length)
            at += int(length)


async def test_answers_are_the_same_inside_a_window_so_that_caches_hit(web: Web) -> None:
    window_s = MEDIA_WINDOW_S
    left_s = window_s - time.time() % window_s
    first = (await web.media("ada"))[1]
    second = (await web.media("ada"))[1]
    if left_s > 5:
        for name in ("hls_url", "mp4_url", "poster_url"):
            assert first[name] == second[name]
    base = first["hls_url"].removesuffix("master.m3u8")
    other = (await web.media("ben"))[1]["hls_url"].removesuffix("master.m3u8")
    assert base != other
    assert (await web.text(base + "360p.m3u8"))[1] == (await web.text(other + "360p.m3u8"))[1]


async def test_h7_missing_foreign_and_without_media_are_the_same_404(web: Web) -> None:
    answers = [
        await web.media("eve"),
        await web.media("nobody"),
        await web.media("ada", "lecture-99"),
        await web.media("ada", "quiz-1"),
    ]
    assert [{"status": status, "code": problem["code"]} for status, problem in answers] == [MISSING] * 4
    assert len({problem["detail"] for _, problem in answers}) == 1


async def test_an_unpublished_course_has_no_media(web: Web) -> None:
    content = courses.CourseContent(title="Hidden")
    await courses.put(web.deps.postgres, "hidden", content, published=False)
    version = await items.open_for(web.deps.postgres, "ada", "lecture-2")
    assert version is not None
    item = items.Item("hidden-1", "hidden", "video", "Hidden", "v1", 1)
    await items.put(web.deps.postgres, [item], [items.Version("hidden-1", "v1", 6000, version.media)])
    await students.enrol(web.deps.postgres, [students.Enrolment("ada", "hidden")])
    assert (await web.media("ada", "hidden-1"))[0] == 404


async def test_who_shows_no_access_token_is_told_nothing(web: Web) -> None:
    path = "/v1/items/lecture-1/media"
    assert (await web.problem(path))[0] == 401
    media_token = web.deps.issuer.issue_media("ada", "lecture-1", "v1")[0]
    async with web.client.get(web.url + path, headers={"Authorization": f"Bearer {media_token}"}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("name", ["master", "360p"])
async def test_s6_an_altered_or_other_token_opens_no_playlist(web: Web, name: str) -> None:
    _, media = await web.media("ada")
    token = media["hls_url"].split("/")[3]
    head, claims, signature = token.split(".")
    access = web.deps.issuer.issue("access", "ada")
    stranger = TokenIssuer(open_keys(web.deps.settings.keys_folder.parent / "other").signing)
    foreign = stranger.issue_media("ada", "lecture-1", "v1")[0]
    altered = f"{head}.{claims}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    for wrong in (altered, f"{head}.{claims}.", access, foreign, "x", "a.b.c", "A" * 4096):
        assert await web.problem(f"/v1/media/{wrong}/{name}.m3u8") == (404, "not_found")


@pytest.mark.parametrize("name", ["master", "360p"])
async def test_an_expired_token_says_so(web: Web, name: str) -> None:
    keys = open_keys(web.deps.settings.keys_folder)
    past = TokenIssuer(keys.signing, clock=lambda: time.time() - 15 * 60)
    item = await items.open_for(web.deps.postgres, "ada", "lecture-1")
    assert item is not None
    token, ends_s = past.issue_media("ada", item.id, item.version)
    assert ends_s <= time.time()
    assert await web.problem(f"/v1/media/{token}/{name}.m3u8") == (403, "media_expired")


async def test_a_token_is_good_for_its_version_only_while_that_exists(web: Web) -> None:
    token, _ = web.deps.issuer.issue_media("ada", "lecture-1", "no-such-version")
    assert await web.problem(f"/v1/media/{token}/master.m3u8") == (404, "not_found")
    quiz, _ = web.deps.issuer.issue_media("ada", "quiz-1", "v1")
    assert await web.problem(f"/v1/media/{quiz}/master.m3u8") == (404, "not_found")


async def test_a_quality_that_is_not_there_is_missing(web: Web) -> None:
    base = (await web.media("ada"))[1]["hls_url"].removesuffix("master.m3u8")
    assert await web.problem(f"{base}1080p.m3u8") == (404, "not_found")
    assert (await web.problem(f"{base}..%2Fmaster.m3u8"))[0] == 404


def test_only_file_names_of_a_playlist_are_replaced() -> None:
    stored = (
        '#EXTM3U\n#EXT-X-MAP:URI="360p.mp4",BYTERANGE="9@0"\n#EXTINF:4.0,\n#EXT-X-BYTERANGE:5@9\n360p.mp4\n'
        "#EXT-X-ENDLIST\n"
    )
    url = r"https://o.test/a?x=\1&y=2"
    assert media_playlist(stored, url) == stored.replace("360p.mp4", url)


def test_only_the_image_of_cues_is_replaced() -> None:
    stored = "WEBVTT\n\n00:00.000 --> 00:05.000\nsprite.jpg#xywh=0,0,160,90\n\nNOTE sprite.jpg#xywh=1\n"
    url = r"https://o.test/a?x=\1&y=2"
    assert sprite_cues(stored, url) == stored.replace("sprite.jpg#xywh=0", f"{url}#xywh=0")


def test_s2_media_tokens_and_addresses_end_together() -> None:
    assert MEDIA_WINDOW_S == WINDOW_S


def test_s46_renewals_come_in_the_next_window_spread_and_before_the_end() -> None:
    for second in range(0, WINDOW_S, 7):
        left_s = WINDOW_S - second
        soonest, latest = renew_at_s(second, draw=lambda: 0.0), renew_at_s(second, draw=lambda: 0.999)
        assert left_s < soonest < latest < left_s + WINDOW_S * 0.7


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def illustrated(web: Web, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An item with everything a version may have beside its renditions."""
    folder = tmp_path_factory.mktemp("illustrated")
    base = "course/c/illustrated/u1"
    contents = {
        "sprite.jpg": ("image/jpeg", b"thumbnails"),
        "preview.mp4": ("video/mp4", b"six seconds"),
        "de.vtt": ("text/vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\nGrüß Gott\n".encode()),
    }
    store = web.deps.settings.objects
    assert store is not None
    async with open_objects(store) as objects:
        for name, (content_type, content) in contents.items():
            (folder / name).write_bytes(content)
            await objects.put_file(f"{base}/{name}", folder / name, content_type)
    document = Media(
        kind="hls",
        renditions=(),
        poster=f"{base}/sprite.jpg",
        plain=f"{base}/preview.mp4",
        sprite=Sprite(
            f"{base}/sprite.jpg", "WEBVTT\n\n00:00.000 --> 00:05.000\nsprite.jpg#xywh=0,0,160,90\n"
        ),
        preview=f"{base}/preview.mp4",
        captions=(Caption("de", "Deutsch", f"{base}/de.vtt"),),
        loudness_lufs=-17.5,
    )
    item = items.Item("illustrated", "learning-how-to-resume", "video", "Illustrated", "u1", 8)
    await items.put(web.deps.postgres, [item], [items.Version(item.id, "u1", 6000, document.document())])
    return item.id


async def test_thumbnails_preview_and_captions_may_be_loaded_by_a_page_of_another_origin(
    web: Web, illustrated: str
) -> None:
    status, media = await web.media("ada", illustrated)
    assert (status, media["version"], media["loudness_lufs"]) == (200, "u1", -17.5)
    [caption] = media["captions"]
    assert (caption["language"], caption["label"]) == ("de", "Deutsch")
    origin = {"Origin": "https://elsewhere.example"}
    for url, content_type, content in (
        (caption["url"], "text/vtt", "Grüß Gott".encode()),
        (media["preview_url"], "video/mp4", b"six seconds"),
        (media["sprite"]["image_url"], "image/jpeg", b"thumbnails"),
    ):
        async with web.client.get(url, headers=origin) as answer:
            assert (answer.status, answer.content_type) == (200, content_type)
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert content in await answer.read()
    async with web.client.get(web.url + media["sprite"]["vtt_url"], headers=origin) as cues:
        assert (cues.status, cues.content_type) == (200, "text/vtt")
        assert cues.headers["Access-Control-Allow-Origin"] == "*"
        assert f"\n{media['sprite']['image_url']}#xywh=0,0,160,90\n" in await cues.text()
    async with web.client.get(web.url + media["hls_url"], headers=origin) as playlist:
        assert playlist.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_version_without_them_says_so(web: Web) -> None:
    await items.put(
        web.deps.postgres,
        [items.Item("bare", "learning-how-to-resume", "video", "Bare", "u1", 7)],
        [items.Version("bare", "u1", 6000, Media("hls", (), "a/p.jpg", "a/v.mp4").document())],
    )
    _, media = await web.media("ada", "bare")
    assert (media["sprite"], media["preview_url"], media["captions"], media["loudness_lufs"]) == (
        None,
        None,
        [],
        None,
    )
    token = media["hls_url"].split("/")[3]
    assert await web.problem(f"/v1/media/{token}/sprite.vtt") == (404, "not_found")


async def test_s9_objects_are_kept_a_day_by_the_browser_and_by_nobody_else(
    web: Web, illustrated: str
) -> None:
    _, media = await web.media("ada", illustrated)
    async with web.client.get(media["poster_url"]) as answer:
        assert answer.headers["ETag"]
        etag = answer.headers["ETag"]
        assert answer.headers["Cache-Control"] == "private, max-age=86400, immutable"
    async with web.client.get(media["poster_url"], headers={"If-None-Match": etag}) as again:
        assert again.status == 304


async def test_cmcd_headers_of_a_playlist_request_are_counted(web: Web) -> None:
    _, media = await web.media("ada")
    metrics = web.deps.experience.metrics
    before = metrics.requests.labels("true")._value.get()
    said = {"CMCD-Request": "bl=0,mtp=2500,su", "CMCD-Status": "bs", "CMCD-Session": 'sid="x"'}
    async with web.client.get(web.url + media["hls_url"], headers=said) as answer:
        assert answer.status == 200
    assert metrics.requests.labels("true")._value.get() == before + 1
