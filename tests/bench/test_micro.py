"""The micro benchmarks' figures: the best time per operation as a ratio to the loop, beside those before."""

from typing import Any

from bench.micro.__main__ import Figure, markdown, read, rows


def entry(file: str, name: str, best_s: float, **extra: Any) -> dict[str, Any]:
    stats = {"min": best_s, "median": 9.0}
    return {"fullname": f"bench/micro/{file}.py::{name}", "name": name, "stats": stats, "extra_info": extra}


REPORT = {
    "benchmarks": [
        entry("test_calibration", "test_calibration", 100e-6),
        entry("test_rules", "test_plain_beat", 2000e-6, operations=200),
    ]
}


def test_figures_are_the_best_per_operation_and_ratios_to_the_loop() -> None:
    found = {figure.name: figure for figure in read(REPORT)}
    assert round(found["rules: plain beat"].best_us, 6) == 10
    assert round(found["rules: plain beat"].ratio, 6) == 0.1


def test_the_ratio_to_before_is_shown_and_what_is_slower_marked() -> None:
    figures = [Figure("a", 1.0, 0.2), Figure("b", 1.0, 0.1), Figure("c", 1.0, 0.1)]
    lines = rows(figures, {"a": 0.1, "b": 0.1})
    assert [line[-1] for line in lines] == ["2.00 × slower", "1.00 ×", "new"]
    assert "| a | 1.00 µs | 0.2000 | 0.1000 | 2.00 × slower |" in markdown(lines)
