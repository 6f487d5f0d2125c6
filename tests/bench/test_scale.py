"""What is wished for is read strictly; what came of it is in the table with its goal."""

from dataclasses import replace

import pytest

from bench.measures import Times
from bench.report import rows
from bench.scale import Scaled, Wish
from persistence.errors import SetupError
from tests.bench.test_report import figures


def test_wishes_are_read_in_the_order_of_time() -> None:
    assert Wish.read("20:1,10:4") == (Wish(10.0, 4), Wish(20.0, 1))
    for wrong in ("", "10", "10:0", "ten:4", "10:4,"):
        with pytest.raises(SetupError, match="10:4,20:1"):
            Wish.read(wrong)


@pytest.mark.parametrize(("p99_s", "missed"), [(0.4, False), (0.6, True)])
def test_a_pause_beyond_the_goal_is_called_missed(p99_s: float, missed: bool) -> None:
    change = Scaled(Wish(10, 4), 2, 0.0, 3.0, 128, 1, Times(128, 0.1, p99_s, 0.7))
    table = rows(replace(figures(), scaled=[change]))
    moved, pause = (row for row in table if "shards at second" in row.name or row.name == "  pause of a slot")
    assert moved.measured == "128 slots moved in 3.0 s, 1 tried again"
    assert pause.missed is missed
