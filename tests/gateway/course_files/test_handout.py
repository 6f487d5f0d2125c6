"""A handout: Markdown becomes pages that hold its words, in the project's own font."""

from pathlib import Path

import pytest
from pypdf import PdfReader

from actors.pdf import pages
from gateway.course_files.handout import write_handout
from gateway.course_files.reading import HandoutSource
from gateway.demo_course import course

TEXT = """\
An introduction with **bold** and *stressed* words, which
goes on in the next line.

# A part

- one entry
  of two lines
- another

1. first
2. second

> quoted: a -- b

---

## On another page

Über „Umlaute“ — naïve café.
"""


def test_all_words_are_on_its_pages(tmp_path: Path) -> None:
    path = tmp_path / "handout.pdf"
    assert write_handout(TEXT, "The title", "The course", path) == 2 == pages(path)
    reader = PdfReader(path)
    first, second = (" ".join(page.extract_text().split()) for page in reader.pages)
    for words in ("The title", "with bold and stressed words, which goes on in the next line.", "A part"):
        assert words in first
    for words in ("• one entry of two lines", "1. first", "2. second", "quoted: a – b", "The course 1"):
        assert words in first
    assert "On another page" in second and "Über „Umlaute“ — naïve café." in second
    assert "*" not in first and "#" not in first
    fonts = {font["/BaseFont"] for page in reader.pages for font in page["/Resources"]["/Font"].values()}  # type: ignore[index]
    assert fonts and all("Manrope" in str(font) for font in fonts)


def test_the_examples_handout_has_several_pages(tmp_path: Path) -> None:
    [handout] = [item for item in course().items if isinstance(item.source, HandoutSource)]
    assert isinstance(handout.source, HandoutSource)
    assert 4 <= write_handout(handout.source.markdown, handout.title, "A course", tmp_path / "h.pdf") <= 8


@pytest.mark.parametrize("text", ["", "\n\n", "x" * 20_000, "# " + "long " * 200, "- \n1. \n> "])
def test_any_text_becomes_a_pdf(tmp_path: Path, text: str) -> None:
    assert write_handout(text, "T", "C", tmp_path / "h.pdf") >= 1
