"""What people and programs see of a replay: a line per file while it runs, the misses, a summary."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import msgspec

from gateway.replay.expectations import Verdict
from gateway.replay.runner import Outcome
from gateway.replay.trace import BadTrace

TITLE = 56


@dataclass(slots=True)
class Report:
    """Collects the outcomes of files and prints them to `out`; `verbose` prints every verdict."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    verbose: bool = False
    quiet: bool = False
    files: list[dict[str, Any]] = field(default_factory=list)
    verdicts: int = 0
    missed: int = 0
    refused: int = 0
    wrong: int = 0

    def add(self, path: Path, outcomes: Sequence[Outcome]) -> None:
        """One file, replayed in each mode."""
        trace = outcomes[0].trace
        count = sum(len(outcome.verdicts) for outcome in outcomes)
        missed = sum(len(outcome.missed) for outcome in outcomes)
        self.verdicts += count
        self.missed += missed
        self.wrong += bool(missed)
        self.files.append({"file": str(path), "id": trace.id, "modes": [_modes(one) for one in outcomes]})
        title = trace.title if len(trace.title) <= TITLE else trace.title[: TITLE - 1] + "…"
        mark = f"MISSED {missed}" if missed else "ok"
        self._print(f"{trace.id:<5} {title:<{TITLE}} {count:>4} verdicts  {mark}")
        for outcome in outcomes:
            for verdict in outcome.verdicts if self.verbose else outcome.missed:
                self._print(f"      {outcome.mode}: {line(verdict)}")

    def broke(self, path: Path, error: Exception) -> None:
        """The server, or the replay itself, failed on a file: everything in it counts as one miss."""
        self.missed += 1
        self.wrong += 1
        said = f"{type(error).__name__}: {error}"
        self.files.append({"file": str(path), "broke": said})
        self._print(f"{path}: broke the replay: {said}")

    def refuse(self, error: BadTrace) -> None:
        """A file that is not of the format."""
        self.refused += 1
        self.files.append({"file": str(error.path), "refused": error.problems})
        self._print(f"{error.path}: not a trace")
        for problem in error.problems:
            self._print(f"      {problem}")

    def summary(self) -> str:
        """The last line."""
        replayed = len(self.files) - self.refused
        parts = [f"{replayed} files, {self.verdicts} verdicts, {self.missed} missed"]
        if self.wrong:
            parts.append(f"in {self.wrong} files")
        if self.refused:
            parts.append(f"{self.refused} refused")
        return ", ".join(parts)

    def end(self) -> int:
        """Print the summary; gives the exit status: 0 all met, 1 a miss, 2 a file not of the format."""
        self._print(self.summary())
        return 2 if self.refused else 1 if self.missed else 0

    def json(self) -> bytes:
        """Everything, for programs."""
        document = {
            "files": self.files,
            "verdicts": self.verdicts,
            "missed": self.missed,
            "refused": self.refused,
        }
        return msgspec.json.format(msgspec.json.encode(document), indent=1)

    def _print(self, text: str) -> None:
        if not self.quiet:
            print(text, file=self.out, flush=True)


def line(verdict: Verdict) -> str:
    """A verdict in words."""
    word = "agrees:" if verdict.ok else "differs:"
    said, got = shown(verdict.said), shown(verdict.got)
    return f"{verdict.where}.{verdict.key} {word} the trace says {said}, the server {got}"


def shown(value: Any) -> str:
    """A value as the files write it."""
    return f"{value:g}" if isinstance(value, float) else msgspec.json.encode(value).decode()


def _modes(outcome: Outcome) -> dict[str, Any]:
    return {
        "durable": outcome.mode,
        "verdicts": [
            {
                "expectation": verdict.where,
                "key": verdict.key,
                "said": verdict.said,
                "got": verdict.got,
                "ok": verdict.ok,
            }
            for verdict in outcome.verdicts
        ],
    }
