"""H18 and I5: a log line is one line, and holds no secret, whoever wrote its values."""

import contextlib
import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from gateway.logs import REDACTED, VALUE_MAX_CHARACTERS, redact, set_up_logs

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJtaXJhIn0.c2lnbmF0dXJl"


def cleaned(**event: object) -> dict[str, object]:
    return dict(redact(None, "info", dict(event)))


@pytest.mark.parametrize(
    "key", ["token", "Authorization", "access_token", "password", "ticket", "dsn", "cookie"]
)
def test_i5_values_under_secret_names_are_taken_out(key: str) -> None:
    assert cleaned(**{key: "anything"}) == {key: REDACTED}
    assert cleaned(headers={key: ["a", "b"], "other": 1}) == {"headers": {key: REDACTED, "other": 1}}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"refused {JWT}!", f"refused {REDACTED}!"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {REDACTED}"),
        ("basic dXNlcjpwYXNz", f"basic {REDACTED}"),
        ("postgresql://me:hunter2@host/db", f"postgresql://me:{REDACTED}@host/db"),
        ("redis://:hunter2@host:1/0", f"redis://:{REDACTED}@host:1/0"),
        ("GET http://s/b/k.mp4?X-Amz-Signature=abc&x=1 403", f"GET http://s/b/k.mp4?{REDACTED} 403"),
        ("GET /v1/courses?token=abc", f"GET /v1/courses?{REDACTED}"),
        ("what now? a=b", "what now? a=b"),
    ],
)
def test_s9_secrets_in_text_are_taken_out(text: str, left: str) -> None:
    assert cleaned(event=text) == {"event": left}
    assert cleaned(event=[{"deep": (text,)}]) == {"event": [{"deep": [left]}]}


@pytest.mark.parametrize("control", ["\r\n", "\x00", "\x1b[31m", "\x07", "\u2028", "\u202e", "\x9b", "\x7f"])
def test_h18_control_characters_are_escaped(control: str) -> None:
    (value,) = cleaned(agent=f"a{control}b").values()
    assert isinstance(value, str)
    assert value.isprintable()
    assert value != f"a{control}b"


def test_h18_long_values_are_cut() -> None:
    (value,) = cleaned(agent="a" * 1_000_000).values()
    assert len(str(value)) == VALUE_MAX_CHARACTERS + 1
    (lone,) = cleaned(agent="\ud800").values()
    assert str(lone).encode() == b"\\ud800"


@contextlib.contextmanager
def logging_to(stream: io.StringIO, *, for_people: bool) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            set_up_logs(for_people=for_people)
            yield
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)


def test_production_writes_one_json_object_a_line() -> None:
    written = io.StringIO()
    with logging_to(written, for_people=False):
        structlog.get_logger("a").info("one", agent="x\r\nforged: 1", token="t")
        logging.getLogger("aiohttp").warning("two %s", "\r\n\x1b[2J")
        try:
            raise ValueError(f"bad\n{JWT}")
        except ValueError:
            structlog.get_logger("a").exception("three")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["one", "two \\u000d\\u000a\\u001b[2J", "three"]
    assert (lines[0]["token"], lines[0]["level"]) == (REDACTED, "info")
    assert "forged" in lines[0]["agent"]
    assert "\n" not in lines[0]["agent"]
    assert JWT not in written.getvalue()
    assert "ValueError" in lines[2]["exception"]


def test_people_get_lines_they_can_read() -> None:
    written = io.StringIO()
    with logging_to(written, for_people=True):
        structlog.get_logger("a").info("one", agent="x\r\nforged")
    assert len(written.getvalue().splitlines()) == 1
    assert "agent=" in written.getvalue()
