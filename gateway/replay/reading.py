"""Reading traces: a file becomes a `Trace`, or `BadTrace` says which key of which file is wrong."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from gateway.replay.checks import problems_of
from gateway.replay.trace import BadTrace, Trace

_reader = msgspec.json.Decoder(Trace)


def read(path: Path) -> Trace:
    """The trace in a file. Raises `BadTrace`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadTrace(path, [error.strerror or "cannot be read"]) from error
    try:
        trace = _reader.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadTrace(path, [_said(error)]) from None
    problems = problems_of(trace)
    if problems:
        raise BadTrace(path, problems)
    return trace


def found(names: Iterable[Path]) -> list[Path]:
    """The files that names of files and folders stand for, in order; a folder is its `*.json`.

    Raises `BadTrace` for a folder without any.
    """
    files: list[Path] = []
    for name in names:
        inside = sorted(name.glob("*.json")) if name.is_dir() else [name]
        if not inside:
            raise BadTrace(name, ["has no .json files"])
        files += inside
    return files


def _said(error: Exception) -> str:
    """The key first, then what is wrong with it."""
    said, _, path = str(error).partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    return f"{where}: {said}" if where else said
