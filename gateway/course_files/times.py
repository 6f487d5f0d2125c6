"""Times of a video as people write them in a course file: 12.5, 4:05, 1:02:03.250."""

import re

_TIME = re.compile(r"(?:(?:(\d{1,3}):)?([0-5]?\d):([0-5]?\d)|(\d{1,6}))(?:\.(\d{1,3}))?")


def read_ms(text: str) -> int | None:
    """The time in ms, None if the text is none."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, seconds, alone, fraction = found.groups()
    whole_s = int(alone) if alone else (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole_s * 1000 + int((fraction or "").ljust(3, "0"))
