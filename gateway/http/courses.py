"""Courses over HTTP: the list of a student, and one course with its items and where the student stands."""

import time
from collections.abc import Mapping
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta

from gateway.http.problems import not_found
from gateway.http.routes import Call, Route, Who
from persistence import courses, progress
from persistence.courses import PAGE_MAX, Access, Course, CourseItem
from persistence.delivery import address
from persistence.errors import StoreError
from persistence.ids import ID_PATTERN
from persistence.progress import Progress
from persistence.students import Role

log = structlog.get_logger()


class Page(msgspec.Struct, frozen=True):
    """Which part of the list: `after` is the `next` of the page before; `limit` is clamped to 1 to 100."""

    after: Annotated[str, Meta(pattern=rf"{ID_PATTERN}|^$")] = ""
    limit: int = 50


class CourseLine(msgspec.Struct, frozen=True):
    """A course in a list. `poster_url` is good for some minutes."""

    id: str
    title: str
    description: str
    instructor: str
    category: str
    difficulty: str
    language: str
    duration_ms: int
    items_total: int
    items_done: int
    poster_url: str | None


class CourseList(msgspec.Struct, frozen=True):
    """A page of courses; `next` is null on the last one."""

    courses: list[CourseLine]
    next: str | None


class ItemLine(msgspec.Struct, frozen=True):
    """An item in a course, with where the student stands; `progress` is null before the first play.

    `version` is null in the preview of a draft, for what is not ready yet.
    """

    id: str
    kind: str
    title: str
    version: str | None
    duration_ms: int
    progress: Progress | None


class SectionPage(msgspec.Struct, frozen=True):
    """A part of a course."""

    title: str
    items: list[ItemLine]


class CoursePage(msgspec.Struct, frozen=True):
    """A course as its page shows it. `role` is what the student is in it.

    `continue_item` is what to go on with: the item begun last, if it is not done, else the next one that is
    not done, else the first; null if all are.
    """

    id: str
    title: str
    description: str
    instructor: str
    category: str
    difficulty: str
    language: str
    duration_ms: int
    items_total: int
    poster_url: str | None
    role: Role
    continue_item: str | None
    sections: list[SectionPage]


class CourseProgress(msgspec.Struct, frozen=True):
    """By item id, where the student stands; items never begun are missing."""

    items: dict[str, Progress]


def routes() -> list[Route]:
    """Courses of the student who asks."""
    student = Who.STUDENT
    return [
        Route("GET", "/v1/courses", student, listed, "The student's courses, by id", CourseList, query=Page),
        Route(
            "GET",
            "/v1/courses/{course}",
            student,
            page,
            "A course with its items and the student's progress",
            CoursePage,
            problems=(404,),
        ),
        Route(
            "GET",
            "/v1/courses/{course}/progress",
            student,
            course_progress,
            "The student's progress in a course",
            CourseProgress,
            problems=(404,),
        ),
    ]


async def listed(call: Call) -> CourseList:
    """A page of the student's courses."""
    asked = call.query(Page)
    limit = max(1, min(asked.limit, PAGE_MAX))
    found = await courses.of_student(call.deps.postgres, call.student, asked.after, limit)
    lines = [
        CourseLine(
            id=course.id,
            title=course.title,
            description=course.description,
            instructor=course.instructor,
            category=course.category,
            difficulty=course.difficulty,
            language=course.language,
            duration_ms=course.duration_ms,
            items_total=course.items_total,
            items_done=course.items_done,
            poster_url=poster_url(call, course.poster),
        )
        for course in found
    ]
    return CourseList(lines, lines[-1].id if len(lines) == limit else None)


async def page(call: Call) -> CoursePage:
    """A course, its items, and where the student stands in each."""
    granted = await _granted(call)
    course = await courses.read(call.deps.postgres, call.deps.cache, granted)
    done = await progress.of_course(call.deps.postgres, call.deps.cache, granted)
    return CoursePage(
        id=course.id,
        title=course.title,
        description=course.description,
        instructor=course.instructor,
        category=course.category,
        difficulty=course.difficulty,
        language=course.language,
        duration_ms=course.duration_ms,
        items_total=course.items_total,
        poster_url=poster_url(call, course.poster),
        role=granted.role,
        continue_item=continue_item(course, done),
        sections=[
            SectionPage(section.title, [_line(item, done.get(item.id)) for item in section.items])
            for section in course.sections
        ],
    )


def continue_item(course: Course, stands: Mapping[str, Progress]) -> str | None:
    """What to go on with, see `CoursePage`."""
    order = [item.id for section in course.sections for item in section.items]
    begun = [item for item in order if item in stands]
    latest = max(begun, key=lambda item: stands[item].updated_at, default=None)
    start = 0 if latest is None else order.index(latest)
    for item in order[start:] + order[:start]:
        if item not in stands or not stands[item].done:
            return item
    return None


async def course_progress(call: Call) -> CourseProgress:
    """Where the student stands in each item begun."""
    granted = await _granted(call)
    return CourseProgress(await progress.of_course(call.deps.postgres, call.deps.cache, granted))


async def _granted(call: Call) -> Access:
    granted = await courses.access(call.deps.postgres, call.student, call.path_id("course"))
    if granted is None:
        raise not_found()
    return granted


def _line(item: CourseItem, stands: Progress | None) -> ItemLine:
    return ItemLine(item.id, item.kind, item.title, item.version, item.duration_ms, stands)


def poster_url(call: Call, key: str) -> str | None:
    """The address of a poster for some minutes; null without one, and for a key that can be none."""
    store = call.deps.settings.objects
    if store is None or not key:
        return None
    try:
        return address(store, key, time.time()).url
    except StoreError as error:
        # One course's bad key must not take the list from all the others.
        log.warning("poster_unreadable", error=str(error))
        return None
