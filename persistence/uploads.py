"""Uploads at rest: files on their way in, who works on them, and what became of them."""

import hashlib
import re
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from persistence import queries
from persistence.errors import PlayheadError
from persistence.objects import key_of
from persistence.postgres import Postgres

SQL = queries.load("uploads")

Purpose = Literal["video", "pdf", "captions", "poster"]
State = Literal["uploading", "processing", "ready", "failed", "aborted"]

OPEN_MAX = 100
"""Uploads of one course that are neither ready nor ended."""

ATTEMPTS_MAX = 3
"""How many workers may die of one upload."""

LISTED_MAX = 100
FILE_NAME_MAX_BYTES = 255
SWEPT_AT_ONCE = 50

ABANDONED_AFTER_S = 24 * 3600.0
ENDED_FOR_S = 15 * 60.0
"""How long an ended upload's file stays, so that no address to send it is good any more when it goes."""


class KeyReused(PlayheadError):
    """The same Idempotency-Key came with another request; send a new key with it."""


class TooManyUploads(PlayheadError):
    """A course has as many open uploads as it may; wait for some, or abort them."""


class Wanted(msgspec.Struct, frozen=True):
    """A file somebody wants to send: what it is for, what it says of itself."""

    course: str
    item: str | None
    purpose: Purpose
    file_name: str
    content_type: str
    length_bytes: int
    edits: Sequence[Mapping[str, Sequence[int]]] = ()
    language: str = ""
    label: str = ""


