"""Between connections and shards: who is attached where, one lane per shard, and what the answers mean."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator

import msgspec
import structlog

from actors.batch import (
    AllApplied,
    AllDurable,
    Attach,
    Attached,
    Close,
    Deliver,
    Detach,
    Forward,
    Moved,
    Outcome,
    Outcomes,
    Outgoing,
    Present,
    PullHeads,
    Reattach,
    encode_batch,
    encoder,
    outcomes_decoder,
)
from actors.core.events import Refused
from actors.core.placement import SLOTS, slot_of
from actors.lane import Lane, LaneFull, Pace
from gateway.sockets.close_codes import BAD_MESSAGE, BY_CODE, OVERLOAD
from gateway.sockets.held import Held
from gateway.sockets.links import Link, Peer
from gateway.sockets.metrics import Metrics
from persistence.errors import PlayheadError

Call = Callable[[str, bytes], Awaitable[bytes]]
"""`call(shard, batch) -> outcomes`, one `apply` of a shard; the caller sets the deadline."""

FetchMap = Callable[[], Awaitable[tuple[int, list[str]]]]
"""`fetch_map() -> (version, owners)`: the shard of each of the 256 slots."""

ATTACH_AGAIN_S = 5.0
"""An `Attach` without `Attached` after this is sent again: answers that are pushed can be lost."""

EARLY_MAX = 256
"""Pushes kept per shard whose incarnation no reply has named yet."""

ARRIVED_LOOK_S = 0.01
"""How often whoever moves slots looks whether their connections have arrived."""

REFETCH_S = (0.05, 2.0)
"""Pauses between fetches of a slot map that shards say is old: the directory may lag or be down."""

log = structlog.get_logger()


class Stale(PlayheadError):
    """A shard's incarnation that was replaced has answered; the batch goes to the new one."""


