"""`playhead replay` as people and programs use it: exit status, misses in words, JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.command import main


def _with(corpus: Path, tmp_path: Path, change: dict[str, Any]) -> str:
    """A copy of S29 with other expectations at the end."""
    document = json.loads(next(corpus.glob("s29-*.json")).read_text())
    document["expect"][-1].update(change)
    path = tmp_path / "s29-changed.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_all_met_is_0(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(next(corpus.glob("s29-*.json")))]) == 0
    out = capsys.readouterr().out
    assert "S29" in out
    assert "0 missed" in out


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"position_s": 2500}, "position_s"),
        ({"done": True}, "done"),
        ({"content_s": 90}, "content_s"),
        ({"coverage_pct": 3}, "coverage_pct"),
        ({"wall_s": 90}, "wall_s"),
        ({"pass": 2}, "pass"),
        ({"epoch": 2}, "epoch"),
        ({"completions": ["2026-03-02"]}, "completions"),
        ({"days": {"2026-03-01": 80}}, "days"),
        ({"offered_s": 70}, "offered_s"),
        ({"furthest_s": 70}, "furthest_s"),
        ({"in_continue": False}, "in_continue"),
        ({"version": "v2"}, "version"),
        ({"unchanged_since": 2}, "unchanged_since"),
        ({"flagged": ["W"]}, "flagged"),
        ({"told": [{"device": "W", "by": "end", "position_s": 70}]}, "told[0].position_s"),
        ({"told": [{"device": "W", "by": "end", "playing_on": "server"}]}, "told[0].playing_on"),
        ({"told": [{"device": "W", "by": "end", "media_url": "valid"}]}, "told[0].media_url"),
        ({"told": [{"device": "W", "by": "end", "auth": "expired"}]}, "told[0].auth"),
        ({"told": [{"device": "W", "by": 6, "offer_s": 70}]}, "told[0].offer_s"),
        (
            {"told": [{"device": "W", "by": "end", "verdict": {"from_s": 0, "to_s": 60, "is": "duplicate"}}]},
            "told[0].verdict",
        ),
    ],
)
def test_wrong_expectation_is_seen(
    change: dict[str, Any], key: str, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", _with(corpus, tmp_path, change)]) == 1
    out = capsys.readouterr().out
    assert f"expect[0].{key} differs: the trace says" in out
    assert "2 missed" in out


def test_play_that_starts_elsewhere_is_seen(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(next(corpus.glob("s09-*.json")).read_text())
    document["timeline"][4].update({"from_s": 700, "to_s": 1600})
    path = tmp_path / "s09-elsewhere.json"
    path.write_text(json.dumps(document))
    assert main(["replay", str(path)]) == 1
    assert "timeline[4].from_s differs: the trace says 700, the server 600" in capsys.readouterr().out


def test_file_not_of_the_format_is_2(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = _with(corpus, tmp_path, {"colour": "red"})
    assert main(["replay", wrong, str(next(corpus.glob("s09-*.json")))]) == 2
    out = capsys.readouterr().out
    assert "not a trace" in out
    assert "`colour` - at" not in out
    assert "expect[0]: Object contains unknown field `colour`" in out
    assert "1 refused" in out


def test_json_is_for_programs(corpus: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    file = str(next(corpus.glob("s29-*.json")))
    assert main(["replay", "--json", "--durable", "at-once", "--shuffle-delivery", "5", file]) == 0
    said = json.loads(capsysbinary.readouterr().out)
    (one,) = said["files"]
    assert (one["id"], said["missed"]) == ("S29", 0)
    assert {verdict["key"] for verdict in one["modes"][0]["verdicts"]} >= {"position_s", "content_s"}


def test_policies_stand_beside_ours(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """S03: a paused device keeps beating, and whatever arrives last is believed."""
    assert main(["replay", "--policies", str(next(corpus.glob("s03-*.json")))]) == 0
    rows = {
        cells[1].strip(): cells[2].strip()
        for row in capsys.readouterr().out.splitlines()
        if (cells := row.split("|"))
    }
    assert rows["last arrival"] == "0"
    assert rows["newest device clock"] == "0"
    assert rows["furthest position"] == rows["Playhead"] == "1"
