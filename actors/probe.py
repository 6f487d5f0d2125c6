"""What a video file is, read from ffmpeg's own description of it: the file may be hostile."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from actors.ffmpeg import Limits, TranscodeError, run

FRAMES_PER_S_MAX = 30.0
PROBE_TIME_S = 30.0

# Containers that hold the video themselves. Playlists (hls, concat, dash, sdp) and image sequences are not
# among them: they name other files, or hosts.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf"
HOSTILE = ("-protocol_whitelist", "file", "-format_whitelist", _FORMATS)


@dataclass(frozen=True, slots=True)
class Probed:
    """What ffmpeg says about a file. `duration_s` is None where the file does not tell."""

    width: int
    height: int
    frames_per_s: float
    duration_s: float | None
    has_sound: bool


def probe(source: Path, limits: Limits | None = None) -> Probed:
    """What the file is, from ffmpeg's own description (there is no ffprobe). Raises `TranscodeError`."""
    if not source.is_file():
        raise TranscodeError(f"{source.name} is no file; name a video file")
    bounds = limits or Limits()
    said = run([*HOSTILE, "-i", f"file:{source.resolve()}"], None, replace(bounds, time_s=PROBE_TIME_S)).said
    return _read_probe(source.name, said, bounds)


# Each at the start of its line: the file's own metadata, which anybody may write, is indented deeper.
_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)", re.MULTILINE)
_STREAM = re.compile(r"^  Stream #0:\d+[^:\n]*: (Video|Audio): (.*)$", re.MULTILINE)
_SIZE = re.compile(r", (\d{1,6})x(\d{1,6})\b")
_RATE = re.compile(r", (\d+(?:\.\d+)?)(k?) (?:fps|tbr)\b")


def _read_probe(name: str, said: str, limits: Limits) -> Probed:
    streams = [(kind, text) for kind, text in _STREAM.findall(said) if "(attached pic)" not in text]
    pictures = [text for kind, text in streams if kind == "Video"]
    if not pictures:
        why = "it has no picture" if streams else last_words(said)
        raise TranscodeError(f"{name} cannot be read as a video ({why}); give an MP4, MOV, MKV or WebM file")
    size, rate = _SIZE.search(pictures[0]), _RATE.search(pictures[0])
    if size is None:
        raise TranscodeError(f"{name} is damaged: it does not say how large its picture is; export it again")
    width, height = int(size[1]), int(size[2])
    if width * height > limits.pixels or min(width, height) < 16:
        raise TranscodeError(f"{name} is {width}x{height}; give a picture between 16x16 and 4096x2304")
    frames_per_s = float(rate[1]) * (1000 if rate[2] else 1) if rate else FRAMES_PER_S_MAX
    duration = _DURATION.search(said)
    duration_s = int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration else None
    return Probed(width, height, frames_per_s, duration_s, any(kind == "Audio" for kind, _ in streams))


def last_words(said: str) -> str:
    """The reason in what ffmpeg said, without addresses of its own memory and without paths."""
    lines = [re.sub(r"^\[[^\]]*\] ", "", line).strip() for line in said.splitlines() if line.strip()]
    reasons = [line for line in lines if not line.startswith(("Error opening input", "At least one output"))]
    return re.sub(r"file:\S+", "", reasons[-1])[:200].strip(" :") if reasons else "ffmpeg gave no reason"
