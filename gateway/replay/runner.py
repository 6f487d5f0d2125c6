"""Replays one trace in one mode: every step in order, every expectation at its moment."""

from dataclasses import dataclass
from typing import Literal

from gateway.keys import Keys
from gateway.replay.catalogue import Catalogue
from gateway.replay.expectations import Judge, Verdict
from gateway.replay.instant import InstantLoop
from gateway.replay.policies import Policy, PolicyServer
from gateway.replay.server import Server, made_keys
from gateway.replay.steps import ACT, Step, mix_connects, steps_of
from gateway.replay.trace import Trace
from gateway.replay.world import World, make_world

Mode = Literal["at once", "at checkpoints"]

MODES: tuple[Mode, ...] = ("at once", "at checkpoints")
"""When the server is durable: after every message, or only when the trace says `checkpoint`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdicts of one trace in one mode."""

    trace: Trace
    mode: Mode
    verdicts: list[Verdict]

    @property
    def missed(self) -> list[Verdict]:
        """Where the server was wrong."""
        return [verdict for verdict in self.verdicts if not verdict.ok]


class Replay:
    """Replays traces one after another: they share signing keys and a loop, and nothing else."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._keys: Keys = made_keys()
        self._loop = InstantLoop()

    def close(self) -> None:
        """Let go of the loop."""
        self._loop.close()

    def run(self, trace: Trace, mode: Mode, policy: Policy | None = None) -> Outcome:
        """Replay a trace from its beginning to its end; with a policy, that one decides about places."""
        of_server = (Catalogue(trace), self._keys, self._loop, mode == "at once")
        server = Server(*of_server) if policy is None else PolicyServer(policy, *of_server)
        world = make_world(trace, server, self._seed)
        judge = Judge(world)
        world.before_frame = judge.at
        play_through(world, judge)
        judge.finish()
        return Outcome(trace, mode, judge.verdicts)


def play_through(world: World, judge: Judge) -> None:
    """Take every step of the world's trace in order; the judge looks at its moments."""
    trace = world.trace
    steps = mix_connects(trace, steps_of(trace), world.shuffle)
    moments = [(*trace.end_of(expected.after), number) for number, expected in enumerate(trace.expect)]
    kept = [(*trace.end_of(index), index) for index in judge.kept_after]
    moments.sort()
    kept.sort()
    world.begin()
    for number, step in enumerate(steps):
        if step.what == "act":
            judge.before(step.index)
        world.take(step)
        if step.what == "act":
            judge.at(step.index)
        limit = _limit(steps[number + 1]) if number + 1 < len(steps) else (1 << 63, 0)
        while kept and kept[0][:2] < limit:
            judge.keep(kept.pop(0)[2])
        while moments and moments[0][:2] < limit:
            judge.expect(moments.pop(0)[2])


def _limit(coming: Step) -> tuple[int, int]:
    """What is over before the next step: at its instant only what is listed before it."""
    return coming.at_ms, coming.index if coming.rank == ACT else -1
