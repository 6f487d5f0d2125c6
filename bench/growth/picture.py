"""How even shards are with 256 slots and with more, as SVG."""

from collections.abc import Sequence
from math import log10

from bench.growth.simulation import Evenness

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 320, 56, 120, 44, 44
MOST = 2.5
"""The top of the scale; what is above it leaves the picture."""

COLOURS = ("#c23b6b", "#d9622b", "#2a9d5c", "#2f6fde", "#8a4fbf")
INK, FAINT, PAPER = "#1d2430", "#9aa3af", "#ffffff"


def draw(even: Sequence[Evenness]) -> str:
    """The whole SVG document: shards to the right (logarithmic), fullest shard over the mean upwards."""
    greatest = max(one.shards for one in even)
    title = "Fullest shard over the mean, by number of shards and slots"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{title}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        f'<text x="{LEFT}" y="24" font-size="14" font-weight="600" fill="{INK}">{title}</text>',
    ]
    for tenths in range(10, round(MOST * 10) + 1, 5):
        y = _y(tenths / 10)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{FAINT}" stroke-opacity=".35"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{FAINT}">{tenths / 10:g}</text>'
        )
    for shards in sorted({one.shards for one in even}):
        if str(shards)[0] == "1" or shards == greatest:
            parts.append(
                f'<text x="{_x(shards, greatest):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" '
                f'fill="{FAINT}">{shards:,}</text>'
            )
    for number, slots in enumerate(sorted({one.slots for one in even})):
        parts += _line([one for one in even if one.slots == slots], COLOURS[number % len(COLOURS)], greatest)
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle" fill="{INK}">shards</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(even: Sequence[Evenness], colour: str, greatest: int) -> list[str]:
    seen = [one for one in sorted(even, key=lambda one: one.shards) if one.balance.sessions <= MOST]
    points = [(_x(one.shards, greatest), _y(one.balance.sessions)) for one in seen]
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    x, y = points[-1]
    ends = seen[-1].shards < greatest
    return [
        f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>' for px, py in points),
        f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{colour}">{even[0].slots:,} slots'
        + (" (more is off the scale)" if ends else "")
        + "</text>",
    ]


def _x(shards: int, greatest: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * log10(shards / 2) / log10(greatest / 2)


def _y(ratio: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (ratio - 1) / (MOST - 1)
