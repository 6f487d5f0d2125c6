"""When a process of the live layer looks for cyclic garbage: seldom, and never through all of its sessions.

State here is trees, which die by reference counts; cycles are made by failed calls and the like, and are
young. Python by itself looks after every 700 new containers, which took a third of a shard's CPU, and through
all sessions whenever their number has grown by a quarter, which took a second of silence at 50,000.
"""

import gc

SETTLE_S = 600.0
"""How often what has grown old is searched once and then set aside for good."""

GROWN = 2_000
"""So many more sessions or connections are set aside at once: nobody should search through them."""


class Garbage:
    """Takes the collector over for this process; `tend` is to be called about once a second."""

    def __init__(self, now_s: float) -> None:
        self._settle_at = now_s + SETTLE_S
        self._kept = 0
        gc.disable()
        gc.collect()
        gc.freeze()

    def tend(self, now_s: float, keeping: int) -> None:
        """Look through what is young. `keeping` is how many sessions or connections live here now.

        What is set aside is freed as ever when nobody refers to it; only a cycle in it would stay.
        """
        gc.collect(1)
        if now_s >= self._settle_at:
            gc.collect()
        elif keeping < self._kept + GROWN:
            self._kept = min(self._kept, keeping)
            return
        self._settle_at, self._kept = now_s + SETTLE_S, keeping
        gc.freeze()
