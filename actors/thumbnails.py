"""Thumbnails for the seek bar: one sheet of pictures, and the WebVTT that tells them apart."""

import math
from dataclasses import dataclass

SHEET = "sprite.jpg"
THUMBNAILS_MAX = 200
"""In one sheet, so that it stays under a megabyte and is decoded at once."""

COLUMNS = 10
HEIGHT = 90
EVERY_S = 2
"""Keyframes lie so far apart; thumbnails are one in so many of them."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """How the sheet is laid out. Sizes in pixels."""

    count: int
    width: int
    height: int
    every_s: int
    duration_s: float

    @property
    def filter(self) -> str:
        """What makes the sheet of keyframes every `EVERY_S`."""
        rows = -(-self.count // COLUMNS)
        # The sheet is whole when the last picture came, or when there are no more.
        return (
            f"select='isnan(prev_selected_t)+gte(t-prev_selected_t\\,{self.every_s - 0.5:g})',"
            f"scale={self.width}:{self.height},tile={min(COLUMNS, self.count)}x{rows}"
        )

    def vtt(self) -> str:
        """The cues, in order and without gaps, to the end."""
        cues = ["WEBVTT\n"]
        for n in range(self.count):
            end_s = self.duration_s if n == self.count - 1 else (n + 1) * self.every_s
            x, y = n % COLUMNS * self.width, n // COLUMNS * self.height
            place = f"{SHEET}#xywh={x},{y},{self.width},{self.height}"
            cues.append(f"{_time(n * self.every_s)} --> {_time(end_s)}\n{place}\n")
        return "\n".join(cues)


def plan(width: int, height: int, duration_s: float) -> Sheet:
    """The sheet of a video of this size: a whole number of keyframes apart, at most `THUMBNAILS_MAX`."""
    keyframes = math.ceil(duration_s / EVERY_S / THUMBNAILS_MAX)
    every_s = max(1, keyframes) * EVERY_S
    # No picture of its own for a last instant, in which there may be no keyframe.
    count = max(1, math.ceil((duration_s - 0.1) / every_s))
    wide = max(16, min(4 * HEIGHT, round(HEIGHT * width / height / 2) * 2))
    return Sheet(count, wide, HEIGHT, every_s, duration_s)


def _time(seconds: float) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
