"""The items of a trace as the product has them at rest, each with the version that is current now."""

from dataclasses import replace
from typing import Any

from actors.at_rest import items_from
from actors.core.item import Item
from gateway.replay.actions import ms
from gateway.replay.trace import Item as SaidItem
from gateway.replay.trace import Trace
from persistence.sessions import StoredItem

REST = "course"
"""The course of the items that the trace puts into none."""


class Catalogue(dict[str, Item]):
    """Items by id, read from what is stored; `publish` makes another version the current one."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._stored = _stored(trace)
        self.update(items_from(list(self._stored.values())))

    @property
    def courses(self) -> set[str]:
        """All there are; every student of a trace is enrolled in each."""
        return {item.course for item in self.values()}

    def publish(self, item: str, version: str) -> None:
        """From now on this version is the current one."""
        self._stored[item] = replace(self._stored[item], version=version)
        self.update(items_from(list(self._stored.values())))


def _stored(trace: Trace) -> dict[str, StoredItem]:
    syllabi = dict(trace.courses)
    in_course = {item: course for course, items in syllabi.items() for item in items}
    syllabi[REST] = [item for item in trace.items if item not in in_course]
    stored = {}
    for name, said in trace.items.items():
        course = in_course.get(name, REST)
        stored[name] = StoredItem(
            id=name,
            course=course,
            version="v1",
            published=True,
            durations_ms=said.durations_ms(),
            edits=_edits(said),
            syllabus=syllabi[course],
        )
    return stored


def _edits(item: SaidItem) -> dict[str, dict[str, Any]]:
    """How later versions were made, in ms, as documents have it."""
    made: dict[str, dict[str, Any]] = {}
    for name, version in (item.versions or {}).items():
        if version.origin is not None:
            made[name] = {
                "from": version.origin,
                "edits": [
                    {"cut": [ms(edit.cut[0]), ms(edit.cut[1])]}
                    if edit.cut
                    else {"insert": [ms(edge) for edge in edit.insert or ()]}
                    for edit in version.edits or ()
                ],
            }
    return made
