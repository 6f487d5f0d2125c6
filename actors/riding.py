"""Pushes that ride on an answer to their gateway instead of costing a call of their own.

Under load a gateway calls a dozen times a second anyway, and a call costs more CPU than fifty updates. An
answer can be lost, though, so what rode on it is kept until the next batch says which answer was heard. So is
what a batch has brought about itself and would not bring about again.
"""

import itertools
import time

from actors.batch import Outcome

RIDE_MAX = 200
"""Pushes on one answer: with those of the batch itself they stay below what Ray carries inside of a call."""


class Riding:
    """What rode on answers of which nobody has said yet that they were heard."""

    def __init__(self) -> None:
        # No number of an earlier incarnation comes again.
        self._numbers = itertools.count(time.time_ns() // 1000)
        self._unheard: dict[str, dict[int, list[Outcome]]] = {}

    def leave(self, gateway: str, outcomes: list[Outcome]) -> int:
        """These go with an answer to the gateway; gives its number, 0 if nothing goes."""
        if not outcomes:
            return 0
        number = next(self._numbers)
        self._unheard.setdefault(gateway, {})[number] = outcomes
        return number

    def lost(self, gateway: str, heard: int) -> list[Outcome]:
        """A batch has come from a gateway that heard this answer last: what rode on others, oldest first.

        A gateway sends a batch only when it has the answer to the one before, or has given it up.
        """
        unheard = self._unheard.pop(gateway, None)
        if unheard is None:
            return []
        unheard.pop(heard, None)
        return [outcome for outcomes in unheard.values() for outcome in outcomes]

    def forget(self, gateway: str) -> None:
        """Nobody is left there who could have missed anything."""
        self._unheard.pop(gateway, None)
