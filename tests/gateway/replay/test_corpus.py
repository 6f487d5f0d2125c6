"""Every scenario of the corpus is met, whether the server is durable at once or at checkpoints only."""

from pathlib import Path
from typing import get_args

import pytest
from msgspec import UNSET

from gateway.replay.actions import Anything
from gateway.replay.reading import found, read
from gateway.replay.report import line
from gateway.replay.runner import MODES, Mode, Replay
from gateway.replay.trace import Expectation, Told
from tests.gateway.replay.mutations import CORPUS, HUGE

FILES = found([CORPUS])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario_is_met(path: Path, mode: Mode, replay: Replay) -> None:
    outcome = replay.run(read(path), mode)
    assert outcome.verdicts
    assert [line(verdict) for verdict in outcome.missed] == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_order_of_delivery_does_not_matter(seed: int) -> None:
    running = Replay(seed)
    missed = []
    for path in FILES:
        trace = read(path)
        if trace.id != HUGE:
            missed += [(trace.id, line(verdict)) for verdict in running.run(trace, "at checkpoints").missed]
    running.close()
    assert missed == []


def test_corpus_uses_every_action_and_every_key() -> None:
    """So that nothing of the format is only believed to work."""
    actions, told, expected = set(), set(), set()
    for path in FILES:
        trace = read(path)
        actions |= {action.do for action in trace.timeline}
        for one in trace.expect:
            expected |= {key for key in one.__struct_fields__ if _said(one, key)}
            for telling in [] if one.told is UNSET else one.told:
                told |= {key for key in telling.__struct_fields__ if _said(telling, key)}
    assert actions == {kind.__struct_config__.tag for kind in get_args(Anything)}
    assert told == set(Told.__struct_fields__)
    assert expected == set(Expectation.__struct_fields__)


def _said(part: object, key: str) -> bool:
    value = getattr(part, key)
    return type(value).__name__ != "UnsetType" and value is not None
