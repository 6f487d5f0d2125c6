"""Reads one PDF, named on its command line, and writes what it is as JSON: see `actors/pdf.py`.

A program of its own, which imports nothing of Playhead; it runs under limits and may be ended at any time.
"""

import json
import logging
import sys
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

OBJECTS_MAX = 300_000
DEPTH_MAX = 200

# What makes a reader do something by itself or carries another file (ISO 32000-1, 12.6.4, 7.11.4, 12.7.8).
ACTIONS = {
    "/JavaScript": "JavaScript",
    "/Launch": "an action that starts programs",
    "/ImportData": "an action that reads files",
    "/SubmitForm": "a form that sends data",
    "/GoToE": "a link into an embedded file",
    "/Rendition": "embedded media",
    "/RichMedia": "embedded media",
}
KEYS = {
    "/JS": "JavaScript",
    "/JavaScript": "JavaScript",
    "/EmbeddedFiles": "embedded files",
    "/EF": "embedded files",
    "/XFA": "an XFA form",
    "/RichMediaContent": "embedded media",
}
TYPES = {"/EmbeddedFile": "embedded files"}


class _TooMuch(Exception):
    """More objects than a document of pages has."""


def _found_in(dictionary: DictionaryObject) -> set[str]:
    found = {what for key, what in KEYS.items() if key in dictionary}
    for key, table in (("/S", ACTIONS), ("/Subtype", ACTIONS), ("/Type", TYPES)):
        if key in dictionary:
            # Not `get`, which leaves a reference to another object as it is.
            value: object = dictionary[key]
            found |= {table[value]} if isinstance(value, str) and value in table else set()
    return found


def _active(reader: PdfReader) -> set[str]:
    """What acts, in everything that can be reached from the trailer."""
    found: set[str] = set()
    seen: set[tuple[int, int]] = set()
    waiting: list[Any] = [reader.trailer]
    while waiting:
        one = waiting.pop()
        if isinstance(one, IndirectObject):
            name = (one.idnum, one.generation)
            if name in seen:
                continue
            seen.add(name)
            if len(seen) > OBJECTS_MAX:
                raise _TooMuch
            one = one.get_object()
        if isinstance(one, DictionaryObject):
            found |= _found_in(one)
            waiting.extend(one.raw_get(key) for key in one)
        elif isinstance(one, ArrayObject):
            waiting.extend(list.__iter__(one))
    return found


def _read(path: str) -> dict[str, object]:
    reader = PdfReader(path, strict=False)
    if reader.is_encrypted:
        return {"encrypted": True}
    pages = len(reader.pages)
    if pages:
        reader.pages[0].mediabox  # noqa: B018 - a page tree whose pages cannot be had is broken
        reader.pages[pages - 1].mediabox  # noqa: B018
    return {"pages": pages, "active": sorted(_active(reader))}


def main() -> None:
    """Read, and say what was read in one line."""
    logging.disable()
    sys.setrecursionlimit(DEPTH_MAX * 10)
    try:
        said = _read(sys.argv[1])
    except _TooMuch:
        said = {"broken": f"it has more than {OBJECTS_MAX} parts"}
    except MemoryError:
        said = {"broken": "it wants more memory than it may have"}
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes of its reader is one answer
        said = {"broken": " ".join(str(error).split())[:120] or type(error).__name__}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
