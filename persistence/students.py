"""Students at rest, and the courses they are enrolled in."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from persistence import queries
from persistence.ids import check_id
from persistence.postgres import Postgres

SQL = queries.load("students")

Role = Literal["student", "assistant", "instructor"]


class Student(msgspec.Struct, frozen=True):
    """A person; `name` is for people and may be empty."""

    id: str
    name: str


class Enrolment(msgspec.Struct, frozen=True):
    """A student in a course; assistants and instructors see it before it is published."""

    student: str
    course: str
    role: Role = "student"


async def put(postgres: Postgres, students: Iterable[Student]) -> None:
    """Add students, or rename them. Raises `BadId`."""
    unique = {check_id("student", student.id): {"name": student.name} for student in students}
    await postgres.execute(SQL["put"], list(unique), list(unique.values()))


async def find(postgres: Postgres, student: str) -> Student | None:
    """One student, or None."""
    row = await postgres.row(SQL["find"], student)
    return None if row is None else Student(row["id"], row["name"])


async def enrol(postgres: Postgres, enrolments: Iterable[Enrolment]) -> None:
    """Let students into courses. Raises `StoreRefused` if one of either does not exist."""
    unique = {(entry.student, entry.course): entry.role for entry in enrolments}
    await postgres.execute(
        SQL["enrol"],
        [student for student, _ in unique],
        [course for _, course in unique],
        list(unique.values()),
    )
