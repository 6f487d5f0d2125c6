"""Items over HTTP: one item with where the student stands."""

from typing import Any

import msgspec

from gateway.http.problems import not_found
from gateway.http.routes import Call, Route, Who
from persistence import items, progress
from persistence.contents import public
from persistence.progress import Progress


class ItemPage(msgspec.Struct, frozen=True):
    """An item in its current version; `progress` is null before the first play.

    `content` is what there is to show of it besides files, by kind: the questions of a quiz (never an
    answer), the text of an assignment, all of a kind this server does not know.
    """

    id: str
    course: str
    kind: str
    title: str
    version: str
    duration_ms: int
    content: dict[str, Any]
    progress: Progress | None


def routes() -> list[Route]:
    """Items of courses the student is in."""
    return [
        Route(
            "GET",
            "/v1/items/{item}",
            Who.STUDENT,
            page,
            "An item and the student's progress",
            ItemPage,
            problems=(404,),
        )
    ]


async def page(call: Call) -> ItemPage:
    """An item the student may read."""
    item = await items.open_for(call.deps.postgres, call.student, call.path_id("item"))
    if item is None:
        raise not_found()
    return ItemPage(
        id=item.id,
        course=item.course,
        kind=item.kind,
        title=item.title,
        version=item.version,
        duration_ms=item.duration_ms,
        content={name: value for name, value in public(item.kind, item.media).items() if name != "kind"},
        progress=await progress.of_item(call.deps.postgres, call.student, item.id),
    )
