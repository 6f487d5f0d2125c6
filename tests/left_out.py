"""A pytest plugin: counts the tests left out and says why; PLAYHEAD_REQUIRE_ALL=1 makes them failures."""

from collections import Counter
from collections.abc import Generator

import pytest

from tests import requirements

_REASON = "left out: "


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "requires(*tools): needs tools of the machine, see tests/requirements.py"
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    names = tuple(name for mark in item.iter_markers("requires") for name in mark.args)
    if lacking := requirements.missing(names):
        hints = ", ".join(f"{name} ({requirements.TOOLS[name][1]})" for name in lacking)
        pytest.skip(_REASON + hints)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    expected_to_fail = hasattr(report, "wasxfail")
    if report.skipped and not expected_to_fail and requirements.all_required():
        report.outcome = "failed"
        report.longrepr = f"PLAYHEAD_REQUIRE_ALL=1, but {_why(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A whole module may leave itself out while it is collected (`importorskip`)."""
    report = yield
    if report.skipped and requirements.all_required():
        report.outcome = "failed"
        report.longrepr = f"PLAYHEAD_REQUIRE_ALL=1, but {_why(report)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(_why(report) for report in terminalreporter.getreports("skipped"))
    if reasons:
        terminalreporter.write_sep("-", f"{reasons.total()} tests left out")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:4} {reason.removeprefix(_REASON)}")


def _why(report: pytest.TestReport | pytest.CollectReport) -> str:
    where_and_why = report.longrepr
    reason = where_and_why[2] if isinstance(where_and_why, tuple) else str(where_and_why)
    return reason.removeprefix("Skipped: ")
