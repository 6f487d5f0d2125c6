"""Connections and shards: restarts, moves, lost answers and silence, as the device hears of them."""

import asyncio
import uuid

import pytest

from actors.batch import AllDurable, Attached, Outcomes, Present, encoder, outcomes_decoder
from actors.core.placement import slot_of
from gateway.sockets import batching, connection
from gateway.sockets.close_codes import OVERLOAD
from tests.gateway.sockets.conftest import NAME, Gateway, Start, events, played
from tests.gateway.sockets.raw import Raw
from tests.gateway.sockets.shards import Close, Deliver


async def test_p27_an_idle_device_hears_resync_when_its_shard_starts_anew(gateway: Gateway) -> None:
    raw = await gateway.join()
    raw.say(events(played(1)))
    assert (await raw.message("applied"))["seq"] == 1
    gateway.shards["shard:0"].begin()
    resync = await raw.message("resync")
    assert (resync["from_seq"], resync["epoch"], resync["reason"]) == (1, 3, "epoch")
    assert (await raw.message())["type"] == "durable", "an idle device has nothing to send"
    raw.say(events(played(1)))
    assert (await raw.message("applied"))["seq"] == 1


async def test_p27_a_playing_device_loses_nothing_when_its_shard_starts_anew(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    applied, seq, resyncs = 0, 0, 0
    for round_number in range(3):
        for _ in range(10):
            seq += 1
            raw.say(events(played(seq)))
        if round_number == 1:
            shard.begin()
        while applied < seq:
            said = await raw.message()
            if said["type"] == "resync":
                resyncs += 1
                applied = said["from_seq"] - 1
                raw.say(events(*(played(n) for n in range(said["from_seq"], seq + 1))))
            elif said["type"] == "applied":
                applied = said["seq"]
    assert resyncs >= 1
    assert shard.residents["mira"].session.device("phone").applied_seq == 30


async def test_p27_same_epoch_and_unknown_connections_is_lost(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    shard.epoch -= 1
    shard.begin()
    resync = await raw.message("resync")
    assert (resync["from_seq"], resync["epoch"], resync["reason"]) == (1, 2, "lost")


async def test_a_shard_that_forgot_a_connection_is_told_again(gateway: Gateway) -> None:
    """After three failed pushes a shard forgets a gateway's connections without a new life."""
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    shard.residents._attached.clear()
    shard.residents["mira"].links.clear()
    raw.say(events(played(1)))
    assert (await raw.message("resync"))["reason"] == "lost"
    raw.say(events(played(1)))
    assert (await raw.message("applied"))["seq"] == 1


async def test_p27_a_connection_a_shard_forgot_hears_of_heads_it_has_missed(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    idle, busy = await gateway.join("mira", "tv"), await gateway.join("mira", "phone")
    resident = shard.residents["mira"]
    (link,) = [link for device, link in resident.links.items() if device == "tv"]
    del resident.links["tv"], shard.residents._attached[link]
    busy.say(events(played(1, kind="sought", position_ms=30_000)))
    assert (await busy.message("applied"))["seq"] == 1
    idle.say({"type": "presence", "item": "lecture", "state": "paused", "position_ms": 0})
    assert (await idle.message("resync"))["reason"] == "lost"
    assert (await idle.message("head"))["position_ms"] == 30_000


async def test_a_moved_slot_is_followed_without_a_close(start: Start) -> None:
    gateway = await start(shards=2)
    raw = await gateway.join("mira")
    slot, here = slot_of("mira"), gateway.shard_of("mira")
    (there,) = (shard for shard in gateway.shards.values() if shard is not here)
    raw.say(events(played(1)))
    assert (await raw.message("applied"))["seq"] == 1
    here.slots.remove(slot)
    there.slots.add(slot)
    there.epoch = 9
    gateway.map_version = here.map_version = 2
    raw.say(events(played(2)))
    resync = await raw.message("resync")
    assert (resync["from_seq"], resync["epoch"], resync["reason"]) == (1, 9, "epoch")
    assert (await raw.message("applied"))["seq"] == 0, "what was kept is ahead of what was lost"
    raw.say(events(played(1), played(2)))
    assert (await raw.message("applied"))["seq"] == 2
    assert gateway.metrics.closes.total() == 0


async def test_a_directory_that_lags_is_asked_again_without_spinning(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start(shards=2)
    raw = await gateway.join("mira")
    slot, here = slot_of("mira"), gateway.shard_of("mira")
    (there,) = (shard for shard in gateway.shards.values() if shard is not here)
    fetched = gateway.map_fetches
    monkeypatch.setattr(gateway.router, "_fetch_map", gateway.lagging_map)
    here.slots.remove(slot)
    there.slots.add(slot)
    raw.say(events(played(1)))
    await gateway.settled(lambda: gateway.map_fetches >= fetched + 4)
    gateway.map_version = 2
    monkeypatch.setattr(gateway.router, "_fetch_map", gateway.fetch_map)
    assert (await raw.message("resync"))["epoch"] == there.epoch
    assert gateway.map_fetches < fetched + 12


async def test_a_hello_sent_to_the_wrong_shard_is_sent_on(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "ATTACH_AGAIN_S", 1e9)
    gateway = await start(shards=2)
    slot, here = slot_of("mira"), gateway.shard_of("mira")
    (there,) = (shard for shard in gateway.shards.values() if shard is not here)
    here.slots.remove(slot)
    raw = await Raw.open(gateway.address)
    raw.say(gateway.hello())
    fetched = gateway.map_fetches
    monkeypatch.setattr(gateway.router, "_fetch_map", gateway.lagging_map)
    await gateway.settled(lambda: gateway.map_fetches >= fetched + 3)
    there.slots.add(slot)
    here.slots.add(slot)
    assert (await raw.message("welcome"))["student"] == "mira"


async def test_a_pushed_map_moves_connections(start: Start) -> None:
    gateway = await start(shards=2)
    raw = await gateway.join("mira")
    slot, here = slot_of("mira"), gateway.shard_of("mira")
    (there,) = (shard for shard in gateway.shards.values() if shard is not here)
    here.slots.remove(slot)
    there.slots.add(slot)
    there.epoch = 9
    gateway.map_version = 2
    version, owners = await gateway.fetch_map()
    gateway.router.set_map(version, owners)
    assert (await raw.message("resync"))["epoch"] == 9
    gateway.router.set_map(1, [here.name] * 256)
    raw.say(events(played(1)))
    assert (await raw.message("applied"))["seq"] == 1


async def test_a_shard_taken_out_of_the_map_gets_no_more_batches(start: Start) -> None:
    gateway = await start(shards=2)
    raw = await gateway.join("mira")
    here = gateway.shard_of("mira")
    (there,) = (shard for shard in gateway.shards.values() if shard is not here)
    there.slots |= here.slots
    here.slots.clear()
    there.epoch = 9
    gateway.router.set_map(2, [there.name] * 256)
    assert (await raw.message("resync"))["epoch"] == 9
    calls, beyond = here.calls, there.calls + 5
    await gateway.settled(lambda: there.calls >= beyond)
    assert here.calls == calls


async def test_an_unanswered_batch_is_sent_again_and_nothing_counts_twice(start: Start) -> None:
    gateway = await start(settings={"call_s": 0.2})
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    shard.available.clear()
    raw.say(events(played(1), played(2)))
    await gateway.settled(lambda: gateway.metrics.failed_batches >= 2)
    shard.available.set()
    assert (await raw.message("applied"))["seq"] == 2
    assert shard.residents["mira"].session.items["lecture"].content_ms == 20_000


async def test_a_silent_shard_is_not_asked_again_and_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand sockets that attach anew every five seconds would fill the lane of a shard that is down."""
    monkeypatch.setattr(batching, "ATTACH_AGAIN_S", 0.0)
    gateway = await start(settings={"call_s": 0.1})
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    (link,) = gateway.router._links.values()
    (lane,) = gateway.router._lanes.values()
    shard.available.clear()
    raw.say(events(played(1)))
    await gateway.settled(lambda: gateway.metrics.failed_batches >= 2)
    for _ in range(50):
        gateway.router.attach_again(link)
    assert len(lane) <= 1
    shard.available.set()
    assert (await raw.message("applied"))["seq"] == 1


async def test_an_answer_to_attach_that_never_comes_is_asked_for_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "ATTACH_AGAIN_S", 0.2)
    monkeypatch.setattr(connection, "ATTACH_AGAIN_S", 0.2)
    gateway = await start()
    shard = gateway.shards["shard:0"]
    proper, lost = shard.apply, 0

    async def forgetful(blob: bytes) -> bytes:
        nonlocal lost
        outcomes = outcomes_decoder.decode(await proper(blob))
        kept = [outcome for outcome in outcomes.outcomes if not isinstance(outcome, Attached) or lost >= 2]
        lost += len(kept) < len(outcomes.outcomes)
        return encoder.encode(Outcomes(outcomes.shard, outcomes.life, kept))

    monkeypatch.setattr(shard, "apply", forgetful)
    assert (await gateway.join()).welcome["student"] == "mira"
    assert lost == 2


async def test_an_answer_that_was_lost_changes_nothing(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    proper, lost = shard.apply, 0

    async def losing(blob: bytes) -> bytes:
        nonlocal lost
        answer = await proper(blob)
        if lost < 2:
            lost += 1
            raise ConnectionError("the answer was lost")
        return answer

    shard.apply = losing  # type: ignore[method-assign]
    raw.say(events(played(1)))
    assert (await raw.message("applied"))["seq"] == 1
    assert shard.residents["mira"].session.items["lecture"].content_ms == 10_000


async def test_w23_a_full_lane_is_overload(start: Start) -> None:
    gateway = await start(settings={"lane_operations": 3, "call_s": 30.0})
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    shard.available.clear()
    for n in range(12):
        raw.say(events(played(n + 1)))
        await asyncio.sleep(0.01)
    closed = await raw.closed()
    assert closed.code == OVERLOAD.code and closed.reason["retry_after_ms"] >= 1000
    shard.available.set()
    await gateway.settled(lambda: shard.conns() == [])


async def test_updates_for_a_shard_that_is_behind_stay_in_the_journal(start: Start) -> None:
    """No socket closes; when there is room the device is asked once for all that was let go."""
    gateway = await start(settings={"lane_updates": 3, "call_s": 30.0})
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    shard.available.clear()
    for n in range(12):
        raw.say(events(played(n + 1)))
    await gateway.settled(lambda: gateway.metrics.deferred == 1)
    (lane,) = gateway.router._lanes.values()
    assert len(lane) <= 3
    shard.available.set()
    resync = await raw.message("resync")
    assert resync["reason"] == "lost" and 1 < resync["from_seq"] <= 12
    raw.say(events(*(played(n) for n in range(resync["from_seq"], 13))))
    while (await raw.message("applied"))["seq"] < 12:
        pass
    assert shard.residents["mira"].session.items["lecture"].content_ms == 120_000


async def test_r8_durable_never_goes_back_though_a_push_overtakes_an_answer(gateway: Gateway) -> None:
    """Both are calls of their own, and nothing keeps them in order."""
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    (conn,) = shard.conns()
    shard.tell(NAME, [AllDurable({conn: 2})])
    assert (await raw.message())["seq"] == 2
    shard.tell(NAME, [AllDurable({conn: 1})])
    raw.say({"type": "ping", "n": 1})
    assert (await raw.message())["type"] == "pong"


async def test_a_hello_whose_shard_is_silent_is_overload(start: Start) -> None:
    gateway = await start(welcome_s=0.3, settings={"call_s": 30.0})
    gateway.shards["shard:0"].available.clear()
    raw = await Raw.open(gateway.address)
    raw.say(gateway.hello())
    assert (await raw.closed()).code == 4004


async def test_every_lane_hears_from_us_though_nobody_speaks(start: Start) -> None:
    gateway = await start(shards=4)
    await gateway.settled(lambda: all(shard.calls >= 3 for shard in gateway.shards.values()))


async def test_rule_5_a_lower_epoch_reaches_nobody(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    (conn,) = shard.conns()
    shard.tell(NAME, [Attached(conn, 1, 0, 0)])
    raw.say({"type": "ping", "n": 1})
    assert (await raw.message())["type"] == "pong"


async def test_a_replaced_incarnation_reaches_nobody(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    (conn,) = shard.conns()
    zombie = shard.life
    shard.begin()
    await raw.message("resync")
    await raw.message("durable")
    shard.tell(NAME, [Close([conn], 4005), Deliver([conn], b"\x81\xa4type\xa5ghost")], life=zombie)
    raw.say({"type": "ping", "n": 1})
    assert (await raw.message())["type"] == "pong"


async def test_a_push_ahead_of_its_incarnations_first_reply_waits_for_it(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    shard.available.clear()
    shard.begin()
    (link,) = gateway.router._links.values()
    durable = Deliver([link.attach.conn], b"\x82\xa4type\xa7durable\xa3seq\x00", "durable")
    shard.tell(NAME, [durable])
    shard.tell(NAME, [Deliver([link.attach.conn], b"\x81\xa4type\xa5ghost")], life=uuid.uuid4().hex)
    shard.available.set()
    kinds = {(await raw.message())["type"] for _ in range(2)}
    assert kinds == {"durable", "resync"}


async def test_one_outcome_that_cannot_be_performed_stops_no_other(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    (conn,) = shard.conns()
    shard.tell(NAME, [Close([conn], 1234), Deliver([conn], b"\x82\xa4type\xa7durable\xa3seq\x00")])
    assert (await raw.message())["type"] == "durable"


async def test_outcomes_for_connections_that_are_gone_are_dropped(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    gateway.router.deliver(
        encoder.encode(Outcomes(shard.name, shard.life, [Deliver([999], b"\x80"), Attached(999, 5, 1, 1)]))
    )
    raw.say({"type": "ping", "n": 1})
    assert (await raw.message())["type"] == "pong"


async def test_a_shards_close_is_carried_out(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    (conn,) = shard.conns()
    shard.tell(NAME, [Close([conn], 4006)])
    closed = await raw.closed()
    assert (closed.code, closed.reason["code"]) == (4006, "resync")
    await gateway.settled(lambda: shard.conns() == [])


async def test_p7_a_new_incarnation_gives_no_number_of_an_old_one(start: Start) -> None:
    numbers = []
    for _ in range(2):
        gateway = await start()
        await gateway.join()
        numbers += gateway.shards["shard:0"].conns()
    assert len(set(numbers)) == 2


async def test_f28_an_operation_that_cannot_be_written_goes_alone(gateway: Gateway) -> None:
    shard = gateway.shards["shard:0"]
    raw = await gateway.join()
    router = gateway.server.router
    bad = Present(10**15, "nobody", "item", "\ud800")
    shard_name = router._owners[slot_of("mira")]
    router._lanes[shard_name].put(bad)
    raw.say(events(played(1)))
    assert (await raw.message("applied"))["seq"] == 1
    assert shard.calls
