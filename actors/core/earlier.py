"""State at rest as earlier releases wrote it, brought to the present shape when it is read.

Shape 1 knew one opening and one completion of a pass, remembered that a run is a rewatch where now the passes
are worked out from what was played, and kept one reading of each boot's clock.
"""

from typing import Any

Json = dict[str, Any]

SHAPE = 2
"""The present shape of `merge` and `visit` (actors/core/state.py); rows without a number have shape 1."""

REWATCH, SEEN, REPLAYED = 14, 13, 15
"""Where a run of shape 1 has them."""


def merge_now(state: Json) -> Json:
    """What `state.merge_state` would have written."""
    if state.get("shape", 1) >= SHAPE:
        return state
    return {
        **state,
        "runs": [_run(values) for values in state["runs"]],
        "epochs": [_epoch(epoch) for epoch in state["epochs"]],
        "taken_back": [],
    }


def visits_now(state: Json) -> Json:
    """What `state.visits_state` would have written."""
    if state.get("shape", 1) >= SHAPE:
        return state
    wall_offset_ms = state["clock"][0]
    # Of a boot only its latest reading was kept; its stamps begin with the boot.
    boots = [[boot, [[0, 0, offset_ms, wall_offset_ms]]] for boot, offset_ms in state["boots"]]
    return {**state, "boots": boots}


def _run(values: list[Any]) -> list[Any]:
    """When a run became real was kept as server time only; what it replayed is worked out from its log."""
    run = list(values)
    run[REWATCH], run[REPLAYED] = run[SEEN], 0
    return run


def _epoch(epoch: Json) -> Json:
    turn = epoch["turn"]
    if turn:
        at_ms, mark, carried = turn
        turn = [at_ms, mark, carried is not None]
    return {**epoch, "turn": turn, "passes": [_pass(viewing) for viewing in epoch["passes"]]}


def _pass(viewing: Json) -> Json:
    done = viewing["completion"]
    ticked = done is not None and done[2]
    return {
        "coverage": viewing["coverage"],
        "opened": [viewing["opened"]] if viewing["opened"] else [],
        "filled": None if ticked else done,
        "ticks": [done] if ticked else [],
        "let_go": viewing["let_go"],
        "settled": False,
    }
