"""Who is in a course: joining what is published, leaving, roles; a course is never without an instructor."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from persistence import courses, enrolments, students
from persistence.courses import CourseContent
from persistence.enrolments import NobodyTeaches, NoStudent
from persistence.postgres import Postgres


@pytest_asyncio.fixture(loop_scope="session")
async def course(postgres: Postgres) -> AsyncIterator[str]:
    """A published course for each test, Mira its instructor, with Ada and Ben about."""
    name = f"course-{uuid.uuid4().hex[:8]}"
    await students.put(postgres, [students.Student(one, one.title()) for one in ("mira", "ada", "ben")])
    await courses.put(postgres, name, CourseContent("A course"), published=True)
    await students.enrol(postgres, [students.Enrolment("mira", name, "instructor")])
    yield name


async def test_a_student_joins_what_is_published_and_leaves(postgres: Postgres, course: str) -> None:
    joined = await enrolments.join(postgres, "ada", course)
    assert joined is not None
    assert (joined.student, joined.name, joined.role) == ("ada", "Ada", "student")
    assert await enrolments.join(postgres, "ada", course) == joined, (
        "again is the same, since the same moment"
    )
    assert await courses.access(postgres, "ada", course) is not None
    assert await enrolments.leave(postgres, "ada", course)
    assert await courses.access(postgres, "ada", course) is None
    assert not await enrolments.leave(postgres, "ada", course)


async def test_what_is_not_published_cannot_be_joined(postgres: Postgres, course: str) -> None:
    await courses.put(postgres, course, CourseContent("A course"), published=False)
    assert await enrolments.join(postgres, "ada", course) is None
    assert await enrolments.join(postgres, "ada", "none") is None
    assert await enrolments.join(postgres, "nobody", course) is None
    assert await postgres.value("SELECT count(*) FROM enrolment WHERE course = $1", course) == 1


async def test_joining_makes_nobody_less(postgres: Postgres, course: str) -> None:
    member = await enrolments.join(postgres, "mira", course)
    assert member is not None
    assert member.role == "instructor"


async def test_a_course_is_never_without_an_instructor(postgres: Postgres, course: str) -> None:
    with pytest.raises(NobodyTeaches):
        await enrolments.leave(postgres, "mira", course)
    with pytest.raises(NobodyTeaches):
        await enrolments.put(postgres, "mira", course, "student")
    member = await enrolments.member(postgres, "mira", course)
    assert member is not None
    assert member.role == "instructor"
    await enrolments.put(postgres, "ada", course, "instructor")
    both = (enrolments.leave(postgres, one, course) for one in ("mira", "ada"))
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NobodyTeaches", "bool"]


async def test_people_page_by_page_and_by_role(postgres: Postgres, course: str) -> None:
    await enrolments.put(postgres, "ben", course, "assistant")
    await enrolments.put(postgres, "ada", course, "student")

    async def people(role: str | None, after: str, limit: int) -> list[str]:
        found = await enrolments.people(postgres, course, role, after, limit)  # type: ignore[arg-type]
        return [member.student for member in found]

    assert await people(None, "", 2) == ["ada", "ben"]
    assert await people(None, "ben", 2) == ["mira"]
    assert await people("assistant", "", 100) == ["ben"]
    with pytest.raises(NoStudent):
        await enrolments.put(postgres, "nobody", course, "student")


async def test_who_may_not_see_a_course_is_nothing_in_it(postgres: Postgres, course: str) -> None:
    await enrolments.put(postgres, "ada", course, "student")
    assert await enrolments.member(postgres, "ben", course) is None
    await courses.put(postgres, course, CourseContent("A course"), published=False)
    assert await enrolments.member(postgres, "ada", course) is None
    assert await enrolments.member(postgres, "mira", course) is not None
