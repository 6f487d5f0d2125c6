"""What the rules need to know of an item: whose it is, which version is current, how long each one lasts."""

from collections.abc import Mapping
from dataclasses import dataclass

DONE_SHARE = 0.9
"""Unique share of the content that completes a pass (R7)."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the catalogue. `durations_ms` holds every version, `version` names the current one."""

    id: str
    course: str
    version: str
    durations_ms: Mapping[str, int]
    published: bool = True

    @property
    def duration_ms(self) -> int:
        """Length of the current version."""
        return self.durations_ms[self.version]
