"""Objects and signed URLs against the real store and its edge: nothing here is decided by a double."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout

from persistence.embedded import Embedded
from persistence.errors import StoreError, StoreUnavailable
from persistence.objects import (
    PART_BYTES,
    KeyRefused,
    Objects,
    ObjectStore,
    check_key,
    open_objects,
    presign,
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
    assert await _status(http, url.replace("X-Amz-Expires=1800", "X-Amz-Expires=86400")) == 403
    assert await _status(http, url + "&response-content-type=text%2Fhtml") == 403
    stranger = replace(objects.store, secret_key="not-the-secret")
    assert await _status(http, presign(stranger, KEY, time.time()).url) == 403


async def test_an_expired_url_is_refused_and_the_last_second_is_not(
    objects: Objects, http: ClientSession
) -> None:
    now_s = time.time()
    assert await _status(http, presign(objects.store, KEY, now_s - 2 * 900).url) == 403
    assert await _status(http, presign(objects.store, KEY, now_s - 900).url) == 200
    ending = presign(objects.store, KEY, now_s, window_s=2)
    assert await _status(http, ending.url) == 200
    await asyncio.sleep(ending.expires_at_s + 0.5 - time.time())
    assert await _status(http, ending.url) == 403


def test_a_url_is_stable_inside_its_window_and_good_for_one_to_two(store: ObjectStore) -> None:
    begin_s = 1_800_000_000 // 900 * 900
    first = presign(store, KEY, begin_s)
    assert presign(store, KEY, begin_s + 899.9) == first
    following = presign(store, KEY, begin_s + 900)
    assert following.url != first.url
    assert first.expires_at_s - begin_s == 1800
    assert first.expires_at_s - (begin_s + 899) >= 900


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
