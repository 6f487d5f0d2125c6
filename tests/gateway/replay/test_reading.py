"""A file that is not of the format is refused with the key that is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.replay.reading import found, read
from gateway.replay.trace import BadTrace

Document = dict[str, Any]


def _first(change: dict[str, Any]) -> Callable[[Document], None]:
    return lambda document: document["timeline"][0].update(change)


def _entry(index: int, change: dict[str, Any]) -> Callable[[Document], None]:
    return lambda document: document["timeline"][index].update(change)


BUSY = {"at": "2026-03-02T10:00:30Z", "device": "W", "do": "seek", "to_s": 5}
FOR_EVER = {"at": "2026-03-02T10:01:00Z", "device": "W", "do": "idle", "until": "9000-01-01T00:00:00Z"}

BROKEN: list[tuple[str, Callable[[Document], None], str]] = [
    ("unknown key", lambda d: d.update(colour="red"), "colour"),
    ("missing key", lambda d: d.pop("why"), "why"),
    ("unknown action", _first({"do": "rewind"}), "timeline[0].do: Invalid value 'rewind'"),
    ("unknown argument", _first({"speed": 2}), "timeline[0]: Object contains unknown field `speed`"),
    ("wrong type", _entry(1, {"to_s": "far"}), "timeline[1].to_s: Expected `float`, got `str`"),
    ("no zone", _first({"at": "2026-03-02T10:00:00"}), "timeline[0].at"),
    ("no such day", _first({"at": "2026-02-30T10:00:00Z"}), "timeline[0].at: day is out of range"),
    ("back in time", _entry(1, {"at": "2026-03-01T10:00:00Z"}), "timeline[1].at: earlier than"),
    ("stranger", _first({"device": "X"}), "timeline[0].device: there is no device X"),
    ("no such item", _first({"item": "lec9"}), "timeline[0].item: there is no item lec9"),
    ("no such version", _first({"version": "v9"}), "timeline[0].version: lec1 has no version v9"),
    ("still busy", lambda d: d["timeline"].insert(2, BUSY), "timeline[2].at: W is still busy"),
    ("backwards", _entry(1, {"from_s": 70}), "timeline[1].to_s: lies before from_s"),
    ("a play for years", _entry(1, {"rate": 1e-9}), "timeline[1].do: lasts longer than 30 days"),
    ("a pause for ever", lambda d: d["timeline"].insert(2, FOR_EVER), "timeline[2].do: lasts longer"),
    ("beyond", _entry(1, {"to_s": 4000}), "timeline[1].to_s: beyond the item"),
    ("no player", _first({"tab": 2}), "timeline[1].do: play without an open player"),
    ("up already", lambda d: d["timeline"].insert(0, _act("connect")), "timeline[0].do: the link of W is up"),
    ("empty deliver", lambda d: d["timeline"].insert(0, _act("deliver")), "deliver says"),
    ("not the server", lambda d: d["timeline"].insert(0, _act("checkpoint", student="ana")), "is done by"),
    ("after nothing", lambda d: d["expect"][0].update(after=99), "expect[0].after: there is no timeline[99]"),
    ("whose", lambda d: d["expect"][0].update(student="eve"), "expect[0].student: there is no student eve"),
    ("of which item", lambda d: d["expect"][0].pop("item"), "expect[0].item: missing"),
    ("told nothing", lambda d: d["expect"][0].update(told=[{"device": "W", "by": "end"}]), "told[0].device"),
    ("told whom", lambda d: d["expect"][0].update(told=[{"device": "X", "by": 1, "done": True}]), "device X"),
    ("edits do not add up", lambda d: d["items"].update(lec1=_edited(3000)), "v2.duration_s: the edit"),
    ("version of nothing", lambda d: d["items"].update(lec1=_edited(3300, "v7")), "versions.v2: a later"),
]  # fmt: skip


def _act(do: str, **fields: Any) -> Document:
    return {"at": "2026-03-02T10:00:00Z", "device": "W", "do": do, **fields}


def _edited(duration_s: int, origin: str = "v1") -> Document:
    made = {"duration_s": duration_s, "from": origin, "edits": [{"cut": [0, 300]}]}
    return {"kind": "video", "duration_s": 3600, "versions": {"v1": {"duration_s": 3600}, "v2": made}}


def _document(corpus: Path) -> Document:
    document: Document = json.loads(next(corpus.glob("s29-*.json")).read_text())
    return document


@pytest.mark.parametrize(("change", "said"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_broken_file_is_refused_with_the_reason(
    change: Callable[[Document], None], said: str, corpus: Path, tmp_path: Path
) -> None:
    document = _document(corpus)
    change(document)
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BadTrace) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", '{"id": NaN}', "[" * 100_000])
def test_what_is_no_json_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(BadTrace):
        read(path)


def test_missing_file_and_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match="No such file"):
        read(tmp_path / "none.json")
    with pytest.raises(BadTrace, match=r"has no \.json files"):
        found([tmp_path])
