"""The picture and sound of a generated lecture: slides, figures and a running timecode."""

import itertools
import math
import sys
import wave
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from actors.ass import HEIGHT, WIDTH, Pen, box, disc, growing, whole

# As many as the tenths of the clock: smooth for slides, and a third of the work of 25.
PICTURES_PER_S = 10
SAMPLES_PER_S = 44_100

Figure = Literal["screens", "journal", "baton", "union", "saved"]


@dataclass(frozen=True, slots=True)
class Chapter:
    """One slide: a title (`\\n` breaks it), up to three points that appear one by one, and a figure."""

    title: str
    points: tuple[str, ...]
    figure: Figure


@dataclass(frozen=True, slots=True)
class Lecture:
    """What to draw. The chapters share `duration_s` evenly; it is a whole number of seconds."""

    label: str
    title: str
    course: str
    duration_s: int
    chapters: tuple[Chapter, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    """The colours of a chapter (RRGGBB), so that even a thumbnail tells it, and its tone in Hz."""

    ground: str
    shade: str
    accent: str
    tone_hz: int


# The tones are even whole numbers: with a fifth (x 1.5) and an octave above they all repeat within a second.
_LOOKS = (
    _Look("10204A", "1A3070", "5CC8FF", 130),
    _Look("2B1B62", "3D2A84", "BBA6FF", 146),
    _Look("0B3D36", "12544B", "4FE3B0", 164),
    _Look("4A260A", "673812", "FFB35C", 196),
    _Look("4B1233", "681C49", "FF8FB4", 220),
)

_LEFT, _RIGHT = 72, 1208
_BAR_Y, _BAR_HEIGHT = 654, 20
_FIGURE_X, _FIGURE_Y, _FIGURE_WIDTH = 776, 84, 432


def _screen(
    pen: Pen, frame: tuple[float, float, float, float], rgb: str, ground: str, layer: int
) -> Iterator[str]:
    """One screen with a triangle to play, `frame` is x, y, width, height."""
    x, y, width, height = frame
    alpha = 0 if layer > 3 else 150
    yield pen.shape(x, y, box(width, height, 14), rgb=rgb, alpha=alpha, layer=layer)
    yield pen.shape(x + 6, y + 6, box(width - 12, height - 12, 9), rgb=ground, layer=layer)
    yield pen.shape(
        x + width / 2 - 15,
        y + height / 2 - 30,
        "m 0 0 l 40 23 l 0 46 l 0 0",
        rgb=rgb,
        alpha=alpha,
        layer=layer,
    )


def _screens(pen: Pen, look: _Look) -> Iterator[str]:
    """A phone, a browser and a television; they light up in turn, at the same place of the lecture."""
    bottom = _FIGURE_Y + 260
    for place, (dx, width, height) in enumerate(((0, 88, 164), (108, 140, 112), (268, 164, 132))):
        x, y = _FIGURE_X + dx, bottom - height
        yield from _screen(pen, (x, y, width, height), "FFFFFF", look.ground, 3)
        yield from _screen(
            pen.part(place / 3, (place + 1) / 3), (x, y, width, height), look.accent, look.ground, 4
        )
        bar_x, bar_y, bar = x + 16, bottom - 28, width - 32
        yield pen.shape(bar_x, bar_y, box(bar, 8, 4), rgb="FFFFFF", alpha=170, layer=5)
        yield pen.shape(
            bar_x, bar_y, box(bar, 8, 4), rgb=look.accent, layer=6, more=growing(pen, bar_x, bar_y, bar, 8)
        )


def _journal(pen: Pen, look: _Look) -> Iterator[str]:
    """Blocks written one after another, as a device writes its events."""
    columns, rows, side, gap = 8, 4, 44, 11
    for n in range(columns * rows):
        x = _FIGURE_X + (n % columns) * (side + gap)
        y = _FIGURE_Y + 36 + (n // columns) * (side + gap)
        yield pen.shape(x, y, box(side, side, 10), rgb="FFFFFF", alpha=215)
        written = pen.part(n / (columns * rows), 1)
        yield written.shape(x, y, box(side, side, 10), rgb=look.accent, layer=3, more="\\fad(250,0)")


def _baton(pen: Pen, look: _Look) -> Iterator[str]:
    """Three lanes; who plays draws its part, and the baton goes down from lane to lane."""
    for lane, name in enumerate(("phone", "browser", "television")):
        y = _FIGURE_Y + 52 + lane * 74
        own = pen.part(lane / 3, (lane + 1) / 3)
        x, width = _FIGURE_X + lane * _FIGURE_WIDTH / 3, _FIGURE_WIDTH / 3
        yield pen.text(_FIGURE_X, y - 10, 22, name, alpha=70, anchor=1)
        yield pen.shape(_FIGURE_X, y, box(_FIGURE_WIDTH, 16, 8), rgb="FFFFFF", alpha=205)
        yield own.shape(x, y, box(width, 16, 8), rgb=look.accent, layer=3, more=growing(own, x, y, width, 16))
        yield pen.part((lane + 1) / 3, 1).shape(x, y, box(width, 16, 8), rgb=look.accent, layer=3)
        yield own.shape(
            0,
            0,
            disc(36),
            rgb="FFFFFF",
            layer=4,
            more=f"\\move({x - 18:g},{y - 10},{x + width - 18:g},{y - 10})",
        )


def _union(pen: Pen, look: _Look) -> Iterator[str]:
    """What two devices saw, and below it the union: every second counts once, none is lost."""
    rows = (("phone", ((0.0, 0.42),)), ("television", ((0.28, 0.4), (0.62, 0.38))))
    below = _FIGURE_Y + 52 + 2 * 74
    yield pen.text(_FIGURE_X, below - 10, 22, "seen", rgb=look.accent, anchor=1)
    yield pen.shape(_FIGURE_X, below, box(_FIGURE_WIDTH, 28, 8), rgb="FFFFFF", alpha=205)
    moments = iter((pen.part(0, 0.3), pen.part(0.3, 0.6), pen.part(0.6, 0.9)))
    for row, (name, spans) in enumerate(rows):
        y = _FIGURE_Y + 52 + row * 74
        yield pen.text(_FIGURE_X, y - 10, 22, name, alpha=70, anchor=1)
        yield pen.shape(_FIGURE_X, y, box(_FIGURE_WIDTH, 16, 8), rgb="FFFFFF", alpha=205)
        for begin, length in spans:
            own = next(moments)
            x, width = _FIGURE_X + begin * _FIGURE_WIDTH, length * _FIGURE_WIDTH
            after = Pen(own.end_s, pen.end_s)
            for top, height, rgb in ((y, 16, "FFFFFF"), (below, 28, look.accent)):
                path = box(width, height, 8)
                yield own.shape(x, top, path, rgb=rgb, layer=3, more=growing(own, x, top, width, height))
                yield after.shape(x, top, path, rgb=rgb, layer=3)


def _saved(pen: Pen, look: _Look) -> Iterator[str]:
    """Device, server, disk: an event goes on its way, and each word is said only when it is true."""
    steps = (("device", "written"), ("server", "applied"), ("disk", "durable"))
    width, y = 128, _FIGURE_Y + 64
    for place, (name, word) in enumerate(steps):
        x = _FIGURE_X + place * 152
        reached = pen.part(0.05 + place * 0.3, 1)
        yield pen.shape(x, y, box(width, 150, 16), rgb="FFFFFF", alpha=215)
        yield reached.shape(x, y, box(width, 150, 16), rgb=look.accent, layer=3, more="\\fad(300,0)")
        yield pen.text(x + width / 2, y + 38, 26, name, anchor=5, layer=4)
        yield reached.text(x + width / 2, y + 38, 26, name, rgb=look.ground, anchor=5)
        yield reached.shape(
            x + width / 2 - 24,
            y + 66,
            "m 0 24 l 8 16 l 19 27 l 42 2 l 50 10 l 19 42 l 0 24",
            rgb=look.ground,
            layer=4,
        )
        yield reached.text(x + width / 2, y + 178, 26, word, rgb=look.accent, anchor=5)


_FIGURES = {"screens": _screens, "journal": _journal, "baton": _baton, "union": _union, "saved": _saved}


def _look(place: int) -> _Look:
    return _LOOKS[place % len(_LOOKS)]


def _ground(pen: Pen, look: _Look) -> Iterator[str]:
    yield pen.shape(0, 0, f"m 0 0 l {WIDTH} 0 l {WIDTH} {HEIGHT} l 0 {HEIGHT}", rgb=look.ground, layer=0)
    yield pen.shape(690, -170, disc(620), rgb=look.shade, layer=0)


def _slide(lecture: Lecture, place: int, pen: Pen) -> Iterator[str]:
    """What stands on the ground of one chapter, but for the bar and the clock."""
    chapter, look = lecture.chapters[place], _look(place)
    title = lecture.title.replace("\n", " ")
    yield pen.text(_LEFT, 66, 32, f"{lecture.label}: {title}", alpha=40, anchor=4)
    yield pen.text(_LEFT, 116, 32, f"PART {place + 1}", rgb=look.accent, style="heavy", more="\\fsp4")
    yield pen.text(_LEFT, 156, 74, chapter.title, style="heavy", more="\\fad(200,0)")
    top = 364 if "\n" in chapter.title else 300
    for n, point in enumerate(chapter.points):
        seen = pen.part(0.06 + 0.24 * n, 1)
        yield seen.shape(_LEFT, top + n * 66 + 15, disc(18), rgb=look.accent, more="\\fad(250,0)")
        yield seen.text(_LEFT + 38, top + n * 66, 40, point, more="\\fad(250,0)")
    yield from _FIGURES[chapter.figure](pen, look)


def _clock(lecture: Lecture, length_s: float) -> Iterator[str]:
    """The timecode, minutes:seconds and tenths. Every figure has its own cell, so that none moves."""
    cells_x, colon_x, tenths_x, y = (658, 772, 928, 1042), 850, 1102, 644
    for second in range(lecture.duration_s):
        pen, look = Pen(second, second + 1), _look(int(second / length_s))
        for x, figure in zip(cells_x, f"{second // 60:02d}{second % 60:02d}", strict=True):
            yield pen.text(x, y, 236, figure, style="heavy", anchor=2)
        yield pen.text(colon_x, y - 16, 200, ":", style="heavy", anchor=2)
        for part in range(PICTURES_PER_S):
            tenth = pen.part(part / PICTURES_PER_S, (part + 1) / PICTURES_PER_S)
            yield tenth.text(
                tenths_x,
                y - 32,
                104,
                f".{part * 10 // PICTURES_PER_S}",
                style="heavy",
                rgb=look.accent,
                anchor=1,
            )


def _pens(lecture: Lecture) -> list[Pen]:
    length_s = lecture.duration_s / len(lecture.chapters)
    return [Pen(place * length_s, (place + 1) * length_s) for place in range(len(lecture.chapters))]


def ground_script(lecture: Lecture) -> str:
    """The grounds, one per chapter: large shapes are dear, so they are drawn once, not for every picture."""
    events = itertools.chain(*(_ground(pen, _look(place)) for place, pen in enumerate(_pens(lecture))))
    return whole(events)


def script(lecture: Lecture) -> str:
    """All that stands on the grounds, as an ASS script of `WIDTH` x `HEIGHT`."""
    length_s = lecture.duration_s / len(lecture.chapters)
    slides = (_slide(lecture, place, pen) for place, pen in enumerate(_pens(lecture)))
    events = itertools.chain(*slides, _clock(lecture, length_s))
    return whole(events)


def poster_script(lecture: Lecture) -> str:
    """The lecture's title picture, without a clock, as a script of one second."""
    pen, look = Pen(0, 1), _look(0)
    x, y, width, height = 828, 72, 360, 220
    events = [
        *_ground(pen, look),
        *_screen(pen, (x, y, width, height), look.accent, look.ground, 4),
        pen.shape(x + 40, y + height - 50, box(width - 80, 14, 7), rgb="FFFFFF", alpha=150),
        pen.shape(x + 40, y + height - 50, box((width - 80) * 0.62, 14, 7), rgb=look.accent, layer=6),
        pen.text(_LEFT, 270, 48, lecture.label.upper(), rgb=look.accent, style="heavy", more="\\fsp5"),
        pen.text(_LEFT, 322, 112, lecture.title, style="heavy"),
        pen.text(_LEFT, 632, 40, lecture.course, alpha=40, anchor=1),
        pen.shape(_LEFT, _BAR_Y, box(200, _BAR_HEIGHT, _BAR_HEIGHT / 2), rgb=look.accent),
    ]
    return whole(events)


def _second_of_sound(tone_hz: int, beep: bool) -> "array[int]":
    """One second at `SAMPLES_PER_S`: a soft chord that repeats without a seam, and a tick, or a beep."""
    samples = array("h")
    for n in range(SAMPLES_PER_S):
        turn = 2 * math.pi * n / SAMPLES_PER_S
        chord = (
            math.sin(turn * tone_hz)
            + 0.6 * math.sin(turn * tone_hz * 1.5)
            + 0.3 * math.sin(turn * tone_hz * 2)
        )
        value = 0.05 * chord * (0.8 + 0.2 * math.cos(turn))
        time_s = n / SAMPLES_PER_S
        value += 0.05 * math.sin(turn * 1200) * math.exp(-time_s * 90)
        if beep:
            value += 0.16 * math.sin(turn * 880) * math.exp(-time_s * 9)
        samples.append(round(value * 32767))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def write_sound(lecture: Lecture, path: Path) -> None:
    """Write the lecture's sound as mono 16 bit WAV: a tone per chapter, a tick a second, a beep every ten."""
    length_s = lecture.duration_s / len(lecture.chapters)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, SAMPLES_PER_S, 0, "NONE", ""))
        seconds: dict[tuple[int, bool], bytes] = {}
        for second in range(lecture.duration_s):
            which = (_look(int(second / length_s)).tone_hz, second % 10 == 0)
            if which not in seconds:
                seconds[which] = _second_of_sound(*which).tobytes()
            sound.writeframesraw(seconds[which])
