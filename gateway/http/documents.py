"""Documents over HTTP: a PDF's address in the object store, or the words of a text."""

import re
import time

import msgspec

from gateway.http.problems import not_found, unavailable
from gateway.http.routes import Call, Route, Who
from persistence import items, media
from persistence.delivery import address
from persistence.items import OpenItem

PAGE_MS = 1000
"""Content ms of a page, or of a part of a text (docs/sync.md, documents)."""

TEXT_LASTS_S = 24 * 60 * 60
"""A text has no address that could run out; asked again after a day, as a cached object would be."""

NAME_MAX = 120

_SPACES = re.compile(r"\s+")
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


class DocumentAnswer(msgspec.Struct, frozen=True):
    """How to read an item. `kind` is `pdf` or `text`; what belongs to the other kind is empty or 0.

    `url` shows the PDF, `download_url` saves it as `file_name`; both end after `expires_in_s`. `parts` are
    the pages of a PDF, or the equal parts by which progress in a text is counted: part p is at p x 1000 ms.
    """

    kind: str
    version: str
    parts: int
    expires_in_s: int
    url: str = ""
    download_url: str = ""
    file_name: str = ""
    length_bytes: int = 0
    markdown: str = ""


def routes() -> list[Route]:
    """Documents of courses the student is in."""
    return [
        Route(
            "GET",
            "/v1/items/{item}/document",
            Who.STUDENT,
            of_item,
            "How to read an item: a PDF's addresses, or a text",
            DocumentAnswer,
            problems=(404, 503),
        )
    ]


async def of_item(call: Call) -> DocumentAnswer:
    """One 404 for what is missing, another's, or no document (H7)."""
    item = await items.open_for(call.deps.postgres, call.student, call.path_id("item"))
    if item is None:
        raise not_found()
    pdf, text = media.pdf_of(item.media), media.text_of(item.media)
    if item.kind == "pdf" and pdf is not None:
        return _pdf(call, item, pdf)
    if item.kind == "text" and text is not None:
        parts = max(1, item.duration_ms // PAGE_MS)
        return DocumentAnswer("text", item.version, parts, TEXT_LASTS_S, markdown=text.markdown)
    raise not_found()


def _pdf(call: Call, item: OpenItem, pdf: media.Pdf) -> DocumentAnswer:
    store = call.deps.settings.objects
    if store is None:
        raise unavailable("This server has no object store; set objects.endpoint_url.", "no_object_store")
    now_s, name = time.time(), file_name(item.title)
    shown = address(store, pdf.key, now_s)
    saved = address(store, pdf.key, now_s, download_name=name)
    return DocumentAnswer(
        kind="pdf",
        version=item.version,
        parts=pdf.pages,
        expires_in_s=int(min(shown.expires_at_s, saved.expires_at_s) - now_s),
        url=shown.url,
        download_url=saved.url,
        file_name=name,
        length_bytes=pdf.length_bytes,
    )


def file_name(title: str) -> str:
    """A name under which every system can keep the file; the title as far as that goes."""
    words = _SPACES.sub(" ", _NOT_IN_NAMES.sub(" ", title)).strip(" .")[:NAME_MAX].rstrip(" .")
    return f"{words or 'document'}.pdf"
