"""The object store: files put and found by key, and URLs that let a browser read or send one for a while.

Browsers load objects from `public_url`, another origin than the page: the store's CORS has to allow `GET`,
`HEAD` and `Range` to the pages' origin and to expose `Content-Range`, `Content-Length` and `ETag`; for
uploads `PUT` with `Content-Type` too. The embedded store does; of a bucket elsewhere it is part of its setup.
So is a rule there that drops uploads in parts which nobody completed after two days, should our sweep not.
"""

import asyncio
import contextlib
import hashlib
import hmac
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientError as HttpError
from botocore.exceptions import BotoCoreError, ClientError

from persistence.errors import SetupError, StoreError, StoreUnavailable

WINDOW_S = 15 * 60 // 2
"""URLs are the same for everybody inside one window, and good for one to two windows: 15 min at most (S2)."""

# Every key is made by the server: words of these letters between slashes (faults.md S1).
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
KEY_MAX_BYTES = 1024

PART_BYTES = 16 * 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 60.0
_IMMUTABLE = "private, max-age=86400, immutable"
OnProgress = Callable[[float], None]
"""Called with the fraction done, 0 to 1."""

SEND_S = 5 * 60
"""How long an address to send something to is good (faults.md S2)."""

SEND_PART_BYTES = 8 * 1024 * 1024
PARTS_MAX = 10_000
_MIB = 1024 * 1024
PARTS_LISTED_AT_ONCE = 1000
PIECE_BYTES = 1024 * 1024

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NotFound"})


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """An S3 store: `endpoint_url` is for servers, `public_url` what browsers reach; path-style both.

    With `media_base_url` browsers read by a CDN instead, with tokens made of `media_token_key` (delivery.py).
    """

    endpoint_url: str
    public_url: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str
    media_base_url: str = ""
    media_token_key: str = field(default="", repr=False)


class Presigned(NamedTuple):
    """A URL that reads one object, and when it ends (seconds since 1970)."""

    url: str
    expires_at_s: int


class StoredObject(NamedTuple):
    """What the store says of an object."""

    length_bytes: int
    content_type: str


class Part(NamedTuple):
    """A part the store has of an upload in parts; numbers begin at 1."""

    number: int
    etag: str
    length_bytes: int


def key_of(*words: str) -> str:
    """The key made of ids and names; what an id may hold and a key may not becomes `_` and its code."""
    return "/".join(re.sub(r"[^A-Za-z0-9.-]", lambda found: f"_{ord(found[0]):02x}", word) for word in words)


