"""Students over HTTP: who the token speaks for."""

from gateway.http.problems import not_found
from gateway.http.routes import Call, Route, Who
from persistence import students
from persistence.students import Student


def routes() -> list[Route]:
    """There is no path to anybody else (H7)."""
    return [Route("GET", "/v1/me", Who.STUDENT, me, "Who is signed in", Student, problems=(404,))]


async def me(call: Call) -> Student:
    """Name, subscription, and whether they may make courses."""
    student = await students.find(call.deps.postgres, call.student)
    if student is None:
        raise not_found()
    return student
