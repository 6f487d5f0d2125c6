"""`playhead export`: a published course as the folder of files it can be imported from."""

import argparse
import time
from pathlib import Path

from rich.markup import escape

from gateway.cli.steps import Steps
from gateway.cli.stores import open_stores
from gateway.course_files.exporting import export_course as write_course
from gateway.settings import Settings


async def export_course(settings: Settings, options: argparse.Namespace) -> int:
    """Write the folder, and say what is in it."""
    steps, to = Steps(), options.to or Path(options.course)
    began = time.monotonic()
    with steps:
        async with open_stores(settings, steps, "playhead export") as (postgres, store):
            written = await write_course(postgres, store, options.course, to, steps.advance)
    steps.done("written", time.monotonic() - began, f"version {written.number}, {written.items} items")
    for note in written.notes:
        steps.console.print(f"  note: {escape(note)}")
    steps.console.print(
        f"\n  {to}/course.yaml is the course; answers of quizzes are in it.\n", soft_wrap=True
    )
    return 0
