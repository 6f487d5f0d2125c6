"""What is made of an uploaded file: renditions of a video, a checked PDF, safe captions, a poster.

Reads a file of somebody nobody knows; whatever is wrong with it ends in a `PlayheadError` for people. What is
made goes into the object store under keys that name the file's content, so making it again changes nothing.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from actors import captions, pdf
from actors.ffmpeg import Limits, TranscodeError, run
from actors.probe import last_words
from actors.transcode import Encoded, OnProgress, transcode_steps
from persistence.media import Caption, Media, Pdf, Rendition, Sprite, of_document
from persistence.objects import Objects, key_of
from persistence.uploads import Base, Upload

T = TypeVar("T")

ENCODING = "2"
"""Part of every key: to be raised when the same file would be encoded otherwise."""

CONTENT_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".vtt": "text/vtt", ".pdf": "application/pdf"}

POSTER_WIDTH, POSTER_HEIGHT = 1280, 720
# Pictures that hold themselves; the name of the demuxer is the proof of the content.
_PICTURES = ("-protocol_whitelist", "file", "-format_whitelist", "jpeg_pipe,png_pipe,webp_pipe")

# How far the length of a video may be from what its edits make of the version before.
EDITED_MAX_MS = 2000
EDITED_MAX_RATIO = 0.02


@dataclass(frozen=True, slots=True)
class Work:
    """A file to make something of: it lies in `source`, `folder` is to work in."""

    upload: Upload
    source: Path
    folder: Path
    objects: Objects
    limits: Limits


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: `next_version` gives, of the version before, the length and media of the next one.

    None where it becomes no version: then `key` is all there is.
    """

    key: str
    next_version: Callable[[Base | None], tuple[int, dict[str, object]]] | None


async def make(work: Work, on_progress: OnProgress) -> Made:
    """Make what the upload is for, and put it into the store. Raises `PlayheadError`s."""
    makers = {"video": _video, "pdf": _pdf, "captions": _captions, "poster": _poster}
    return await makers[work.upload.purpose](work, on_progress)


def media_of(encoded: Encoded, key: Callable[[str], str]) -> Media:
    """The media of a version from what was encoded; `key` gives the object of each file."""
    return Media(
        kind="hls",
        renditions=tuple(
            Rendition(
                name=made.name,
                width=made.width,
                height=made.height,
                frames_per_s=made.frames_per_s,
                bitrate=made.bitrate,
                peak_bitrate=made.peak_bitrate,
                codecs=made.codecs,
                key=key(made.file),
                playlist=made.playlist,
            )
            for made in encoded.renditions
        ),
        poster=key(encoded.poster),
        plain=key(encoded.plain),
        sprite=Sprite(key(encoded.sprite), encoded.sprite_vtt) if encoded.sprite else None,
        preview=key(encoded.preview) if encoded.preview else "",
        loudness_lufs=encoded.loudness_lufs,
    )


async def _video(work: Work, on_progress: OnProgress) -> Made:
    keys = await _keys(work)
    out = work.folder / "made"
    encoded = await drive(
        transcode_steps(work.source, out, work.limits), lambda done: on_progress(done * 0.9)
    )
    for place, file in enumerate(encoded.files):
        await _put(work, keys(file), out / file)
        on_progress(0.9 + 0.1 * (place + 1) / len(encoded.files))
    made = media_of(encoded, keys)

    def next_version(base: Base | None) -> tuple[int, dict[str, object]]:
        _check_edits(work.upload, base, encoded.duration_ms)
        before = of_document(base.media) if base is not None else None
        # Where nothing was cut or put in, the captions still fit.
        kept = before.captions if before is not None and not work.upload.edits else ()
        return encoded.duration_ms, msgspec.structs.replace(made, captions=kept).document()

    return Made(made.poster, next_version)


def _check_edits(upload: Upload, base: Base | None, duration_ms: int) -> None:
    """Raise `TranscodeError` where the edits do not lead to this video: progress would be mapped wrongly."""
    if base is None or not upload.edits:
        return
    expected_ms = base.duration_ms
    for edit in upload.edits:
        for kind, (first_ms, second_ms) in edit.items():
            expected_ms += second_ms if kind == "insert" else first_ms - second_ms
    if abs(expected_ms - duration_ms) > max(EDITED_MAX_MS, EDITED_MAX_RATIO * expected_ms):
        raise TranscodeError(
            f"the edits make a video of {expected_ms / 1000:.0f} s, but this one has "
            f"{duration_ms / 1000:.0f} s; mend the list of cuts and inserts"
        )


