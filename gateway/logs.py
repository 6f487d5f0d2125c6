"""Logs: one event a line, as JSON or for people; no secret and no control character in it (H18, I5)."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

REDACTED = "[redacted]"
VALUE_MAX_CHARACTERS = 2000
_DEPTH_MAX = 5

_SECRET_KEYS = frozenset({
    "authorization", "cookie", "token", "access_token", "refresh_token", "sign_in_code", "ticket",
    "secret", "secret_key", "password", "dsn", "postgres_dsn", "redis_url",
})  # fmt: skip
_SECRETS = (
    # A JWT, wherever it stands: the first part of ours and of others begins so.
    (re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]*"), REDACTED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {REDACTED}"),
    # user:password@ of a DSN or URL.
    (re.compile(r"(?<=://)([^\s:/@]*):[^\s@/]+@"), rf"\1:{REDACTED}@"),
    # The query of a URL or path: presigned URLs are signed there (S9).
    (re.compile(r"(?<=[\w/])\?[\w%.~-]+=[^\s\"']*"), f"?{REDACTED}"),
)
# C0, DEL, C1, and what turns text around or ends a line in other alphabets (H18).
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROLS_BUT_LINES = re.compile(r"(?![\n\t])" + _CONTROLS.pattern)

Event = MutableMapping[str, Any]


def set_up_logs(*, for_people: bool, level: str = "INFO") -> None:
    """Send structlog and the standard library's loggers to standard error. Call once a process."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(for_people)],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def redact(_logger: object, _method: str, event: Event) -> Event:
    """Take secrets out, escape control characters, cut what is long. The last step before rendering."""
    for key, value in list(event.items()):
        if key == "exception" and isinstance(value, str):
            event[key] = _text(value, _CONTROLS_BUT_LINES, 10 * VALUE_MAX_CHARACTERS)
        elif not key.startswith("_"):  # what structlog carries for itself
            event[key] = _clean(key, value, 0)
    return event


def _clean(key: str, value: Any, depth: int) -> Any:
    if key.lower() in _SECRET_KEYS:
        return REDACTED
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth < _DEPTH_MAX and isinstance(value, Mapping):
        return {_text(str(k)): _clean(str(k), v, depth + 1) for k, v in value.items()}
    if depth < _DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
        return [_clean("", entry, depth + 1) for entry in value]
    return _text(value if isinstance(value, str) else str(value))


def _text(
    text: str, controls: re.Pattern[str] = _CONTROLS, max_characters: int = VALUE_MAX_CHARACTERS
) -> str:
    # Cut first, so that a megabyte costs no more than a line; a secret cut in two still has its beginning.
    cut = text[: 2 * max_characters]
    for pattern, replacement in _SECRETS:
        cut = pattern.sub(replacement, cut)
    cut = controls.sub(lambda found: f"\\u{ord(found[0]):04x}", cut)
    cut = cut.encode("utf-8", "backslashreplace").decode()
    return cut if len(cut) <= max_characters else cut[:max_characters] + "…"


def _renderer(for_people: bool) -> structlog.types.Processor:
    if for_people:
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.processors.JSONRenderer(ensure_ascii=False)
