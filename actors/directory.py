"""The directory: creates shards and gateways, owns the slot map, scales both live, and watches them all.

The data path does not need it: gateways keep the map they have, shards find their slots in Postgres. One that
Ray has restarted reads who there is from Ray, who owns what from the leases, and how many there are to be
from Postgres, and goes on with what was under way.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import ray
import structlog

from actors import nodes
from actors.autoscale import Autoscale, Autoscaling
from actors.core.placement import place
from actors.metrics import MoveMetrics
from actors.moving import PUBLISH_S, Moving, Tally
from actors.named import ActorSpec, create, end, named_actor, names, number
from actors.slot_map import SlotMap
from actors.watching import WATCH_S, Watching
from persistence import desired, leases
from persistence.errors import PlayheadError, SetupError
from persistence.postgres import Postgres, PostgresSettings, open_postgres

log = structlog.get_logger()

START_DEADLINE_S = 60.0
ARRIVE_S = 3.0
"""How long a gateway is given to have the connections of moved slots attached."""

LEAVE_S = 25.0
"""How long a gateway or shard that is let go may take to say goodbye."""

TEND_S = 5.0
"""How often the map is held against the leases while nothing moves."""

SHARD, SOCKET = "shard:", "gateway:socket:"


class Busy(PlayheadError):
    """Another change of the number of actors is under way; ask again when it has ended."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a directory runs: how the shard and the socket gateway of a number are made, how many there are to
    be at first, and the actors there is one of. The connections are those Postgres has to have for them. With
    `autoscaling` the number of shards follows the load."""

    shard: Callable[[int], ActorSpec]
    gateway: Callable[[int], ActorSpec]
    others: Sequence[ActorSpec]
    shards: int
    gateways: int
    postgres_dsn: str = field(repr=False)
    connections_a_shard: int = 0
    connections_beside: int = 0
    autoscaling: Autoscaling | None = None

    def specs(self) -> list[ActorSpec]:
        """All actors there are at first."""
        shards, gateways = map(self.shard, range(self.shards)), map(self.gateway, range(self.gateways))
        return [*shards, *gateways, *self.others]


@dataclass(slots=True)
class Change:
    """One change of the number of actors: what it is to be, and how far it is.

    `state`: `starting` (new actors), `moving`, `ending` (those that go), `done`, `failed` (with `error`).
    """

    shards: int
    gateways: int
    state: str = "starting"
    error: str = ""
    tally: Tally = field(default_factory=Tally)

    @property
    def under_way(self) -> bool:
        """Whether it has not ended."""
        return self.state not in ("done", "failed")


class Directory:
    """One that Ray has restarted starts by itself: nobody else would call `start` again."""

    def __init__(self, plan: Plan, set_up_logs: Callable[[], None] | None = None) -> None:
        if set_up_logs is not None:
            set_up_logs()
        self._plan = plan
        self._handles: dict[str, Any] = {}
        self._map = SlotMap()
        self._watching = Watching(self._handles)
        self._metrics = MoveMetrics()
        self._postgres: Postgres | None = None
        self._started = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._change: Change | None = None
        self._drained: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reborn: bool = ray.get_runtime_context().was_current_actor_reconstructed
        if self._reborn:
            self._spawn(self._revive())

    async def start(self) -> None:
        """Create what is missing, see that every slot has its shard, then start the gateways."""
        async with self._started:
            if self._map.known:
                return
            async with asyncio.timeout(START_DEADLINE_S):
                await self._start()
            self._watching.start()
            self._spawn(self._tend_for_ever())
            if self._plan.autoscaling is not None:
                autoscale = Autoscale(self._plan.autoscaling, self.stats, self.scale, self._open_nodes)
                self._spawn(autoscale.run_for_ever())

    def slot_map(self) -> tuple[int, list[str]]:
        """Version and the owner of each slot, by slot number."""
        if not self._map.known:
            raise SetupError("the directory has not read yet who owns which slot; ask again")
        return self._map.version, list(self._map.owners)

    async def stats(self, fresh: bool = False) -> dict[str, Any]:
        """What is known of every actor: its own figures, the seconds since it last answered, restarts. They
        are at most a few seconds old, unless they are wanted fresh."""
        if fresh:
            await self._watching.look()
        return {
            "map_version": self._map.version,
            "pid": os.getpid(),
            "change": self._progress(),
            "actors": self._watching.figures(),
        }

    async def scale(self, shards: int | None, gateways: int | None, leave: Sequence[str] = ()) -> None:
        """Begin to change how many shards and socket gateways there are; `progress` says how far it is.

        Those named in `leave` are replaced. Raises `Busy`, and `SetupError` for counts that cannot be.
        """
        self._refuse_if_busy()
        async with self._changing:
            self._refuse_if_busy()  # another may have asked while the map was tended
            change = Change(
                len(self._named(SHARD)) if shards is None else shards,
                len(self._named(SOCKET)) if gateways is None else gateways,
            )
            await self._check(change)
            await desired.put(self._stores(), {"shards": change.shards, "gateways": change.gateways})
            self._change = change
        self._spawn(self._carry_out(change, frozenset(leave)))

    async def drain_node(self, node: str) -> None:
        """Begin to replace all that runs on a Ray node by new actors elsewhere; `progress` says how far
        it is. Nothing is created on that node any more. Raises `Busy`."""
        there = [name for name in self._handles if self._watching.of(name).get("node") == node]
        await self.scale(None, None, there)
        self._drained.add(node)

    async def progress(self) -> dict[str, Any] | None:
        """How far the latest change is: the fields of `Change`, its tally among them; None before any."""
        return self._progress()

    async def drain(self, timeout_s: float) -> bool:
        """End in order: sockets say goodbye, shards write what they have, then all of these actors end.

        True if all is durable; an actor that is not there or does not answer makes it False.
        """
        for task in self._tasks:
            task.cancel()
        self._watching.stop()
        half_s = timeout_s / 2
        known = set(self._handles) or {spec.name for spec in self._plan.specs()}
        if self._reborn:
            known |= {*await names(SHARD), *await names(SOCKET)}
        shards = [name for name in known if name.startswith(SHARD)]
        await asyncio.gather(*(self._drain(name, half_s) for name in known - set(shards)))
        written = await asyncio.gather(*(self._drain(name, half_s, half_s - 1) for name in shards))
        await end(*known)
        self._handles.clear()
        if self._postgres is not None:
            await self._postgres.close()
        return bool(shards) and all(result is True for result in written)

    # Starting.

    async def _start(self) -> None:
        postgres = await self._open()
        counts = {"shards": self._plan.shards, "gateways": self._plan.gateways}
        if self._reborn:
            counts |= await desired.get(postgres)
        else:
            await desired.put(postgres, counts)
        shards = await names(SHARD) or [self._plan.shard(n).name for n in range(counts["shards"])]
        sockets = await names(SOCKET) or [self._plan.gateway(n).name for n in range(counts["gateways"])]
        await self._create([*map(self._spec, [*shards, *sockets]), *self._plan.others])
        # Whoever had slots and is still there has them, under a new epoch if it was started just now.
        await asyncio.gather(*(self._handles[name].own.remote([], 0) for name in shards))
        adrift = await self._reconcile()
        others = [spec.name for spec in self._plan.others]
        await asyncio.gather(*(self._handles[name].start.remote() for name in [*sockets, *others]))
        await self._introduce(shards)
        if self._reborn:
            await self._publish([], adrift)
        there = (len(shards), len(sockets))
        wanted = Change(counts["shards"], counts["gateways"])
        if there != (wanted.shards, wanted.gateways) or self._targets(shards, {}) != self._map.owners:
            self._change = wanted
            self._spawn(self._carry_out(wanted, frozenset()))
        elif self._reborn:
            self._change = replace(wanted, state="done")

    async def _revive(self) -> None:
        """`start` until it has worked: an actor may be on its way back just as we are."""
        while True:
            try:
                await self.start()
            except Exception as error:  # noqa: BLE001 - whatever Ray raises, it is tried again
                log.warning("directory_not_started", error=repr(error)[:200])
            else:
                log.warning("directory_restarted", pid=os.getpid())
                return
            await asyncio.sleep(WATCH_S)

    async def _open(self) -> Postgres:
        if self._postgres is None:
            settings = PostgresSettings(self._plan.postgres_dsn, "playhead directory", 1, 2)
            self._postgres = await open_postgres(settings)
        return self._postgres

    def _stores(self) -> Postgres:
        assert self._postgres is not None
        return self._postgres

    async def _create(self, specs: Iterable[ActorSpec], but: Collection[str] = ()) -> list[str]:
        """Create these actors, spread over the nodes but these; gives their names."""
        wanted = {spec.name: spec for spec in specs if spec.name not in self._handles}
        where = {name: str(self._watching.of(name).get("node", "")) for name in self._handles}
        chosen = nodes.choose(wanted, where, [node for node in await self._open_nodes() if node not in but])
        for name, spec in wanted.items():
            self._handles[name] = create(spec, chosen.get(name, ""))
        return list(wanted)

    async def _open_nodes(self) -> list[str]:
        """The nodes that are up and have not been drained."""
        return [node for node in await nodes.alive() if node not in self._drained]

    def _spec(self, name: str) -> ActorSpec:
        return (self._plan.shard if name.startswith(SHARD) else self._plan.gateway)(number(name))

    async def _introduce(self, shards: Iterable[str]) -> None:
        """Let these shards know all socket gateways."""
        sockets = self._named(SOCKET)
        await asyncio.gather(*(self._handles[name].meet.remote(sockets) for name in shards))

    # Owners.

    async def _reconcile(self) -> list[int]:
        """Read who owns what; what nobody has, or somebody who is not there, is given to a shard. Gives those
        slots."""
        known = await leases.owners(self._stores())
        shards = self._named(SHARD)
        adrift = [slot for slot, (owner, _) in known.items() if owner not in shards]
        if adrift:
            owners = place(shards, [known[slot][0] for slot in sorted(known)])
            for shard in shards:
                slots = [slot for slot in adrift if owners[slot] == shard]
                if slots:
                    await self._handles[shard].own.remote(slots, self._map.version)
            known = await leases.owners(self._stores())
        self._map.read(known)
        return adrift

    async def _tend_for_ever(self) -> None:
        """Hold the map against the leases now and then: a call nobody waits for may have run late."""
        while True:
            await asyncio.sleep(TEND_S)
            if self._changing.locked():
                continue
            async with self._changing:
                try:
                    await self._tend()
                except Exception as error:  # noqa: BLE001 - whatever it is, the next look comes
                    log.warning("leases_not_compared", error=repr(error)[:200])

    async def _tend(self) -> None:
        known = await leases.owners(self._stores())
        astray = [slot for slot, (owner, _) in known.items() if owner != self._map.owners[slot]]
        if astray:
            log.warning("slots_astray", slots=astray)
            await self._reconcile()
            await self._publish([], astray)

    async def _publish(self, moved: Sequence[int], given_back: Sequence[int]) -> None:
        """Tell the gateways the map; returns when the connections of these slots have arrived, or soon after
        they should have. Those of slots that were given back have to be attached where they were before. A
        gateway that does not hear it will ask: its batches are answered `moved`."""
        version, owners = self._map.version, list(self._map.owners)

        async def tell(gateway: str) -> None:
            try:
                async with asyncio.timeout(PUBLISH_S):
                    await self._handles[gateway].slots.remote(version, owners, moved, given_back, ARRIVE_S)
            except Exception as error:  # noqa: BLE001 - whatever Ray raises, the others have to hear it
                log.warning("map_not_told", gateway=gateway, error=repr(error)[:200])

        await asyncio.gather(*map(tell, self._named(SOCKET)))

    # Changing.

    def _refuse_if_busy(self) -> None:
        if not self._map.known or (self._change is not None and self._change.under_way):
            raise Busy("a change is under way; see `playhead status`, and ask again when it has ended")

    async def _check(self, change: Change) -> None:
        """Raise `SetupError` if there cannot be so many."""
        if min(change.shards, change.gateways) < 1:
            raise SetupError("there must be at least one shard and one gateway; ask for 1 or more of each")
        plan = self._plan
        wanted = change.shards * plan.connections_a_shard + plan.connections_beside
        allowed = int(await self._stores().value("SHOW max_connections"))
        if wanted > allowed:
            raise SetupError(
                f"{change.shards} shards and what is beside them want {wanted} connections, but Postgres "
                f"allows {allowed}; ask for fewer shards, lower shards.connections or raise max_connections"
            )

    async def _carry_out(self, change: Change, leave: frozenset[str]) -> None:
        async with self._changing:
            try:
                await self._change_over(change, leave)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told to whoever asked
                change.state, change.error = "failed", str(error) or repr(error)
                log.error("scaling_failed", error=repr(error)[:500])
            else:
                change.state = "done"
                log.info("scaled", shards=change.shards, gateways=change.gateways, moved=change.tally.moved)

    async def _change_over(self, change: Change, leave: frozenset[str]) -> None:
        """First those that come, then the slots, then those that go: at no time are there too few."""
        away = {str(self._watching.of(name).get("node", "")) for name in leave} - {""}
        shards = self._chosen(SHARD, change.shards, leave)
        sockets = self._chosen(SOCKET, change.gateways, leave)
        before = set(self._handles)
        try:
            come = [name for name in (*shards, *sockets) if name not in before]
            # A process that starts takes a core for seconds: never several at once on a node that serves.
            together = max(1, len(await self._open_nodes()))
            for first in range(0, len(come), together):
                async with asyncio.timeout(START_DEADLINE_S):
                    await self._begin(come[first : first + together], away)
            await self._introduce(self._named(SHARD))
        except BaseException:
            await self._dismiss(set(self._handles) - before)
            there = {"shards": len(self._named(SHARD)), "gateways": len(self._named(SOCKET))}
            await desired.put(self._stores(), there)
            raise
        change.state = "moving"
        await self._move_to(shards, change.tally)
        change.state = "ending"
        await self._let_go([name for name in self._named(SOCKET) if name not in sockets])
        await self._let_go([name for name in self._named(SHARD) if name not in shards])
        for spec in self._plan.others:
            if spec.name in leave:
                await self._replant(spec, away)
        await self._introduce(self._named(SHARD))

    async def _replant(self, spec: ActorSpec, away: Collection[str]) -> None:
        """End an actor there is one of, then start it on another node: two could not share its name."""
        await self._drain(spec.name, LEAVE_S)
        await self._dismiss([spec.name])
        await self._create([spec], away)
        async with asyncio.timeout(START_DEADLINE_S):
            await self._handles[spec.name].start.remote()

    async def _begin(self, come: Sequence[str], away: Collection[str]) -> None:
        """Create these, not on those nodes, and wait until they serve."""
        await self._create(map(self._spec, come), away)
        shards = [self._handles[name].own.remote([], 0) for name in come if name.startswith(SHARD)]
        sockets = [self._handles[name].start.remote() for name in come if name.startswith(SOCKET)]
        await asyncio.gather(*shards, *sockets)

    async def _move_to(self, shards: Sequence[str], tally: Tally) -> None:
        loads: dict[int, int] = {}
        asked = [self._handles[name].loads.remote() for name in self._named(SHARD)]
        for of_shard in await asyncio.gather(*asked):
            loads |= of_shard
        moving = Moving(self._stores(), self._map, self._handles.__getitem__, self._publish, self._metrics)
        await moving.run(self._targets(shards, loads), loads, tally)

    def _targets(self, shards: Sequence[str], loads: dict[int, int]) -> list[str]:
        weights = [float(loads.get(slot, 0)) for slot in range(len(self._map.owners))] if loads else None
        return place(shards, self._map.owners, weights)

    def _chosen(self, prefix: str, count: int, leave: Collection[str]) -> list[str]:
        """Who there is to be: those with the lowest numbers stay, new ones get numbers nobody has."""
        there = self._named(prefix)
        stay = [name for name in there if name not in leave][:count]
        number_ = 0
        while len(stay) < count:
            if (name := f"{prefix}{number_}") not in there:
                stay.append(name)
            number_ += 1
        return stay

    async def _let_go(self, leaving: Sequence[str]) -> None:
        """Gateways send their devices to the others, shards write what is left; then they end."""
        if not leaving:
            return
        arguments = () if leaving[0].startswith(SOCKET) else (LEAVE_S - 1,)
        await asyncio.gather(*(self._drain(name, LEAVE_S, *arguments) for name in leaving))
        await self._dismiss(leaving)

    async def _dismiss(self, leaving: Collection[str]) -> None:
        for name in leaving:
            self._handles.pop(name, None)
            self._watching.forget(name)
        await end(*leaving)

    async def _drain(self, name: str, within_s: float, *arguments: float) -> Any:
        """What the actor's own `drain` gives; False if it cannot be asked."""
        try:
            async with asyncio.timeout(within_s):
                handle = self._handles.get(name) or await named_actor(name)
                return await handle.drain.remote(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the others have to end as well
            log.warning("actor_not_drained", actor=name, error=repr(error)[:200])
            return False

    def _named(self, prefix: str) -> list[str]:
        return sorted((name for name in self._handles if name.startswith(prefix)), key=number)

    def _progress(self) -> dict[str, Any] | None:
        return None if self._change is None else asdict(self._change)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
