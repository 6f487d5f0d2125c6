"""Cyclic garbage goes, sessions are not searched for it again and again."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from actors.garbage import GROWN, SETTLE_S, Garbage


class Knot:
    """Refers to itself: only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    yield Garbage(0.0)
    gc.unfreeze()
    gc.enable()


def knot() -> "weakref.ref[Knot]":
    return weakref.ref(Knot())


def test_python_no_longer_looks_by_itself_and_young_cycles_go_when_it_is_tended(garbage: Garbage) -> None:
    assert not gc.isenabled()
    young = knot()
    assert young() is not None
    garbage.tend(1.0, 0)
    assert young() is None


def test_what_has_grown_is_set_aside_at_once(garbage: Garbage) -> None:
    before = gc.get_freeze_count()
    sessions: list[list[dict[str, int]]] = [[{}] for _ in range(GROWN)]
    garbage.tend(1.0, GROWN - 1)
    assert gc.get_freeze_count() <= before
    garbage.tend(2.0, GROWN)
    assert gc.get_freeze_count() >= before + len(sessions)
    again = gc.get_freeze_count()
    garbage.tend(3.0, GROWN + 1)
    assert gc.get_freeze_count() <= again


def test_a_cycle_that_grew_old_goes_with_the_settling(garbage: Garbage) -> None:
    tied = Knot()
    old = weakref.ref(tied)
    garbage.tend(1.0, 0)
    del tied
    garbage.tend(2.0, 0)
    assert old() is not None, "it was old by then"
    garbage.tend(SETTLE_S, 0)
    assert old() is None
