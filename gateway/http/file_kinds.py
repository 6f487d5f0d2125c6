"""Which files may be uploaded, for what, how large, and how their first bytes prove what they are (U3)."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.http.problems import Problem

MIB = 1024 * 1024
LENGTH_MAX_BYTES = {
    "video": 20 * 1024 * MIB,
    "pdf": 256 * MIB,
    "captions": 2 * MIB,
    "poster": 20 * MIB,
}
LOOKED_AT_BYTES = 4096

_MP4_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class FileKind:
    """A type that is taken for `purpose`; `is_it` looks at a file's first `LOOKED_AT_BYTES`."""

    purpose: str
    what: str
    is_it: Callable[[bytes], bool]


def _mp4(first: bytes) -> bool:
    return first[4:8] in _MP4_BOXES


def _matroska(first: bytes) -> bool:
    return first.startswith(b"\x1a\x45\xdf\xa3")


def _webvtt(first: bytes) -> bool:
    words = first.removeprefix(_UTF8_MARK)
    return (
        words.startswith(b"WEBVTT") and words[6:7] in (b"", b" ", b"\t", b"\r", b"\n") and b"\0" not in words
    )


def _subrip(first: bytes) -> bool:
    return b"-->" in first and b"\0" not in first


KINDS = {
    "video/mp4": FileKind("video", "an MP4 video", _mp4),
    "video/quicktime": FileKind("video", "a QuickTime video", _mp4),
    "video/webm": FileKind("video", "a WebM video", _matroska),
    "video/x-matroska": FileKind("video", "a Matroska video", _matroska),
    "application/pdf": FileKind("pdf", "a PDF", lambda first: first.startswith(b"%PDF-")),
    "text/vtt": FileKind("captions", "WebVTT captions", _webvtt),
    "application/x-subrip": FileKind("captions", "SubRip captions", _subrip),
    "image/jpeg": FileKind("poster", "a JPEG picture", lambda first: first.startswith(b"\xff\xd8\xff")),
    "image/png": FileKind("poster", "a PNG picture", lambda first: first.startswith(b"\x89PNG\r\n\x1a\n")),
    "image/webp": FileKind(
        "poster", "a WebP picture", lambda first: first.startswith(b"RIFF") and first[8:12] == b"WEBP"
    ),
}


def check(purpose: str, content_type: str, length_bytes: int) -> None:
    """Raise a 422 for a type that is not taken for this, a 413 for a file that is too long."""
    kind = KINDS.get(content_type)
    if kind is None or kind.purpose != purpose:
        taken = ", ".join(name for name, one in KINDS.items() if one.purpose == purpose)
        raise Problem(422, "wrong_type", f"content_type: for {purpose} it is one of {taken}.")
    most = LENGTH_MAX_BYTES[purpose]
    if length_bytes > most:
        raise Problem(413, "too_large", f"A file for {purpose} has at most {most // MIB} MiB.")


def why_not(content_type: str, first: bytes) -> str:
    """Why a file that begins so is not what it says it is, for people; "" if it is."""
    kind = KINDS[content_type]
    return (
        ""
        if kind.is_it(first)
        else f"The file is not {kind.what}, whatever its name says; choose another one."
    )
