"""`playhead explain`: why a student's position in an item is what it is, or was, from what is at rest."""

import argparse
import sys
from datetime import datetime, tzinfo

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from actors.core.explanation import place
from gateway import explanation
from gateway.explanation import Explained
from gateway.settings import Settings
from persistence import students
from persistence.embedded import postgres as embedded_postgres
from persistence.errors import PlayheadError
from persistence.postgres import Postgres, PostgresSettings, open_postgres


class NothingToExplain(PlayheadError):
    """There is no such student or item; the message says how to find the right one."""


async def explain(settings: Settings, options: argparse.Namespace) -> int:
    """Print the explanation. It needs Postgres and nothing else of the system."""
    at = explanation.moment(options.at or "")
    zone = explanation.zone_of(options.zone) if options.zone else _local_zone()
    dsn = settings.postgres.dsn or embedded_postgres.dsn_at(settings.folder)
    postgres = await open_postgres(PostgresSettings(dsn, "playhead explain", 1, 1))
    try:
        found = await _explained(postgres, options.student, options.item, at, zone, options.all)
    finally:
        await postgres.close()
    if options.json:
        print(msgspec.json.encode(found).decode())  # noqa: T201 - this is the person's terminal
    else:
        _show(found, options.student, at, zone)
    return 0


async def _explained(
    postgres: Postgres, student: str, item: str, at: datetime | None, zone: tzinfo, every_run: bool
) -> Explained:
    if await students.find(postgres, student) is None:
        raise NothingToExplain(f"there is no student {student}; ids are those of the tokens' `sub`")
    found = await explanation.explain(postgres, student, item, at, zone, every_run)
    if found is None:
        raise NothingToExplain(f"there is no item {item}; GET /v1/courses/COURSE lists those of a course")
    return found


def _show(found: Explained, student: str, at: datetime | None, zone: tzinfo) -> None:
    console = Console(file=sys.stdout, highlight=False)
    done = "done" if found.done else "not done"
    console.print(
        f"  [bold]{found.item}[/] for [bold]{escape(student)}[/]: [bold]{place(found.position_ms)}[/] of "
        f"{place(found.duration_ms)}, {done}, pass {found.viewing}, epoch {found.epoch}, "
        f"version {found.version}"
    )
    console.print()
    console.print(_paragraph(found.sentence))
    console.print()
    if found.runs:
        console.print(_runs(found, zone))
        for run in found.runs[1:]:
            console.print(_paragraph(run.sentence, "dim"))
        if found.earlier:
            console.print(_paragraph(_earlier(found.earlier), "dim"))
        console.print()
    if found.changes:
        console.print(_changes(found, zone), "")
    console.print(_paragraph(_as_of(found, at, zone), "dim"))


def _paragraph(text: str, style: str = "") -> Padding:
    """Text that people wrote parts of, so nothing in it is markup; its lines begin below each other."""
    return Padding(Text(text, style), (0, 0, 0, 2))


def _earlier(count: int) -> str:
    runs = "1 earlier run" if count == 1 else f"{count} earlier runs"
    return f"And {runs}, on which nothing depends any more: --all tells them."


def _runs(found: Explained, zone: tzinfo) -> Table:
    """One line a run; the first one's reason stands above, the others' below."""
    table = _table("began", "device", "what", "from", "to", "verdict")
    for run in found.runs:
        places = place(run.from_ms), place(run.position_ms)
        began = _time(run.action_at, zone)
        table.add_row(began, Text(run.device_name), run.kind, *places, run.verdict.replace("_", " "))
    return table


def _changes(found: Explained, zone: tzinfo) -> Table:
    table = _table("changed", "rule", "how")
    for change in found.changes:
        table.add_row(_time(change.at, zone), change.rule, Text(change.sentence))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    for column in columns:
        table.add_column(f"  {column}" if column == columns[0] else column, no_wrap=column == columns[0])
    return table


def _as_of(found: Explained, at: datetime | None, zone: tzinfo) -> str:
    if at is not None:
        return f"As the journal of head changes has it, at {_time(at, zone).strip()}."
    if found.as_of is None:
        return "Nothing of this is at rest yet; a device that plays now is written within 30 s."
    written = _time(found.as_of, zone).strip()
    return f"From Postgres, written {written}; what is live is at most one checkpoint (30 s) ahead."


def _time(moment: datetime, zone: tzinfo) -> str:
    return f"  {moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def _local_zone() -> tzinfo:
    zone = datetime.now().astimezone().tzinfo
    assert zone is not None
    return zone
