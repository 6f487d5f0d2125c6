"""Bad input over raw sockets and clients: H2, H3, H5, H6, H13, H14, H18, H19 of the fault list."""

import io
import json
import zlib

import pytest
from structlog.testing import capture_logs

from tests.gateway.http.conftest import Web

HOST = b"Host: playhead.example\r\n"


def status(received: bytes) -> int:
    line = received.split(b"\r\n", 1)[0]
    return int(line.split()[1]) if line.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")) else 0


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(
            b"POST /v1/sign-in HTTP/1.1\r\n"
            + HOST
            + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="length and chunks",
        ),
        pytest.param(
            b"POST /v1/sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            id="two lengths",
        ),
        pytest.param(b"GET /healthz HTTP/1.1\r\n" + HOST + HOST + b"\r\n", id="two hosts"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: b\r\n folded\r\n\r\n", id="folded"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A : b\r\n\r\n", id="space before colon"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: b\x00c\r\n\r\n", id="nul"),
        pytest.param(b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n", id="version"),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 9000 + b"\r\n\r\n", id="long header"
        ),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: b\r\n" % n for n in range(200)) + b"\r\n",
            id="many headers",
        ),
        pytest.param(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", id="long line"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(
            b"POST /v1/sign-in HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            id="chunk size",
        ),
        pytest.param(
            b"POST /v1/sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", id="negative length"
        ),
    ],
)
async def test_h2_a_request_that_means_two_things_is_refused(web: Web, head: bytes) -> None:
    received = await web.raw(head)
    assert 400 <= status(received) < 500, received
    assert b"Traceback" not in received
    assert b"aiohttp" not in received.split(b"\r\n\r\n", 1)[-1]
    assert (await web.ask("GET", "/healthz")).status == 200


async def test_h3_a_body_too_large_is_413(web: Web) -> None:
    body = b'{"code": "' + b"a" * (1024 * 1024) + b'"}'
    answer = await web.ask(
        "POST", "/v1/sign-in", data=io.BytesIO(body), headers={"Content-Type": "application/json"}
    )
    assert (answer.status, answer.json["code"]) == (413, "too_large")


async def test_h3_a_deflate_bomb_is_never_unpacked(web: Web) -> None:
    bomb = zlib.compress(b"a" * (64 * 1024 * 1024), 9)
    answer = await web.ask(
        "POST",
        "/v1/sign-in",
        data=bomb,
        headers={"Content-Type": "application/json", "Content-Encoding": "deflate"},
    )
    assert len(bomb) < 100_000
    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")


async def test_h4_a_hundred_thousand_chunks_are_a_small_body(web: Web) -> None:
    head = b"POST /v1/tickets HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
    head += b"Authorization: Bearer " + web.token("mira").encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    received = await web.raw(head + b"1\r\n \r\n" * 100_000 + b"0\r\n\r\n", wait_s=20)
    assert status(received) == 400, received
    assert (await web.ask("GET", "/healthz")).status == 200


async def test_h5_headers_of_proxies_make_nobody_somebody(web: Web) -> None:
    spoofed = {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Real-IP": "127.0.0.1",
        "X-User-ID": "ben",
        "X-Original-URL": "/metrics",
        "Forwarded": "for=127.0.0.1",
    }
    mira = await web.ask("GET", "/v1/courses", student="mira")
    assert (await web.ask("GET", "/v1/courses", student="mira", headers=spoofed)).json == mira.json
    assert (await web.ask("GET", "/v1/courses", headers=spoofed)).status == 401
    ticket = await web.ask(
        "POST", "/v1/tickets", student="mira", headers=spoofed, json={"device_id": "phone"}
    )
    assert "evil" not in ticket.json["socket_url"]
    with capture_logs() as logged:
        await web.ask("GET", "/healthz", headers=spoofed | {"X-Forwarded-For": "6.6.6.6"})
    assert [line["remote"] for line in logged if line["event"] == "request"] == ["127.0.0.1"]


@pytest.mark.parametrize(
    "line",
    [
        b"OPTIONS * HTTP/1.1",
        b"CONNECT evil.example:80 HTTP/1.1",
        b"TRACE /healthz HTTP/1.1",
        b"BREW /v1/courses HTTP/1.1",
    ],
)
async def test_h6_methods_without_a_place_are_405(web: Web, line: bytes) -> None:
    received = await web.raw(line + b"\r\n" + HOST + b"\r\n")
    assert status(received) in (400, 405), received
    if not line.startswith(b"CONNECT"):
        assert status(received) == 405, received


