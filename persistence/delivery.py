"""Addresses by which a browser reads an object for a while: the store's own, signed, or a CDN's.

Behind a CDN (`objects.media_base_url`) an address is `{media_base_url}/{token}/{key}`. The token is the right
to read that one object until it ends, the same for everybody who asks inside one window: an edge checks it
without asking anybody, and keeps objects by key alone. It is bound to the object and not to its folder, for a
poster that anybody may see lies beside the lecture that only the enrolled may. config/cdn/nginx.conf.template
is such an edge.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import replace

from persistence.errors import SetupError
from persistence.objects import WINDOW_S, ObjectStore, Presigned, check_key, presign

TOKEN_KEY_MIN = 32
"""Letters of `objects.media_token_key` at the least: as hex, 128 bits."""

_TOKEN = re.compile(r"(?P<ends>[0-9]{10,12})-(?P<sum>[A-Za-z0-9_-]{22})")
_TOKEN_KEY = re.compile(rf"[A-Za-z0-9_-]{{{TOKEN_KEY_MIN},256}}")
_BASE_URL = re.compile(r"https?://[^/?#\s]+(/[^?#\s]*)?")


def address(
    store: ObjectStore, key: str, now_s: float, window_s: int = WINDOW_S, download_name: str = ""
) -> Presigned:
    """The URL to GET `key`: by the CDN where there is one, else of the store. Nothing is asked for it.

    The same for everybody inside one window, good for one to two windows from `now_s`, ranges included.
    `download_name` as `presign` has it; a CDN keeps the name of the key.
    """
    if not store.media_base_url:
        return presign(store, key, now_s, window_s, download_name)
    check_key(key)
    ends_s = int(now_s) // window_s * window_s + 2 * window_s
    token = path_token(store.media_token_key, key, ends_s)
    return Presigned(f"{store.media_base_url.rstrip('/')}/{token}/{key}", ends_s)


def address_inside(store: ObjectStore, key: str, now_s: float) -> Presigned:
    """The URL by which an edge of ours reads `key`: signed for `endpoint_url`, which servers reach."""
    return presign(replace(store, public_url=store.endpoint_url or store.public_url), key, now_s)


def path_token(token_key: str, key: str, ends_s: int) -> str:
    """`{ends}-{sum}`: the right to read the object `key` until `ends_s` (seconds since 1970).

    The sum is what nginx's secure_link computes: base64url of the MD5 of `{ends}/{key} {token_key}`. What is
    summed are words of this server and the secret stands last, so neither longer messages nor the known
    collisions of MD5 help: to forge a token takes a second preimage.
    """
    digest = hashlib.md5(f"{ends_s}/{key} {token_key}".encode()).digest()
    return f"{ends_s}-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def opens(token_key: str, token: str, key: str, now_s: float) -> bool:
    """Whether the token is one of ours, for this key, and has not ended."""
    found = _TOKEN.fullmatch(token)
    if found is None or not token_key or int(found["ends"]) <= now_s:
        return False
    return hmac.compare_digest(path_token(token_key, key, int(found["ends"])), token)


def check_settings(media_base_url: str, media_token_key: str) -> None:
    """Raise `SetupError` for a CDN that could not be used, or that anybody could forge tokens for."""
    if not media_base_url:
        return
    if not _BASE_URL.fullmatch(media_base_url):
        raise SetupError(
            "objects.media_base_url is no address; write it as https://media.learn.example, without a query"
        )
    if not _TOKEN_KEY.fullmatch(media_token_key):
        raise SetupError(
            f"objects.media_token_key has to be {TOKEN_KEY_MIN} to 256 of A-Z a-z 0-9 _ -; make one with "
            "`openssl rand -hex 32` and give the same to the CDN"
        )