async def _pdf(work: Work, on_progress: OnProgress) -> Made:
    pages = await asyncio.to_thread(pdf.pages, work.source)
    on_progress(0.5)
    key = (await _keys(work))("document.pdf")
    await _put(work, key, work.source)
    document = Pdf("pdf", key, pages, work.upload.length_bytes).document()
    return Made(key, lambda base: (pages * 1000, document))


async def _captions(work: Work, on_progress: OnProgress) -> Made:
    text = await asyncio.to_thread(lambda: captions.webvtt(work.source.read_bytes()))
    on_progress(0.5)
    written = work.folder / "captions.vtt"
    await asyncio.to_thread(written.write_text, text, encoding="utf-8")
    key = (await _keys(work))(written.name)
    await _put(work, key, written)
    upload = work.upload
    new = Caption(upload.language, upload.label or upload.language, key)

    def next_version(base: Base | None) -> tuple[int, dict[str, object]]:
        duration_ms, before = _video_before(base)
        others = [one for one in before.captions if (one.language, one.label) != (new.language, new.label)]
        return duration_ms, msgspec.structs.replace(before, captions=(*others, new)).document()

    return Made(key, next_version)


async def _poster(work: Work, on_progress: OnProgress) -> Made:
    written = work.folder / "poster.jpg"
    await asyncio.to_thread(_draw_poster, work.source, written, work.limits)
    on_progress(0.5)
    key = (await _keys(work))(written.name)
    await _put(work, key, written)
    if work.upload.item is None:
        return Made(key, None)

    def next_version(base: Base | None) -> tuple[int, dict[str, object]]:
        duration_ms, before = _video_before(base)
        return duration_ms, msgspec.structs.replace(before, poster=key).document()

    return Made(key, next_version)


def _draw_poster(source: Path, written: Path, limits: Limits) -> None:
    """A JPEG of the picture, no larger than a poster is shown; nothing else of the file is kept."""
    fit = f"scale=w='min({POSTER_WIDTH},iw)':h='min({POSTER_HEIGHT},ih)':force_original_aspect_ratio=decrease"
    hostile = [*_PICTURES, "-max_pixels", str(limits.pixels), "-i", f"file:{source.resolve()}"]
    filters = ["-vf", f"{fit},format=yuvj420p", "-frames:v", "1", "-update", "1", "-q:v", "3"]
    last = ["-map_metadata", "-1", written.name]
    ended = run(["-v", "error", "-y", *hostile, *filters, *last], written.parent, limits)
    if ended.code != 0 or not written.is_file():
        raise TranscodeError(
            f"the picture cannot be read ({last_words(ended.said)}); give a JPEG, PNG or WebP"
        )


def _video_before(base: Base | None) -> tuple[int, Media]:
    before = of_document(base.media) if base is not None else None
    if base is None or before is None:
        raise TranscodeError("the item has no video yet; upload the video first")
    return base.duration_ms, before


async def _keys(work: Work) -> Callable[[str], str]:
    """Keys for what is made of the file: they name its content and who may see it."""

    def digest() -> str:
        with work.source.open("rb") as file:
            found = hashlib.file_digest(file, "sha256")
        found.update(ENCODING.encode())
        return found.hexdigest()[:24]

    upload, name = work.upload, await asyncio.to_thread(digest)
    folder = key_of("course", upload.course, *([upload.item] if upload.item else []), name)
    return lambda file: f"{folder}/{file}"


async def _put(work: Work, key: str, path: Path) -> None:
    stored = await work.objects.head(key)
    if stored is None or stored.length_bytes != (await asyncio.to_thread(path.stat)).st_size:
        await work.objects.put_file(key, path, CONTENT_TYPES[Path(key).suffix])


async def drive(steps: Generator[float, None, T], on_progress: OnProgress) -> T:
    """Run the steps beside the loop; cancelled, they are closed (which ends ffmpeg) before this returns."""
    loop, stop = asyncio.get_running_loop(), threading.Event()

    def go() -> list[T]:
        try:
            while not stop.is_set():
                loop.call_soon_threadsafe(on_progress, next(steps))
        except StopIteration as end:
            return [end.value]
        finally:
            steps.close()
        return []

    running = loop.run_in_executor(None, go)
    try:
        (made,) = await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([running])
        raise
    return made