class Upload(msgspec.Struct, frozen=True):
    """A file on its way in.

    `key` is where it lies as it was sent, in parts of `part_bytes`; `multipart_id` the store's name for an
    upload in parts, None before it has begun and for a file of one part. `fraction` is how far the work on it
    is, `reason` why it failed, for people. `version` names the item_version made of it, `made_key` the object
    where it became no version (a poster of a course).
    """

    id: uuid.UUID
    course: str
    item: str | None
    purpose: str
    file_name: str
    content_type: str
    length_bytes: int
    part_bytes: int
    key: str
    multipart_id: str | None
    state: State
    fraction: float
    reason: str
    version: str | None
    made_key: str | None
    edits: list[dict[str, list[int]]]
    language: str
    label: str
    attempts: int
    created_by: str
    created_at: datetime

    @property
    def parts_total(self) -> int:
        """How many parts the file has; the last one may be shorter."""
        return -(-self.length_bytes // self.part_bytes)

    def part_length_bytes(self, number: int) -> int:
        """The length of a part; numbers begin at 1."""
        return min(self.part_bytes, self.length_bytes - (number - 1) * self.part_bytes)


class Rights(NamedTuple):
    """Whether somebody may upload to a course, and the kind of the item, None where the course has none."""

    instructor: bool
    kind: str | None


class Base(msgspec.Struct, frozen=True):
    """The version an item has in its course's draft, else the published one."""

    version: str
    duration_ms: int
    media: dict[str, Any]


class Swept(NamedTuple):
    """An ended upload whose file is to go."""

    id: uuid.UUID
    key: str
    multipart_id: str | None


_FIELDS = Upload.__struct_fields__


def _upload(row: Any) -> Upload | None:
    return None if row is None else Upload(**{name: row[name] for name in _FIELDS})


_SEPARATORS = re.compile(r"[/\\]")


def safe_name(file_name: str) -> str:
    """A file's name that can be shown and served: no folders, no control or direction marks (U4)."""
    name = _SEPARATORS.split(unicodedata.normalize("NFC", file_name))[-1]
    kept = "".join(letter for letter in name if unicodedata.category(letter)[0] not in "CZ" or letter == " ")
    cut = " ".join(kept.split()).strip(". ").encode("utf-8", "replace")[:FILE_NAME_MAX_BYTES]
    return cut.decode("utf-8", "ignore").strip() or "file"


async def rights(postgres: Postgres, student: str, course: str, item: str | None) -> Rights:
    """What somebody may do in a course."""
    row = await postgres.row(SQL["may"], student, course, item)
    return Rights(False, None) if row is None else Rights(row["instructor"], row["kind"])


async def begin(
    postgres: Postgres, student: str, request_key: str, wanted: Wanted, part_bytes: int
) -> Upload:
    """A new upload, or the one the same request began before. The caller has checked `rights`.

    Raises `KeyReused`, `TooManyUploads`.
    """
    asked = hashlib.sha256(msgspec.json.encode(wanted)).hexdigest()
    known = await postgres.row(SQL["of_request"], student, request_key)
    if known is None:
        columns = _columns(uuid.uuid4(), student, request_key, wanted, part_bytes, asked)
        async with postgres.transaction() as inside:
            # Two at once would each count without the other (U5).
            await inside.execute(SQL["lock_course"], wanted.course)
            await inside.row(SQL["begin"], *columns)
        known = await postgres.row(SQL["of_request"], student, request_key)
    upload = _upload(known)
    if known is None or upload is None:
        raise TooManyUploads(
            f"the course has {OPEN_MAX} uploads that are not ready; wait for some, or abort them"
        )
    if known["request_sha256"] != asked:
        raise KeyReused("this Idempotency-Key came with another request before; send a new one")
    return upload


def _columns(
    new: uuid.UUID, student: str, request_key: str, wanted: Wanted, part_bytes: int, asked: str
) -> list[object]:
    return [
        new,
        wanted.course,
        wanted.item,
        wanted.purpose,
        safe_name(wanted.file_name),
        wanted.content_type,
        wanted.length_bytes,
        part_bytes,
        key_of("upload", wanted.course, new.hex),
        list(wanted.edits),
        wanted.language,
        wanted.label,
        student,
        request_key,
        asked,
        OPEN_MAX,
    ]


async def read(postgres: Postgres, student: str, upload: uuid.UUID) -> Upload | None:
    """An upload, if the student is an instructor of its course now (A9)."""
    return _upload(await postgres.row(SQL["read"], upload, student))


async def of_course(postgres: Postgres, student: str, course: str) -> list[Upload]:
    """The latest uploads of a course, the newest first; none for who is no instructor of it."""
    found = await postgres.rows(SQL["of_course"], course, student, LISTED_MAX)
    return [upload for row in found if (upload := _upload(row)) is not None]


async def set_multipart(
    postgres: Postgres, upload: uuid.UUID, multipart_id: str, former: str | None
) -> Upload | None:
    """Note the store's name for an upload in parts in place of `former`; None where that was replaced
    already, or the upload ended."""
    return _upload(await postgres.row(SQL["set_multipart"], upload, multipart_id, former))


async def arrived(postgres: Postgres, upload: uuid.UUID) -> Upload | None:
    """From now on the upload waits for a worker; None where it is not being sent any more."""
    return _upload(await postgres.row(SQL["arrived"], upload))


async def end(
    postgres: Postgres, upload: uuid.UUID, state: Literal["failed", "aborted"], reason: str
) -> Upload | None:
    """End an upload; None where it has ended already."""
    return _upload(await postgres.row(SQL["end"], upload, state, reason))


class Held:
    """An upload that is ours to work on until the lease runs out, unless `hold` renews it.

    Every statement names the attempt, so a worker that was taken for dead can write no more.
    """

    def __init__(self, postgres: Postgres, upload: Upload, lease_s: float) -> None:
        self.upload = upload
        self._postgres = postgres
        self._lease_s = lease_s

    def within(self, inside: Postgres) -> "Held":
        """The same, said in a transaction."""
        return Held(inside, self.upload, self._lease_s)

    async def hold(self, fraction: float) -> bool:
        """Keep it and say how far it is; False where it was aborted or is another's now."""
        return await self._mine(SQL["hold"], fraction, self._lease_s)

    async def finish(self, version: str | None, made_key: str | None = None) -> bool:
        """It is ready; False as above."""
        return await self._mine(SQL["finish"], version, made_key)

    async def fail(self, reason: str) -> bool:
        """Nothing can be made of it, for a reason that people can read; False as above."""
        return await self._mine(SQL["fail"], reason[:500])

    async def release(self, counts: bool = False) -> None:
        """Let another try after a while; with `counts` only so often as workers may die of it."""
        await self._mine(SQL["release"], 0 if counts else 1)

    async def _mine(self, query: str, *more: object) -> bool:
        """Whether the statement found the upload with our attempt."""
        row = await self._postgres.row(query, self.upload.id, self.upload.attempts, *more)
        return row is not None


async def claim(postgres: Postgres, upload: uuid.UUID, lease_s: float) -> Held | None:
    """Take an upload to work on; None where another has it, it ended, or too many have died of it."""
    taken = _upload(await postgres.row(SQL["claim"], upload, lease_s, ATTEMPTS_MAX))
    return None if taken is None else Held(postgres, taken, lease_s)


async def lock_item(inside: Postgres, item: str) -> None:
    """One at a time for each item, until the transaction ends: two uploads for one would each build on a
    version without the other."""
    await inside.execute(SQL["lock_item"], item)


async def base(postgres: Postgres, item: str) -> Base | None:
    """What the next version of an item is made from; None for the first."""
    row = await postgres.row(SQL["base"], item)
    return None if row is None else Base(**dict(row))


async def give_up(postgres: Postgres) -> int:
    """End what too many workers have died of; gives how many."""
    reason = f"its processing stopped {ATTEMPTS_MAX} times without a result; export the file again"
    return len(await postgres.rows(SQL["give_up"], ATTEMPTS_MAX, reason))


async def waiting(postgres: Postgres, quiet_s: float) -> list[uuid.UUID]:
    """Uploads that nobody works on and that were given to nobody for `quiet_s`; each to one who asks."""
    return [row["id"] for row in await postgres.rows(SQL["waiting"], quiet_s, SWEPT_AT_ONCE)]


async def abandon(postgres: Postgres, after_s: float = ABANDONED_AFTER_S) -> int:
    """End uploads that were begun so long ago and never completed; gives how many (U1)."""
    reason = "it was not completed within a day; upload the file again"
    return len(await postgres.rows(SQL["abandon"], after_s, reason))


async def unswept(postgres: Postgres, ended_for_s: float = ENDED_FOR_S) -> list[Swept]:
    """Some ended uploads whose file may still lie in the store."""
    found = await postgres.rows(SQL["unswept"], ended_for_s, SWEPT_AT_ONCE)
    return [Swept(row["id"], row["key"], row["multipart_id"]) for row in found]


async def swept(postgres: Postgres, gone: Sequence[uuid.UUID]) -> None:
    """Note that the files of these are gone."""
    await postgres.execute(SQL["swept"], list(gone))
