"""What a player asks for: the way to an item's media, and playlists whose bytes lie in the object store.

A media token in the path names one student's right to one version, so that players which send no header
(native HLS) can read playlists. The bytes themselves never pass here: each playlist holds one signed URL.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import structlog
from aiohttp import web

from gateway.http import cmcd
from gateway.http.problems import Problem, not_found, unavailable
from gateway.http.routes import Call, Route, Who
from gateway.tokens import MEDIA_WINDOW_S, TokenRefused
from persistence import items, media
from persistence.delivery import address
from persistence.errors import StoreError, StoreUnavailable
from persistence.ids import is_id
from persistence.objects import ObjectStore, Presigned

if TYPE_CHECKING:
    from gateway.http.deps import Deps

log = structlog.get_logger()

PLAYLIST = "application/vnd.apple.mpegurl"
VTT = "text/vtt"

RENEWAL_SPREAD = 0.6
"""Renewals of one window are spread over this share of the next, so that not everybody asks at once."""

ANSWERS_AT_ONCE = 2
"""Of one call of a socket gateway: pages need connections to Postgres as well."""

_MAP_URI = re.compile(r'^(#EXT-X-MAP:(?:.*,)?URI=")[^"]*(")', re.MULTILINE)
_SEGMENT_URI = re.compile(r"^(?!#)\S.*$", re.MULTILINE)
_CUE_IMAGE = re.compile(rf"^{re.escape(media.SPRITE_NAME)}(?=#xywh=)", re.MULTILINE)


class RenditionAnswer(msgspec.Struct, frozen=True):
    """A quality a player may choose; `bitrate` in bits/s."""

    name: str
    width: int
    height: int
    bitrate: int


class SpriteAnswer(msgspec.Struct, frozen=True):
    """Thumbnails of the seek bar: WebVTT whose cues are places in the one image."""

    image_url: str
    vtt_url: str


class CaptionAnswer(msgspec.Struct, frozen=True):
    """A text track in WebVTT; `language` is BCP 47, `label` what a menu shows."""

    language: str
    label: str
    url: str


class MediaAnswer(msgspec.Struct, frozen=True):
    """How to play an item in its current version.

    All URLs end `expires_in_s` after the answer, or later. Ask again after `renew_at_s`, counted from the
    answer as well; until then the same question has the same answer. `hls_url` and `vtt_url` are of this
    server, the others of the object store or the CDN before it. `mp4_url` is for players without HLS.
    """

    kind: str
    version: str
    hls_url: str
    mp4_url: str
    poster_url: str
    expires_in_s: int
    renew_at_s: int
    renditions: list[RenditionAnswer]
    sprite: SpriteAnswer | None
    preview_url: str | None
    captions: list[CaptionAnswer]
    loudness_lufs: float | None


async def of_item(call: Call) -> MediaAnswer:
    """`GET /v1/items/{item}/media`. One 404 for what is missing, another's, or has no media (H7)."""
    found = await answer(call.deps, call.student, call.path_id("item"))
    if found is None:
        raise not_found()
    return found


async def answer(deps: "Deps", student: str, item: str) -> MediaAnswer | None:
    """How this student may play this item now; None for no, whatever the reason.

    Raises `Problem` where there is no object store, `StoreError`.
    """
    opened = await items.open_for(deps.postgres, student, item) if is_id(item) else None
    found = None if opened is None else media.of_document(opened.media)
    if opened is None or found is None:
        return None
    now_s = time.time()
    token, ends_s = deps.issuer.issue_media(student, opened.id, opened.version)
    base = f"/v1/media/{token}"
    sign = _signer(deps.settings.objects, now_s)
    plain, poster = sign(found.plain), sign(found.poster)
    return MediaAnswer(
        kind=found.kind,
        version=opened.version,
        hls_url=f"{base}/master.m3u8",
        mp4_url=plain.url,
        poster_url=poster.url,
        expires_in_s=int(min(ends_s, plain.expires_at_s) - now_s),
        renew_at_s=renew_at_s(now_s),
        renditions=[
            RenditionAnswer(rendition.name, rendition.width, rendition.height, rendition.bitrate)
            for rendition in found.renditions
        ],
        sprite=SpriteAnswer(sign(found.sprite.key).url, f"{base}/sprite.vtt") if found.sprite else None,
        preview_url=sign(found.preview).url if found.preview else None,
        captions=[
            CaptionAnswer(caption.language, caption.label, sign(caption.key).url)
            for caption in found.captions
        ],
        loudness_lufs=found.loudness_lufs,
    )


async def answers(deps: "Deps", wishes: Sequence[tuple[str, str]]) -> list[bytes | None]:
    """`answer` for each (student, item), packed, for who asks over a socket; None for no.

    Raises `Problem` without an object store, `StoreUnavailable`.
    """
    few = asyncio.Semaphore(ANSWERS_AT_ONCE)

    async def one(student: str, item: str) -> bytes | None:
        async with few:
            try:
                found = await answer(deps, student, item)
            except StoreUnavailable:
                raise
            except StoreError as error:
                # A document nobody can read concerns its own item, not whoever asks at the same moment.
                log.error("media_unreadable", item=item, error=str(error))
                return None
        return None if found is None else msgspec.msgpack.encode(found)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(student, item)) for student, item in wishes]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def renew_at_s(
    now_s: float, window_s: int = MEDIA_WINDOW_S, draw: Callable[[], float] = random.random
) -> int:
    """In how many s to ask again: some time in the next window, while what was answered now is still good.

    Everybody's addresses of one window end together; spread, their renewals come evenly.
    """
    left_s = window_s - now_s % window_s
    return int(left_s + RENEWAL_SPREAD * window_s * draw()) + 1


