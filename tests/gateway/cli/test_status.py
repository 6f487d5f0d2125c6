"""`playhead status` says in one line each what is wrong."""

from typing import Any

import pytest

from gateway.cli.status import problems

WELL = {"seen_s": 0.2, "durable_lag_s": 3.0, "quarantined": 0, "unreadable": 0}


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({}, None),
        ({"seen_s": None}, "does not answer"),
        ({"seen_s": 11.0}, "does not answer"),
        ({"durable_lag_s": 61.0}, "has not written for 61 s"),
        ({"quarantined": 2}, "put 2 students aside"),
        ({"unreadable": 3}, "cannot read the rows of 3 students"),
    ],
)
def test_a_figure_that_is_wrong_is_a_line(figures: dict[str, Any], said: str | None) -> None:
    lines = problems({"actors": {"shard:0": WELL | figures, "shard:1": WELL}})
    if said is None:
        assert lines == []
    else:
        (line,) = lines
        assert line.startswith("shard:0 ") and said in line