@pytest.mark.parametrize(
    ("body", "status_wanted"),
    [
        (b"", 400),
        (b"{", 400),
        (b"nonsense", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"x"', 422),
        (b"{}", 422),
        (b'{"device_id": 5}', 422),
        (b'{"device_id": ""}', 422),
        (b'{"device_id": null}', 422),
        (b'{"device_id": "a", "device_id": "b"}', 400),
        (b'{"device_id": NaN}', 400),
        (b'{"device_id": "\\u0000"}', 422),
        (b'{"device_id": "\\ud800"}', 400),
        (b'{"device_id": "a\\nb"}', 422),
        (b'{"device_id": "' + b"a" * 65 + b'"}', 422),
        (b"\xff\xfe{}", 400),
        (b'{"device_id": "\xff"}', 400),
        (b"[" * 100_000, 422),
        (b'{"a":' * 20_000, 422),
        (b'{"device_id": "a"} x', 400),
        (b'{"device_id": ' + b"9" * 5000 + b"}", 422),
        (b"\xef\xbb\xbf{}", 400),
    ],
)
async def test_rule_29_a_body_is_read_strictly(web: Web, body: bytes, status_wanted: int) -> None:
    answer = await web.ask(
        "POST", "/v1/tickets", student="mira", data=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status == status_wanted
    assert answer.headers["Content-Type"].startswith("application/problem+json")


async def test_h13_a_form_of_another_site_changes_nothing(web: Web) -> None:
    for content_type, data in (
        ("application/x-www-form-urlencoded", b"device_id=phone"),
        ("text/plain", b'{"device_id": "phone"}'),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="device_id"\r\n\r\nphone\r\n--x--',
        ),
    ):
        headers = {"Content-Type": content_type, "Origin": "https://evil.example", "Cookie": "a=b"}
        assert (
            await web.ask("POST", "/v1/tickets", student="mira", data=data, headers=headers)
        ).status == 415
    answer = await web.ask("POST", "/v1/tickets", json={"device_id": "phone"}, headers={"Cookie": "token=x"})
    assert answer.status == 401
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "https://learn.example.evil",
        "http://learn.example",
        "https://LEARN.example",
        "https://learn.example:444",
        "",
    ],
)
async def test_h14_other_origins_are_not_let_in(web: Web, origin: str) -> None:
    for method, status_wanted in (("GET", 200), ("OPTIONS", 405)):
        answer = await web.ask(
            method,
            "/v1/courses",
            student="mira",
            headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
        )
        assert answer.status == status_wanted
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


async def test_h14_the_origin_we_were_told_of_is_let_in_without_credentials(web: Web) -> None:
    for method, status_wanted in (("GET", 200), ("OPTIONS", 204)):
        answer = await web.ask(
            method, "/v1/courses", student="mira", headers={"Origin": "https://learn.example"}
        )
        assert answer.status == status_wanted
        assert answer.headers["Access-Control-Allow-Origin"] == "https://learn.example"
        assert "Access-Control-Allow-Credentials" not in answer.headers
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert allowed == ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"]


async def test_h15_a_file_like_name_is_kept_by_nobody_either(web: Web) -> None:
    for path in ("/v1/courses/systems.css", "/v1/courses/systems/x.js", "/v1/progress/intro.png"):
        answer = await web.ask("GET", path, student="mira")
        assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-store")


async def test_h18_logs_hold_no_line_of_the_client_and_no_secret(web: Web) -> None:
    token = web.token("mira")
    agent = "\x1b[31mevil\x07" + "a" * 5000
    with capture_logs() as logged:
        await web.raw(
            b"GET /v1/courses?token="
            + token.encode()
            + b" HTTP/1.1\r\n"
            + HOST
            + b"User-Agent: "
            + agent.encode()[:4000]
            + b"\r\nAuthorization: Bearer "
            + token.encode()
            + b"\r\nConnection: close\r\n\r\n"
        )
        await web.ask("GET", f"/v1/media/{web.deps.issuer.issue('media', 'mira')}/master.m3u8")
        await web.ask("GET", "/v1/courses/a%0D%0Aevent=forged", student="mira")
        await web.ask("POST", "/v1/sign-in", json={"code": token})
    text = json.dumps(logged)
    assert "eyJ" not in text
    assert "token=" not in text
    assert "forged" not in text
    assert max(len(str(value)) for line in logged for value in line.values()) < 300


async def test_i5_an_error_of_ours_says_nothing_of_us(web: Web) -> None:
    await web.deps.postgres.execute("ALTER TABLE enrolment RENAME TO enrolment_away")
    try:
        with capture_logs() as logged:
            answer = await web.ask("GET", "/v1/courses", student="mira")
    finally:
        await web.deps.postgres.execute("ALTER TABLE enrolment_away RENAME TO enrolment")
    assert (answer.status, answer.json["code"]) == (500, "internal")
    assert b"enrolment" not in answer.body
    assert [line["route"] for line in logged if line["event"] == "request_failed"] == ["/v1/courses"]
