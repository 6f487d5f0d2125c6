"""The slope of memory: a line by least squares through what was read after the warm-up."""

import random

import pytest

from bench.overtime import Sample
from bench.slope import MIB, fit, slopes


def test_a_line_through_points_on_a_line_is_that_line() -> None:
    assert fit([(x, 3.0 + 0.5 * x) for x in range(10, 20)]) == pytest.approx((3.0, 0.5))
    assert fit([(5.0, 7.0)]) == (7.0, 0.0)


def test_noise_does_not_tilt_it() -> None:
    noise = random.Random(1)
    _, rise = fit([(x, 100 + noise.uniform(-5, 5)) for x in range(1800)])
    assert abs(rise) < 0.001


def test_growth_is_told_per_hour_and_the_warm_up_is_left_out() -> None:
    # The first ten of thirty minutes fill caches; then 6 MiB come in 20 minutes.
    grown = [900 + min(minute, 10) * 10 + max(minute - 10, 0) * 0.3 for minute in range(31)]
    memory = [Sample(60.0 * n, {"shards": mib * MIB, "Ray": 500 * MIB}) for n, mib in enumerate(grown)]
    found = {slope.group: slope for slope in slopes(memory, 0.0, 1800.0)}
    assert found["shards"].mib_per_hour == pytest.approx(18, abs=0.5)
    assert found["shards"].percent_per_hour == pytest.approx(1.8, abs=0.1)
    assert found["Ray"].mib_per_hour == pytest.approx(0, abs=1e-6)
    assert found["all"].mib_per_hour == pytest.approx(18, abs=0.5)
    assert (found["Ray"].begin_mib, found["Ray"].end_mib) == pytest.approx((500, 500))


def test_too_few_readings_say_nothing() -> None:
    assert slopes([Sample(float(n), {"shards": 1.0}) for n in range(4)], 0.0, 4.0) == []
