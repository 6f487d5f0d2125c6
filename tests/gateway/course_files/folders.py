"""Course folders for tests: real files, small ones."""

from pathlib import Path

from actors.ffmpeg import Limits, run

HEAD = "id: c1\ntitle: A course\nsections:\n  - title: One\n    items:\n"

QUIZ = """\
questions:
  - id: q1
    text: One?
    choices: {a: Yes, b: No}
    answers: b
    why: It is so.
  - {id: q2, text: "Many?", kind: many, choices: {a: 1, b: 2, c: 3}, answers: [a, c]}
  - {id: q3, text: "Which?", kind: text, answers: ["440", 440 Hz]}
"""
CAPTIONS = "WEBVTT\n\n00:00.000 --> 00:01.500\nA picture\n"


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files of a folder; texts as UTF-8."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def item(id: str, kind: str, *lines: str, title: str = "An item") -> str:
    """One item of the first section, in YAML."""
    more = "".join(f"        {line}\n" for line in lines)
    return f"      - id: {id}\n        kind: {kind}\n        title: {title}\n{more}"


def draw_video(path: Path, duration_s: float = 3.0, size: str = "320x180") -> Path:
    """A real video with picture and sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = f"testsrc2=s={size}:r=10:d={duration_s}"
    sound = f"sine=f=440:d={duration_s}"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    ended = run(["-v", "error", "-y", *inputs, *codecs, path.name], path.parent, Limits(time_s=60))
    assert ended.code == 0, ended.said
    return path


def draw_pdf(path: Path, pages: int = 2) -> Path:
    """A PDF of so many pages."""
    from fpdf import FPDF

    path.parent.mkdir(parents=True, exist_ok=True)
    pdf = FPDF()
    for number in range(pages):
        pdf.add_page()
        pdf.set_font("Helvetica", size=20)
        pdf.cell(100, 10, f"Page {number + 1}")
    pdf.output(str(path))
    return path
