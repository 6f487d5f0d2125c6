"""A trace as a picture: what each device played, when it had a link, and where the head stood, as SVG.

Time runs to the right with long pauses shortened, the place in the lecture upwards. Plays are slopes, the
head is a black line, an offered place a ring; below, one lane per device is dashed where it has no link.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape

WIDTH, LEFT, RIGHT = 880, 64, 16
TOP, PLOT = 40, 240
LANE, LANES_GAP = 26, 48
TAIL = 36
"""What is left free at the right, so that what stands at the end can be seen."""

LABEL_WIDTH = 44
PAUSE_MS = 600_000
"""A pause longer than this is shortened to this width of time."""

COLOURS = ("#2f6fde", "#d9622b", "#2a9d5c", "#8a4fbf", "#b0892b", "#c23b6b")
INK, FAINT, PAPER = "#1d2430", "#9aa3af", "#ffffff"


@dataclass(frozen=True, slots=True)
class Play:
    """Content [from_ms, to_ms) played in true time [start_ms, end_ms)."""

    start_ms: int
    end_ms: int
    from_ms: int
    to_ms: int


@dataclass(slots=True)
class Lane:
    """One device: what it played, when it had no link, and what its user did besides, by moment."""

    title: str
    plays: list[Play] = field(default_factory=list)
    away: list[tuple[int, int]] = field(default_factory=list)
    deeds: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class Scene:
    """What a picture shows of one student and item.

    `heads` are (moment, place), `offers` (from, until, place), `offered` is the place offered last, if it
    still is.
    """

    title: str
    duration_ms: int
    lanes: list[Lane] = field(default_factory=list)
    heads: list[tuple[int, int]] = field(default_factory=list)
    offers: list[tuple[int, int, int]] = field(default_factory=list)
    offered: int | None = None


class Axis:
    """True time to the right, with long pauses shortened."""

    def __init__(self, scene: Scene) -> None:
        moments = {moment for moment, _ in scene.heads}
        for lane in scene.lanes:
            moments |= {edge for play in lane.plays for edge in (play.start_ms, play.end_ms)}
            moments |= {edge for span in lane.away for edge in span}
            moments |= {moment for moment, _ in lane.deeds}
        self._moments = sorted(moments) or [0]
        busy = sorted((play.start_ms, play.end_ms) for lane in scene.lanes for play in lane.plays)
        self._widths = [0.0]
        self.breaks: list[float] = []
        breaks: list[int] = []
        for index, (before, after) in enumerate(zip(self._moments, self._moments[1:], strict=False)):
            playing = any(start <= before and after <= end for start, end in busy)
            gap = after - before
            short = gap if playing or gap <= PAUSE_MS else PAUSE_MS
            if short < gap:
                breaks.append(index)
            self._widths.append(self._widths[-1] + short)
        total = self._widths[-1] or 1.0
        self._scale = (WIDTH - LEFT - RIGHT - TAIL) / total
        self.breaks = [
            LEFT + (self._widths[index] + self._widths[index + 1]) / 2 * self._scale for index in breaks
        ]

    def x(self, moment_ms: int) -> float:
        """The abscissa of a moment."""
        for before, after, low, high in zip(
            self._moments, self._moments[1:], self._widths, self._widths[1:], strict=False
        ):
            if moment_ms <= after:
                share = (moment_ms - before) / (after - before)
                return LEFT + (low + max(0.0, share) * (high - low)) * self._scale
        return LEFT + self._widths[-1] * self._scale


def draw(scene: Scene) -> str:
    """The picture as a whole SVG document."""
    axis = Axis(scene)
    height = TOP + PLOT + LANES_GAP + LANE * len(scene.lanes) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(scene.title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
        f'<text x="{LEFT}" y="22" font-size="14" font-weight="600" fill="{INK}">{escape(scene.title)}</text>',
        *_places(scene),
        *_breaks(axis),
        *_times(scene, axis),
        *(part for n, lane in enumerate(scene.lanes) for part in _plays(lane, n, axis, scene)),
        *_head(scene, axis),
        *(part for n, lane in enumerate(scene.lanes) for part in _lane(lane, n, axis)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _y(place_ms: int, scene: Scene) -> float:
    return TOP + PLOT - PLOT * place_ms / scene.duration_ms


def _places(scene: Scene) -> list[str]:
    parts = []
    for quarter in range(5):
        place_ms = scene.duration_ms * quarter // 4
        y = _y(place_ms, scene)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{FAINT}" stroke-opacity=".35"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{FAINT}">{clock(place_ms)}</text>'
        )
    return parts


def _breaks(axis: Axis) -> list[str]:
    return [
        f'<path d="M{x:.1f} {TOP}v{PLOT}" stroke="{FAINT}" stroke-opacity=".6" stroke-dasharray="1 5"/>'
        for x in axis.breaks
    ]


def _times(scene: Scene, axis: Axis) -> list[str]:
    """The time of day under what begins or happens, where there is room for it."""
    moments = {play.start_ms for lane in scene.lanes for play in lane.plays}
    moments |= {moment for lane in scene.lanes for moment, _ in lane.deeds}
    parts, free = [], 0.0
    for moment in sorted(moments):
        x = axis.x(moment)
        if x < free:
            continue
        free = x + LABEL_WIDTH
        parts.append(
            f'<text x="{x:.1f}" y="{TOP + PLOT + 16}" text-anchor="middle" fill="{FAINT}">'
            f"{datetime.fromtimestamp(moment / 1000, UTC):%H:%M}</text>"
        )
    return parts


def _plays(lane: Lane, number: int, axis: Axis, scene: Scene) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    parts = []
    for play in lane.plays:
        away = any(start <= play.start_ms and play.end_ms <= end for start, end in lane.away)
        line = f"M{axis.x(play.start_ms):.1f} {_y(play.from_ms, scene):.1f}"
        line += f"L{axis.x(play.end_ms):.1f} {_y(play.to_ms, scene):.1f}"
        dash = ' stroke-dasharray="7 4"' if away else ""
        parts.append(f'<path d="{line}" stroke="{colour}" stroke-width="8" stroke-opacity=".6"{dash}/>')
    return parts


def _head(scene: Scene, axis: Axis) -> list[str]:
    if not scene.heads:
        return []
    line = ""
    for index, (moment, place_ms) in enumerate(scene.heads):
        x, y = axis.x(moment), _y(place_ms, scene)
        line += f"M{x:.1f} {y:.1f}" if index == 0 else f"H{x:.1f}V{y:.1f}"
    line += f"H{WIDTH - RIGHT}"
    last = scene.heads[-1][1]
    parts = [
        f'<path d="{line}" fill="none" stroke="{INK}" stroke-width="1.8"/>',
        f'<text x="{WIDTH - RIGHT}" y="{_y(last, scene) - 6:.1f}" text-anchor="end" font-weight="600" '
        f'fill="{INK}">{clock(last)}</text>',
    ]
    for start_ms, end_ms, place_ms in scene.offers:
        x, y = axis.x(start_ms), _y(place_ms, scene)
        parts.append(
            f'<path d="M{x:.1f} {y:.1f}H{axis.x(end_ms):.1f}" stroke="{INK}" stroke-dasharray="2 4"/>'
        )
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{PAPER}" stroke="{INK}" stroke-width="2"/>'
        )
        parts.append(
            f'<text x="{x - 10:.1f}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">{clock(place_ms)}</text>'
        )
    return parts


def _lane(lane: Lane, number: int, axis: Axis) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    y = TOP + PLOT + LANES_GAP + LANE * number
    parts = [
        f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end" fill="{colour}" font-weight="600">'
        f"{escape(lane.title)}</text>"
    ]
    for start, end, linked in _links(lane.away, axis):
        dash = "" if linked else ' stroke-dasharray="2 5"'
        parts.append(f'<path d="M{start:.1f} {y}H{end:.1f}" stroke="{colour}" stroke-width="2"{dash}/>')
    for moment, deed in lane.deeds:
        x = axis.x(moment)
        parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="3.5" fill="{colour}"/>')
        label = f'<text x="{x:.1f}" y="{y - 7}" text-anchor="middle" fill="{INK}" font-size="10">'
        parts.append(f"{label}{escape(deed)}</text>")
    return parts


def _links(away: Sequence[tuple[int, int]], axis: Axis) -> list[tuple[float, float, bool]]:
    """The stretches of a lane from left to right: (x, x, whether it has a link)."""
    parts, at = [], float(LEFT)
    for start_ms, end_ms in away:
        start, end = axis.x(start_ms), axis.x(end_ms)
        parts += [(at, start, True), (start, end, False)]
        at = end
    parts.append((at, float(WIDTH - RIGHT), True))
    return [part for part in parts if part[1] > part[0]]


def clock(place_ms: int) -> str:
    """A place as people say it: 28:40, 1:02:03."""
    minutes, seconds = divmod(round(place_ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
