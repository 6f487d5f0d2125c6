"""Where the media of one version of a video lie: object keys, and the byte ranges of each rendition."""

from typing import Any, Literal

import msgspec

from persistence.errors import StoreError


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


class Media(msgspec.Struct, frozen=True):
    """The document in `item_version.media` of a video; `plain` and `poster` are object keys.

    `plain` is a progressive mp4 of the lowest rendition, for players without HLS.
    """

    kind: Literal["hls"]
    renditions: tuple[Rendition, ...]
    poster: str
    plain: str

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        stored: dict[str, Any] = msgspec.to_builtins(self)
        return stored


def of_document(stored: dict[str, Any]) -> Media | None:
    """The media of a version; None where it has none (a quiz, a text). Raises `StoreError`."""
    if not stored:
        return None
    try:
        return msgspec.convert(stored, Media)
    except msgspec.ValidationError as error:
        raise StoreError(f"the media of an item cannot be read ({error}); ingest it again") from error
