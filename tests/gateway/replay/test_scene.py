"""What pictures show is what the replay found, and the pictures of the documentation are as drawn now."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateway.replay.picture import Scene, draw
from gateway.replay.reading import read
from gateway.replay.scene import scenes_of
from tests.requirements import ROOT

CORPUS = ROOT / "tests" / "corpus"
IMAGES = ROOT / "docs" / "images"
PICTURES = sorted(path for path in IMAGES.glob("*.svg") if path.stem.split("-")[0][1:].isdigit())
MINUTE_MS = 60_000


def scene(trace: str, student: str = "ana", item: str = "lec1") -> Scene:
    (path,) = CORPUS.glob(f"{trace.lower()}-*.json")
    return scenes_of(read(path))[student, item]


def test_s01_the_journal_that_comes_last_does_not_pull_the_head_back() -> None:
    shown = scene("S01")
    places = [place for _, place in shown.heads]
    assert places == sorted(places) and places[-1] == 80 * MINUTE_MS
    tablet, web = shown.lanes
    assert [(play.from_ms, play.to_ms) for play in tablet.plays] == [
        (0, 30 * MINUTE_MS),
        (30 * MINUTE_MS, 60 * MINUTE_MS),
    ]
    (gone,) = tablet.away
    assert gone[0] < tablet.plays[1].start_ms and tablet.plays[1].end_ms < web.plays[0].start_ms < gone[1]
    assert shown.offers == [] and web.away == []


def test_s04_the_device_that_is_behind_plays_from_where_it_is_handed() -> None:
    television, tablet = scene("S04").lanes
    assert television.plays[1].from_ms == tablet.plays[0].to_ms == 1_720_000


def test_n12_the_other_place_is_offered_and_bens_picture_is_his_own() -> None:
    ana, ben = scene("N12"), scene("N12", "ben")
    assert [place for _, _, place in ana.offers] == [1_200_000] and ana.offered == 1_200_000
    assert ana.heads[-1][1] == 480_000
    assert [lane.title for lane in ben.lanes] == ["tablet"] and ben.heads[-1][1] == 300_000


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_the_documentation_shows_what_is_drawn_now(path: Path) -> None:
    trace, student, item = path.stem.split("-")
    assert path.read_text() == draw(scene(trace, student, item)), "draw it again: playhead replay --draw"


def test_the_documentation_has_pictures() -> None:
    text = (ROOT / "docs" / "sync.md").read_text()
    assert len(PICTURES) >= 3 and all(f"images/{path.name}" in text for path in PICTURES)


def test_a_picture_is_well_formed_whatever_a_trace_is_called() -> None:
    shown = scene("S04")
    shown.title = "<b>&\"'"
    assert ElementTree.fromstring(draw(shown)).tag.endswith("svg")
