"""Drafts of courses, and their publishing: every publish is a version that never changes.

A draft has a revision. Who writes or publishes one says which revision they saw, and is refused if another
has come since. A publish is one transaction: the document students see, the rows of its items, the versions
made of content, the answers nobody may see, and the version that is kept.
"""

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from persistence import contents, items, queries
from persistence.contents import MEDIA_KINDS, BadContent
from persistence.courses import PAGE_MAX, CourseContent, ItemContent
from persistence.errors import PlayheadError
from persistence.ids import Taken, check_id
from persistence.postgres import Postgres, StoreRefused
from persistence.students import Enrolment, Role, enrol

SQL = queries.load("drafts")

ITEMS_MAX = 2000
"""Items of one course."""

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_NOT_TEXT = frozenset({"22P05", "22021"})
"""SQLSTATE: the text holds a NUL, which Postgres cannot keep."""


class Stale(PlayheadError):
    """The draft has another revision than the one that was seen; `rev` is the one of now."""

    def __init__(self, course: str, rev: int) -> None:
        super().__init__(
            f"the draft of {course} has been changed meanwhile: read it again, it is at {rev} now"
        )
        self.rev = rev


class NoDraft(PlayheadError):
    """There is no such course."""


class Unpublishable(PlayheadError):
    """The draft cannot be published as it is; the message names the item and what it lacks."""


class Draft(msgspec.Struct, frozen=True):
    """A course as its instructors edit it. `number` is the version that is published, 0 for none; `changed`:
    the draft has been changed since."""

    course: str
    content: CourseContent
    rev: int
    number: int
    changed: bool
    updated_at: datetime
    updated_by: str


class Published(msgspec.Struct, frozen=True):
    """What a publish made: the number of the version, and the revision of the draft from then on."""

    number: int
    rev: int


class Taught(msgspec.Struct, frozen=True):
    """A course as one line of the list of who teaches it; `items_total` of what is published."""

    id: str
    title: str
    role: Role
    number: int
    published: bool
    rev: int
    changed: bool
    items_total: int
    updated_at: datetime


class CourseVersion(msgspec.Struct, frozen=True):
    """A version that was published, whole: with the answers students do not see."""

    course: str
    number: int
    content: CourseContent
    published_at: datetime
    published_by: str


class VersionLine(msgspec.Struct, frozen=True):
    """A version that was published, as one line of a list."""

    number: int
    title: str
    published_at: datetime
    published_by: str


class _Locked(msgspec.Struct, frozen=True):
    """A draft that nobody else can change until the transaction ends."""

    content: CourseContent
    rev: int
    salt: bytes


async def create(postgres: Postgres, course: str, title: str, by: str) -> int:
    """Make a course that nobody sees yet, and `by` its instructor; gives the revision of its draft.

    Raises `BadId`, `Taken`.
    """
    check_id("course", course)
    async with postgres.transaction() as inside:
        if await inside.execute(SQL["make_course"], course, title) != "INSERT 0 1":
            raise Taken(f"there is a course {course} already; choose another id")
        await inside.execute(SQL["make"], course, by)
        await enrol(inside, [Enrolment(by, course, "instructor")])
    return 1


async def read(postgres: Postgres, course: str) -> Draft | None:
    """The draft, None if there is no such course. One that was never edited is what is published."""
    row = await postgres.row(SQL["read"], course)
    if row is None:
        await postgres.execute(SQL["make"], course, "")
        row = await postgres.row(SQL["read"], course)
    if row is None:
        return None
    return Draft(**{**dict(row), "content": msgspec.convert(row["content"], CourseContent)})


async def write(postgres: Postgres, course: str, content: CourseContent, by: str, rev: int | None) -> int:
    """Replace the draft; gives its new revision. A course that is new is made, without an instructor.

    `rev` is the revision that was seen, None for whichever there is. Items that are new get their rows, which
    nobody sees before a publish. Raises `BadId`, `BadContent`, `Taken`, `Stale`.
    """
    _check_ids(content)
    async with postgres.transaction() as inside:
        await inside.execute(SQL["make_course"], check_id("course", course), content.title)
        await inside.execute(SQL["make"], course, by)
        await _lock(inside, course, rev)
        await items.claim(inside, course, content.items())
        return await _write(inside, course, content, by)


async def set_item_version(postgres: Postgres, course: str, item: str, version: str) -> bool:
    """Have the draft show this version of an item, which exists; False if the item is not in it any more.

    The draft's revision grows: who edits it meanwhile reads it again before writing.
    """
    async with postgres.transaction() as inside:
        await inside.execute(SQL["make"], course, "")
        locked = await _lock(inside, course, None)
        some = {one.id: one for one in locked.content.items()}
        if item not in some:
            return False
        some[item] = msgspec.structs.replace(some[item], version=version)
        await _write(inside, course, _with_items(locked.content, some), "")
    return True


async def publish(postgres: Postgres, course: str, by: str, rev: int | None) -> Published:
    """Let students see the draft as it is. Of several at once with one revision one wins.

    A text, quiz or assignment gets the version its content makes; a video or PDF has to have one. Raises
    `NoDraft`, `Stale`, `Unpublishable`.
    """
    async with postgres.transaction() as inside:
        await inside.execute(SQL["make"], course, by)
        locked = await _lock(inside, course, rev)
        try:
            _check_whole(locked.content)
            await items.claim(inside, course, locked.content.items())
        except BadContent as error:
            raise Unpublishable(str(error)) from error
        draft = _with_items(
            locked.content, {item.id: _named(item, locked.salt) for item in locked.content.items()}
        )
        await _check_ready(inside, draft)
        await items.publish(inside, course, draft.items())
        number = await _show(inside, course, draft, by)
        written = await _write(inside, course, draft, by)
        await inside.execute(SQL["published"], course)
    return Published(number, written)


