"""The timeline taken apart: at which moment which device acts, has a beat due, or stops by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from msgspec import UNSET

from gateway.replay import actions as do
from gateway.replay.actions import IN_PLAYER, OF_LINK, Action, ms
from gateway.replay.shuffle import Shuffle
from gateway.replay.trace import Trace

BEAT_MS = 10_000
"""A playing client reports once per beat of true time."""

PRESENT_FEW = 30
PRESENT_RARELY_MS = 600_000
"""Liveness beats of a long idle: all of the first five minutes, then one every ten, or often enough for a
player to renew its media address."""

BEAT, STOP, ACT = 0, 1, 2
"""Order at one instant: beats, then players that stop by themselves, then actions in listed order."""

What = Literal["act", "beat", "disk", "stop", "present"]


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """Something that happens at one moment because of `timeline[index]`.

    `beat` and `disk` (a beat that only reached the disk of a dying device) state the span in trace ms.
    """

    at_ms: int
    rank: int
    index: int
    what: What = "act"
    from_ms: int = 0
    to_ms: int = 0


def steps_of(trace: Trace) -> list[Step]:
    """All steps of a trace, in the order in which they happen."""
    found: list[Step] = []
    lives_s = [item.url_ttl_s for item in trace.items.values() if item.url_ttl_s is not None]
    rarely_ms = min([PRESENT_RARELY_MS, *(ms(life_s / 2) for life_s in lives_s)])
    for index, action in enumerate(trace.timeline):
        found.append(Step(action.at_ms, ACT, index))
        if isinstance(action, do.Play):
            found += _beats(trace, index, action)
            if not _goes_on(trace, index, action):
                found.append(Step(action.end_ms, STOP, index, "stop"))
        elif isinstance(action, do.Idle | do.Stall):
            found += (Step(at_ms, BEAT, index, "present") for at_ms in _moments(action, rarely_ms))
    return sorted(found, key=lambda step: (step.at_ms, step.rank, step.index))


def mix_connects(trace: Trace, steps: list[Step], shuffle: Shuffle) -> list[Step]:
    """Devices that connect one after another at the same instant, in an order of the shuffle's.

    Those that the trace itself tells apart, by an expectation in between, stay where they are.
    """
    told_apart = _named(trace)
    mixed: list[Step] = []
    together: list[Step] = []
    for step in [*steps, Step(1 << 62, ACT, -1)]:
        connects = (
            step.index >= 0 and step.what == "act" and isinstance(trace.timeline[step.index], do.Connect)
        )
        if together and (not connects or step.at_ms != together[0].at_ms):
            mixed += shuffle.devices(together)
            together = []
        if not connects:
            mixed.append(step)
            continue
        together.append(step)
        if step.index in told_apart:
            mixed += [*shuffle.devices(together[:-1]), step]
            together = []
    return mixed[:-1]


def _named(trace: Trace) -> set[int]:
    """Indices at which the trace looks at what is believed or has been told."""
    named: set[int] = set()
    for expected in trace.expect:
        moments = [expected.after, expected.unchanged_since]
        moments += [told.by for told in expected.told] if expected.told is not UNSET else []
        named |= {moment for moment in moments if isinstance(moment, int)}
    return named


def _beats(trace: Trace, index: int, play: do.Play) -> Iterator[Step]:
    """The beats of a play, piece by piece; the last one of a device that dies then stays unsent."""
    death = _death(trace, index, play)
    piece_ms = (play.to_s - play.from_s) * 1000 / play.pieces
    lasts_ms = piece_ms / play.rate
    for piece in range(play.pieces):
        start_ms = play.at_ms + round(piece * (lasts_ms + play.gap_s * 1000))
        from_ms, passed_ms = play.from_s * 1000 + piece * piece_ms, 0.0
        last = piece == play.pieces - 1
        while passed_ms < lasts_ms - 1e-6:
            until_ms = min(passed_ms + BEAT_MS, lasts_ms)
            unfinished = until_ms - passed_ms < BEAT_MS - 1e-6
            begin = round(from_ms + passed_ms * play.rate)
            end = round(from_ms + until_ms * play.rate)
            at_ms = start_ms + round(until_ms)
            if death is None or not last or not unfinished:
                yield Step(at_ms, BEAT, index, "beat", begin, end)
            elif isinstance(death, do.Kill) and death.journal_to_s is not None:
                yield Step(at_ms, BEAT, index, "disk", begin, min(end, ms(death.journal_to_s)))
            passed_ms = until_ms
        if not last and play.gap_s:
            yield Step(start_ms + round(lasts_ms), BEAT, index, "stop")


def _death(trace: Trace, index: int, play: do.Play) -> Action | None:
    """The kill or reboot that ends the play, if one does."""
    for later in trace.timeline[index + 1 :]:
        if later.device == play.device and not isinstance(later, OF_LINK):
            dies = isinstance(later, do.Kill | do.Reboot) and later.at_ms == play.end_ms
            return later if dies else None
    return None


def _goes_on(trace: Trace, index: int, play: do.Play) -> bool:
    """Whether an action at the very end of the play says what happens then; else the player stops."""
    ends = (do.Open, do.Kill, do.Reboot, do.Wipe, do.SignOut)
    for later in trace.timeline[index + 1 :]:
        if later.at_ms > play.end_ms:
            return False
        if later.device != play.device or later.at_ms < play.end_ms:
            continue
        if isinstance(later, ends) or (isinstance(later, IN_PLAYER) and later.tab == play.tab):
            return True
    return False


def _moments(action: do.Idle | do.Stall, rarely_ms: int) -> Iterator[int]:
    """When a player that does not play says that it is alive."""
    at_ms, count = action.at_ms, 0
    while True:
        at_ms += BEAT_MS if count < PRESENT_FEW else max(rarely_ms, BEAT_MS)
        count += 1
        if at_ms >= action.end_ms:
            return
        yield at_ms
