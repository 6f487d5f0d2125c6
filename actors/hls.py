"""HLS as ffmpeg writes it: one fMP4 file per rendition, whose playlist lists byte ranges of it."""

import re
from dataclasses import dataclass

from actors.ffmpeg import TranscodeError

_EXTINF = re.compile(r"^#EXTINF:(\d+(?:\.\d+)?),")
_BYTERANGE = re.compile(r"^#EXT-X-BYTERANGE:(\d+)@(\d+)$")


@dataclass(frozen=True, slots=True)
class Segment:
    """One byte range of the file and how long it plays."""

    duration_s: float
    length_bytes: int


def segments(playlist: str) -> tuple[Segment, ...]:
    """The segments of a media playlist, in order. Raises `TranscodeError` if it has none."""
    durations, lengths = [], []
    for line in playlist.splitlines():
        if extinf := _EXTINF.match(line):
            durations.append(float(extinf[1]))
        elif byterange := _BYTERANGE.match(line):
            lengths.append(int(byterange[1]))
    if not durations or len(durations) != len(lengths):
        raise TranscodeError("ffmpeg wrote no segments: the video has no pictures that can be read")
    return tuple(Segment(*pair) for pair in zip(durations, lengths, strict=True))


def duration_s(parts: tuple[Segment, ...]) -> float:
    """How long all of them play."""
    return sum(part.duration_s for part in parts)


def bitrates(parts: tuple[Segment, ...]) -> tuple[int, int]:
    """Average and peak in bits/s (RFC 8216, 4.3.4.2). A last scrap of a segment says nothing of the peak."""
    whole_bytes = sum(part.length_bytes for part in parts)
    long_enough = [part for part in parts if part.duration_s >= 1.0] or parts
    peak = max(part.length_bytes * 8 / max(part.duration_s, 0.04) for part in long_enough)
    average = whole_bytes * 8 / max(duration_s(parts), 0.04)
    return round(average), max(round(peak), round(average))


def codecs(head: bytes, has_sound: bool) -> str:
    """The CODECS of an H.264 (and AAC) file from its first bytes, as RFC 6381 writes them."""
    place = head.find(b"avcC")
    if place < 0 or len(head) < place + 8:
        raise TranscodeError("ffmpeg wrote no H.264: this build of it cannot be used")
    profile, constraints, level = head[place + 5 : place + 8]
    picture = f"avc1.{profile:02x}{constraints:02x}{level:02x}"
    return f"{picture},mp4a.40.2" if has_sound else picture
