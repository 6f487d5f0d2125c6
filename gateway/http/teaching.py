"""Teaching over HTTP: drafts of courses, read and written by revision, previewed, published, and their
versions.
"""

import contextlib
import re
import secrets
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.http import etags
from gateway.http.courses import CoursePage, ItemLine, Page, SectionPage, poster_url
from gateway.http.once import once
from gateway.http.problems import Problem, forbidden, not_found
from gateway.http.routes import Call, Reply, Route, Who
from persistence import contents, drafts, items, students
from persistence.contents import BadContent
from persistence.courses import PAGE_MAX, CourseContent, ItemContent
from persistence.drafts import (
    CourseVersion,
    Draft,
    NoDraft,
    Published,
    Stale,
    Taught,
    Unpublishable,
    VersionLine,
)
from persistence.errors import PlayheadError, StoreError
from persistence.ids import ID_PATTERN, BadId, Taken
from persistence.objects import check_key, key_of
from persistence.postgres import Postgres
from persistence.students import Role

COURSES = "/v1/teaching/courses"
ONE = COURSES + "/{course}"

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
Line = Annotated[str, Meta(max_length=300)]


class NewCourse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A course to begin; without an `id` it gets one made of the title."""

    title: Annotated[str, Meta(min_length=1, max_length=300)]
    id: Id | None = None


class ItemWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item of a draft. `version` is the one the last upload made, as the draft came with it; `content`
    is by kind, unknown fields of it are kept.
    """

    id: Id
    kind: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    title: Line
    version: Id | None = None
    content: dict[str, Any] = {}


class SectionWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a draft."""

    title: Line
    items: Annotated[list[ItemWish], Meta(max_length=500)] = []


class DraftWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A draft as it is to be, whole. `poster` is a key as an upload for this course gave it."""

    title: Line
    description: Annotated[str, Meta(max_length=10_000)] = ""
    instructor: Line = ""
    poster: Annotated[str, Meta(max_length=1024)] = ""
    sections: Annotated[list[SectionWish], Meta(max_length=200)] = []
    category: Annotated[str, Meta(max_length=64)] = ""
    difficulty: Literal["", "beginner", "intermediate", "advanced"] = ""
    language: Annotated[str, Meta(pattern=r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4})?$")] = ""


class DraftPage(msgspec.Struct, frozen=True):
    """A draft. `number` is the version that is published, 0 for none; `changed`: not as published; `role` is
    what the one who asks is in the course."""

    course: str
    number: int
    rev: int
    changed: bool
    role: Role
    updated_at: datetime
    updated_by: str
    content: CourseContent


class TaughtList(msgspec.Struct, frozen=True):
    """A page of courses one teaches or assists in, by id; `next` is null on the last one."""

    courses: list[Taught]
    next: str | None


class VersionPage(msgspec.Struct, frozen=True):
    """Which part of the list: `before` is the `next` of the page before; `limit` is clamped to 1 to 100."""

    before: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    limit: int = 50


class VersionList(msgspec.Struct, frozen=True):
    """A page of published versions, latest first; `next` is null on the last one."""

    versions: list[VersionLine]
    next: int | None


def routes() -> list[Route]:
    """Drafts and versions of the courses one teaches."""
    who = Who.STUDENT
    return [
        Route("GET", COURSES, who, listed, "The courses one teaches, by id", TaughtList, query=Page),
        Route(
            "POST",
            COURSES,
            who,
            create,
            "Begin a course, as its instructor",
            DraftPage,
            takes=NewCourse,
            problems=(403, 409),
            keyed=True,
            status=201,
        ),
        Route(
            "GET",
            ONE,
            who,
            read,
            "The draft of a course; its ETag is its revision",
            DraftPage,
            teaches="assistant",
        ),
        Route(
            "PUT",
            ONE,
            who,
            write,
            "Replace the draft that was read",
            DraftPage,
            takes=DraftWish,
            problems=(409,),
            if_match=True,
            teaches="instructor",
        ),
        Route(
            "POST",
            ONE + "/publish",
            who,
            publish,
            "Let students see the draft that was read",
            Published,
            problems=(409, 422),
            keyed=True,
            if_match=True,
            teaches="instructor",
        ),
        Route(
            "GET",
            ONE + "/preview",
            who,
            preview,
            "The draft as students would see it",
            CoursePage,
            teaches="assistant",
        ),
        Route(
            "GET",
            ONE + "/versions",
            who,
            versions,
            "What was published, latest first",
            VersionList,
            query=VersionPage,
            teaches="assistant",
        ),
        Route(
            "GET",
            ONE + "/versions/{number}",
            who,
            version,
            "One version that was published; it never changes",
            CourseVersion,
            teaches="assistant",
        ),
    ]


async def listed(call: Call) -> TaughtList:
    """A page of the courses one teaches."""
    asked = call.query(Page)
    limit = max(1, min(asked.limit, PAGE_MAX))
    found = await drafts.taught(call.deps.postgres, call.student, asked.after, limit)
    return TaughtList(found, found[-1].id if len(found) == limit else None)