async def master(call: Call) -> web.Response:
    """`GET /v1/media/{token}/master.m3u8`: the qualities there are."""
    return _playlist(master_playlist(await _media_of_token(call)))


async def rendition(call: Call) -> web.Response:
    """`GET /v1/media/{token}/{rendition}.m3u8`: the byte ranges of one quality."""
    found = await _media_of_token(call)
    name = call.request.match_info["rendition"]
    chosen = next((one for one in found.renditions if one.name == name), None)
    if chosen is None:
        raise not_found()
    sign = _signer(call.deps.settings.objects, time.time())
    return _playlist(media_playlist(chosen.playlist, sign(chosen.key).url))


async def sprite(call: Call) -> web.Response:
    """`GET /v1/media/{token}/sprite.vtt`: where in the image of thumbnails each moment is."""
    found = (await _media_of_token(call)).sprite
    if found is None:
        raise not_found()
    sign = _signer(call.deps.settings.objects, time.time())
    return _of_window(sprite_cues(found.vtt, sign(found.key).url), VTT)


def master_playlist(found: media.Media) -> str:
    """The multivariant playlist (RFC 8216, 4.3.4.2); its URIs are relative, so they keep the token."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for one in found.renditions:
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={one.peak_bitrate},AVERAGE-BANDWIDTH={one.bitrate},"
            f'CODECS="{one.codecs}",RESOLUTION={one.width}x{one.height},FRAME-RATE={one.frames_per_s:.3f}'
        )
        lines.append(f"{one.name}.m3u8")
    return "\n".join(lines) + "\n"


def media_playlist(stored: str, url: str) -> str:
    """A stored playlist with `url`, which is one file, in the place of every file name."""
    with_map = _MAP_URI.sub(lambda found: f"{found[1]}{url}{found[2]}", stored)
    return _SEGMENT_URI.sub(lambda _: url, with_map)


def sprite_cues(stored: str, url: str) -> str:
    """Stored cues with the image's `url` in the place of its name."""
    return _CUE_IMAGE.sub(lambda _: url, stored)


async def _media_of_token(call: Call) -> media.Media:
    """The media the token in the path is good for. Raises 403 for one that ran out, 404 for any other."""
    try:
        right = call.deps.verifier.verify(call.request.match_info["token"], typ="media")
    except TokenRefused as error:
        if error.reason == "expired":
            raise Problem(
                403, "media_expired", "This address ran out; ask /v1/items/{item}/media for a new one.", _ANY
            ) from error
        raise not_found() from error
    version = await items.version(call.deps.postgres, right.item, right.version)
    found = None if version is None else media.of_document(version.media)
    if found is None:
        raise not_found()
    call.deps.experience.metrics.told(cmcd.read(call.request.headers))
    return found


def _signer(store: ObjectStore | None, now_s: float) -> Callable[[str], Presigned]:
    if store is None:
        raise unavailable("This server has no object store; set objects.endpoint_url.", "no_object_store")
    return lambda key: address(store, key, now_s)


# The token in the path is the right, and nothing else is asked: a page of any origin that has it may read, a
# television's player or a <track> as well.
_ANY = {"Access-Control-Allow-Origin": "*"}


def _playlist(text: str) -> web.Response:
    response = _of_window(text, PLAYLIST)
    # The signed URL stands in it once per segment: 1,800 times in a lecture of two hours.
    response.enable_compression()
    return response


def _of_window(text: str, content_type: str) -> web.Response:
    """Good until the window ends: the next window has other URLs, the ones in here live one window more."""
    left_s = MEDIA_WINDOW_S - int(time.time()) % MEDIA_WINDOW_S
    return web.Response(
        text=text,
        content_type=content_type,
        headers={"Cache-Control": f"private, max-age={left_s}", **_ANY},
    )


_HELD = r"{token:[A-Za-z0-9_.-]{1,4096}}"

ROUTES = (
    Route(
        "GET",
        "/v1/items/{item}/media",
        Who.STUDENT,
        of_item,
        "How to play an item: HLS, a plain mp4, poster, thumbnails, captions",
        MediaAnswer,
        problems=(404, 503),
    ),
    Route(
        "GET",
        f"/v1/media/{_HELD}/master.m3u8",
        Who.HOLDER,
        master,
        "The HLS playlist of all qualities",
        PLAYLIST,
        problems=(403, 404),
    ),
    Route(
        "GET",
        f"/v1/media/{_HELD}" + r"/{rendition:[0-9a-z]{1,16}}.m3u8",
        Who.HOLDER,
        rendition,
        "The HLS playlist of one quality; its bytes lie in the object store",
        PLAYLIST,
        problems=(403, 404, 503),
    ),
    Route(
        "GET",
        f"/v1/media/{_HELD}/sprite.vtt",
        Who.HOLDER,
        sprite,
        "Where in the image of thumbnails each moment is, as WebVTT",
        VTT,
        problems=(403, 404, 503),
    ),
)
