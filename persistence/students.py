"""Students at rest, and the courses they are enrolled in."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from persistence import queries
from persistence.ids import check_id
from persistence.postgres import Postgres

SQL = queries.load("students")

Role = Literal["student", "assistant", "instructor"]


class Student(msgspec.Struct, frozen=True):
    """A person; `name` is for people and may be empty. `subscription` is what they pay for, `may_teach`
    whether they may make courses.
    """

    id: str
    name: str
    subscription: str = "free"
    may_teach: bool = False


class Enrolment(msgspec.Struct, frozen=True):
    """A student in a course, and as what; assistants and instructors see it before it is published."""

    student: str
    course: str
    role: Role = "student"


async def put(postgres: Postgres, students: Iterable[Student]) -> None:
    """Add students, or change their profiles; fields of those that are not ours stay. Raises `BadId`."""
    unique = {check_id("student", student.id): _profile(student) for student in students}
    await postgres.execute(SQL["put"], list(unique), list(unique.values()))


def _profile(student: Student) -> dict[str, Any]:
    profile: dict[str, Any] = msgspec.to_builtins(student)
    del profile["id"]
    return profile


async def find(postgres: Postgres, student: str) -> Student | None:
    """One student, or None."""
    row = await postgres.row(SQL["find"], student)
    return None if row is None else Student(**dict(row))


async def enrol(postgres: Postgres, enrolments: Iterable[Enrolment]) -> None:
    """Let students into courses. Raises `StoreRefused` if one of either does not exist."""
    unique = {(entry.student, entry.course): entry.role for entry in enrolments}
    await postgres.execute(
        SQL["enrol"],
        [student for student, _ in unique],
        [course for _, course in unique],
        list(unique.values()),
    )