def part_bytes(length_bytes: int) -> int:
    """How large the parts of a file are: whole MiB, and never more than `PARTS_MAX` of them."""
    return max(SEND_PART_BYTES, -(-length_bytes // (PARTS_MAX * _MIB)) * _MIB)


def check_key(key: str) -> None:
    """Raise `StoreError` for a key that this server would not make: `..`, empty words, other letters."""
    if len(key) > KEY_MAX_BYTES or not _KEY.fullmatch(key):
        raise StoreError(f"{key[:80]!r} is no key of this server; objects are named by the server only")


def presign(
    store: ObjectStore, key: str, now_s: float, window_s: int = WINDOW_S, download_name: str = ""
) -> Presigned:
    """The URL to GET `key`, without asking the store: SigV4 in the query, signed at the window's begin.

    The same for everybody who asks inside one window, so that caches hit; a range of the object needs no
    other URL. Good for one to two windows from `now_s`. With `download_name` a browser that follows it keeps
    the object under that name instead of showing it; the name is signed as well (S4).
    """
    begin_s = int(now_s) // window_s * window_s
    query = {"response-content-disposition": attachment(download_name)} if download_name else {}
    url = _signed_url(store, "GET", key, begin_s, 2 * window_s, query=query)
    return Presigned(url, begin_s + 2 * window_s)


def attachment(name: str) -> str:
    """The Content-Disposition that saves under this name, whatever letters it has (RFC 6266; U4)."""
    shown = "".join(letter for letter in name if letter.isprintable() and letter not in '/\\"')[:255]
    return f"attachment; filename*=UTF-8''{quote(shown, safe='')}"


def presign_put(
    store: ObjectStore,
    key: str,
    content_type: str,
    length_bytes: int,
    now_s: float,
    part: tuple[str, int] | None = None,
) -> Presigned:
    """The URL to PUT an object, or with `part` (upload id, number) a part of one, good for `SEND_S`.

    Content-Type and Content-Length are signed: the store takes neither another type nor another length (S3).
    """
    headers = {"content-length": str(length_bytes), "content-type": content_type}
    query = {} if part is None else {"partNumber": str(part[1]), "uploadId": part[0]}
    begin_s = int(now_s)
    return Presigned(
        _signed_url(store, "PUT", key, begin_s, SEND_S, headers, query),
        begin_s + SEND_S,
    )


def _signed_url(
    store: ObjectStore,
    method: str,
    key: str,
    begin_s: int,
    expires_s: int,
    headers: Mapping[str, str] = MappingProxyType({}),
    query: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A URL with SigV4 in its query. `headers` (lower case) and `query` are signed besides the host."""
    check_key(key)
    moment = datetime.fromtimestamp(begin_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    base = urlsplit(store.public_url)
    path = f"{base.path.rstrip('/')}/{quote(store.bucket, safe='')}/{key}"
    scope = f"{moment[:8]}/{store.region}/s3/aws4_request"
    signed = dict(sorted({**headers, "host": base.netloc}.items()))
    names = ";".join(signed)
    asked = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{store.access_key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": names,
        **query,
    }
    written = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(asked.items()))
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    request = f"{method}\n{path}\n{written}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(_signing_key(store, moment[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{base.scheme}://{base.netloc}{path}?{written}&X-Amz-Signature={signature}"


def _signing_key(store: ObjectStore, day: str) -> bytes:
    key = f"AWS4{store.secret_key}".encode()
    for word in (day, store.region, "s3", "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return key


class Objects:
    """A client of one bucket. Every call has a deadline and raises `StoreError`s only."""

    def __init__(self, client: Any, store: ObjectStore) -> None:
        self._client = client
        self.store = store

    async def ensure_bucket(self) -> None:
        """Make the bucket if it is not there."""
        with contextlib.suppress(_Missing):
            await self._call("head_bucket")
            return
        await self._call("create_bucket")

    async def clock_ahead_s(self, clock: Callable[[], float] = time.time) -> float:
        """How far our clock is ahead of the store's, to about a second, by the Date of an answer (S10).

        Addresses are signed by our clock and judged by the store's. Raises `StoreError`.
        """
        before_s = clock()
        answer = await self._call("head_bucket")
        between_s = (before_s + clock()) / 2
        told = str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))
        try:
            return between_s - parsedate_to_datetime(told).timestamp()
        except ValueError as error:
            raise StoreError("the object store does not say what time it is; look at its clock") from error

    async def head(self, key: str) -> StoredObject | None:
        """What the store says of an object; None if there is none."""
        check_key(key)
        try:
            answer = await self._call("head_object", Key=key)
        except _Missing:
            return None
        return StoredObject(int(answer["ContentLength"]), str(answer.get("ContentType", "")))

    async def put_file(
        self, key: str, path: Path, content_type: str, on_progress: OnProgress | None = None
    ) -> None:
        """Put a file, never to be changed: read and sent in parts, so that its size does not matter.

        `on_progress` hears the fraction done. Afterwards the store is asked how much it has.
        """
        check_key(key)
        length_bytes = (await asyncio.to_thread(path.stat)).st_size
        about = {"ContentType": content_type, "CacheControl": _IMMUTABLE}
        if length_bytes <= PART_BYTES:
            body = await asyncio.to_thread(path.read_bytes)
            await self._call("put_object", Key=key, Body=body, **about)
        else:
            await self._put_in_parts(key, path, length_bytes, about, on_progress or _quiet)
        stored = await self.head(key)
        if stored is None or stored.length_bytes != length_bytes:
            raise StoreError(f"the object store did not keep all of {path.name}; start again")
        if on_progress is not None:
            on_progress(1.0)

    async def get_file(
        self, key: str, path: Path, length_bytes: int, on_progress: OnProgress | None = None
    ) -> None:
        """Read an object into a file, piece by piece. Raises `StoreError` where it is of another length."""
        check_key(key)
        answer, read_bytes = await self._call("get_object", Key=key), 0
        with _store_errors(), path.open("wb") as file:
            async with answer["Body"] as body:
                while True:
                    async with asyncio.timeout(CALL_TIMEOUT_S):
                        piece: bytes = await body.read(PIECE_BYTES)
                    if not piece:
                        break
                    read_bytes += len(piece)
                    if read_bytes > length_bytes:
                        raise StoreError(f"the object {key} is longer than it was; send it again")
                    await asyncio.to_thread(file.write, piece)
                    if on_progress is not None:
                        on_progress(read_bytes / length_bytes)
        if read_bytes != length_bytes:
            raise StoreUnavailable(f"the object store sent {read_bytes} of {length_bytes} bytes; ask again")

    async def beginning(self, key: str, most_bytes: int) -> bytes:
        """The first bytes of an object that is not empty."""
        check_key(key)
        answer = await self._call("get_object", Key=key, Range=f"bytes=0-{most_bytes - 1}")
        with _store_errors():
            async with asyncio.timeout(CALL_TIMEOUT_S), answer["Body"] as body:
                first: bytes = await body.read(most_bytes)
                return first

    async def begin_parts(self, key: str, content_type: str) -> str:
        """Begin an upload in parts, which others send by `presign_put`; gives the store's name for it."""
        check_key(key)
        answer = await self._call("create_multipart_upload", Key=key, ContentType=content_type)
        return str(answer["UploadId"])

    async def parts(self, key: str, upload_id: str) -> list[Part] | None:
        """The parts the store has, by number; None where it knows no such upload (any more)."""
        check_key(key)
        found: list[Part] = []
        after = 0
        while True:
            try:
                answer = await self._call(
                    "list_parts",
                    Key=key,
                    UploadId=upload_id,
                    PartNumberMarker=after,
                    MaxParts=PARTS_LISTED_AT_ONCE,
                )
            except _Missing:
                return None
            for part in answer.get("Parts", ()):
                found.append(Part(int(part["PartNumber"]), str(part["ETag"]), int(part["Size"])))
            if not answer.get("IsTruncated") or found[-1:] == [] or found[-1].number <= after:
                return sorted(found)
            after = found[-1].number

    async def complete_parts(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make the object of its parts."""
        check_key(key)
        listed = [{"ETag": part.etag, "PartNumber": part.number} for part in parts]
        await self._call(
            "complete_multipart_upload", Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}
        )

    async def abort_parts(self, key: str, upload_id: str) -> None:
        """Drop an upload in parts with what was sent of it; no error if there is none."""
        check_key(key)
        with contextlib.suppress(_Missing):
            await self._call("abort_multipart_upload", Key=key, UploadId=upload_id)

    async def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""
        check_key(key)
        with contextlib.suppress(_Missing):
            await self._call("delete_object", Key=key)

    async def _put_in_parts(
        self,
        key: str,
        path: Path,
        length_bytes: int,
        about: dict[str, str],
        on_progress: Callable[[float], None],
    ) -> None:
        upload = (await self._call("create_multipart_upload", Key=key, **about))["UploadId"]
        parts: list[dict[str, Any]] = []
        try:
            with path.open("rb") as file:
                while body := await asyncio.to_thread(file.read, PART_BYTES):
                    number = len(parts) + 1
                    answer = await self._call(
                        "upload_part", Key=key, UploadId=upload, PartNumber=number, Body=body
                    )
                    parts.append({"ETag": answer["ETag"], "PartNumber": number})
                    on_progress(file.tell() / length_bytes)
            await self._call(
                "complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        except BaseException:
            with contextlib.suppress(StoreError):
                await self._call("abort_multipart_upload", Key=key, UploadId=upload)
            raise

    async def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        with _store_errors():
            async with asyncio.timeout(CALL_TIMEOUT_S):
                answer: dict[str, Any] = await getattr(self._client, operation)(
                    Bucket=self.store.bucket, **arguments
                )
                return answer


@contextlib.asynccontextmanager
async def open_objects(store: ObjectStore) -> AsyncIterator[Objects]:
    """A client for the block. Opening asks nothing of the store."""
    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=CALL_TIMEOUT_S / 2,
        max_pool_connections=8,
        retries={"mode": "standard", "total_max_attempts": 3},
        # Stores other than AWS refuse, or misread, the checksums newer clients send unasked.
        **({} if _is_aws(store) else _CHECKSUMS_WHERE_REQUIRED),
    )
    client = get_session().create_client(
        "s3",
        endpoint_url=store.endpoint_url or None,
        region_name=store.region,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        config=config,
    )
    async with client as opened:
        yield Objects(opened, store)


_CHECKSUMS_WHERE_REQUIRED = {
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


def _is_aws(store: ObjectStore) -> bool:
    host = urlsplit(store.endpoint_url).hostname or ""
    return not store.endpoint_url or host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _quiet(fraction: float) -> None:
    """Report no progress."""


class _Missing(StoreError):
    """There is no such object or bucket."""


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise _of_store(error) from error
    except TimeoutError as error:
        raise StoreUnavailable("the object store did not answer in time; ask again") from error
    except (BotoCoreError, HttpError, OSError) as error:
        raise StoreUnavailable(
            f"the object store cannot be reached ({type(error).__name__}); ask again"
        ) from error


def _of_store(error: ClientError) -> StoreError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _MISSING:
        return _Missing("there is no such object; name one that is")
    if status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return StoreUnavailable(f"the object store could not do it now ({code or status}); ask again")
    if status in (401, 403):
        return KeyRefused(code or str(status))
    return StoreError(f"the object store refused the request ({code or status})")


class KeyRefused(SetupError, StoreError):
    """The store does not take our access key, or the key may not do this."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the object store refuses our access key ({code}); mend the key or its rights")
