"""Objects and signed URLs against the real store and its edge: nothing here is decided by a double."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout
from yarl import URL

from persistence.embedded import Embedded
from persistence.errors import StoreError, StoreUnavailable
from persistence.objects import (
    PART_BYTES,
    WINDOW_S,
    KeyRefused,
    Objects,
    ObjectStore,
    check_key,
    key_of,
    open_objects,
    part_bytes,
    presign,
    presign_put,
)

CONTENT = bytes(range(256)) * 64
KEY = "course/c1/item-1/v1/720p.mp4"


@pytest.fixture(scope="module")
def store(embedded: Embedded) -> ObjectStore:
    s3 = embedded.s3
    return ObjectStore(s3.endpoint_url, s3.public_url, s3.region, s3.access_key, s3.secret_key, s3.bucket)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def objects(store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Objects]:
    file = tmp_path_factory.mktemp("objects") / "file.mp4"
    file.write_bytes(CONTENT)
    async with open_objects(store) as opened:
        await opened.ensure_bucket()
        await opened.put_file(KEY, file, "video/mp4")
        await opened.put_file("course/c1/item-1/v1/other.mp4", file, "video/mp4")
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession(timeout=ClientTimeout(total=10)) as session:
        yield session


async def _status(http: ClientSession, url: str, method: str = "GET") -> int:
    async with http.request(method, url) as answer:
        await answer.read()
        return answer.status


async def test_a_signed_url_reads_the_object(objects: Objects, http: ClientSession) -> None:
    async with http.get(presign(objects.store, KEY, time.time()).url) as answer:
        assert answer.status == 200
        assert answer.content_type == "video/mp4"
        assert await answer.read() == CONTENT


async def test_a_signed_url_reads_a_range(objects: Objects, http: ClientSession) -> None:
    url = presign(objects.store, KEY, time.time()).url
    async with http.get(url, headers={"Range": "bytes=100-299", "Origin": "http://page.test"}) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes 100-299/{len(CONTENT)}"
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", "http://page.test")
        assert await answer.read() == CONTENT[100:300]


async def test_s6_the_signature_is_for_one_key_and_one_method(objects: Objects, http: ClientSession) -> None:
    url = presign(objects.store, KEY, time.time()).url
    assert await _status(http, url.replace("/720p.mp4", "/other.mp4")) == 403
    assert await _status(http, url, "PUT") == 403
    assert await _status(http, url, "DELETE") == 403
    assert await _status(http, url.partition("?")[0]) == 403


async def test_s6_an_altered_signature_is_refused(objects: Objects, http: ClientSession) -> None:
    url = presign(objects.store, KEY, time.time()).url
    last = "0" if url[-1] != "0" else "1"
    assert await _status(http, url[:-1] + last) == 403
    assert await _status(http, url.replace("X-Amz-Expires=900", "X-Amz-Expires=86400")) == 403
    assert await _status(http, url + "&response-content-type=text%2Fhtml") == 403
    stranger = replace(objects.store, secret_key="not-the-secret")
    assert await _status(http, presign(stranger, KEY, time.time()).url) == 403


async def test_an_expired_url_is_refused_and_the_last_second_is_not(
    objects: Objects, http: ClientSession
) -> None:
    now_s = time.time()
    assert await _status(http, presign(objects.store, KEY, now_s - 2 * WINDOW_S).url) == 403
    assert await _status(http, presign(objects.store, KEY, now_s - WINDOW_S).url) == 200
    ending = presign(objects.store, KEY, now_s, window_s=2)
    assert await _status(http, ending.url) == 200
    await asyncio.sleep(ending.expires_at_s + 0.5 - time.time())
    assert await _status(http, ending.url) == 403


def test_a_url_is_stable_inside_its_window_and_good_for_one_to_two(store: ObjectStore) -> None:
    begin_s = 1_800_000_000 // WINDOW_S * WINDOW_S
    first = presign(store, KEY, begin_s)
    assert presign(store, KEY, begin_s + WINDOW_S - 0.1) == first
    following = presign(store, KEY, begin_s + WINDOW_S)
    assert following.url != first.url
    assert first.expires_at_s - begin_s == 2 * WINDOW_S <= 15 * 60
    assert first.expires_at_s - (begin_s + WINDOW_S - 1) >= WINDOW_S


def test_a_url_names_the_public_host_and_no_secret(store: ObjectStore) -> None:
    public = replace(store, public_url="https://media.example.org:8443/s3")
    url = presign(public, KEY, 1_800_000_000).url
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "media.example.org:8443")
    assert parts.path == f"/s3/{store.bucket}/{KEY}"
    assert store.secret_key not in url and store.secret_key not in repr(store)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "a/./b",
        "a/.hidden",
        "a b",
        "a%2e%2e",
        "ä",
        "a\n",
        "x" * 1025,
    ],
)
def test_s1_no_key_but_the_servers_own_is_signed(store: ObjectStore, key: str) -> None:
    with pytest.raises(StoreError):
        check_key(key)
    with pytest.raises(StoreError):
        presign(store, key, 0)


async def test_head_tells_what_is_there(objects: Objects) -> None:
    stored = await objects.head(KEY)
    assert stored is not None
    assert (stored.length_bytes, stored.content_type) == (len(CONTENT), "video/mp4")
    assert await objects.head("course/c1/nothing") is None


async def test_a_large_file_goes_in_parts(objects: Objects, http: ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "large.mp4"
    file.write_bytes(b"0123456789abcdef" * (PART_BYTES // 16) + b"the end")
    fractions: list[float] = []
    await objects.put_file("course/c1/item-1/v1/large.mp4", file, "video/mp4", fractions.append)
    assert fractions == sorted(fractions) and fractions[-1] == 1.0 and len(fractions) > 1
    url = presign(objects.store, "course/c1/item-1/v1/large.mp4", time.time()).url
    async with http.get(url, headers={"Range": f"bytes={PART_BYTES}-"}) as answer:
        assert await answer.read() == b"the end"


async def test_a_wrong_access_key_says_so(store: ObjectStore) -> None:
    async with open_objects(replace(store, secret_key="wrong")) as stranger:
        with pytest.raises(KeyRefused):
            await stranger.head(KEY)


async def test_f18_a_store_that_is_down_is_unavailable_and_urls_are_still_signed(store: ObjectStore) -> None:
    down = replace(store, endpoint_url="http://127.0.0.1:1", public_url="http://127.0.0.1:1")
    assert presign(down, KEY, time.time()).url
    async with open_objects(down) as objects:
        with pytest.raises(StoreUnavailable):
            await objects.head(KEY)


MP4 = {"Content-Type": "video/mp4"}
SENT = "upload/c1/0123456789abcdef"


async def _put(http: ClientSession, url: str, body: bytes, headers: dict[str, str] = MP4) -> tuple[int, str]:
    async with http.put(URL(url, encoded=True), data=io.BytesIO(body), headers=headers) as answer:
        await answer.read()
        return answer.status, answer.headers.get("ETag", "")


async def test_s3_s4_a_file_is_taken_only_as_it_was_announced(objects: Objects, http: ClientSession) -> None:
    url = presign_put(objects.store, SENT, "video/mp4", 1000, time.time()).url
    assert (await _put(http, url, b"x" * 1001))[0] == 403
    assert (await _put(http, url, b"x" * 999))[0] == 403
    assert (await _put(http, url, b"x" * 1000, {"Content-Type": "text/html"}))[0] == 403
    assert (await _put(http, url.replace("0123456789abcdef", "elsewhere"), b"x" * 1000))[0] == 403
    assert await _status(http, url) == 403
    assert await objects.head(SENT) is None
    assert (await _put(http, url, b"x" * 1000))[0] == 200
    stored = await objects.head(SENT)
    assert stored is not None and (stored.length_bytes, stored.content_type) == (1000, "video/mp4")
    await objects.delete(SENT)
    await objects.delete(SENT)
    assert await objects.head(SENT) is None


async def test_s2_an_address_to_send_to_ends_after_five_minutes(
    objects: Objects, http: ClientSession
) -> None:
    old = presign_put(objects.store, SENT, "video/mp4", 3, time.time() - 301)
    assert (await _put(http, old.url, b"abc"))[0] == 403
    assert old.expires_at_s <= time.time()


async def test_a_large_file_is_sent_in_parts_and_gone_on_with(
    objects: Objects, http: ClientSession, tmp_path: Path
) -> None:
    size = 5 * 1024 * 1024
    bodies = {1: b"a" * size, 2: b"b" * size, 3: b"the end"}
    key, name = "upload/c1/parts", ""
    name = await objects.begin_parts(key, "video/mp4")
    assert await objects.parts(key, name) == []

    def url(number: int) -> str:
        body = bodies[number]
        return presign_put(objects.store, key, "video/mp4", len(body), time.time(), (name, number)).url

    for number in (3, 1):
        status, etag = await _put(http, url(number), bodies[number])
        assert (status, bool(etag)) == (200, True)
    there = await objects.parts(key, name)
    assert there is not None
    assert [(part.number, part.length_bytes) for part in there] == [(1, size), (3, 7)]
    assert (await _put(http, url(2), bodies[2] + b"x"))[0] == 403
    assert (await _put(http, url(2).replace("partNumber=2", "partNumber=4"), bodies[2]))[0] == 403
    assert (await _put(http, url(2), bodies[2]))[0] == 200
    there = await objects.parts(key, name)
    assert there is not None and await objects.head(key) is None
    await objects.complete_parts(key, name, there)
    stored = await objects.head(key)
    assert stored is not None and (stored.length_bytes, stored.content_type) == (2 * size + 7, "video/mp4")
    assert await objects.beginning(key, 3) == b"aaa"
    fractions: list[float] = []
    await objects.get_file(key, tmp_path / "whole", 2 * size + 7, fractions.append)
    assert (tmp_path / "whole").read_bytes() == b"".join(bodies[number] for number in (1, 2, 3))
    assert fractions[-1] == 1.0
    with pytest.raises(StoreError, match="longer"):
        await objects.get_file(key, tmp_path / "short", size)
    assert await objects.parts(key, name) is None


async def test_what_was_sent_in_parts_is_dropped(objects: Objects, http: ClientSession) -> None:
    name = await objects.begin_parts("upload/c1/dropped", "video/mp4")
    url = presign_put(objects.store, "upload/c1/dropped", "video/mp4", 3, time.time(), (name, 1)).url
    assert (await _put(http, url, b"abc"))[0] == 200
    await objects.abort_parts("upload/c1/dropped", name)
    await objects.abort_parts("upload/c1/dropped", name)
    assert await objects.parts("upload/c1/dropped", name) is None
    assert (await _put(http, url, b"abc"))[0] in (400, 404)


async def test_a_page_elsewhere_may_send_and_reads_the_etag(objects: Objects, http: ClientSession) -> None:
    name = await objects.begin_parts("upload/c1/page", "video/mp4")
    url = presign_put(objects.store, "upload/c1/page", "video/mp4", 3, time.time(), (name, 1)).url
    origin = {"Origin": "http://page.test"}
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    async with http.options(URL(url, encoded=True), headers=origin | asked) as answer:
        assert answer.status == 204 and "PUT" in answer.headers["Access-Control-Allow-Methods"]
        assert answer.headers["Access-Control-Allow-Headers"] == "content-type"
    async with http.put(URL(url, encoded=True), data=b"abc", headers=origin | MP4) as answer:
        assert answer.status == 200 and answer.headers["ETag"]
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    await objects.abort_parts("upload/c1/page", name)


@pytest.mark.parametrize(
    ("length_bytes", "size_mib"),
    [(1, 8), (8 * 2**30, 8), (20 * 2**30, 8), (200 * 2**30, 21), (5 * 2**40, 525)],
)
def test_a_file_has_at_most_ten_thousand_parts(length_bytes: int, size_mib: int) -> None:
    size = part_bytes(length_bytes)
    assert size == size_mib * 2**20
    assert -(-length_bytes // size) <= 10_000


def test_s1_ids_make_keys_that_cannot_meet() -> None:
    assert key_of("course", "a:b~c@d_e", "v.1", "x") == "course/a_3ab_7ec_40d_5fe/v.1/x"
    assert key_of("a_3a") != key_of("a:")
