"""Makes a conformance trace short enough to be lived through: lengths are divided, long pauses shortened.

What is left is a trace of the same format, so that the replay says first whether it still tells its story:
places that were minutes apart must not come closer than the rules' seconds.
"""

from itertools import pairwise
from typing import Any

import msgspec

from gateway.client.clock import instant
from gateway.replay.actions import instant_ms
from gateway.replay.trace import Trace

PAUSE_MS = 900
"""A stretch of time in which nobody plays takes at most so long."""

PLACES = ("position_s", "offered_s", "furthest_s", "content_s", "wall_s", "offer_s", "return_s")
LEFT_OUT = ("days", "completions", "wall_s", "in_continue", "attempt_log", "flagged")
"""What depends on the day or on real time to the millisecond, or is not in a head."""


def squeezed(trace: Trace, by: int) -> Trace:
    """The trace with every length divided by `by`, a divisor of 1000."""
    document = msgspec.to_builtins(trace)
    moments = _moments(trace, by)
    for item in document["items"].values():
        _shorten_item(item, by)
    for action in document["timeline"]:
        for key in ("at", "until"):
            if key in action:
                action[key] = instant(moments[instant_ms(action[key])])
        for key in ("from_s", "to_s", "at_s", "position_s", "journal_to_s", "gap_s"):
            if action.get(key) is not None:
                action[key] = action[key] / by
    for expected in document["expect"]:
        _shorten_expected(expected, by)
    return msgspec.convert(document, Trace)


def _shorten_item(item: dict[str, Any], by: int) -> None:
    if item.get("duration_s"):
        item["duration_s"] /= by
    for version in (item.get("versions") or {}).values():
        version["duration_s"] /= by
        for edit in version.get("edits") or ():
            for key in ("cut", "insert"):
                if edit.get(key):
                    edit[key] = [seconds / by for seconds in edit[key]]


def _shorten_expected(expected: dict[str, Any], by: int) -> None:
    for key in LEFT_OUT:
        expected.pop(key, None)
    for said in (expected, *expected.get("told", ())):
        for key in PLACES:
            if said.get(key) is not None:
                said[key] /= by
    # A verdict about single beats says nothing where a play has become one beat.
    told = [said for said in expected.get("told", ()) if not {"verdict", "media_url"} & said.keys()]
    expected["told"] = told


def _moments(trace: Trace, by: int) -> dict[int, int]:
    """Where each moment of the timeline comes to lie: plays shortened, pauses at most `PAUSE_MS`."""
    plays = [(action.at_ms, action.end_ms) for action in trace.timeline if action.do == "play"]
    known = sorted({edge for action in trace.timeline for edge in (action.at_ms, action.end_ms)})
    placed = {known[0]: known[0]}
    for before, after in pairwise(known):
        playing = any(start <= before and after <= end for start, end in plays)
        length_ms = after - before
        placed[after] = placed[before] + (length_ms // by if playing else min(length_ms, PAUSE_MS))
    return placed
