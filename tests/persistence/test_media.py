"""The document that says where the media of a version lie."""

import pytest

from persistence.errors import StoreError
from persistence.media import Caption, Media, Pdf, Rendition, Sprite, Text, of_document, pdf_of, text_of

RENDITION = Rendition(
    "360p", 640, 360, 25.0, 300_000, 350_000, "avc1.42c01e", "course/c/i/v/360p.mp4", "#EXTM3U\n"
)
MEDIA = Media("hls", (RENDITION,), "course/c/i/v/poster.jpg", "course/c/i/v/plain.mp4")


def test_what_is_stored_is_read_again() -> None:
    assert of_document(MEDIA.document()) == MEDIA


def test_all_that_may_be_there_is_read_again() -> None:
    whole = Media(
        **{name: getattr(MEDIA, name) for name in ("kind", "renditions", "poster", "plain")},
        sprite=Sprite("course/c/i/v/sprite.jpg", "WEBVTT\n"),
        preview="course/c/i/v/preview.mp4",
        captions=(Caption("pt-BR", "Português", "course/c/i/v/captions.vtt"),),
        loudness_lufs=-23.1,
    )
    assert of_document(whole.document()) == whole


def test_a_version_without_media_has_none() -> None:
    assert [of_document({}), pdf_of({}), text_of({})] == [None, None, None]


def test_each_kind_is_read_by_its_own_reader() -> None:
    pdf, text = Pdf("pdf", "course/c/i/v/paper.pdf", 12, 34_567), Text("text", "# Hello")
    assert (pdf_of(pdf.document()), text_of(text.document())) == (pdf, text)
    assert [of_document(pdf.document()), of_document(text.document())] == [None, None]
    assert [pdf_of(MEDIA.document()), text_of(pdf.document())] == [None, None]


@pytest.mark.parametrize("name", ["kind", "renditions", "poster", "plain"])
def test_half_a_document_is_an_error_that_says_what_to_do(name: str) -> None:
    stored = {key: value for key, value in MEDIA.document().items() if key != name}
    with pytest.raises(StoreError, match="ingest it again"):
        of_document(stored)
