"""The plan of the fleet: decodable places, the promised mix, and an ending the rules themselves confirm."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from actors.core.events import Event
from actors.core.item import Item
from actors.core.session import REV_SHIFT, Session
from bench.plan import VERSION, Mix, Script, ending, script
from persistence.errors import SetupError

MIXES = [
    Mix(seed=1, students=200, updates=20),
    Mix(seed=2, students=100, updates=60),
    Mix(seed=3, students=100, updates=40, period_ms=500),
    Mix(seed=4, students=100, updates=7, period_ms=10_000),
    Mix(seed=5, students=100, updates=300, play_updates=4),
    Mix(seed=6, students=120, updates=20, period_ms=1600, two=0.2, three=0.2),
    Mix(seed=7, students=300, updates=12, period_ms=10_000, skew=True),
]


def scripts(mix: Mix) -> list[Script]:
    return [script(mix, number) for number in range(mix.students)]


@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: f"seed{mix.seed}")
def test_the_rules_come_to_the_same_end(mix: Mix) -> None:
    for found in scripts(mix):
        session, now_ms = fold(mix, found), 10**12
        progress, end = session.items[found.item], ending(found)
        assert progress.head is not None, found
        assert (progress.position_ms, progress.head.device) == (end.place_ms, end.device), found
        assert list(progress.coverage) == end.coverage
        assert progress.content_ms == end.content_ms
        assert not progress.done and now_ms


def fold(mix: Mix, found: Script) -> Session:
    """What the core makes of a script when each device hears of everything before it acts."""
    item = Item(found.item, mix.course, VERSION, {VERSION: mix.duration_ms})
    session = Session(found.student, 1 << REV_SHIFT, frozenset({mix.course}))
    seqs, base = [0, 0, 0], [0, 0, 0]
    for device in found.devices:
        session.device(device).clock.connect("boot", 0, 10**12, 10**12)
    for number, step in enumerate(found.steps):
        at_ms = (number + 1) * found.period_ms
        seqs[step.device] += 1
        if step.kind not in ("played", "paused"):
            progress = session.items.get(found.item)
            base[step.device] = progress.rev if progress else 0
        event = Event(
            seq=seqs[step.device],
            session=f"visit-{step.device}",
            item=found.item,
            version=VERSION,
            base_rev=base[step.device],
            kind=step.kind,  # type: ignore[arg-type]
            mono_ms=at_ms,
            boot="boot",
            wall=datetime.fromtimestamp(10**9 + at_ms / 1000, UTC),
            position_ms=None if step.kind in ("opened", "played") else step.place_ms,
            from_ms=step.from_ms if step.kind == "played" else None,
            to_ms=step.place_ms if step.kind == "played" else None,
        )
        folded = session.apply(found.devices[step.device], [event], {item.id: item}, 10**12 + at_ms)
        assert not folded.refused, (folded.refused, found)
    return session


@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: f"seed{mix.seed}")
def test_a_place_names_its_student_and_is_put_there_once(mix: Mix) -> None:
    owners: dict[tuple[str, int], str] = {}
    for found in scripts(mix):
        assert len(found.steps) == mix.updates_of(found.number)
        put = [step.place_ms for step in found.steps if step.kind in ("played", "sought")]
        assert len(put) == len(set(put)), found
        for place_ms in put:
            assert 0 <= place_ms <= mix.duration_ms
            key = (found.item, place_ms % mix.unit_ms)
            assert owners.setdefault(key, found.student) == found.student


def test_every_kind_of_action_is_in_the_mix() -> None:
    mix = Mix(seed=9, students=400, updates=40)
    kinds = Counter(step.kind for found in scripts(mix) for step in found.steps)
    assert set(kinds) == {"opened", "play", "played", "paused", "sought", "chosen"}
    assert kinds["played"] > 0.7 * kinds.total()
    both = [found for found in scripts(mix) if len(found.devices) == 2]
    assert len(both) == 40
    assert sum({0, 1} == {step.device for step in found.steps} for found in both) > 20


def test_the_same_seed_gives_the_same_script_and_another_seed_another() -> None:
    mix, other = Mix(seed=1, students=50, updates=30), Mix(seed=2, students=50, updates=30)
    assert scripts(mix) == scripts(mix)
    assert scripts(mix) != scripts(other)


def test_a_fleet_that_cannot_be_is_refused_with_what_to_do() -> None:
    with pytest.raises(SetupError, match="too few"):
        Mix(seed=1, students=1, updates=4).check()
    with pytest.raises(SetupError, match="longer"):
        Mix(seed=1, students=1, updates=200_000).check()


def test_a_skewed_load_is_as_heavy_in_all_and_no_student_beyond_the_limits() -> None:
    mix = Mix(seed=1, students=10_000, updates=40, period_ms=10_000, skew=True)
    hot = [number for number in range(mix.students) if mix.is_hot(number)]
    assert len(hot) == 100
    assert 0.19 < sum(map(mix.updates_of, hot)) / mix.updates_in_all < 0.22
    assert abs(mix.updates_in_all / (mix.students * mix.updates) - 1) < 0.02
    assert all(mix.period_of(number) % mix.unit_ms == 0 for number in range(200))
    busy = Mix(seed=1, students=1000, updates=40, period_ms=1000, skew=True)
    assert busy.period_of(hot[0]) >= 100


def test_devices_are_as_many_as_asked_for() -> None:
    mix = Mix(seed=1, students=5000, updates=20, two=0.09, three=0.01)
    counts = Counter(mix.device_count(number) for number in range(mix.students))
    assert counts == {1: 4500, 2: 450, 3: 50}
    assert mix.connections == 4500 + 900 + 150
    assert len(script(mix, next(n for n in range(5000) if mix.device_count(n) == 3)).devices) == 3
