"""How even shards are with 256 slots and with more, as SVG."""

from collections.abc import Sequence
from math import ceil, log10

from bench.growth.simulation import Evenness

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 320, 56, 120, 44, 44
COLOURS = ("#c23b6b", "#d9622b", "#2a9d5c", "#2f6fde", "#8a4fbf")
INK, FAINT, PAPER = "#1d2430", "#9aa3af", "#ffffff"


def draw(even: Sequence[Evenness]) -> str:
    """The whole SVG document: shards to the right (logarithmic), fullest shard over the mean upwards."""
    greatest, most = max(one.shards for one in even), ceil(max(one.balance.sessions for one in even) + 0.01)
    title = "Fullest shard over the mean, by number of shards and slots"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{title}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        f'<text x="{LEFT}" y="24" font-size="14" font-weight="600" fill="{INK}">{title}</text>',
    ]
    for ratio in range(1, most + 1):
        y = _y(ratio, most)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{FAINT}" stroke-opacity=".35"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{FAINT}">{ratio}</text>')
    for shards in sorted({one.shards for one in even}):
        if str(shards)[0] == "1" or shards == greatest:
            parts.append(
                f'<text x="{_x(shards, greatest):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" '
                f'fill="{FAINT}">{shards:,}</text>'
            )
    for number, slots in enumerate(sorted({one.slots for one in even})):
        line = sorted((one.shards, one.balance.sessions) for one in even if one.slots == slots)
        points = [(_x(shards, greatest), _y(ratio, most)) for shards, ratio in line]
        parts += _line(f"{slots:,} slots", points, COLOURS[number % len(COLOURS)])
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle" fill="{INK}">shards</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(title: str, points: Sequence[tuple[float, float]], colour: str) -> list[str]:
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    x, y = points[-1]
    return [
        f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>' for px, py in points),
        f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{colour}">{title}</text>',
    ]


def _x(shards: int, greatest: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * log10(shards / 2) / log10(greatest / 2)


def _y(ratio: float, most: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (ratio - 1) / (most - 1)
