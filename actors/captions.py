"""Captions as people bring them (WebVTT, SubRip), made into WebVTT that holds nothing but times and text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from persistence.errors import PlayheadError

CUES_MAX = 20_000
CUE_MAX_LETTERS = 2_000
LONGEST_MS = 100 * 3600 * 1000

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMES = re.compile(rf"^{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+(.*))?$")
_SETTING = re.compile(
    r"^(?:vertical:(?:rl|lr)|align:(?:start|center|end|left|right)|(?:size|position):\d{1,3}(?:\.\d+)?%"
    r"|line:-?\d{1,3}(?:\.\d+)?%?)$"
)
# What a cue may mark up (WebVTT 1, 3.3): weight, slant, underline and who speaks. Everything else is text.
_MARK = re.compile(r"</?[biu]>|<v(?:\.[\w.-]+)? [^<>&\n]{1,80}>|</v>")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|nbsp|lrm|rlm);)")
# Control characters but tab, and marks that turn the direction of what follows.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class CaptionsError(PlayheadError):
    """A file holds no captions that can be shown; the message names the line and what to do."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A text on the screen between two times."""

    from_ms: int
    to_ms: int
    settings: str
    text: str


def webvtt(data: bytes) -> str:
    """The captions of a WebVTT or SubRip file as WebVTT. Raises `CaptionsError`.

    Styles, regions, notes and names of cues are left out, unknown marks become text: a player may put the
    text of a cue into its page.
    """
    cues = list(_cues(_text(data)))
    if not cues:
        raise CaptionsError("there is not one caption in the file; give WebVTT (.vtt) or SubRip (.srt)")
    blocks = [f"{_time(cue.from_ms)} --> {_time(cue.to_ms)}{cue.settings}\n{cue.text}\n" for cue in cues]
    return "\n".join(["WEBVTT\n", *blocks])


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CaptionsError(f"line {line} is not UTF-8; save the captions as UTF-8 text") from None
    return _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _cues(text: str) -> Iterator[Cue]:
    lines, at, count = text.split("\n"), 0, 0
    while at < len(lines):
        times = _TIMES.match(lines[at].strip()) if "-->" in lines[at] else None
        if times is None:
            if "-->" in lines[at]:
                raise CaptionsError(f"line {at + 1} has times that cannot be read; write 00:01:02.500")
            at += 1
            continue
        words, count = [], count + 1
        begin, at = at + 1, at + 1
        while at < len(lines) and lines[at].strip() and "-->" not in lines[at]:
            words.append(lines[at].strip())
            at += 1
        if count > CUES_MAX:
            raise CaptionsError(f"there are more than {CUES_MAX} captions; give those of one video")
        if (cue := _cue(times, words, begin)) is not None:
            yield cue


def _cue(times: re.Match[str], words: list[str], line: int) -> Cue | None:
    """A cue; None for one without text. `line` is where it begins, counted from 1."""
    from_ms, to_ms = _ms(times.groups()[0:4]), _ms(times.groups()[4:8])
    if not from_ms < to_ms <= LONGEST_MS:
        raise CaptionsError(f"line {line} ends before it begins; mend its times")
    text = "\n".join(words)
    if len(text) > CUE_MAX_LETTERS:
        raise CaptionsError(f"line {line} has a caption of more than {CUE_MAX_LETTERS} letters; shorten it")
    settings = [word for word in (times[9] or "").split() if _SETTING.match(word)]
    return Cue(from_ms, to_ms, "".join(f" {word}" for word in settings), safe_text(text)) if text else None


def safe_text(text: str) -> str:
    """The text of a cue with the marks it may have; every other `<`, `>` and `&` stands for itself."""
    out, at = [], 0
    for mark in _MARK.finditer(text):
        out += [_escaped(text[at : mark.start()]), mark[0]]
        at = mark.end()
    return "".join([*out, _escaped(text[at:])])


def _escaped(text: str) -> str:
    return _ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def _ms(parts: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))


def _time(ms: int) -> str:
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
