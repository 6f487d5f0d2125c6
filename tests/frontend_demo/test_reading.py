"""A document is read by the real client, and the rules fold what it says (docs/sync.md, documents)."""

import json
import subprocess
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from actors.core.events import Event
from actors.core.item import Item
from actors.core.progress import Progress
from actors.core.session import Session
from actors.heads import head_of
from tests.requirements import ROOT, node_path

pytestmark = pytest.mark.requires("node", "vendored")

PAGES = 12
DOCUMENT = Item("doc", "c1", "v1", {"v1": PAGES * 1000})
DEVICE = "laptop"


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """By story: the journal of the client, and its clocks at the end."""
    ran = subprocess.run(
        [str(node_path()), "client/test/readings.js"],
        cwd=ROOT / "frontend_demo",
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    stories: dict[str, Any] = json.loads(ran.stdout)
    return stories


class Read:
    """A session that has folded one journal, entry by entry as it would come live."""

    def __init__(self, story: dict[str, Any]) -> None:
        self.session = Session("ana", 1 << 20, frozenset({"c1"}))
        entries = [_event(entry) for entry in story["entries"]]
        clock = self.session.device(DEVICE).clock
        ahead_ms = story["wall_ms"] - story["mono_ms"]
        for n, event in enumerate(entries):
            now_ms = event.mono_ms + ahead_ms
            if n == 0:
                clock.connect(event.boot, event.mono_ms, now_ms, now_ms)
            folded = self.session.apply(DEVICE, [event], {"doc": DOCUMENT}, now_ms)
            assert folded.refused == []
        self.now_ms = story["wall_ms"]
        self.changes = [change for change in self.session.head_changes if change.what == "place"]

    @property
    def progress(self) -> Progress:
        return self.session.items["doc"]


def _event(entry: dict[str, Any]) -> Event:
    return Event(**{**entry, "wall": datetime.fromisoformat(entry["wall"])})


def test_r5_every_page_read_is_covered_and_its_time_counted(told: dict[str, Any]) -> None:
    progress = Read(told["reads"]).progress
    assert progress.coverage.length() == PAGES * 1000
    assert progress.content_ms == PAGES * 1000
    assert progress.uncredited_ms == 0
    assert abs(progress.wall.length() - PAGES * 5_000) <= 1_000


def test_r1_the_head_is_where_the_reader_stands(told: dict[str, Any]) -> None:
    for name, page in (("reads", 11), ("flips", 11), ("jumps", 9), ("dwells", 11)):
        read = Read(told[name])
        head = head_of(read.session, DOCUMENT, read.now_ms)
        assert (name, head.position_ms, head.device) == (name, page * 1000, DEVICE)


def test_p10_no_head_of_a_document_runs_on(told: dict[str, Any]) -> None:
    for name, story in told.items():
        kinds = [entry["kind"] for entry in story["entries"]]
        behind = {after for before, after in pairwise(kinds) if before == "played"}
        assert behind <= {"played", "paused"} and kinds[-1] == "closed", name
        read = Read(story)
        assert not head_of(read.session, DOCUMENT, read.now_ms).playing, name


def test_r7_nine_tenths_of_the_pages_complete_it(told: dict[str, Any]) -> None:
    assert Read(told["reads"]).progress.done
    assert len(Read(told["dwells"]).progress.completions) == 1
    assert not Read(told["flips"]).progress.done
    assert not Read(told["jumps"]).progress.done


def test_r5_pages_that_fly_past_count_nothing(told: dict[str, Any]) -> None:
    progress = Read(told["flips"]).progress
    assert (progress.content_ms, progress.wall.length()) == (0, 0)


def test_r1_a_page_that_was_only_open_is_covered_and_moves_no_head(told: dict[str, Any]) -> None:
    progress = Read(told["looks"]).progress
    assert progress.head is None
    assert progress.coverage.length() == 1_000


def test_r9_nothing_read_is_ever_refused_its_credit(told: dict[str, Any]) -> None:
    for name, story in told.items():
        progress = Read(story).progress
        real_ms = story["entries"][-1]["mono_ms"] - story["entries"][0]["mono_ms"]
        assert progress.uncredited_ms == 0, name
        assert progress.wall.length() <= real_ms, name


def test_r5_a_page_is_worth_ten_seconds_at_most(told: dict[str, Any]) -> None:
    progress = Read(told["dwells"]).progress
    assert progress.content_ms == PAGES * 1000
    assert abs(progress.wall.length() - PAGES * 10_000) <= 2_000


def test_r4_undo_goes_back_to_where_the_reader_stood_before_the_jump(told: dict[str, Any]) -> None:
    for name, place_ms in (("undoes", 1_000), ("undoes_at_once", 1_020)):
        read = Read(told[name])
        head = head_of(read.session, DOCUMENT, read.now_ms)
        assert (name, head.position_ms, head.done) == (name, place_ms, False)


def test_r4_reading_on_page_by_page_is_no_change_and_a_jump_is_one(told: dict[str, Any]) -> None:
    assert len(Read(told["reads"]).changes) == 1, "the first head"
    jumped = Read(told["jumps"]).changes
    assert [change.position_ms for change in jumped] == [200, 9_000]
