"""A peer that drops, doubles or mixes up anything is seen."""

from typing import Any

import pytest

from bench.checker import Faults, Samples
from bench.peers.check import PeerCheck, check_stored
from bench.plan import Mix, Script, ending, script

MIX = Mix(seed=3, students=20, updates=30)


class Peer:
    """What an honest peer answers to a script; a test leaves something out or puts something else in."""

    def __init__(self) -> None:
        self.faults, self.samples = Faults(), Samples()
        self.script: Script = next(
            told
            for told in (script(MIX, number) for number in range(MIX.students))
            if len({step.device for step in told.steps}) == 2
        )
        self.check = PeerCheck(self.script, self.faults, self.samples)

    def run(
        self, skip_ack: int = -1, skip_push: int = -1, push: dict[str, Any] | None = None, durable: int = 0
    ) -> list[str]:
        """Send every step, answer it, and give the kinds of faults found."""
        seq = 0
        sent = [0, 0]
        for number, step in enumerate(self.script.steps):
            seq = self.check.sent(number, float(number))
            sent[step.device] = seq
            if number != skip_ack:
                self.check.acked(step.device, seq, number + 0.1)
            if step.place_ms >= 0 and number != skip_push:
                name = self.script.devices[step.device]
                head = {"item": self.script.item, "device": name, "position_ms": step.place_ms}
                self.check.pushed(1 - step.device, head | (push or {}), number + 0.2)
        for device, last in enumerate(sent):
            if last + durable:
                self.check.durable(device, last + durable, 100.0)
        self.check.finish()
        return sorted(self.faults.kinds)


def test_an_honest_peer_has_no_fault() -> None:
    peer = Peer()
    assert peer.run() == []
    assert peer.check.settled
    assert len(peer.samples.ack) == len(peer.script.steps)
    assert len(peer.samples.push) == sum(step.place_ms >= 0 for step in peer.script.steps)
    assert len(peer.samples.durable_playing) + len(peer.samples.durable_flushed) == len(peer.script.steps)


def test_an_update_without_acknowledgement_is_lost() -> None:
    assert set(Peer().run(skip_ack=5)) == {"acknowledgement", "lost"}


def test_a_last_acknowledgement_that_is_missing_is_lost() -> None:
    peer = Peer()
    assert peer.run(skip_ack=len(peer.script.steps) - 1) == ["lost"]


def test_a_place_that_was_not_pushed_is_missed() -> None:
    assert "lost" in Peer().run(skip_push=4)


@pytest.mark.parametrize("wrong", [{"position_ms": 1}, {"item": "another"}, {"device": "nobody's"}])
def test_a_wrong_place_is_seen(wrong: dict[str, Any]) -> None:
    assert "push" in Peer().run(push=wrong)


@pytest.mark.parametrize(("off", "kind"), [(1, "durable"), (-1, "lost")])
def test_durable_must_be_exactly_what_was_sent(off: int, kind: str) -> None:
    assert kind in Peer().run(durable=off)


def test_what_is_stored_is_compared_with_the_plan() -> None:
    told, faults = script(MIX, 0), Faults()
    end = ending(told)
    head = {
        "item": told.item,
        "position_ms": end.place_ms,
        "device": end.device,
        "watched_ms": end.content_ms,
    }
    check_stored(told, [head | {"rev": 7}], faults)
    assert not faults.total
    for found in ([], [head | {"watched_ms": 1}], [head, head]):
        check_stored(told, found, faults)
    assert faults.kinds == {"stored": 3}