async def create(call: Call) -> Reply:
    """Begin a course; only for who may teach."""
    wish = call.body(NewCourse)
    student = await students.find(call.deps.postgres, call.student)
    if student is None or not student.may_teach:
        raise forbidden("Only who may teach may begin a course: whose profile says may_teach.")
    course = wish.id or id_of(wish.title, secrets.token_hex(3))

    async def act(inside: Postgres) -> Reply:
        await drafts.create(inside, course, wish.title, call.student)
        return await _draft(inside, course, "instructor", {"Location": f"{COURSES}/{course}"})

    with _told():
        return await once(call, act)


async def read(call: Call) -> Reply:
    """The draft."""
    return await _draft(call.deps.postgres, call.path_id("course"), _role(call))


async def write(call: Call) -> Reply:
    """Replace the draft, if nobody else has meanwhile."""
    course, wish, rev = call.path_id("course"), call.body(DraftWish), etags.expected_rev(call)
    # A key of another course would let its poster be read by whoever is in this one (S1).
    if wish.poster and not _is_poster(course, wish.poster):
        raise Problem(422, "invalid", "The poster is none that was uploaded for this course.")
    content = msgspec.convert(msgspec.to_builtins(wish), CourseContent)
    with _told():
        await drafts.write(call.deps.postgres, course, content, call.student, rev)
    return await _draft(call.deps.postgres, course, _role(call))


async def publish(call: Call) -> Reply:
    """Let students see it; 422 names what is not ready."""
    course, rev = call.path_id("course"), etags.expected_rev(call)

    async def act(inside: Postgres) -> Reply:
        made = await drafts.publish(inside, course, call.student, rev)
        return Reply(made, etags.of_rev(made.rev))

    with _told():
        return await once(call, act)


async def preview(call: Call) -> CoursePage:
    """The draft as a course page."""
    course = call.path_id("course")
    draft = await drafts.read(call.deps.postgres, course)
    if draft is None:
        raise not_found()
    content = draft.content
    lengths_ms = await items.lengths(call.deps.postgres, content.items())
    lines = {item.id: _line(item, lengths_ms) for item in content.items()}
    return CoursePage(
        id=course,
        title=content.title,
        description=content.description,
        instructor=content.instructor,
        category=content.category,
        difficulty=content.difficulty,
        language=content.language,
        duration_ms=sum(line.duration_ms for line in lines.values()),
        items_total=len(lines),
        poster_url=poster_url(call, content.poster),
        role=_role(call),
        continue_item=next(iter(lines), None),
        sections=[
            SectionPage(section.title, [lines[item.id] for item in section.items])
            for section in content.sections
        ],
    )


async def versions(call: Call) -> VersionList:
    """A page of what was published."""
    asked = call.query(VersionPage)
    limit = max(1, min(asked.limit, PAGE_MAX))
    found = await drafts.versions(call.deps.postgres, call.path_id("course"), asked.before, limit)
    return VersionList(found, found[-1].number if len(found) == limit else None)


async def version(call: Call) -> CourseVersion:
    """One version, whole."""
    text = call.request.match_info["number"]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Problem(400, "bad_number", "number: a whole number, as the list of versions has it")
    found = await drafts.version(call.deps.postgres, call.path_id("course"), int(text))
    if found is None:
        raise not_found()
    return found


def _is_poster(course: str, key: str) -> bool:
    with contextlib.suppress(StoreError):
        check_key(key)
        return key.startswith(f"{key_of('course', course)}/")
    return False


def id_of(title: str, suffix: str) -> str:
    """An id made of a title, as `how-to-resume-1f3a5c`."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].rstrip("-")
    return f"{words or 'course'}-{suffix}"


def _line(item: ItemContent, lengths_ms: dict[str, int]) -> ItemLine:
    made_ms = contents.duration_ms(item.kind, item.content)
    return ItemLine(item.id, item.kind, item.title, item.version, lengths_ms.get(item.id, made_ms), None)


def _role(call: Call) -> Role:
    if call.role is None:
        raise AssertionError("the route does not say who teaches")
    return call.role


async def _draft(postgres: Postgres, course: str, role: Role, headers: dict[str, str] | None = None) -> Reply:
    draft: Draft | None = await drafts.read(postgres, course)
    if draft is None:
        raise not_found()
    page = DraftPage(
        course=draft.course,
        number=draft.number,
        rev=draft.rev,
        changed=draft.changed,
        role=role,
        updated_at=draft.updated_at,
        updated_by=draft.updated_by,
        content=draft.content,
    )
    return Reply(page, etags.of_rev(draft.rev), headers or {})


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What persistence refuses, as problems."""
    try:
        yield
    except Stale as error:
        detail = "The draft has been changed since it was read: read it again."
        raise Problem(412, "stale", detail, {"ETag": etags.of_rev(error.rev)}) from error
    except NoDraft as error:
        raise not_found() from error
    except Taken as error:
        raise Problem(409, "taken", _sentence(error)) from error
    except Unpublishable as error:
        raise Problem(422, "unpublishable", _sentence(error)) from error
    except (BadContent, BadId) as error:
        raise Problem(422, "invalid", _sentence(error)) from error


def _sentence(error: PlayheadError) -> str:
    return f"{str(error)[:300]}."
