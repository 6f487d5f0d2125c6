"""Encoding a video or drawing a lecture beside the loop: in a thread, or as a task of the cluster."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from actors.ffmpeg import TranscodeError
from actors.lecture import Lecture
from actors.making import drive
from actors.transcode import Encoded, read_encoded, remote_encode, steps_of

OnFraction = Callable[[float], None]
"""Called with the fraction done, 0 to 1."""


async def encode(
    source: Path | Lecture, folder: Path, on_progress: OnFraction, *, in_cluster: bool
) -> Encoded:
    """What is in `folder`, encoded now unless it was before. Cancelling ends ffmpeg.

    `in_cluster`: as a task of the Ray cluster this process is attached to, whose nodes share `folder` (and
    the file). Raises `TranscodeError`.
    """
    encoded = await asyncio.to_thread(read_encoded, folder)
    if encoded is None:
        if in_cluster:
            encoded = await _in_cluster(*_absolute(source, folder), on_progress)
        else:
            encoded = await drive(steps_of(source, folder), on_progress)
    on_progress(1.0)
    return encoded


def _absolute(source: Path | Lecture, folder: Path) -> tuple[Path | Lecture, Path]:
    """Source and folder as they are called from any working directory."""
    return source.absolute() if isinstance(source, Path) else source, folder.absolute()


async def _in_cluster(source: Path | Lecture, folder: Path, on_progress: OnFraction) -> Encoded:
    """Encode as a Ray task, which may find a node with more time than this one."""
    import ray  # here, so that encoding without a cluster does not wait for it

    running = remote_encode().remote(source, folder)
    try:
        async for reference in running:
            said: float | Encoded = await reference
            if isinstance(said, Encoded):
                return said
            on_progress(said)
    except asyncio.CancelledError:
        ray.cancel(running)
        raise
    raise TranscodeError("the encoding task ended without a result; start it again")
