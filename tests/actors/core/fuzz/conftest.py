"""The histories of the fuzz are short: what a crash leaves unclear must be a small part of them."""

import pytest

from actors.core import run


@pytest.fixture(autouse=True)
def _a_minute_after_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LOST_MS", 60_000)
