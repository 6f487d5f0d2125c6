"""What the rules need to know of an item: whose it is, which version is current, how long each one lasts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.core import editions
from actors.core.editions import Edition, Way

DONE_SHARE = 0.9
"""Unique share of the content that completes a pass (R7)."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the catalogue. `durations_ms` holds every version, `version` names the current one.

    `edits` says of each version that was made from another how it was; `syllabus` are the ids of the
    course's items in order, and `place` where in them this one is, -1 if it is not.
    """

    id: str
    course: str
    version: str
    durations_ms: Mapping[str, int]
    published: bool = True
    edits: Mapping[str, Edition] = field(default_factory=dict)
    syllabus: tuple[str, ...] = ()
    place: int = field(init=False, default=-1)

    def __post_init__(self) -> None:
        if self.id in self.syllabus:
            object.__setattr__(self, "place", self.syllabus.index(self.id))

    @property
    def duration_ms(self) -> int:
        """Length of the current version."""
        return self.durations_ms[self.version]

    def way_from(self, version: str) -> Way:
        """The way of places and spans from that version to the current one (R9)."""
        return editions.way(self.edits, version, self.version, self.duration_ms)
