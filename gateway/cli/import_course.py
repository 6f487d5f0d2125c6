"""`playhead import`: a folder of files becomes a course that is published, or the next version of it."""

import argparse
import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from actors.core.explanation import place
from gateway.cli import running
from gateway.cli.steps import Steps
from gateway.cli.stopping import until_stopped
from gateway.course_files import importing
from gateway.course_files.importing import Outcome
from gateway.course_files.making import Identified, Made, identify, make
from gateway.course_files.reading import CourseFolder, read_course
from gateway.settings import Settings
from persistence.errors import SetupError
from persistence.items import Version
from persistence.objects import ObjectStore
from persistence.postgres import Postgres

BY = "playhead-import"


async def import_course(settings: Settings, options: argparse.Namespace) -> int:
    """Read and check, make what is missing, upload, publish, and say what was done."""
    steps = Steps()
    async with until_stopped() as stopped:
        importing_it = asyncio.create_task(_import(settings, options, steps))
        stop = asyncio.create_task(stopped.wait())
        try:
            await asyncio.wait((importing_it, stop), return_when=asyncio.FIRST_COMPLETED)
            if not importing_it.done():
                steps.console.print("  stopping; what was made is kept, nothing was published ...")
                importing_it.cancel()
                await asyncio.wait((importing_it,))
                return 130
            importing_it.result()
        finally:
            stop.cancel()
    return 0


async def _import(settings: Settings, options: argparse.Namespace, steps: Steps) -> None:
    with steps:
        began = time.monotonic()
        steps.begin("course.yaml and its files")
        course = await asyncio.to_thread(read_course, options.course)
        steps.done("course.yaml and its files", time.monotonic() - began, _what(course))
        if options.check:
            return
        from gateway.cli.stores import open_stores  # here: with it comes Ray, which takes a second

        async with open_stores(settings, steps, "playhead import") as (postgres, store):
            await importing.check_teachers(postgres, options.teacher)
            identified = await identify(course)
            await importing.check_edits(postgres, course, identified)
            there = await importing.already(postgres, identified)
            made = await _make(settings, options.cluster, course, identified, there, steps)
            outcome = await _bring_in(course, identified, made, store, postgres, options, steps)
            await importing.teach(postgres, course.id, options.teacher)
    _say(steps, outcome)


def _what(course: CourseFolder) -> str:
    sections, items = len(course.sections), len(course.items)
    return f"{items} {_plural('item', items)} in {sections} {_plural('section', sections)}, nothing to mend"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


@dataclass(slots=True)
class _Bars:
    """A bar for each item that something is done to, and a line when that is done."""

    steps: Steps
    doing: str
    details: dict[str, str] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def advance(self, item: str, fraction: float) -> None:
        name = f"{self.doing} {item}"[:34]
        if item in self.ended:
            return
        self.began.setdefault(item, time.monotonic())
        self.steps.advance(name, fraction)
        if fraction >= 1.0:
            self.ended.add(item)
            self.steps.done(name, time.monotonic() - self.began[item], self.details.get(item, ""))


async def _make(
    settings: Settings,
    in_cluster: bool,
    course: CourseFolder,
    identified: Sequence[Identified],
    there: dict[str, Version],
    steps: Steps,
) -> list[Made]:
    """Encode, draw and set what Postgres does not have yet."""
    async with contextlib.AsyncExitStack() as stack:
        if in_cluster and len(there) < len(identified):
            from gateway import cluster

            joined = await asyncio.to_thread(cluster.join, _address(settings))
            stack.push_async_callback(joined.stop)
        bars = _Bars(steps, "make", {item.id: item.title for item in course.items})
        work = settings.folder / "media"
        return await make(course, identified, work, bars.advance, in_cluster=in_cluster, there=there)


def _address(settings: Settings) -> str:
    """The cluster that runs on the data folder, or that of the settings. Raises `SetupError`."""
    found = running.find(settings.folder)
    address = found.ray_address if found else settings.ray.address
    if not address:
        raise SetupError(
            f"nothing runs on {settings.folder}; start it, name another --data, or leave out --cluster"
        )
    return address


async def _bring_in(
    course: CourseFolder,
    identified: Sequence[Identified],
    made: Sequence[Made],
    store: ObjectStore,
    postgres: Postgres,
    options: argparse.Namespace,
    steps: Steps,
) -> Outcome:
    bars = _Bars(steps, "upload", {one.identified.item.id: _size(one) for one in made})
    return await importing.bring_in(
        course,
        identified,
        made,
        store,
        postgres,
        by=BY,
        over_draft=options.over_draft,
        on_progress=bars.advance,
    )


def _size(made: Made) -> str:
    if made.encoded is None:
        return f"{made.pages} {_plural('page', made.pages)}"
    heights = " ".join(rendition.name for rendition in made.encoded.renditions)
    return f"{place(made.encoded.duration_ms)}, {heights}"


def _say(steps: Steps, outcome: Outcome) -> None:
    """What was done with each item, and what the course is now."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    for column in ("  item", "kind", "title", "", "version"):
        table.add_column(column, no_wrap=column != "title")
    for line in outcome.lines:
        what = Text(line.what, "dim" if line.what == "as it was" else "green")
        table.add_row(Text(f"  {line.id}"), line.kind, Text(line.title), what, Text(line.version, "dim"))
    steps.console.print("", table, "")
    for item in outcome.retired:
        steps.console.print(f"  {escape(item)} is not in the folder: it is retired, progress in it is kept")
    for note in outcome.notes:
        steps.console.print(f"  note: {escape(note)}")
    did = (
        f"version {outcome.number} is published"
        if outcome.published
        else (f"nothing is new: version {outcome.number} stays as it is")
    )
    steps.console.print(f"  [bold]{escape(outcome.course)}[/]: {did}\n")
