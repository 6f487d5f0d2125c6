"""PDFs of people: pages are counted by a reader under limits; what is broken, locked or active is refused."""

import zlib
from pathlib import Path

import pytest
from fpdf import FPDF
from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    PdfObject,
    StreamObject,
    TextStringObject,
)

from actors.pdf import PdfError, PdfLimits, pages


def _writer(count: int = 3) -> PdfWriter:
    writer = PdfWriter()
    for _ in range(count):
        writer.add_blank_page(200, 200)
    return writer


def _written(writer: PdfWriter, folder: Path) -> Path:
    file = folder / "paper.pdf"
    with file.open("wb") as out:
        writer.write(out)
    return file


def test_pages_are_counted(tmp_path: Path) -> None:
    drawn = FPDF()
    for _ in range(7):
        drawn.add_page()
        drawn.set_font("helvetica", size=12)
        drawn.cell(text="A page", link="https://example.org")
    drawn.output(str(tmp_path / "drawn.pdf"))
    assert pages(tmp_path / "drawn.pdf") == 7
    assert pages(_written(_writer(), tmp_path)) == 3


def test_a_password_is_a_reason(tmp_path: Path) -> None:
    writer = _writer()
    writer.encrypt("secret")
    with pytest.raises(PdfError, match="protected by a password"):
        pages(_written(writer, tmp_path))


def _open_with(writer: PdfWriter, action: dict[NameObject, PdfObject]) -> None:
    writer.root_object[NameObject("/OpenAction")] = writer._add_object(DictionaryObject(action))


def _with_script(writer: PdfWriter) -> None:
    text = TextStringObject("app.alert('hello')")
    _open_with(writer, {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): text})


def _with_launch(writer: PdfWriter) -> None:
    action = DictionaryObject(
        {NameObject("/S"): NameObject("/Launch"), NameObject("/F"): TextStringObject("cmd.exe")}
    )
    writer.root_object[NameObject("/OpenAction")] = writer._add_object(action)


def _with_file(writer: PdfWriter) -> None:
    writer.add_attachment("invoice.exe", b"MZ")


def _with_hidden_script(writer: PdfWriter) -> None:
    """The name of the action stands in an object of its own."""
    name = writer._add_object(NameObject("/JavaScript"))
    action = DictionaryObject({NameObject("/S"): name})
    annotation = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject("/Link"),
            NameObject("/Rect"): ArrayObject([NumberObject(0)] * 4),
            NameObject("/A"): action,
        }
    )
    writer.pages[1][NameObject("/Annots")] = ArrayObject([writer._add_object(annotation)])


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (_with_script, "JavaScript"),
        (_with_launch, "starts programs"),
        (_with_file, "embedded files"),
        (_with_hidden_script, "JavaScript"),
    ],
)
def test_u3_what_acts_is_refused(tmp_path: Path, act: object, what: str) -> None:
    writer = _writer()
    act(writer)  # type: ignore[operator]
    with pytest.raises(PdfError, match=what):
        pages(_written(writer, tmp_path))


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.7\n", b"%PDF-1.7\n" + b"\x00\xff" * 5000, b"%PDF-1.4\ntrailer << /Root 1 0 R >>\n%%EOF"],
)
def test_what_is_broken_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "broken.pdf"
    file.write_bytes(data)
    with pytest.raises(PdfError, match="damaged"):
        pages(file)


def test_u3_another_file_with_a_pdf_in_it_is_none(tmp_path: Path) -> None:
    file = tmp_path / "page.pdf"
    file.write_bytes(b"<html><script>alert(1)</script>\n" + _written(_writer(), tmp_path).read_bytes())
    with pytest.raises(PdfError, match="is no PDF"):
        pages(file)


def test_a_page_tree_that_contains_itself_ends(tmp_path: Path) -> None:
    writer = _writer(1)
    tree = writer.root_object["/Pages"].get_object()
    assert isinstance(tree, DictionaryObject)
    tree[NameObject("/Kids")] = ArrayObject([writer.root_object.raw_get("/Pages")])
    with pytest.raises(PdfError):
        pages(_written(writer, tmp_path), PdfLimits(time_s=20))


def test_u1_a_stream_that_unpacks_to_gigabytes_harms_nobody(tmp_path: Path) -> None:
    writer = _writer(1)
    bomb = StreamObject()
    packer = zlib.compressobj(9)
    bomb._data = b"".join([packer.compress(bytes(2**24)) for _ in range(128)] + [packer.flush()])
    bomb[NameObject("/Filter")] = NameObject("/FlateDecode")
    writer.pages[0][NameObject("/Contents")] = writer._add_object(bomb)
    assert pages(_written(writer, tmp_path), PdfLimits(time_s=20, memory_bytes=512 * 1024**2)) == 1


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(PdfError, match=r"within 0\.01 s"):
        pages(_written(_writer(), tmp_path), PdfLimits(time_s=0.01))


def test_what_wants_too_much_memory_is_ended(tmp_path: Path) -> None:
    with pytest.raises(PdfError, match=r"memory|took more"):
        pages(_written(_writer(), tmp_path), PdfLimits(memory_bytes=24 * 1024**2))
