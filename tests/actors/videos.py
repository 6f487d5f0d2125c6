"""Small files to upload, made by ffmpeg and PDF writers when a test wants them."""

from pathlib import Path

from fpdf import FPDF

from actors.ffmpeg import Limits, run


def make_video(file: Path, seconds: float = 3, size: str = "320x180", colour: str = "blue") -> Path:
    """An mp4 with a counter on a colour, and a tone."""
    picture = ["-f", "lavfi", "-i", f"color=c={colour}:s={size}:r=10:d={seconds}"]
    sound = ["-f", "lavfi", "-i", f"sine=f=440:d={seconds}"]
    made = run(
        ["-y", *picture, *sound, "-c:v", "libx264", "-preset", "ultrafast", file.name],
        file.parent,
        Limits(time_s=60),
    )
    assert made.code == 0, made.said
    return file


def make_pdf(file: Path, pages: int = 3) -> Path:
    """A PDF of so many pages."""
    drawn = FPDF()
    for page in range(pages):
        drawn.add_page()
        drawn.set_font("helvetica", size=24)
        drawn.cell(text=f"Page {page + 1}")
    drawn.output(str(file))
    return file


def make_picture(file: Path, size: str = "1600x900") -> Path:
    """A picture in the format of its name."""
    made = run(
        ["-y", "-f", "lavfi", "-i", f"testsrc=s={size}:d=1", "-frames:v", "1", "-update", "1", file.name],
        file.parent,
        Limits(time_s=60),
    )
    assert made.code == 0, made.said
    return file


CAPTIONS = b"WEBVTT\n\n00:00.500 --> 00:02.000\nHello there\n"
