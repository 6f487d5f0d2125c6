"""What a person sees while something starts: one line a step, with what is running and how long it took."""

import contextlib
import sys
import time
from collections.abc import AsyncIterator

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Steps:
    """Progress of a start. On a terminal a live list of what is running; in a pipe a line per ended step."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stderr, highlight=False)
        self._began = time.monotonic()
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Steps":
        if self.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self._progress.stop()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first step began."""
        return time.monotonic() - self._began

    def begin(self, name: str) -> None:
        """A step is running from now on."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=None)

    def advance(self, name: str, fraction: float) -> None:
        """A step has come this far, 0 to 1."""
        self.begin(name)
        self._progress.update(self._tasks[name], total=1.0, completed=fraction)

    def done(self, name: str, seconds: float, what: str = "") -> None:
        """A step has ended."""
        task = self._tasks.pop(name, None)
        if task is not None:
            self._progress.remove_task(task)
        self.console.print(f"  [green]✓[/] {name:<34} {seconds:5.1f} s  [dim]{what}[/]")

    @contextlib.asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """A step around a block."""
        began = time.monotonic()
        self.begin(name)
        yield
        self.done(name, time.monotonic() - began)
