"""How loud a video is, measured while it is encoded: integrated loudness after EBU R 128."""

import math
import os
import re
from pathlib import Path

_FILE = "loudness.txt"
FILTER = f"ebur128=metadata=1:framelog=quiet,ametadata=mode=print:key=lavfi.r128.I:file={_FILE},anullsink"
"""Ends a branch of the sound; ffmpeg writes the loudness so far into a file, ten times a second."""

_LINE = re.compile(rb"^lavfi\.r128\.I=(-?\d+(?:\.\d+)?|-?inf|nan)$", re.MULTILINE)
_TAIL_BYTES = 4096

SILENCE_LUFS = -70.0
"""What the measurement says where nothing is louder than its gate (EBU R 128)."""


def take(folder: Path) -> float | None:
    """The loudness of the whole in LUFS, to a tenth; None for silence. The file goes."""
    file = folder / _FILE
    try:
        with file.open("rb") as written:
            written.seek(max(0, written.seek(0, os.SEEK_END) - _TAIL_BYTES))
            found = _LINE.findall(written.read())
        file.unlink()
    except FileNotFoundError:
        return None
    value = float(found[-1]) if found else math.nan
    return round(value, 1) if math.isfinite(value) and value > SILENCE_LUFS else None
