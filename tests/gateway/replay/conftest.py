"""The corpus, read once, and the table of mutations at the end of a run that made one."""

from pathlib import Path
from typing import Any

import pytest

from gateway.replay.runner import Replay
from tests.gateway.replay.mutations import CORPUS

TABLE: list[str] = []
"""Lines of the mutation table, one for each mutation that was tested."""


@pytest.fixture
def corpus() -> Path:
    return CORPUS


@pytest.fixture
def replay() -> Any:
    running = Replay()
    yield running
    running.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if TABLE:
        terminalreporter.section("rules switched off, and the corpus files that notice")
        for line in sorted(TABLE):
            terminalreporter.write_line(line)
