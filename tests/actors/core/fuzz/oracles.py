"""What a history must come to, worked out in another way than the core does: moment by moment.

Times and places of a history are multiples of a quarter of a second, so sets of those stand for intervals.
"""

from collections import defaultdict

from actors.core.events import Event
from tests.actors.core.fuzz.simulation import START_S, Device, Simulation

Ticks = set[int]
"""Quarters of a second."""

TICK_MS = 250


def played(simulation: Simulation, item: str) -> list[tuple[Device, Event]]:
    """Spans that have arrived and earn credit: all but those faster than time, which `fast` steps make."""
    found = []
    for device in simulation.devices.values():
        arrived = simulation.session.device(device.name).applied_seq
        uncredited = simulation.uncredited[device.name]
        for event in device.journal[:arrived]:
            if event.item == item and event.kind == "played" and event.seq not in uncredited:
                found.append((device, event))
    return found


def content_s(simulation: Simulation, item: str) -> float:
    """R5: the sum of what was played."""
    return sum(_to_ms(event) - _from_ms(event) for _, event in played(simulation, item)) / 1000


def covered(simulation: Simulation, item: str) -> Ticks:
    """R5: every moment of content that was played."""
    ticks: Ticks = set()
    for _, event in played(simulation, item):
        ticks.update(range(_from_ms(event) // TICK_MS, _to_ms(event) // TICK_MS))
    return ticks


def wall(simulation: Simulation, item: str) -> Ticks:
    """R5: every moment of true time in which it was played, from when the user was there to see it."""
    ticks: Ticks = set()
    for device, event in played(simulation, item):
        end_s = simulation.true_s[device.name][event.seq]
        length_s = (_to_ms(event) - _from_ms(event)) / 1000 / event.rate
        ticks.update(range(round((end_s - length_s) * 4), round(end_s * 4)))
    return ticks


def quarters(simulation: Simulation, item: str) -> dict[int, float]:
    """Content seconds by quarter of an hour of true time."""
    sums: dict[int, float] = defaultdict(float)
    for device, event in played(simulation, item):
        end_s = simulation.true_s[device.name][event.seq]
        length_s = (_to_ms(event) - _from_ms(event)) / 1000 / event.rate
        for tick in range(round((end_s - length_s) * 4), round(end_s * 4)):
            sums[(START_S + tick // 4) // 900] += event.rate / 4
    return dict(sums)


def ticks_of(spans: list[tuple[float, float]]) -> Ticks:
    """The moments of intervals in seconds."""
    return {tick for start, end in spans for tick in range(round(start * 4), round(end * 4))}


def _from_ms(event: Event) -> int:
    assert event.from_ms is not None
    return event.from_ms


def _to_ms(event: Event) -> int:
    assert event.to_ms is not None
    return event.to_ms
