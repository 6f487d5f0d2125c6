"""The sweep: which sizes are run, and which of them are called flat."""

from argparse import Namespace
from dataclasses import replace

import pytest

from bench.measures import Phase
from bench.sweep import Size, markdown, rows, sizes
from persistence.errors import SetupError
from tests.bench.test_report import figures


def asked(by: str, sweep: str = "1000,8000") -> Namespace:
    return Namespace(sweep=sweep, sweep_by=by, updates_per_s=4000.0, rate=0.1)


def test_sizes_have_the_same_total_or_the_same_rate_each() -> None:
    assert sizes(asked("total")) == [Size(1000, 4.0, True), Size(8000, 0.5, True)]
    assert sizes(asked("student")) == [Size(1000, 0.1, False), Size(8000, 0.1, False)]
    assert len(sizes(asked("both"))) == 4
    with pytest.raises(SetupError, match="1000,8000,50000"):
        sizes(asked("both", "many"))


def test_what_is_off_by_more_than_a_tenth_is_not_flat() -> None:
    done = []
    for students, cpu_s in ((1000, 1.0), (8000, 1.05), (50_000, 1.4)):
        found = figures()
        window = Phase(10.0, {"shards": cpu_s})
        found = replace(found, costs=replace(found.costs, window=window))
        done.append((Size(students, 1.0, True), found.plain()))
    assert [line[4] for line in rows(done)] == ["-5 %", "+0 %", "+33 % (not flat)"]
    assert "| 50000 | 1/s |" in markdown(done)
