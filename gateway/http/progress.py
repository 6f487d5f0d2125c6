"""Progress over HTTP: where the student stands in one item, at rest. What is live comes over the socket."""

import msgspec

from gateway.http.problems import not_found
from gateway.http.routes import Call, Route, Who
from persistence import courses, progress
from persistence.progress import Progress


class ItemProgress(msgspec.Struct, frozen=True):
    """Where the student stands in an item; `progress` is null before the first play."""

    item: str
    course: str
    progress: Progress | None


def routes() -> list[Route]:
    """Progress of the student who asks; there is no path to anybody else's (H7)."""
    return [
        Route(
            "GET",
            "/v1/progress/{item}",
            Who.STUDENT,
            of_item,
            "The student's progress in an item",
            ItemProgress,
            problems=(404,),
        )
    ]


async def of_item(call: Call) -> ItemProgress:
    """Where the student stands in one item."""
    item = call.path_id("item")
    granted = await courses.access_by_item(call.deps.postgres, call.student, item)
    if granted is None:
        raise not_found()
    begun = await progress.of_course(call.deps.postgres, call.deps.cache, granted)
    return ItemProgress(item, granted.course, begun.get(item))
