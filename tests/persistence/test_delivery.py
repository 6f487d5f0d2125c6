"""Addresses for browsers: the store's own, or a CDN's with a token in the path."""

import base64
import hashlib
from dataclasses import replace

import pytest

from persistence.delivery import address, address_inside, check_settings, opens, path_token
from persistence.errors import SetupError, StoreError
from persistence.objects import WINDOW_S, ObjectStore, presign

SECRET = "5f" * 32
KEY = "course/c1/item-1/v1/720p.mp4"
PLAIN = ObjectStore("http://inside:9000", "https://objects.test", "us-east-1", "key", "secret", "bucket")
CDN = replace(PLAIN, media_base_url="https://media.test/", media_token_key=SECRET)
NOW_S = 1_790_000_000.0


def test_without_a_cdn_it_is_the_stores_own_signed_url() -> None:
    assert address(PLAIN, KEY, NOW_S) == presign(PLAIN, KEY, NOW_S)


def test_s2_no_address_outlives_a_quarter_of_an_hour() -> None:
    for store in (PLAIN, CDN):
        for second in range(0, 2 * WINDOW_S, 7):
            left_s = address(store, KEY, NOW_S + second).expires_at_s - (NOW_S + second)
            assert WINDOW_S < left_s <= 15 * 60


def test_the_address_of_a_cdn_has_the_token_in_its_path_and_is_stable_in_a_window() -> None:
    begin_s = NOW_S // WINDOW_S * WINDOW_S
    first = address(CDN, KEY, begin_s)
    assert first == address(CDN, KEY, begin_s + WINDOW_S - 1)
    assert first != address(CDN, KEY, begin_s + WINDOW_S)
    base, token, key = first.url.removeprefix("https://").split("/", 2)
    assert (base, key) == ("media.test", KEY)
    assert token == path_token(SECRET, KEY, first.expires_at_s)


def test_the_token_is_what_nginx_secure_link_computes() -> None:
    # `secure_link_md5 "$ends/$key SECRET"`, in base64url without padding (nginx' manual).
    digest = hashlib.md5(f"1790000900/{KEY} {SECRET}".encode()).digest()
    expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert path_token(SECRET, KEY, 1_790_000_900) == f"1790000900-{expected}"


def test_s1_a_token_opens_its_one_object_until_it_ends() -> None:
    found = address(CDN, KEY, NOW_S)
    token = found.url.split("/")[3]
    assert opens(SECRET, token, KEY, found.expires_at_s - 1)
    assert not opens(SECRET, token, KEY, found.expires_at_s)
    for other in ("course/c1/item-1/v1/360p.mp4", "course/c1/item-2/v1/720p.mp4", f"{KEY}/", f"../{KEY}", ""):
        assert not opens(SECRET, token, other, NOW_S)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "1790000900",
        "1790000900-",
        "x" * 33,
        "9" * 12 + "-" + "A" * 22,
        "1790000900-" + "A" * 4096,
        "é" * 9,
    ],
)
def test_what_is_no_token_of_ours_opens_nothing(token: str) -> None:
    assert not opens(SECRET, token, KEY, NOW_S)


def test_without_a_key_nothing_is_opened() -> None:
    assert not opens("", path_token("", KEY, int(NOW_S) + 60), KEY, NOW_S)


def test_a_token_cannot_be_carried_to_a_later_end() -> None:
    token = path_token(SECRET, KEY, int(NOW_S) + 60)
    later = f"{int(NOW_S) + 600}{token[10:]}"
    assert opens(SECRET, token, KEY, NOW_S) and not opens(SECRET, later, KEY, NOW_S)


def test_s1_no_address_is_made_for_a_key_of_others_making() -> None:
    for key in ("../x", "/x", "a//b", "a/%2e%2e/b", "ü", "", "a" * 1025):
        for store in (PLAIN, CDN):
            with pytest.raises(StoreError):
                address(store, key, NOW_S)


def test_an_edge_is_sent_where_servers_reach_the_store() -> None:
    assert address_inside(CDN, KEY, NOW_S).url.startswith(f"http://inside:9000/bucket/{KEY}?X-Amz-Algorithm=")
    assert address_inside(replace(CDN, endpoint_url=""), KEY, NOW_S).url.startswith("https://objects.test/")


def test_s4_the_name_to_save_under_is_signed() -> None:
    url = address(PLAIN, KEY, NOW_S, download_name='Übung "1"/\r\n.pdf').url
    disposition = (
        "response-content-disposition=attachment%3B%20filename%2A%3DUTF-8%27%27%25C3%259Cbung%25201.pdf"
    )
    assert disposition in url
    assert url.rpartition("=")[2] != address(PLAIN, KEY, NOW_S, download_name="other").url.rpartition("=")[2]


def test_the_secret_is_never_shown() -> None:
    assert SECRET not in repr(CDN) and "secret" not in repr(CDN)


@pytest.mark.parametrize(
    ("base_url", "token_key", "named"),
    [
        ("https://media.test", "", "media_token_key"),
        ("https://media.test", "short", "media_token_key"),
        ("https://media.test", "a b" * 20, "media_token_key"),
        ("media.test", SECRET, "media_base_url"),
        ("https://media.test/?x=1", SECRET, "media_base_url"),
        ("ftp://media.test", SECRET, "media_base_url"),
    ],
)
def test_a_cdn_that_could_not_be_used_is_refused(base_url: str, token_key: str, named: str) -> None:
    with pytest.raises(SetupError, match=named):
        check_settings(base_url, token_key)


def test_a_cdn_is_no_must() -> None:
    check_settings("", "")
    check_settings("https://media.test/lectures", SECRET)
