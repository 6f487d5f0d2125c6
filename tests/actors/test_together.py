"""Whoever waits is taken along: few loads, none too large, each id once."""

import asyncio

from actors.together import Together


async def test_one_load_at_a_time_takes_along_who_waits() -> None:
    loads: list[list[str]] = []
    running = 0
    go = asyncio.Event()

    async def load(ids: list[str]) -> None:
        nonlocal running
        running += 1
        assert running == 1
        loads.append(ids)
        await go.wait()
        running -= 1

    together = Together(load, 3)
    asked = [asyncio.create_task(together([name])) for name in "abcdef"]
    while not loads:  # noqa: ASYNC110 - the first load says nothing else
        await asyncio.sleep(0)
    go.set()
    await asyncio.wait_for(asyncio.gather(*asked), 5)
    assert loads == [["a"], ["b", "c", "d"], ["e", "f"]]


async def test_a_load_that_fails_ends_the_wait_and_holds_up_no_other() -> None:
    loads: list[list[str]] = []

    async def load(ids: list[str]) -> None:
        loads.append(ids)
        if "bad" in ids:
            raise ValueError("bad")

    together = Together(load, 1)
    ended = await asyncio.gather(together(["bad"]), together(["good"]), return_exceptions=True)
    assert isinstance(ended[0], ValueError) and ended[1] is None
    assert loads == [["bad"], ["good"]]