class ShardRouter:
    """Routes operations of connections to the shard of their student, and outcomes back.

    `gateway` is this actor's name and `life` this incarnation, as shards know them. Everything is safe to
    repeat: a batch whose call failed is sent again, and a connection may be attached any number of times.
    """

    def __init__(
        self,
        *,
        gateway: str,
        life: str,
        call: Call,
        fetch_map: FetchMap,
        metrics: Metrics,
        window_s: float = 0.02,
        patience_s: float = 0.08,
        call_s: float = 5.0,
        keepalive_s: float = 1.0,
        batch_max: int = 2000,
        capacity: int = 100_000,
        updates_waiting: int = 4000,
    ) -> None:
        self._gateway = gateway
        self._life = life
        self._call = call
        self._fetch_map = fetch_map
        self.metrics = metrics
        self._window_s = window_s
        self._call_s = call_s
        self._keepalive_s = keepalive_s
        self._patience_s = patience_s
        self._batch_max = batch_max
        self._capacity = capacity
        self._updates_waiting = updates_waiting
        self._pace = Pace()
        self._loop = asyncio.get_running_loop()
        self._version = -1
        self._owners: list[str] = []
        self._lanes: dict[str, Lane[Outgoing]] = {}
        self._slot_lanes: list[Lane[Outgoing]] = []
        self._lives: dict[str, str] = {}
        self._heard: dict[str, int] = {}
        self._retired: dict[str, set[str]] = {}
        self._early: dict[str, list[Outcomes]] = {}
        self._since_s: dict[str, float] = {}
        self._links: dict[int, Link] = {}
        self._lost: list[Detach] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._misrouted: set[int] = set()
        self._held = Held()
        self._deferred: dict[int, Link] = {}
        self._misrouting = asyncio.Event()

    async def start(self) -> None:
        """Fetch the slot map, however long the directory takes; the caller bounds the wait."""
        pause_s, longest_s = REFETCH_S
        while not await self._refetch():
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, longest_s)
        self._tasks += [asyncio.create_task(self._keep_alive()), asyncio.create_task(self._mend_map())]

    async def stop(self, timeout_s: float) -> None:
        """Send what waits, at most `timeout_s`, and stop."""
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(*(lane.settled() for lane in self._lanes.values()))
        except TimeoutError:
            log.warning("lanes_not_settled", waiting={name: len(lane) for name, lane in self._lanes.items()})
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(lane.stop() for lane in self._lanes.values()))

    # What connections say.

    def open(self, peer: Peer, attach: Attach) -> Link:
        """Attach a connection. Raises `LaneFull` when its shard has not answered for too long."""
        link = Link(peer, attach, slot_of(attach.student))
        self._ask(link, self._loop.time())
        self._links[attach.conn] = link
        return link

    def apply(self, link: Link, events: list[msgspec.Raw], refused: list[Refused]) -> None:
        """Journal entries: events as they were said, in their order, and those nobody can read.

        While too many wait for a shard that cannot keep up, they are let go: the device has them in its
        journal, and is asked for all of them in one message when there is room. That is less work than each
        of them now, and than a socket that is closed and comes back.
        """
        if link.deferred:
            return
        if len(self._slot_lanes[link.slot]) >= self._updates_waiting:
            link.deferred, link.sound = True, False
            self._deferred[link.attach.conn] = link
            self.metrics.deferred += 1
            return
        self._put(link, Forward(link.attach.conn, link.attach.student, events, refused))

    def pull(self, link: Link, items: list[str]) -> None:
        """Ask for heads. Raises `LaneFull`."""
        self._put(link, PullHeads(link.attach.conn, link.attach.student, items))

    def present(self, link: Link, item: str, state: str) -> None:
        """A player that is not playing is alive. Raises `LaneFull`."""
        self._put(link, Present(link.attach.conn, link.attach.student, item, state))

    def close(self, link: Link) -> None:
        """The connection is gone; its shard hears it, later if the lane is full."""
        if self._links.pop(link.attach.conn, None) is None:
            return
        self._deferred.pop(link.attach.conn, None)
        detach = Detach(link.attach.conn, link.attach.student)
        try:
            self._put(link, detach)
        except LaneFull:
            self._lost.append(detach)

    def attach_again(self, link: Link) -> None:
        """Say once more who is here, unless that was said just now, or still waits for a silent shard."""
        now_s = self._loop.time()
        if link.asked_at_s is not None:
            waits = self._slot_lanes[link.slot].sent_batches < link.answered_by_batch
            if waits or now_s - link.asked_at_s < ATTACH_AGAIN_S:
                return
        self._attach(link, now_s)

    def _attach(self, link: Link, now_s: float) -> None:
        if self._links.get(link.attach.conn) is not link:
            return
        try:
            self._ask(link, now_s)
        except LaneFull:
            link.peer.close(OVERLOAD)

    def _ask(self, link: Link, now_s: float) -> None:
        lane = self._slot_lanes[link.slot]
        again = msgspec.structs.replace(link.attach, again=True) if link.welcomed else link.attach
        self._put(link, again)
        link.asked_at_s = now_s
        # One batch may be in flight, then come those that wait.
        link.answered_by_batch = lane.sent_batches + 2 + len(lane) // lane.batch_now

    def _put(self, link: Link, operation: Outgoing) -> None:
        if self._held and link.slot in self._held:
            self._held.put(link.slot, operation)
            return
        lane = self._slot_lanes[link.slot]
        if not len(lane):
            self._since_s[self._owners[link.slot]] = self._loop.time()
        lane.put(operation)

    # What shards say.

    async def _send(self, shard: str, operations: list[Outgoing]) -> None:
        since_s = self._since_s.get(shard, self._loop.time())
        blob = self._encode(operations, self._heard.get(shard, 0))
        async with asyncio.timeout(self._call_s):
            answer = await self._call(shard, blob)
        outcomes = outcomes_decoder.decode(answer)
        self.metrics.batches += 1
        self.metrics.operations += len(operations)
        if operations:
            self.metrics.answered_in_s.observe(self._loop.time() - since_s)
        if outcomes.life != self._lives.get(shard):
            self._begin_life(shard, outcomes.life)
        if outcomes.number:
            self._heard[shard] = outcomes.number
        self._perform(outcomes)
        if self._misrouted:
            self._keep(shard, operations)

    def _encode(self, operations: list[Outgoing], heard: int) -> bytes:
        """The batch as bytes. An operation that cannot be written is no lost call: sent again it would hold
        up the lane for ever, so it goes, and its connection with it (F28)."""
        try:
            return encode_batch(self._gateway, self._life, operations, heard)
        except Exception:  # noqa: BLE001 - whatever it is, it would be so again
            sound = [operation for operation in operations if self._can_be_written(operation)]
            return encode_batch(self._gateway, self._life, sound, heard)

    def _can_be_written(self, operation: Outgoing) -> bool:
        try:
            encoder.encode(operation)
        except Exception:
            log.exception("operation_unwritable", student=operation.student)
            if (link := self._links.get(operation.conn)) is not None:
                link.peer.close(BAD_MESSAGE)
            return False
        return True

    def deliver(self, blob: bytes) -> None:
        """Outcomes a shard sends unasked; those of an incarnation no reply has named wait for the reply."""
        outcomes = outcomes_decoder.decode(blob)
        if outcomes.life == self._lives.get(outcomes.shard):
            self._perform(outcomes)
        elif outcomes.life not in self._retired.get(outcomes.shard, ()):
            early = self._early.setdefault(outcomes.shard, [])
            if len(early) < EARLY_MAX:
                early.append(outcomes)
            if (lane := self._lanes.get(outcomes.shard)) is not None:
                lane.nudge()

    def _begin_life(self, shard: str, life: str) -> None:
        retired = self._retired.setdefault(shard, set())
        if life in retired:
            raise Stale(f"{shard} {life} was replaced and still answers; the batch is sent again")
        previous = self._lives.get(shard)
        self._lives[shard] = life
        if previous is not None:
            retired.add(previous)
            log.info("shard_anew", shard=shard, life=life)
            self._attach_all(link for link in self._links.values() if self._owners[link.slot] == shard)
        for outcomes in self._early.pop(shard, ()):
            if outcomes.life == life:
                self._perform(outcomes)

    def _attach_all(self, links: Iterable[Link]) -> None:
        now_s = self._loop.time()
        for link in list(links):
            self._attach(link, now_s)

    def _perform(self, outcomes: Outcomes) -> None:
        for outcome in outcomes.outcomes:
            try:
                self._perform_one(outcome, outcomes.shard)
            except Exception:
                # One connection's trouble must not make the lane repeat the batch of all the others.
                log.exception("outcome_failed", shard=outcomes.shard, outcome=type(outcome).__name__)

    def _perform_one(self, outcome: Outcome, shard: str) -> None:
        if isinstance(outcome, Deliver):
            self._hand_out(outcome)
        elif isinstance(outcome, AllApplied):
            for link, seq in self._served_by(shard, outcome.seqs):
                link.peer.push(link.peer.codec.applied(seq), "applied")
        elif isinstance(outcome, AllDurable):
            for link, seq in self._served_by(shard, outcome.seqs):
                if seq >= link.durable_seq:
                    link.durable_seq = seq
                    link.peer.push(link.peer.codec.durable(seq), "durable")
        elif isinstance(outcome, Attached):
            self._attached(outcome)
        elif isinstance(outcome, Reattach):
            for link in self._known(outcome.conns):
                if self._owners[link.slot] == shard:
                    link.sound = False
                    self.attach_again(link)
        elif isinstance(outcome, Moved):
            self._misrouted.update(outcome.conns)
        elif isinstance(outcome, Close):
            for link in self._known(outcome.conns):
                link.peer.close(BY_CODE[outcome.code])

    def _known(self, conns: list[int]) -> list[Link]:
        return [link for conn in conns if (link := self._links.get(conn)) is not None]

    def _served_by(self, shard: str, seqs: dict[int, int]) -> Iterator[tuple[Link, int]]:
        """The watermarks of connections that this shard serves: the late word of a former owner would go back
        behind that of the new one, which knows as much."""
        links, owners = self._links, self._owners
        for conn, seq in seqs.items():
            link = links.get(conn)
            if link is not None and owners[link.slot] == shard:
                yield link, seq

    def _hand_out(self, outcome: Deliver) -> None:
        codec, frame = None, b""
        for conn in outcome.conns:
            link = self._links.get(conn)
            if link is None:
                continue
            peer = link.peer
            if peer.codec is not codec:
                codec = peer.codec
                frame = codec.frame_of(outcome.frame)
            peer.push(frame, outcome.key)

    def _attached(self, answer: Attached) -> None:
        link = self._links.get(answer.conn)
        if link is None or answer.epoch < link.epoch:
            return
        first, changed = not link.welcomed, answer.epoch != link.epoch
        quiet = changed and link.sound and not first and answer.continues == link.epoch
        link.epoch = answer.epoch
        link.asked_at_s = None
        link.sound = True
        link.peer.attached(answer, first, changed, quiet)

    # Where shards are.

    def set_map(self, version: int, owners: list[str]) -> None:
        """A newer map of the 256 slots: connections of moved slots attach at their new shard."""
        if version <= self._version or len(owners) != SLOTS:
            return
        before, self._version, self._owners = self._owners, version, list(owners)
        for shard in set(owners) - self._lanes.keys():
            # The same incarnation may have been without a slot for a while.
            self._retired.pop(shard, None)
            self._lanes[shard] = self._new_lane(shard)
        self._slot_lanes = [self._lanes[shard] for shard in owners]
        if before:
            self._follow({slot for slot in range(SLOTS) if before[slot] != owners[slot]}, before)
        for shard in self._lanes.keys() - set(owners):
            self._retire(shard)

    def _follow(self, slots: set[int], before: list[str]) -> None:
        """The connections of these slots attach at their new shard, and what has no answer goes there, in
        order and behind that. What the former owner may have carried out the new one knows by its number."""
        unanswered: list[Outgoing] = []
        for shard in {before[slot] for slot in slots}:
            unanswered += self._lanes[shard].recall(lambda said: slot_of(said.student) in slots)
        for slot in slots:
            unanswered += self._held.take(slot)
        self._attach_all(link for link in self._links.values() if link.slot in slots)
        for operation in unanswered:
            link = self._links.get(operation.conn)
            if link is not None and not isinstance(operation, Attach):
                self._say_again(link, operation)
        for slot in slots:
            self._slot_lanes[slot].hurry()

    def _say_again(self, link: Link, operation: Outgoing) -> None:
        try:
            self._put(link, operation)
        except LaneFull:
            link.peer.close(OVERLOAD)

    def _keep(self, shard: str, operations: list[Outgoing]) -> None:
        """Keep, in order, what the shard did not take because it has not got the slot (any more), and what
        waits behind it; if the map says so by now, that has been sent on already."""
        conns, self._misrouted = self._misrouted, set()
        refused = [said for said in operations if said.conn in conns]
        slots = {slot for said in refused if self._owners[slot := slot_of(said.student)] == shard}
        if not slots:
            return
        for said in [*refused, *self._lanes[shard].withdraw(lambda said: slot_of(said.student) in slots)]:
            if (slot := slot_of(said.student)) in slots:
                try:
                    self._held.put(slot, said)
                except LaneFull:
                    if (link := self._links.get(said.conn)) is not None:
                        link.peer.close(OVERLOAD)
        self._misrouting.set()

    def _retire(self, shard: str) -> None:
        """The shard owns nothing any more: its last batch may still be answered, then its lane ends."""
        lane = self._lanes.pop(shard)

        async def end() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._call_s):
                    await lane.passed()
            await lane.stop()
            if shard not in self._lanes and (life := self._lives.pop(shard, None)) is not None:
                self._retired.setdefault(shard, set()).add(life)

        ending = asyncio.create_task(end())
        self._tasks.append(ending)
        ending.add_done_callback(self._tasks.remove)

    def attach_slots(self, slots: set[int]) -> None:
        """Attach the connections of these slots once more: their shard gave them away and has them again."""
        self._attach_all(link for link in self._links.values() if link.slot in slots)

    async def arrived(self, slots: set[int], timeout_s: float) -> bool:
        """Wait until all connections of these slots are attached where the map says; False if it takes
        longer."""
        until_s = self._loop.time() + timeout_s
        waited = [link for link in self._links.values() if link.slot in slots]
        while waited := [link for link in waited if self._asks(link)]:
            if self._loop.time() >= until_s:
                return False
            await asyncio.sleep(ARRIVED_LOOK_S)
        return True

    def _asks(self, link: Link) -> bool:
        return link.asked_at_s is not None and link.attach.conn in self._links

    def _new_lane(self, shard: str) -> Lane[Outgoing]:
        async def send(operations: list[Outgoing]) -> None:
            await self._send(shard, operations)

        def trouble(error: BaseException) -> None:
            self.metrics.failed_batches += 1

        lane: Lane[Outgoing] = Lane(
            send,
            window_s=self._window_s,
            patience_s=self._patience_s,
            pace=self._pace,
            batch_max=self._batch_max,
            capacity=self._capacity,
            on_trouble=trouble,
        )
        lane.start()
        return lane

    async def _refetch(self) -> bool:
        try:
            async with asyncio.timeout(self._call_s):
                version, owners = await self._fetch_map()
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the map we have stands
            log.warning("slot_map_not_fetched", error=repr(error)[:300])
            return False
        self.set_map(version, owners)
        return True

    async def _mend_map(self) -> None:
        """After `moved`: fetch the map, and offer what was kept to the same shard again if that has not
        changed: it may have been frozen for a moment only, or the directory is behind; do not spin."""
        pause_s, longest_s = REFETCH_S
        while True:
            await self._misrouting.wait()
            self._misrouting.clear()
            before = self._version
            await self._refetch()
            pause_s = REFETCH_S[0] if self._version > before else min(pause_s * 2, longest_s)
            await asyncio.sleep(pause_s)
            for operation in self._held.take_all():
                if (link := self._links.get(operation.conn)) is not None:
                    self._say_again(link, operation)
                elif isinstance(operation, Detach):
                    self._detach_later(operation)

    async def _keep_alive(self) -> None:
        """An empty batch to each lane that was quiet, so that idle connections learn of a restarted shard."""
        seen: dict[str, int] = {}
        while True:
            await asyncio.sleep(self._keepalive_s)
            lost, self._lost = self._lost, []
            for detach in lost:
                self._detach_later(detach)
            self._catch_up()
            for shard, lane in self._lanes.items():
                if seen.get(shard) == lane.sent_batches:
                    lane.nudge()
                seen[shard] = lane.sent_batches

    def _catch_up(self) -> None:
        """Connections that were deferred attach anew, those that wait longest first, as far as there is room:
        their devices hear `resync` and send again what was let go."""
        for conn, link in list(self._deferred.items()):
            if len(self._slot_lanes[link.slot]) < self._updates_waiting // 2:
                del self._deferred[conn]
                link.deferred = False
                self.attach_again(link)

    def _detach_later(self, detach: Detach) -> None:
        try:
            self._slot_lanes[slot_of(detach.student)].put(detach)
        except LaneFull:
            self._lost.append(detach)

    def stats(self) -> dict[str, object]:
        """Numbers for people: links, map version, shards with their life and what waits for them."""
        return {
            "links": len(self._links),
            "map_version": self._version,
            "shards": {
                shard: {"life": self._lives.get(shard), "waiting": len(lane)}
                for shard, lane in self._lanes.items()
            },
            "gone_unsaid": len(self._lost),
            "deferred": len(self._deferred),
        }
