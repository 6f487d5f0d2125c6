"""A PDF as an instructor brings it: its pages are counted, and one that does things by itself is refused.

It is read by a Python of its own under limits of time and memory (`actors/pdf_reading.py`): whatever a
hostile file makes of its reader, it harms nobody else.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from actors.ffmpeg import LAUNCH
from persistence.errors import PlayheadError

PAGES_MAX = 10_000
TIME_S = 60.0
MEMORY_BYTES = 1024**3
_ANSWER_MAX_BYTES = 64 * 1024
_READER = Path(__file__).with_name("pdf_reading.py")


class PdfError(PlayheadError):
    """A PDF cannot be taken; the message names the reason and what to do."""


class Read(msgspec.Struct, frozen=True):
    """What the reader says: why it cannot be read (for people), else its pages and what in it acts."""

    pages: int = 0
    encrypted: bool = False
    active: list[str] = []
    broken: str = ""


@dataclass(frozen=True, slots=True)
class PdfLimits:
    """What reading one PDF may use."""

    time_s: float = TIME_S
    memory_bytes: int = MEMORY_BYTES


def pages(source: Path, limits: PdfLimits | None = None) -> int:
    """How many pages a PDF has. Raises `PdfError` for one that is broken, encrypted, active or too long."""
    with source.open("rb") as file:
        if file.read(5) != b"%PDF-":
            raise PdfError("the file is no PDF; export the document as PDF")
    read = _read(source, limits or PdfLimits())
    if read.encrypted:
        raise PdfError("the PDF is protected by a password; save it without one")
    if read.broken or read.pages < 1:
        raise PdfError(f"the PDF is damaged ({read.broken or 'it has no pages'}); export it again")
    if read.active:
        raise PdfError(
            f"the PDF holds {', '.join(read.active)}, which could act on a reader's machine; "
            "print it into a new PDF"
        )
    if read.pages > PAGES_MAX:
        raise PdfError(f"the PDF has more than {PAGES_MAX} pages; cut it into several")
    return read.pages


def _read(source: Path, limits: PdfLimits) -> Read:
    launch = [sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid()), "0", str(limits.memory_bytes)]
    try:
        ended = subprocess.run(
            [*launch, sys.executable, "-I", str(_READER), str(source.resolve())],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
            timeout=limits.time_s,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PdfError(
            f"the PDF could not be read within {limits.time_s:g} s; print it into a new PDF"
        ) from None
    try:
        return msgspec.json.decode(ended.stdout[:_ANSWER_MAX_BYTES], type=Read)
    except msgspec.MsgspecError:
        raise PdfError("reading the PDF took more than it may; print it into a new PDF") from None
