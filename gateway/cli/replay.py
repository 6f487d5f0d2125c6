"""`playhead replay`: holds this server against conformance traces, in virtual time."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import structlog

from gateway.replay.comparison import compare, table
from gateway.replay.picture import draw
from gateway.replay.reading import found, read
from gateway.replay.report import Report
from gateway.replay.runner import MODES, Mode, Replay
from gateway.replay.scene import scenes_of
from gateway.replay.trace import BadTrace
from gateway.settings import Settings


async def replay(settings: Settings, options: argparse.Namespace) -> int:
    """Replay the files; 0 if every expectation is met, 1 if not, 2 if a file is not of the format."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    # The replay has an event loop of its own, whose clock jumps; a thread has room for it.
    return await asyncio.to_thread(_replay, options)


def _replay(options: argparse.Namespace) -> int:
    if options.policies:
        return _policies(options)
    report = Report(verbose=options.verbose, quiet=options.json)
    try:
        files = found(options.files)
    except BadTrace as error:
        report.refuse(error)
        files = []
    if options.draw is not None:
        return _draw(files, options.draw, report)
    modes: tuple[Mode, ...] = MODES if options.durable is None else (options.durable.replace("-", " "),)
    running = Replay(options.shuffle_delivery)
    try:
        for path in files:
            _one(running, path, modes, report)
    finally:
        running.close()
    status = report.end()
    if options.json:
        sys.stdout.buffer.write(report.json() + b"\n")
    return status


def _draw(files: list[Path], folder: Path, report: Report) -> int:
    """One picture for each student and item of each trace: ID-student-item.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        try:
            trace = read(path)
        except BadTrace as error:
            report.refuse(error)
            continue
        for (student, item), scene in scenes_of(trace).items():
            drawn = folder / f"{trace.id}-{student}-{item}.svg"
            drawn.write_text(draw(scene))
            print(drawn)  # noqa: T201 - this is the person's terminal
    return 2 if report.refused else 0


def _one(running: Replay, path: Path, modes: tuple[Mode, ...], report: Report) -> None:
    try:
        trace = read(path)
    except BadTrace as error:
        report.refuse(error)
    else:
        try:
            report.add(path, [running.run(trace, mode) for mode in modes])
        except Exception as error:  # noqa: BLE001 - one file that breaks the server must not hide the others
            report.broke(path, error)


def _policies(options: argparse.Namespace) -> int:
    """The table of simple policies beside ours."""
    running = Replay()
    try:
        traces = [read(path) for path in found(options.files)]
        scores = compare(traces, running)
    finally:
        running.close()
    for row in table(scores, traces):
        print(row)  # noqa: T201 - the product
    return 0
