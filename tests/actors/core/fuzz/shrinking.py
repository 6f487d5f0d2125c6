"""Makes a history that breaks a rule as short as it can be and still break it."""

from tests.actors.core.fuzz.histories import History, Step
from tests.actors.core.fuzz.properties import Broken, check

TRIES_MAX = 3000
"""Histories tried while one is made shorter: some seconds."""


def broken_by(history: History) -> str:
    """What the history breaks, "" if nothing."""
    try:
        check(history)
    except Broken as broken:
        return str(broken)
    return ""


def shrunk(history: History) -> History:
    """Without every device, run of steps and step that is not needed to break the same rule."""
    rule = broken_by(history).partition(":")[0]
    tries = 0

    def still(steps: list[Step]) -> bool:
        nonlocal tries
        tries += 1
        return tries <= TRIES_MAX and broken_by(history.keeping(steps)).partition(":")[0] == rule

    steps = list(history.steps)
    for name in history.skews_s:
        without = [step for step in steps if step.device != name]
        if len(without) < len(steps) and still(without):
            steps = without
    size = len(steps) // 2
    while size:
        start = 0
        while start < len(steps):
            without = steps[:start] + steps[start + size :]
            if still(without):
                steps = without
            else:
                start += size
        size //= 2
    return history.keeping(steps)
