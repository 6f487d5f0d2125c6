"""How a command that runs until it is told to stop hears of it: SIGINT, SIGTERM, SIGHUP."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.asynccontextmanager
async def until_stopped() -> AsyncIterator[asyncio.Event]:
    """An event that is set by the first signal; a second one interrupts whatever is being done."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    task = asyncio.current_task()

    def hear() -> None:
        if stopped.is_set() and task is not None:
            task.cancel()
        stopped.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, hear)
    try:
        yield stopped
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
