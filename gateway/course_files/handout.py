"""A handout: markdown set as a PDF of A4 pages, in the font of the drawn lectures."""

import importlib.resources
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpdf import FPDF

# Part of a handout's version: to be raised when the same markdown would be set otherwise.
SETTING = "1"

_INK, _SOFT, _ACCENT, _GROUND = (24, 32, 56), (96, 104, 128), (40, 120, 200), (16, 32, 74)
_MARGIN_MM, _WIDTH_MM = 22.0, 166.0
_EMPHASIS = re.compile(r"(?<!\*)\*([^*]+)\*(?!\*)")
_NUMBERED = re.compile(r"(\d{1,3})\. +(.*)")
_FONTS = {"": "Manrope-Regular.ttf", "B": "Manrope-ExtraBold.ttf", "I": "Manrope-SemiBold.ttf"}


def write_handout(markdown: str, title: str, course: str, path: Path) -> int:
    """Write the PDF and give its number of pages.

    Of markdown there are headings (#, ##), paragraphs, lists, quotes (>), **bold** and `---` for a new page.
    """
    pdf = _Handout(title, course).pdf
    _cover(pdf, title, course)
    for block in _blocks(markdown):
        _block(pdf, block)
    pdf.output(str(path))
    return int(pdf.page)


class _Handout:
    """An empty document: page size, fonts, and the line at the foot of each page."""

    def __init__(self, title: str, course: str) -> None:
        from fpdf import FPDF  # here: it takes as long to import as everything else that is read

        class Numbered(FPDF):
            """With the course and the page's number at the foot."""

            def footer(self) -> None:
                self.set_y(-16)
                self.set_font("Manrope", "", 8.5)
                self.set_text_color(*_SOFT)
                self.cell(_WIDTH_MM / 2, 6, course)
                self.cell(_WIDTH_MM / 2, 6, f"{self.page_no()}", align="R")

        self.pdf = Numbered(format="A4")
        self.pdf.set_creation_date(datetime(2026, 1, 1, tzinfo=UTC))
        self.pdf.set_title(title)
        self.pdf.set_author(course)
        self.pdf.set_margins(_MARGIN_MM, 20, _MARGIN_MM)
        self.pdf.set_auto_page_break(True, margin=24)
        for style, file in _FONTS.items():
            with importlib.resources.as_file(
                importlib.resources.files("font_manrope") / "files" / file
            ) as font:
                self.pdf.add_font("Manrope", style, str(font))


def _cover(pdf: "FPDF", title: str, course: str) -> None:
    pdf.add_page()
    pdf.set_fill_color(*_GROUND)
    pdf.rect(0, 0, 210, 62, style="F")
    pdf.set_xy(_MARGIN_MM, 20)
    pdf.set_text_color(190, 215, 255)
    pdf.set_font("Manrope", "I", 10)
    pdf.cell(_WIDTH_MM, 6, course, new_x="LMARGIN", new_y="NEXT")
    pdf.set_text_color(255, 255, 255)
    pdf.set_font("Manrope", "B", 25)
    pdf.multi_cell(_WIDTH_MM, 11, title, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.set_y(74)


def _blocks(markdown: str) -> list[str]:
    """Paragraphs, headings and list entries, each as one line with its mark."""
    blocks: list[str] = []
    open_block = False
    for raw in markdown.splitlines():
        line = raw.strip()
        begins = line.startswith(("#", "- ", "* ", "> ")) or line == "---" or bool(_NUMBERED.match(line))
        if not line:
            open_block = False
        elif open_block and not begins:
            blocks[-1] += f" {line}"
        else:
            blocks.append(line)
            open_block = not line.startswith("#") and line != "---"
    return blocks


def _block(pdf: "FPDF", block: str) -> None:
    if block == "---":
        pdf.add_page()
    elif block.startswith("#"):
        _heading(pdf, block)
    elif block.startswith(("- ", "* ")):
        _entry(pdf, "•", block[2:])
    elif numbered := _NUMBERED.fullmatch(block):
        _entry(pdf, f"{numbered[1]}.", numbered[2])
    elif block.startswith("> "):
        _quote(pdf, block[2:])
    else:
        _text(pdf, block, _WIDTH_MM)
        pdf.ln(2.5)


def _heading(pdf: "FPDF", block: str) -> None:
    text = block.lstrip("#").strip()
    size = 17.0 if block.startswith("# ") else 12.5
    pdf.ln(3)
    # A heading alone at the foot of a page belongs to nobody.
    if pdf.will_page_break(30):
        pdf.add_page()
    pdf.set_font("Manrope", "B", size)
    pdf.set_text_color(*(_GROUND if size > 15 else _ACCENT))
    pdf.multi_cell(_WIDTH_MM, size * 0.5, text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(1.5)


def _entry(pdf: "FPDF", mark: str, text: str) -> None:
    pdf.set_font("Manrope", "B", 10.5)
    pdf.set_text_color(*_ACCENT)
    pdf.cell(7, 6, mark)
    _text(pdf, text, _WIDTH_MM - 7)
    pdf.ln(0.8)


def _quote(pdf: "FPDF", text: str) -> None:
    top, page = pdf.get_y(), pdf.page
    pdf.set_x(_MARGIN_MM + 6)
    _text(pdf, text, _WIDTH_MM - 6, "I")
    if pdf.page == page:
        pdf.set_fill_color(*_ACCENT)
        pdf.rect(_MARGIN_MM, top + 0.6, 1.4, pdf.get_y() - top - 1.2, style="F")
    pdf.ln(3)


def _text(pdf: "FPDF", text: str, width_mm: float, style: str = "") -> None:
    pdf.set_font("Manrope", style, 10.5)
    pdf.set_text_color(*_INK)
    text = _EMPHASIS.sub(r"__\1__", text.replace("__", "").replace("--", "–"))
    pdf.multi_cell(width_mm, 6, text, align="L", markdown=not style, new_x="LMARGIN", new_y="NEXT")