async def version(postgres: Postgres, course: str, number: int | None = None) -> CourseVersion | None:
    """A version that was published, the latest if no number is given; None if there is none."""
    row = await postgres.row(SQL["version"], course, number)
    if row is None:
        return None
    content, secret = msgspec.convert(row["content"], CourseContent), row["secret"]
    whole = {
        item.id: msgspec.structs.replace(item, content=secret.get(item.id, item.content))
        for item in content.items()
    }
    return CourseVersion(
        course, row["number"], _with_items(content, whole), row["published_at"], row["published_by"]
    )


async def published(postgres: Postgres, course: str) -> CourseContent | None:
    """What was published last, whole; None if nothing was."""
    latest = await version(postgres, course)
    return None if latest is None else latest.content


async def versions(postgres: Postgres, course: str, before: int | None, limit: int) -> list[VersionLine]:
    """Versions that were published, with numbers below `before`, latest first, at most `limit` (1 to 100)."""
    rows = await postgres.rows(SQL["versions"], course, before, max(1, min(limit, PAGE_MAX)))
    return [VersionLine(**dict(row)) for row in rows]


async def taught(postgres: Postgres, student: str, after: str, limit: int) -> list[Taught]:
    """Courses one teaches or assists in, with an id beyond `after`, at most `limit` (1 to 100), by id."""
    rows = await postgres.rows(SQL["taught"], student, after, max(1, min(limit, PAGE_MAX)))
    return [Taught(**dict(row)) for row in rows]


async def _lock(inside: Postgres, course: str, rev: int | None) -> _Locked:
    row = await inside.row(SQL["lock"], course)
    if row is None:
        raise NoDraft(f"there is no course {course}; make it first")
    if rev is not None and row["rev"] != rev:
        raise Stale(course, row["rev"])
    return _Locked(msgspec.convert(row["content"], CourseContent), row["rev"], row["salt"].bytes)


async def _write(inside: Postgres, course: str, content: CourseContent, by: str) -> int:
    try:
        rev: int = await inside.value(SQL["write"], course, msgspec.to_builtins(content), by)
    except StoreRefused as error:
        if error.sqlstate in _NOT_TEXT:
            raise BadContent("a text holds a NUL character, which cannot be kept; leave it out") from error
        raise
    return rev


def _check_ids(content: CourseContent) -> None:
    """Each id may be one and stands once, each kind is a word."""
    seen: set[str] = set()
    for item in content.items():
        if check_id("item", item.id) in seen:
            raise BadContent(f"{item.id}: two items have this id; rename one")
        seen.add(item.id)
        if _KIND.fullmatch(item.kind) is None:
            raise BadContent(
                f"{item.id}: a kind is a word of at most 32 of a-z 0-9 _ -, beginning with a letter"
            )
    if len(seen) > ITEMS_MAX:
        raise BadContent(f"a course has at most {ITEMS_MAX} items; make two of it")


def _check_whole(content: CourseContent) -> None:
    if not content.title.strip():
        raise Unpublishable("the course has no title; give it one")
    if not content.items():
        raise Unpublishable("the course has no items; add one")
    _check_ids(content)
    for item in content.items():
        if not item.title.strip():
            raise Unpublishable(f"{item.id} has no title; give it one")
        contents.check(item.id, item.kind, item.content)


def _named(item: ItemContent, salt: bytes) -> ItemContent:
    """The item in the version it is published in."""
    if item.kind in MEDIA_KINDS:
        if item.version is None:
            raise Unpublishable(f"{item.id} has no {item.kind} yet; upload it, wait until it is ready")
        return item
    return msgspec.structs.replace(item, version=contents.version_name(salt, item.kind, item.content))


def _shown(item: ItemContent) -> ItemContent:
    return msgspec.structs.replace(item, content=contents.public(item.kind, item.content))


async def _check_ready(inside: Postgres, content: CourseContent) -> None:
    found = await items.lengths(inside, content.items())
    for item in content.items():
        if item.kind in MEDIA_KINDS and item.id not in found:
            raise Unpublishable(f"{item.id} has no version {item.version}; upload it, wait until it is ready")


async def _show(inside: Postgres, course: str, draft: CourseContent, by: str) -> int:
    """Put what students may see of the draft into the course, and keep it; gives its number."""
    document = msgspec.to_builtins(_with_items(draft, {item.id: _shown(item) for item in draft.items()}))
    secret = {item.id: item.content for item in draft.items() if contents.secret(item.kind, item.content)}
    number: int = await inside.value(SQL["publish"], course, document)
    await inside.execute(SQL["keep"], course, number, document, secret, by)
    return number


def _with_items(content: CourseContent, others: Mapping[str, ItemContent]) -> CourseContent:
    """The document with other items in the places of these."""
    sections = [
        msgspec.structs.replace(section, items=[others[item.id] for item in section.items])
        for section in content.sections
    ]
    return msgspec.structs.replace(content, sections=sections)
