"""Running ffmpeg as a bounded child: limits, progress, its last words, and an end with its starter."""

import contextlib
import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from persistence.errors import PlayheadError


class TranscodeError(PlayheadError):
    """A video could not be made ready for playing; the message names the reason and what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. A file that makes ffmpeg want more is refused, not waited for."""

    time_s: float = 3600.0
    output_bytes: int = 8 * 1024**3
    memory_bytes: int = 6 * 1024**3
    pixels: int = 4096 * 2304
    duration_s: float = 12 * 3600.0


# Runs in a fresh interpreter (10 ms) and becomes the program it is given: ffmpeg, or another that reads files
# of strangers. It is what would be `preexec_fn`, which is not safe in a process with threads. The program
# dies with whoever started it (PR_SET_PDEATHSIG = 1), leaves the processor to the servers first (nice), and
# cannot write, or hold in memory, more than it may.
LAUNCH = """
import ctypes, os, resource, sys
starter, file_bytes, memory_bytes = (int(word) for word in sys.argv[1:4])
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != starter:
    os._exit(1)
resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.nice(5)
os.execv(sys.argv[4], sys.argv[4:])
"""

LAST_WORDS_BYTES = 64 * 1024
_LOOK_EVERY_S = 0.25
_OUT_TIME = re.compile(rb"^out_time_us=(\d+)$", re.MULTILINE)


def find_program() -> str:
    """The ffmpeg of the `imageio-ffmpeg` wheel, else the system's. Raises `TranscodeError` without one."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise TranscodeError("no ffmpeg is on this machine: install the wheel `imageio-ffmpeg`") from error


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit code and the end of what it said."""

    code: int
    said: str


class Run:
    """One run of ffmpeg in `folder`; without one it may write nothing.

    Iterate for the seconds of output made so far, then read `ended`.

    Whoever stops iterating early calls `close` (or leaves the `with`), which kills it. Raises
    `TranscodeError` when it takes longer or writes more than `limits` allow.
    """

    def __init__(self, arguments: Sequence[str], folder: Path | None, limits: Limits) -> None:
        program = find_program()
        launch = [sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid())]
        bounds = [str(limits.output_bytes if folder else 0), str(limits.memory_bytes)]
        self._folder, self._limits = folder, limits
        self._said = bytearray()
        self._deadline = time.monotonic() + limits.time_s
        self._process = subprocess.Popen(
            [*launch, *bounds, program, "-hide_banner", "-nostdin", *arguments],
            cwd=folder or "/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C", "PATH": os.defpath, "HOME": str(folder or "/")},
            start_new_session=True,
        )

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[float]:
        assert self._process.stdout is not None and self._process.stderr is not None
        with selectors.DefaultSelector() as selector:
            for pipe, name in ((self._process.stdout, "progress"), (self._process.stderr, "said")):
                selector.register(pipe, selectors.EVENT_READ, name)
            while selector.get_map():
                for key, _ in selector.select(_LOOK_EVERY_S):
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.data == "said":
                        self._hear(data)
                    elif times := _OUT_TIME.findall(data):
                        yield int(times[-1]) / 1e6
                self._check()

    def _hear(self, data: bytes) -> None:
        self._said += data
        del self._said[:-LAST_WORDS_BYTES]

    def _check(self) -> None:
        if time.monotonic() > self._deadline:
            raise TranscodeError(
                f"ffmpeg was not done after {self._limits.time_s:g} s and was ended; give a shorter video"
            )
        if self._written_bytes() > self._limits.output_bytes:
            raise TranscodeError(
                f"the output grew over {self._limits.output_bytes} bytes and was ended; give a shorter video"
            )

    def _written_bytes(self) -> int:
        written = 0
        for file in self._folder.iterdir() if self._folder else ():
            with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
                written += file.stat().st_size
        return written

    @property
    def ended(self) -> Ended:
        """Only after the iteration is over: ffmpeg closed its pipes, so it ends now."""
        code = self._process.wait(timeout=max(1.0, self._deadline - time.monotonic()))
        return Ended(code, self._said.decode("utf-8", "replace"))

    def close(self) -> None:
        """Kill ffmpeg if it still runs, and wait for its end."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def run(arguments: Sequence[str], folder: Path | None, limits: Limits) -> Ended:
    """Run ffmpeg to its end, whatever that is. Raises `TranscodeError` only for broken limits."""
    with Run(arguments, folder, limits) as running:
        for _ in running:
            continue
        return running.ended
