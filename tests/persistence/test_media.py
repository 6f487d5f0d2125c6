"""The document that says where the media of a version lie."""

import pytest

from persistence.errors import StoreError
from persistence.media import Media, Rendition, of_document

RENDITION = Rendition(
    "360p", 640, 360, 25.0, 300_000, 350_000, "avc1.42c01e", "course/c/i/v/360p.mp4", "#EXTM3U\n"
)
MEDIA = Media("hls", (RENDITION,), "course/c/i/v/poster.jpg", "course/c/i/v/plain.mp4")


def test_what_is_stored_is_read_again() -> None:
    assert of_document(MEDIA.document()) == MEDIA


def test_a_version_without_media_has_none() -> None:
    assert of_document({}) is None


@pytest.mark.parametrize("name", ["kind", "renditions", "poster", "plain"])
def test_half_a_document_is_an_error_that_says_what_to_do(name: str) -> None:
    stored = {key: value for key, value in MEDIA.document().items() if key != name}
    with pytest.raises(StoreError, match="ingest it again"):
        of_document(stored)
