"""Carries a student's progress in an item to another version of it (R9): once, when it becomes current.

Places and coverage follow the edits. What was played stays played: time, completions and who has the head do
not change (R5, R7).
"""

from actors.core.item import Item
from actors.core.progress import Progress


def carry(progress: Progress, item: Item, rev_floor: int) -> None:
    """Bring everything in content ms to the item's current version, under a new revision."""
    way = item.way_from(progress.version)
    for run in progress.runs.values():
        run.position_ms = way.place(run.position_ms)
        run.log = [part for played in run.log for part in way.stretches(played)]
    for epoch in progress.epochs.kept:
        for viewing in epoch.passes:
            viewing.coverage = way.spans(viewing.coverage)
            viewing.settled = viewing.settled or bool(viewing.opened or viewing.filled)
            viewing.let_go = {device: way.spans(spans) for device, spans in viewing.let_go.items()}
    progress.version = item.version
    progress.rev = max(progress.rev + 1, rev_floor)
    progress.folded += 1
