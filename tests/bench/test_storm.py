"""A storm is told from the blow on: who was lost, and until when which share had its head again."""

import pytest

from bench.checker import Samples
from bench.driver import pack
from bench.messages import read
from bench.storm import Plan, Return, peak
from persistence.errors import SetupError
from tests.bench.test_checker import Server


def test_shares_are_of_those_who_were_lost() -> None:
    heads_s = [100.0 + n / 10 for n in range(1, 101)]
    back = Return.of(100, heads_s, struck_s=100.0)
    assert (back.lost, back.back) == (100, 100)
    assert (back.half_s, back.most_s, back.all_s) == pytest.approx((5.0, 9.5, 10.0))


def test_a_share_that_never_came_back_has_no_time() -> None:
    back = Return.of(100, [10.0] * 97, struck_s=4.0)
    assert (back.half_s, back.most_s, back.all_s) == (6.0, 6.0, None)
    assert Return.of(0, [], 0.0) == Return(0, 0, None, None, None)


def test_heads_from_before_the_blow_do_not_count() -> None:
    assert Return.of(2, [1.0, 9.0, 12.0], struck_s=8.0).all_s == 4.0
    assert Return.of(2, [1.0, 9.0], struck_s=8.0).all_s is None


def test_the_peak_is_of_the_groups_asked_for_and_of_the_time_after() -> None:
    memory = [(1.0, {"shards": 900}), (5.0, {"shards": 10, "Ray": 800}), (6.0, {"shards": 20, "gateways": 5})]
    assert peak(memory, ("shards", "gateways"), since_s=2.0) == 25
    assert peak([], ("shards",), 0.0) == 0


def test_a_storm_is_asked_for_by_its_kind_and_second() -> None:
    assert Plan.read("cut") == Plan("cut", 10.0)
    assert Plan.read("kill-all@7.5") == Plan("kill-all", 7.5)
    for wrong in ("rain", "cut@soon", ""):
        with pytest.raises(SetupError, match="cut, kill, kill-all"):
            Plan.read(wrong)


def test_what_was_under_way_when_the_connection_went_is_measured_apart() -> None:
    server = Server(number=0)
    server.send(3)
    server.say(0, "applied", seq=1)
    server.check.lost(0)
    server.say(0, "applied", seq=3)
    samples = server.samples
    assert (len(samples.ack), len(samples.ack_back)) == (1, 2)
    server.say(0, "durable", seq=3)
    assert len(samples.durable_playing) + len(samples.durable_flushed) == 1


def test_what_is_made_off_line_is_measured_apart() -> None:
    server = Server(number=0)
    server.check.sent(0, 0.0, online=False)
    server.say(0, "applied", seq=1)
    assert (len(server.samples.ack), len(server.samples.ack_back)) == (0, 1)


def test_a_push_counts_only_for_a_device_that_was_there() -> None:
    server = Server()
    step = server.send_until(lambda step: step.kind == "played")
    limits = {"frame_bytes": 1, "events_per_message": 1}
    hello = {"type": "welcome", "student": server.script.student, "device": server.script.devices[1]}
    marks = {"applied_seq": 0, "durable_seq": 0, "limits": limits}
    server.check.hear(1, read(pack(hello | marks)), 1000.0)
    server.push(server.head(step))
    assert server.samples == Samples()


def test_a_welcome_says_what_nobody_heard() -> None:
    server = Server(number=0)
    server.send(3)
    limits = {"frame_bytes": 1, "events_per_message": 1}
    who = {"student": server.script.student, "device": server.script.devices[0]}
    server.say(0, "welcome", **who, applied_seq=3, durable_seq=2, limits=limits)
    assert server.faults.total == 0
    assert len(server.samples.ack) == 3
    assert len(server.samples.durable_playing) + len(server.samples.durable_flushed) == 2
