"""Items at rest: everything with progress - a video, a PDF, a quiz - in versions.

A draft has rows for its items, which nobody sees; a publish says which version each is seen in, and retires
those it leaves out. So an id is the same item for ever, and progress in it stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from persistence import contents, queries
from persistence.contents import MEDIA_KINDS, MEDIA_OF, BadContent
from persistence.courses import ItemContent
from persistence.errors import PlayheadError
from persistence.ids import Taken, check_id
from persistence.postgres import Postgres

SQL = queries.load("items")

EDITS_MAX = 1000
"""Edits of one version."""

Kind = str
"""`video`, `pdf`, `quiz`, `assignment`, `text`, or one nobody knows yet."""


class BadEdits(PlayheadError):
    """The edits of a version cannot be carried out; the message says which, and what they must be."""


class Item(msgspec.Struct, frozen=True):
    """An item of a course; `version` is the current one, None before the first is published, `place` its
    order in the course.
    """

    id: str
    course: str
    kind: Kind
    title: str
    version: str | None
    place: int = 0


class Version(msgspec.Struct, frozen=True):
    """One version of an item: its length in content ms, and where its media lie.

    `from_version` is the version it was made from, None for the first; `edits` how, in content ms of that
    version: disjoint `{"cut": [from, to]}` and `{"insert": [at, length]}`, in any order.
    """

    item: str
    version: str
    duration_ms: int
    media: dict[str, Any] = {}
    from_version: str | None = None
    edits: Sequence[Mapping[str, Sequence[int]]] = ()


class OpenItem(msgspec.Struct, frozen=True):
    """An item somebody may read, in its current version."""

    id: str
    course: str
    kind: str
    title: str
    version: str
    duration_ms: int
    media: dict[str, Any]


async def put(postgres: Postgres, items: Iterable[Item], versions: Iterable[Version]) -> None:
    """Add items and versions, or change them; all or nothing. Students see what `version` names at once:
    what is only for a draft comes without its item, whose row is there since the draft was written.

    Raises `BadId`, `BadEdits`, `StoreRefused`.
    """
    some = {check_id("item", item.id): item for item in items}
    more = {(version.item, check_id("version", version.version)): version for version in versions}
    async with postgres.transaction() as inside:
        await inside.execute(SQL["put"], *_columns(some.values(), "id course kind place title version"))
        columns = _columns(more.values(), "item version duration_ms media from_version")
        edits = [msgspec.json.encode(_checked(version).edits).decode() for version in more.values()]
        await inside.execute(SQL["put_versions"], *columns, edits)


def _checked(version: Version) -> Version:
    """The version if its edits can be carried out. Raises `BadEdits`."""
    where, cut_to_ms = f"{version.item} {version.version}", 0
    if version.edits and version.from_version is None:
        raise BadEdits(f"{where} has edits and no version it was made from: give from_version")
    if len(version.edits) > EDITS_MAX:
        raise BadEdits(f"{where} has more than {EDITS_MAX} edits: give the ones that are left of them")
    for edit in version.edits:
        pairs = [*edit.items()]
        if len(pairs) != 1 or pairs[0][0] not in ("cut", "insert") or len(pairs[0][1]) != 2:
            raise BadEdits(f'{where}: {edit} is neither {{"cut": [from, to]}} nor {{"insert": [at, length]}}')
        if not all(type(ms) is int for ms in pairs[0][1]):
            raise BadEdits(f"{where}: {edit} is not in whole ms")
    inserts = [(at_ms, length_ms) for at_ms, length_ms in _pairs(version, "insert")]
    if any(at_ms < 0 or length_ms <= 0 for at_ms, length_ms in inserts):
        raise BadEdits(f"{where}: an insert has a place of at least 0 and a length of more than 0 ms")
    for from_ms, to_ms in sorted(_pairs(version, "cut")):
        if not cut_to_ms <= from_ms < to_ms:
            raise BadEdits(f"{where}: cuts must not be empty, overlap, or lie before 0 ms")
        cut_to_ms = to_ms
    return version


def _pairs(version: Version, kind: str) -> list[tuple[int, int]]:
    return [(edit[kind][0], edit[kind][1]) for edit in version.edits if kind in edit]


def _columns(rows: Iterable[Item | Version], names: str) -> list[list[object]]:
    listed = list(rows)
    return [[getattr(row, name) for row in listed] for name in names.split()]


async def claim(postgres: Postgres, course: str, some: Sequence[ItemContent]) -> None:
    """Have a row for each item of a draft. Raises `Taken` for one that is another course's, `BadContent`
    for one that has been published as another kind; then the transaction is to be undone.

    First the rows, then the question whose they are: so of two courses that want one new id one gets it.
    """
    ids, kinds = [item.id for item in some], [item.kind for item in some]
    await postgres.execute(SQL["draft"], course, ids, kinds, [item.title for item in some])
    other = await postgres.row(SQL["elsewhere"], course, ids, kinds)
    if other is None:
        return
    if other["taken"]:
        raise Taken(f"{other['id']} is an item of another course; choose another id")
    raise BadContent(f"{other['id']} has been published as another kind; give the new item an id of its own")


async def lengths(postgres: Postgres, some: Sequence[ItemContent]) -> dict[str, int]:
    """By item, how long (content ms) the version is that it names; those that do not exist are missing, and
    those made of a file of another kind than the item has now."""
    kinds = {item.id: item.kind for item in some}
    named = [(item.id, item.version) for item in some if item.version is not None]
    rows = await postgres.rows(SQL["ready"], [item for item, _ in named], [version for _, version in named])
    return {row["item"]: row["duration_ms"] for row in rows if _fits(kinds[row["item"]], row["media_kind"])}


def _fits(kind: str, media_kind: str | None) -> bool:
    return media_kind is None or MEDIA_OF.get(kind, media_kind) == media_kind


async def publish(postgres: Postgres, course: str, some: Sequence[ItemContent]) -> None:
    """Let these, in this order and in the versions they name, be the items of a course that students see.

    Versions that are made of content are made here, and what is secret of them kept apart. To be called in
    the transaction of the publish, after `claim`.
    """
    made = [item for item in some if item.kind not in MEDIA_KINDS]
    await postgres.execute(
        SQL["make_versions"],
        [item.id for item in made],
        [item.version for item in made],
        [contents.duration_ms(item.kind, item.content) for item in made],
        [contents.document(item.kind, item.content) for item in made],
    )
    hidden = [item for item in made if contents.secret(item.kind, item.content)]
    await postgres.execute(
        SQL["keep_secrets"],
        [item.id for item in hidden],
        [item.version for item in hidden],
        [item.content for item in hidden],
    )
    rows = [
        Item(item.id, course, item.kind, item.title, item.version, place) for place, item in enumerate(some)
    ]
    await postgres.execute(SQL["put"], *_columns(rows, "id course kind place title version"))
    await postgres.execute(SQL["retire"], course, [item.id for item in some])


async def open_for(postgres: Postgres, student: str, item: str) -> OpenItem | None:
    """The item if the student may read it now; None for no, and for an item that does not exist."""
    row = await postgres.row(SQL["open"], student, item)
    return None if row is None else OpenItem(**dict(row))


async def version(postgres: Postgres, item: str, version: str) -> Version | None:
    """One version of an item, for who has proved the right to it (a media token)."""
    row = await postgres.row(SQL["version"], item, version)
    return None if row is None else Version(item, version, row["duration_ms"], row["media"])


async def secret(postgres: Postgres, item: str, version: str) -> dict[str, Any] | None:
    """The whole content of a version with what students must not see, a quiz's answers; None if it has
    none.
    """
    found: dict[str, Any] | None = await postgres.value(SQL["secret"], item, version)
    return found
