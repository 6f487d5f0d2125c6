"""Why the position is what it is, and what changed it, over HTTP: read at rest, for the student who asks."""

from datetime import tzinfo

import msgspec

from gateway import explanation
from gateway.explanation import BadMoment, Explained, History
from gateway.http.problems import Problem, not_found
from gateway.http.routes import Call, Route, Who
from persistence import courses

REV_MAX = 2**53 - 1


class Moment(msgspec.Struct, frozen=True):
    """`at`: an instant with its zone, empty for now. `zone`: the one in which sentences tell the time. `all`:
    every run that is kept, not only those that matter now."""

    at: str = ""
    zone: str = "UTC"
    all: bool = False


class Page(msgspec.Struct, frozen=True):
    """`before` is the `next` of the page before, 0 for the newest; `limit` is clamped to 1 to 100."""

    before: int = 0
    limit: int = 20
    zone: str = "UTC"


def routes() -> list[Route]:
    """Of the student who asks; there is no path to anybody else's (H7)."""
    return [
        Route(
            "GET",
            "/v1/progress/{item}/explain",
            Who.STUDENT,
            explain,
            "Why the position is what it is: the runs, the rule, the loser",
            Explained,
            query=Moment,
            problems=(404,),
        ),
        Route(
            "GET",
            "/v1/progress/{item}/history",
            Who.STUDENT,
            history,
            "What changed the head, newest first",
            History,
            query=Page,
            problems=(404,),
        ),
    ]


async def explain(call: Call) -> Explained:
    """Why the position is what it is, or was."""
    item, asked = await _granted(call), call.query(Moment)
    try:
        at = explanation.moment(asked.at)
    except BadMoment as error:
        raise Problem(400, "bad_query", str(error)) from error
    postgres, zone = call.deps.postgres, _zone(asked.zone)
    found = await explanation.explain(postgres, call.student, item, at, zone, asked.all)
    if found is None:
        raise not_found()
    return found


async def history(call: Call) -> History:
    """A page of the head's changes."""
    item, asked = await _granted(call), call.query(Page)
    if not 0 <= asked.before <= REV_MAX:
        raise Problem(400, "bad_query", "before: send the `next` of the page before")
    postgres, before, zone = call.deps.postgres, asked.before or None, _zone(asked.zone)
    return await explanation.history(postgres, call.student, item, before, asked.limit, zone)


async def _granted(call: Call) -> str:
    """The item of the path. Raises a 404 for one the student may not read."""
    item = call.path_id("item")
    if await courses.access_by_item(call.deps.postgres, call.student, item) is None:
        raise not_found()
    return item


def _zone(name: str) -> tzinfo:
    try:
        return explanation.zone_of(name)
    except BadMoment as error:
        raise Problem(400, "bad_query", str(error)) from error
