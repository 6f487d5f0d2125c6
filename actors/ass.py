"""Drawing with a subtitle script (ASS): filled shapes and texts, each seen for a time, on one canvas.

libass, inside ffmpeg, draws it: no picture library is needed, and shapes need no font.
"""

from collections.abc import Iterable
from dataclasses import dataclass

WIDTH, HEIGHT = 1280, 720

_HEAD = f"""[Script Info]
ScriptType: v4.00+
PlayResX: {WIDTH}
PlayResY: {HEIGHT}
WrapStyle: 2
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, \
Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, \
MarginR, MarginV, Encoding
Style: heavy,Manrope ExtraBold,60,&H00FFFFFF,&H0,&H0,&H0,0,0,0,0,100,100,0,0,1,0,0,7,0,0,0,1
Style: plain,Manrope SemiBold,34,&H00FFFFFF,&H0,&H0,&H0,0,0,0,0,100,100,0,0,1,0,0,7,0,0,0,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def whole(events: Iterable[str]) -> str:
    """The script of these events, on a canvas of `WIDTH` x `HEIGHT`."""
    return _HEAD + "\n".join(events) + "\n"


def _stamp(time_s: float) -> str:
    hundredths = round(time_s * 100)
    minutes, rest = divmod(hundredths, 6000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 100:02d}.{rest % 100:02d}"


def _colour(rgb: str) -> str:
    return f"\\1c&H{rgb[4:]}{rgb[2:4]}{rgb[:2]}&"


def _safe(text: str) -> str:
    """Text that cannot be read as a command of the script."""
    return text.replace("\\", "/").replace("{", "(").replace("}", ")").replace("\n", "\\N")


@dataclass(frozen=True, slots=True)
class Pen:
    """Writes events that are seen from `start_s` to `end_s`."""

    start_s: float
    end_s: float

    def text(
        self,
        x: float,
        y: float,
        size: float,
        text: str,
        *,
        rgb: str = "FFFFFF",
        style: str = "plain",
        anchor: int = 7,
        alpha: int = 0,
        layer: int = 5,
        more: str = "",
    ) -> str:
        """One text with its `anchor` (a key of the numeric pad) at (x, y); `alpha` 0 is solid, 255 unseen."""
        tags = f"\\an{anchor}\\pos({x:g},{y:g})\\fs{size:g}{_colour(rgb)}\\1a&H{alpha:02X}&{more}"
        return self._event(layer, style, f"{{{tags}}}{_safe(text)}")

    def shape(
        self, x: float, y: float, path: str, *, rgb: str, alpha: int = 0, layer: int = 2, more: str = ""
    ) -> str:
        """One filled path with its origin at (x, y); a `\\move` in `more` replaces that place."""
        place = "" if "\\move" in more else f"\\pos({x:g},{y:g})"
        tags = f"\\an7{place}{_colour(rgb)}\\1a&H{alpha:02X}&{more}\\p1"
        return self._event(layer, "plain", f"{{{tags}}}{path}{{\\p0}}")

    def _event(self, layer: int, style: str, text: str) -> str:
        return f"Dialogue: {layer},{_stamp(self.start_s)},{_stamp(self.end_s)},{style},,0,0,0,,{text}"

    def part(self, begin: float, end: float) -> "Pen":
        """The pen for a fraction of this one's time."""
        length_s = self.end_s - self.start_s
        return Pen(self.start_s + begin * length_s, self.start_s + end * length_s)

    @property
    def length_ms(self) -> int:
        return round((self.end_s - self.start_s) * 1000)


def box(width: float, height: float, radius: float) -> str:
    """The path of a rounded rectangle."""
    w, h, r, k = width, height, radius, radius * 0.4477
    return (
        f"m {r:g} 0 l {w - r:g} 0 b {w - k:g} 0 {w:g} {k:g} {w:g} {r:g} "
        f"l {w:g} {h - r:g} b {w:g} {h - k:g} {w - k:g} {h:g} {w - r:g} {h:g} "
        f"l {r:g} {h:g} b {k:g} {h:g} 0 {h - k:g} 0 {h - r:g} l 0 {r:g} b 0 {k:g} {k:g} 0 {r:g} 0"
    )


def disc(diameter: float) -> str:
    return box(diameter, diameter, diameter / 2)


def growing(pen: Pen, x: float, y: float, width: float, height: float) -> str:
    """A tag that uncovers a shape from left to right during the pen's time."""
    return (
        f"\\clip({x:g},{y:g},{x:g},{y + height:g})"
        f"\\t(0,{pen.length_ms},\\clip({x:g},{y:g},{x + width:g},{y + height:g}))"
    )
