"""What the core lets go of is missed by nobody: time, coverage, done and the head are as with no limits."""

import pytest

from actors.core import epochs, progress
from tests.actors.core.fuzz.histories import History, generate_long
from tests.actors.core.fuzz.simulation import Delivery, Simulation

HISTORIES = 40
LIMITS = (
    (progress, "RUNS_MAX"),
    (progress, "ALONE_MAX"),
    (epochs, "EPOCHS_MAX"),
    (epochs, "TICKS_MAX"),
    (epochs, "TAKEN_BACK_MAX"),
    (epochs, "PASSES_MAX"),
)
DECREES = ("undo", "undone", "reset")
"""What asks when and where something was played: of stretches over `LOG_MAX` nobody knows any more."""

KEPT = ("content", "wall", "quarters", "coverage", "done", "head", "place", "epoch")
"""The rest may differ: when a pass was complete, and so which one it is and what is offered, is worked out
from the runs and stretches that are kept (R4, R7)."""


def told(history: History) -> list[dict[str, dict[str, object]]]:
    pictures = Simulation(history, Delivery()).run().pictures
    return [{name: {key: of[key] for key in KEPT} for name, of in picture.items()} for picture in pictures]


@pytest.mark.parametrize("devices", [1, 3])
@pytest.mark.parametrize("part", range(4))
def test_r4_to_r7_hold_of_long_histories_as_if_nothing_were_let_go(
    part: int, devices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty and more runs of one device or three, on line and off; limits are met in most of them."""
    histories = [generate_long(seed, devices=devices) for seed in range(part, HISTORIES, 4)]
    limited = [told(history) for history in histories]
    for module, limit in LIMITS:
        monkeypatch.setattr(module, limit, 10**9)
    log_max = epochs.LOG_MAX
    for history, expected in zip(histories, limited, strict=True):
        monkeypatch.setattr(epochs, "LOG_MAX", log_max if history.has(*DECREES) else 10**9)
        assert told(history) == expected, history.seed
