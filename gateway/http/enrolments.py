"""Enrolments over HTTP: a student joins and leaves published courses; who teaches sees and changes the
people.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.http.once import once
from gateway.http.problems import Problem, not_found
from gateway.http.routes import Call, Reply, Route, Who
from persistence import enrolments
from persistence.courses import PAGE_MAX
from persistence.enrolments import Member, NobodyTeaches, NoStudent
from persistence.ids import ID_PATTERN
from persistence.postgres import Postgres
from persistence.students import Role

OWN = "/v1/courses/{course}/enrolment"
PEOPLE = "/v1/teaching/courses/{course}/people"


class PeoplePage(msgspec.Struct, frozen=True):
    """Which part of the list: `after` is the `next` of the page before, `limit` is clamped to 1 to 100;
    `role` asks for those of one.
    """

    after: Annotated[str, Meta(pattern=rf"{ID_PATTERN}|^$")] = ""
    limit: int = 50
    role: Role | None = None


class PersonWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody, and what they are to be in the course."""

    student: Annotated[str, Meta(pattern=ID_PATTERN)]
    role: Role


class People(msgspec.Struct, frozen=True):
    """A page of the people of a course, by id; `next` is null on the last one."""

    people: list[Member]
    next: str | None


def routes() -> list[Route]:
    """Joining and leaving; the people of a course."""
    student = Who.STUDENT
    return [
        Route(
            "POST",
            OWN,
            student,
            join,
            "Enrol in a published course",
            Member,
            problems=(404, 409),
            keyed=True,
            status=201,
        ),
        Route("DELETE", OWN, student, leave, "Leave a course", None, problems=(404, 409), status=204),
        Route(
            "GET",
            PEOPLE,
            student,
            people,
            "The people of a course",
            People,
            query=PeoplePage,
            teaches="assistant",
        ),
        Route(
            "POST",
            PEOPLE,
            student,
            put,
            "Let somebody into a course, or change their role",
            Member,
            takes=PersonWish,
            problems=(409, 422),
            teaches="instructor",
        ),
        Route(
            "DELETE",
            PEOPLE + "/{student}",
            student,
            remove,
            "Take somebody out of a course; their progress stays",
            None,
            problems=(404, 409),
            status=204,
            teaches="instructor",
        ),
    ]


async def join(call: Call) -> Reply:
    """Enrol; who is in the course already stays what they are."""
    course = call.path_id("course")

    async def act(inside: Postgres) -> Reply:
        joined = await enrolments.join(inside, call.student, course)
        if joined is None:
            raise not_found()
        return Reply(joined)

    return await once(call, act)


async def leave(call: Call) -> None:
    """Leave; progress stays, and is there again on coming back."""
    await _take_out(call, call.student)


async def people(call: Call) -> People:
    """A page of the people."""
    asked = call.query(PeoplePage)
    limit = max(1, min(asked.limit, PAGE_MAX))
    found = await enrolments.people(
        call.deps.postgres, call.path_id("course"), asked.role, asked.after, limit
    )
    return People(found, found[-1].student if len(found) == limit else None)


async def put(call: Call) -> Member:
    """Let somebody in, or change what they are."""
    wish = call.body(PersonWish)
    try:
        return await enrolments.put(call.deps.postgres, wish.student, call.path_id("course"), wish.role)
    except NoStudent as error:
        raise Problem(422, "no_student", "There is no such student.") from error
    except NobodyTeaches as error:
        raise _nobody_teaches() from error


async def remove(call: Call) -> None:
    """Take somebody out."""
    await _take_out(call, call.path_id("student"))


async def _take_out(call: Call, student: str) -> None:
    try:
        if not await enrolments.leave(call.deps.postgres, student, call.path_id("course")):
            raise not_found()
    except NobodyTeaches as error:
        raise _nobody_teaches() from error


def _nobody_teaches() -> Problem:
    return Problem(
        409, "nobody_teaches", "Nobody would teach the course; make somebody else an instructor first."
    )
