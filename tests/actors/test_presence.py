"""The hint that a player of another device started or stopped where no head shows it (protocol P12)."""

from actors.batch import Apply, Detach, Present
from actors.core.item import Item
from actors.core.session import Session
from actors.messages import Head, Playing
from tests.actors.test_residents import CATALOGUE, Shard, entry, minute


def two(shard: Shard) -> Session:
    """A phone and a laptop of one student, on different gateways."""
    session = shard.student()
    shard.attach("g1", 1, "P")
    shard.attach("g2", 1, "W")
    return session


def heard(shard: Shard, gateway: str = "g2") -> list[tuple[str, str, int]]:
    hints = shard.said(gateway, 1, Playing)
    return [(hint.device, hint.state, hint.position_ms) for hint in hints]


def start() -> list[Apply]:
    return [Apply(1, "ana", [entry(1, "opened"), entry(2, "play", position_ms=90_000)])]


def test_a_player_that_starts_is_told_to_the_others_and_not_to_itself() -> None:
    shard = Shard()
    two(shard)
    shard.run("g1", *start())
    (hint,) = shard.said("g2", 1, Playing)
    assert (hint.item, hint.device, hint.state, hint.position_ms) == ("lec1", "P", "playing", 90_000)
    assert (heard(shard, "g1"), shard.said("g2", 1, Head)) == ([], [])


def test_once_the_head_shows_it_no_hint_says_so_or_takes_it_back() -> None:
    shard = Shard()
    two(shard)
    shard.run("g1", *start())
    shard.now_ms += 20_000
    for n in range(2):
        beat = entry(n + 3, "played", 10 * n + 10, from_ms=90_000 + n * 10_000, to_ms=100_000 + n * 10_000)
        shard.run("g1", Apply(1, "ana", [beat]))
    assert shard.said("g2", 1, Head)[-1].playing
    shard.run("g1", Apply(1, "ana", [entry(5, "paused", 20, position_ms=110_000)]))
    assert heard(shard) == [("P", "playing", 90_000)]


def test_one_that_stops_before_it_is_real_is_told_to_have_stopped() -> None:
    shard = Shard()
    two(shard)
    shard.run("g1", *start())
    shard.now_ms += 3_000
    stop = [
        entry(3, "played", 3, from_ms=90_000, to_ms=93_000),
        entry(4, "paused", 3, position_ms=93_000),
    ]
    shard.run("g1", Apply(1, "ana", stop))
    assert heard(shard) == [("P", "playing", 90_000), ("P", "stopped", 93_000)]


def test_one_whose_connection_goes_or_that_stalls_has_stopped() -> None:
    for gone in (Detach(1, "ana"), Present(1, "ana", "lec1", "stalled")):
        shard = Shard()
        two(shard)
        shard.run("g1", *start())
        shard.run("g1", gone)
        assert heard(shard) == [("P", "playing", 90_000), ("P", "stopped", 90_000)]


def test_r1_a_player_that_started_itself_is_not_told() -> None:
    shard = Shard()
    two(shard)
    shard.run("g1", Apply(1, "ana", [entry(1, "opened"), entry(2, "play", position_ms=0, by="auto")]))
    assert heard(shard) == []


def test_nobody_else_is_connected_nothing_is_said_or_kept() -> None:
    shard = Shard()
    session = shard.student()
    shard.attach("g1", 1, "P")
    turn = shard.run("g1", *start())
    assert {gateway for gateway, _ in turn.take_all()} == {"g1"} and not shard.said("g1", 1, Playing)
    assert shard.residents["ana"].hinted == {}
    assert session.items["lec1"].runs


def test_beats_are_no_news() -> None:
    shard = Shard()
    two(shard)
    shard.now_ms += 60_000
    shard.run("g1", Apply(1, "ana", minute()[:2]))
    for beat in minute()[2:]:
        shard.run("g1", Apply(1, "ana", [beat]))
    assert len(heard(shard)) == 1


def test_r1_a_peek_that_goes_on_is_one_hint() -> None:
    """A look at a bookmark is not real for a minute: its beats are no news either."""
    shard = Shard()
    two(shard)
    shard.now_ms += 60_000
    opened, *rest = minute()
    shard.run("g1", Apply(1, "ana", [entry(1, "opened", intent="bookmark", position_ms=0)]))
    for said in rest[:4]:
        shard.run("g1", Apply(1, "ana", [said]))
    assert heard(shard) == [("P", "playing", 0)] and opened.seq == 1


def test_one_device_that_goes_over_to_another_item_stopped_the_first() -> None:
    shard = Shard()
    shard.residents.catalogue = {**CATALOGUE, "lec2": Item("lec2", "c1", "v1", {"v1": 3_600_000})}
    two(shard)
    shard.run("g1", *start())
    over = [
        entry(3, "paused", 1, position_ms=91_000),
        entry(4, "opened", 2, item="lec2"),
        entry(5, "play", 2, item="lec2", position_ms=0),
    ]
    shard.run("g1", Apply(1, "ana", over))
    hints = [(hint.item, hint.state) for hint in shard.said("g2", 1, Playing)]
    assert hints == [("lec1", "playing"), ("lec1", "stopped"), ("lec2", "playing")]
