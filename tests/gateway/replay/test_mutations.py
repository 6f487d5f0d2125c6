"""Each rule is needed: switched off, at least one scenario is missed. The table ends the test run."""

import pytest

from gateway.replay.trace import Trace
from tests.gateway.replay import conftest
from tests.gateway.replay.mutations import MUTATIONS, Mutation, failing, row, traces


@pytest.fixture(scope="module")
def corpus_traces() -> list[Trace]:
    return traces()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: f"{one.rule}: {one.off}")
def test_rule_switched_off_is_noticed(
    mutation: Mutation, corpus_traces: list[Trace], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutation.apply(monkeypatch)
    noticed = failing(corpus_traces)
    conftest.TABLE.append(row(mutation, noticed))
    assert noticed


def test_nothing_switched_off_is_not(corpus_traces: list[Trace]) -> None:
    assert failing(corpus_traces) == []
