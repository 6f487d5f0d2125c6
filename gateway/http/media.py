"""What a player asks for: the way to an item's media, and playlists whose bytes lie in the object store.

A media token in the path names one student's right to one version, so that players which send no header
(native HLS) can read playlists. The bytes themselves never pass here: each playlist holds one signed URL.
"""

import re
import time
from collections.abc import Callable

import msgspec
from aiohttp import web

from gateway.http.problems import Problem, not_found, unavailable
from gateway.http.routes import Call, Route, Who
from gateway.tokens import LIFETIMES_S, TokenRefused
from persistence import items, media
from persistence.objects import ObjectStore, Presigned, presign

PLAYLIST = "application/vnd.apple.mpegurl"

_MAP_URI = re.compile(r'^(#EXT-X-MAP:(?:.*,)?URI=")[^"]*(")', re.MULTILINE)
_SEGMENT_URI = re.compile(r"^(?!#)\S.*$", re.MULTILINE)


class RenditionAnswer(msgspec.Struct, frozen=True):
    """A quality a player may choose; `bitrate` in bits/s."""

    name: str
    width: int
    height: int
    bitrate: int


class MediaAnswer(msgspec.Struct, frozen=True):
    """How to play an item. All URLs end after `expires_in_s`, or later: ask again before.

    `hls_url` is of this server, the others of the object store; `mp4_url` is for players without HLS.
    """

    kind: str
    hls_url: str
    mp4_url: str
    poster_url: str
    expires_in_s: int
    renditions: list[RenditionAnswer]


async def of_item(call: Call) -> MediaAnswer:
    """`GET /v1/items/{item}/media`. One 404 for what is missing, another's, or has no media (H7)."""
    item = await items.open_for(call.deps.postgres, call.student, call.path_id("item"))
    found = None if item is None else media.of_document(item.media)
    if item is None or found is None:
        raise not_found()
    token, ends_s = call.deps.issuer.issue_media(call.student, item.id, item.version)
    sign = _signer(call)
    plain, poster = sign(found.plain), sign(found.poster)
    return MediaAnswer(
        kind=found.kind,
        hls_url=f"/v1/media/{token}/master.m3u8",
        mp4_url=plain.url,
        poster_url=poster.url,
        expires_in_s=int(min(ends_s, plain.expires_at_s, poster.expires_at_s) - time.time()),
        renditions=[
            RenditionAnswer(rendition.name, rendition.width, rendition.height, rendition.bitrate)
            for rendition in found.renditions
        ],
    )


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
    return _playlist(media_playlist(chosen.playlist, _signer(call)(chosen.key).url))


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


async def _media_of_token(call: Call) -> media.Media:
    """The media the token in the path is good for. Raises 403 for one that ran out, 404 for any other."""
    try:
        right = call.deps.verifier.verify(call.request.match_info["token"], typ="media")
    except TokenRefused as error:
        if error.reason == "expired":
            raise Problem(
                403, "media_expired", "This address ran out; ask /v1/items/{item}/media for a new one."
            ) from error
        raise not_found() from error
    version = await items.version(call.deps.postgres, right.item, right.version)
    found = None if version is None else media.of_document(version.media)
    if found is None:
        raise not_found()
    return found


def _signer(call: Call) -> Callable[[str], Presigned]:
    store: ObjectStore | None = call.deps.settings.objects
    if store is None:
        raise unavailable("This server has no object store; set objects.endpoint_url.", "no_object_store")
    now_s = time.time()
    return lambda key: presign(store, key, now_s)


def _playlist(text: str) -> web.Response:
    """Good until the window ends: the next window has other URLs, the ones in here live one window more."""
    window_s = LIFETIMES_S["media"]
    left_s = window_s - int(time.time()) % window_s
    response = web.Response(
        text=text, content_type=PLAYLIST, headers={"Cache-Control": f"private, max-age={left_s}"}
    )
    # The signed URL stands in it once per segment: 1,800 times in a lecture of two hours.
    response.enable_compression()
    return response


_HELD = r"{token:[A-Za-z0-9_.-]{1,4096}}"

ROUTES = (
    Route(
        "GET",
        "/v1/items/{item}/media",
        Who.STUDENT,
        of_item,
        "How to play an item: HLS, a plain mp4, a poster",
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
)
