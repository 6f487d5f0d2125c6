"""Who is in a course, since when and as what; and whether somebody may do there what they want to, asked anew
each time."""

from datetime import datetime

import msgspec

from persistence import queries
from persistence.courses import PAGE_MAX
from persistence.errors import PlayheadError
from persistence.postgres import Postgres
from persistence.students import Role

SQL = queries.load("enrolments")

RANKS: dict[Role, int] = {"student": 0, "assistant": 1, "instructor": 2}
"""Who may do more: an instructor whatever an assistant may, an assistant whatever a student may."""


class NobodyTeaches(PlayheadError):
    """The last instructor of a course cannot go or be made something else; make somebody else one first."""


class NoStudent(PlayheadError):
    """There is no such student."""


class Member(msgspec.Struct, frozen=True):
    """Somebody in a course."""

    student: str
    name: str
    role: Role
    at: datetime


async def member(postgres: Postgres, student: str, course: str) -> Member | None:
    """As what somebody is in a course now; None if they are not, or may not see it, or it does not exist."""
    row = await postgres.row(SQL["member"], student, course)
    return None if row is None else Member(**dict(row))


async def join(postgres: Postgres, student: str, course: str) -> Member | None:
    """Enrol oneself in a published course; None if there is no such course.

    Whoever is in it stays what they are.
    """
    async with postgres.transaction() as inside:
        await inside.execute(SQL["join"], student, course)
        return await member(inside, student, course)


async def leave(postgres: Postgres, student: str, course: str) -> bool:
    """Take somebody out of a course, their progress stays; False if they were not in it.

    Raises `NobodyTeaches`.
    """
    async with postgres.transaction() as inside:
        await inside.execute(SQL["lock"], course)
        role: Role | None = await inside.value(SQL["leave"], student, course)
        if role == "instructor":
            await _somebody_teaches(inside, course)
        return role is not None


async def put(postgres: Postgres, student: str, course: str, role: Role) -> Member:
    """Let somebody into a course, or change what they are there. Raises `NoStudent`, `NobodyTeaches`."""
    async with postgres.transaction() as inside:
        await inside.execute(SQL["lock"], course)
        before = await inside.row(SQL["in_course"], student, course)
        if await inside.value(SQL["put"], student, course, role) is None:
            raise NoStudent(f"there is no student {student}; they have to sign in once")
        if before is not None and before["role"] == "instructor":
            await _somebody_teaches(inside, course)
        now = await inside.row(SQL["in_course"], student, course)
    assert now is not None
    return Member(**dict(now))


async def people(postgres: Postgres, course: str, role: Role | None, after: str, limit: int) -> list[Member]:
    """The people of a course with an id beyond `after`, at most `limit` (1 to 100), by id; those of a role,
    or all.
    """
    rows = await postgres.rows(SQL["people"], course, after, role, max(1, min(limit, PAGE_MAX)))
    return [Member(**dict(row)) for row in rows]


async def _somebody_teaches(inside: Postgres, course: str) -> None:
    if not await inside.value(SQL["instructors"], course):
        raise NobodyTeaches(f"{course} would have no instructor; make somebody else one first")
