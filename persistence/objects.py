"""The object store: files put and found by key, and URLs that let a browser read one of them for a while.

Browsers load objects from `public_url`, another origin than the page: the store's CORS has to allow `GET`,
`HEAD` and `Range` to the pages' origin and to expose `Content-Range`, `Content-Length` and `ETag`. The
embedded store does; of a bucket elsewhere it is part of its setup.
"""

import asyncio
import contextlib
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientError as HttpError
from botocore.exceptions import BotoCoreError, ClientError

from persistence.errors import SetupError, StoreError, StoreUnavailable

WINDOW_S = 15 * 60
"""URLs are the same for everybody inside one window, and good for one to two windows (parts.md)."""

# Every key is made by the server: words of these letters between slashes (faults.md S1).
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
KEY_MAX_BYTES = 1024

PART_BYTES = 16 * 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 60.0
_IMMUTABLE = "private, max-age=31536000, immutable"
OnProgress = Callable[[float], None]
"""Called with the fraction done, 0 to 1."""

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """An S3 store: `endpoint_url` is for servers, `public_url` what browsers reach; path-style both."""

    endpoint_url: str
    public_url: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str


class Presigned(NamedTuple):
    """A URL that reads one object, and when it ends (seconds since 1970)."""

    url: str
    expires_at_s: int


class StoredObject(NamedTuple):
    """What the store says of an object."""

    length_bytes: int
    content_type: str


def check_key(key: str) -> None:
    """Raise `StoreError` for a key that this server would not make: `..`, empty words, other letters."""
    if len(key) > KEY_MAX_BYTES or not _KEY.fullmatch(key):
        raise StoreError(f"{key[:80]!r} is no key of this server; objects are named by the server only")


def presign(store: ObjectStore, key: str, now_s: float, window_s: int = WINDOW_S) -> Presigned:
    """The URL to GET `key`, without asking the store: SigV4 in the query, signed at the window's begin.

    The same for everybody who asks inside one window, so that caches hit; a range of the object needs no
    other URL. Good for one to two windows from `now_s`.
    """
    check_key(key)
    begin_s = int(now_s) // window_s * window_s
    moment = datetime.fromtimestamp(begin_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    base = urlsplit(store.public_url)
    path = f"{base.path.rstrip('/')}/{quote(store.bucket, safe='')}/{key}"
    scope = f"{moment[:8]}/{store.region}/s3/aws4_request"
    query = "&".join(
        f"{name}={quote(value, safe='')}"
        for name, value in (
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", f"{store.access_key}/{scope}"),
            ("X-Amz-Date", moment),
            ("X-Amz-Expires", str(2 * window_s)),
            ("X-Amz-SignedHeaders", "host"),
        )
    )
    request = f"GET\n{path}\n{query}\nhost:{base.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(_signing_key(store, moment[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
    url = f"{base.scheme}://{base.netloc}{path}?{query}&X-Amz-Signature={signature}"
    return Presigned(url, begin_s + 2 * window_s)


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
