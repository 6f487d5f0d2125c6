"""Where the content of one version of an item lies: object keys, byte ranges, texts, by kind."""

from typing import Any, Literal, TypeVar

import msgspec

from persistence.errors import StoreError

S = TypeVar("S", bound=msgspec.Struct)

SPRITE_NAME = "sprite.jpg"
"""What the cues of `Sprite.vtt` call the sheet: to be replaced by an address that can be asked for."""


class Rendition(msgspec.Struct, frozen=True):
    """One rung of the ladder, all of it in the object `key`; `playlist` lists its byte ranges as HLS.

    `bitrate` is the average, `peak_bitrate` that of the dearest segment, bits/s; `codecs` as in RFC 6381.
    """

    name: str
    width: int
    height: int
    frames_per_s: float
    bitrate: int
    peak_bitrate: int
    codecs: str
    key: str
    playlist: str


class Sprite(msgspec.Struct, frozen=True):
    """Thumbnails for the seek bar: one JPEG sheet in the object `key`.

    `vtt` is WebVTT whose cues are `sprite.jpg#xywh=x,y,width,height`, in pixels of the sheet.
    """

    key: str
    vtt: str


class Caption(msgspec.Struct, frozen=True):
    """A text track: WebVTT in the object `key`. `language` is BCP 47, `label` what a menu shows."""

    language: str
    label: str
    key: str


class Media(msgspec.Struct, frozen=True):
    """The document in `item_version.media` of a video; `plain`, `poster` and `preview` are object keys.

    `plain` is a progressive mp4 of the lowest rendition, for players without HLS; `preview` six seconds of it
    without sound, "" for none. `loudness_lufs` is the integrated loudness (EBU R 128), None without sound.
    """

    kind: Literal["hls"]
    renditions: tuple[Rendition, ...]
    poster: str
    plain: str
    sprite: Sprite | None = None
    preview: str = ""
    captions: tuple[Caption, ...] = ()
    loudness_lufs: float | None = None

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return _document(self)


class Pdf(msgspec.Struct, frozen=True):
    """The document in `item_version.media` of a PDF, which lies in the object `key`."""

    kind: Literal["pdf"]
    key: str
    pages: int
    length_bytes: int

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return _document(self)


class Text(msgspec.Struct, frozen=True):
    """The document in `item_version.media` of a text."""

    kind: Literal["text"]
    markdown: str

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return _document(self)


def of_document(stored: dict[str, Any]) -> Media | None:
    """The media of a video's version; None for every other kind. Raises `StoreError`."""
    return _of_kind(stored, "hls", Media)


def pdf_of(stored: dict[str, Any]) -> Pdf | None:
    """The file of a PDF's version; None for every other kind. Raises `StoreError`."""
    return _of_kind(stored, "pdf", Pdf)


def text_of(stored: dict[str, Any]) -> Text | None:
    """The words of a text's version; None for every other kind. Raises `StoreError`."""
    return _of_kind(stored, "text", Text)


def _document(media: msgspec.Struct) -> dict[str, Any]:
    stored: dict[str, Any] = msgspec.to_builtins(media)
    return stored


def _of_kind(stored: dict[str, Any], kind: str, struct: type[S]) -> S | None:
    if not stored or stored.get("kind", kind) != kind:
        return None
    try:
        return msgspec.convert(stored, struct)
    except msgspec.ValidationError as error:
        raise StoreError(f"the media of an item cannot be read ({error}); ingest it again") from error
