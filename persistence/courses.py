"""Courses at rest: a JSON document each, and the items in it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from persistence import queries
from persistence.cache import Cache, course_entry
from persistence.ids import check_id
from persistence.postgres import Postgres, StoreRefused
from persistence.students import Role

SQL = queries.load("courses")

PAGE_MAX = 100


class ItemContent(msgspec.Struct, frozen=True):
    """An item as the document of a course has it. `version` is the one that is to be seen, null for none yet;
    `content` what it holds, by its kind (persistence/contents.py)."""

    id: str
    kind: str
    title: str
    version: str | None = None
    content: dict[str, Any] = {}


class SectionContent(msgspec.Struct, frozen=True):
    """A part of a course: its items, in order."""

    title: str
    items: Sequence[ItemContent] = ()


class CourseContent(msgspec.Struct, frozen=True):
    """The document of a course, as a draft and as it is published.

    `difficulty` is `beginner`, `intermediate`, `advanced` or empty, `language` as BCP 47 has it, empty for
    unknown. `poster` is a key in the object store.
    """

    title: str
    description: str = ""
    instructor: str = ""
    poster: str = ""
    sections: Sequence[SectionContent] = ()
    category: str = ""
    difficulty: str = ""
    language: str = ""

    def items(self) -> list[ItemContent]:
        """All of them, in order."""
        return [item for section in self.sections for item in section.items]


class CourseSummary(msgspec.Struct, frozen=True):
    """A course as one line of a student's list. `poster` is a key in the object store, or empty.

    `duration_ms` and `items_total` are those of what is published.
    """

    id: str
    title: str
    description: str
    instructor: str
    category: str
    difficulty: str
    language: str
    poster: str
    duration_ms: int
    items_total: int
    items_done: int


class CourseItem(msgspec.Struct, frozen=True):
    """An item inside a course, in its current version."""

    id: str
    kind: str
    title: str
    version: str
    duration_ms: int


class Section(msgspec.Struct, frozen=True):
    """A part of a course with its items. The one with an empty title has what no section names."""

    title: str
    items: list[CourseItem]


class Course(msgspec.Struct, frozen=True):
    """A course as a page shows it; the same for everybody who may see it."""

    id: str
    title: str
    description: str
    instructor: str
    category: str
    difficulty: str
    language: str
    poster: str
    duration_ms: int
    items_total: int
    sections: list[Section]


class Access(msgspec.Struct, frozen=True):
    """That a student may read a course now, and as what; with the versions caches are checked against."""

    student: str
    course: str
    version: str
    progress_version: str = ""
    role: Role = "student"


async def put(postgres: Postgres, course: str, content: CourseContent, *, published: bool) -> None:
    """Add a course or replace the document students see, past drafts and versions. Raises `BadId`.

    Instructors publish (persistence/drafts.py); this is for who writes courses for a test or a measurement.
    """
    document = msgspec.to_builtins(content)
    await postgres.execute(SQL["put"], check_id("course", course), document, published)


async def of_student(postgres: Postgres, student: str, after: str, limit: int) -> list[CourseSummary]:
    """The student's courses with an id beyond `after`, at most `limit` (1 to 100), by id."""
    rows = await postgres.rows(SQL["of_student"], student, after, max(1, min(limit, PAGE_MAX)))
    return [CourseSummary(**dict(row)) for row in rows]


async def access(postgres: Postgres, student: str, course: str) -> Access | None:
    """Whether the student may read the course; None for no, and for a course that does not exist."""
    return await _access(postgres, student, course, None)


async def access_by_item(postgres: Postgres, student: str, item: str) -> Access | None:
    """The same for the course an item is in."""
    return await _access(postgres, student, None, item)


async def _access(postgres: Postgres, student: str, course: str | None, item: str | None) -> Access | None:
    row = await postgres.row(SQL["access"], student, course, item)
    return None if row is None else Access(student, **dict(row))


async def read(postgres: Postgres, cache: Cache, granted: Access) -> Course:
    """The course somebody was granted access to, through the cache."""
    entry = course_entry(granted.course, granted.version, Course)
    return await cache.get(entry, lambda: _load(postgres, granted.course))


async def _load(postgres: Postgres, course: str) -> Course:
    row = await postgres.row(SQL["content"], course)
    if row is None:
        raise StoreRefused(f"course {course} is gone since access to it was granted; look again", "02000")
    content = msgspec.convert(row["content"], CourseContent)
    rows = await postgres.rows(SQL["items"], course)
    items = {row["id"]: CourseItem(**dict(row)) for row in rows}
    sections = [
        Section(section.title, [items.pop(item.id) for item in section.items if item.id in items])
        for section in content.sections
    ]
    if items:
        sections.append(Section("", list(items.values())))
    return Course(
        id=course,
        title=content.title,
        description=content.description,
        instructor=content.instructor,
        category=content.category,
        difficulty=content.difficulty,
        language=content.language,
        poster=content.poster,
        duration_ms=row["duration_ms"],
        items_total=row["items_total"],
        sections=sections,
    )
