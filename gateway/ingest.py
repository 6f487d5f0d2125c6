"""Bringing the demo's course in: make its media (needs no server), upload, publish, enrol. Idempotent."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway import demo_course
from gateway.course_files.importing import bring_in
from gateway.course_files.making import Identified, Made, identify, make
from gateway.course_files.reading import CourseFolder, LectureSource
from gateway.demo_course import COURSE, STUDENTS, TEACHER
from persistence import drafts, students
from persistence.errors import SetupError
from persistence.objects import ObjectStore
from persistence.postgres import Postgres

OnProgress = Callable[[str, float], None]
"""Called with the name of a step and the fraction of it that is done, 0 to 1."""

ENCODE, UPLOAD, REGISTER = "lectures", "upload", "course"

BY = "playhead-demo"
"""Who is noted as having written the course: one that somebody else has written since is left as it is."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A course with all of its media made; `video`: with somebody's own in the place of the first lecture."""

    course: CourseFolder
    identified: Sequence[Identified]
    made: Sequence[Made]
    video: bool


def _quiet(step: str, fraction: float) -> None:
    """Report no progress."""


async def ingest_lecture(
    media_folder: Path,
    store: ObjectStore,
    postgres: Postgres,
    video: Path | None = None,
    on_progress: OnProgress = _quiet,
    lectures: CourseFolder | None = None,
) -> list[str]:
    """`prepare` and `register` in one: the ids of the items. A second call finds everything."""
    prepared = await prepare(media_folder, video, on_progress, lectures)
    return await register(prepared, store, postgres, on_progress)


async def prepare(
    media_folder: Path,
    video: Path | None = None,
    on_progress: OnProgress = _quiet,
    lectures: CourseFolder | None = None,
    in_cluster: bool = False,
) -> Prepared:
    """Make the media of the demo's course (or of `lectures`), or take them from `media_folder`.

    Needs no server, so it may run while they start; `in_cluster` as in `making.make`. `video` takes the place
    of the first lecture. Cancelling ends ffmpeg. Raises `TranscodeError`.
    """
    course = lectures if lectures is not None else await asyncio.to_thread(demo_course.course)
    if video is not None:
        course = await asyncio.to_thread(demo_course.with_video, course, video)
    identified = await identify(course)
    weights = {one.item.id: _weight(one) for one in identified}
    done = dict.fromkeys(weights, 0.0)

    def advance(item: str, fraction: float) -> None:
        done[item] = max(done[item], fraction)
        on_progress(ENCODE, sum(done[one] * weights[one] for one in done) / sum(weights.values()))

    made = await make(course, identified, media_folder, advance, in_cluster=in_cluster)
    on_progress(ENCODE, 1.0)
    return Prepared(course, identified, made, video is not None)


def _weight(one: Identified) -> float:
    """How long making it takes beside the others: a lecture by its length, of others nobody knows."""
    source = one.item.source
    return float(source.lecture.duration_s) if isinstance(source, LectureSource) else 10.0


async def register(
    prepared: Prepared, store: ObjectStore, postgres: Postgres, on_progress: OnProgress = _quiet
) -> list[str]:
    """Put what is missing into the object store, publish the course, let people in: the ids of the items.

    A course that its teacher has edited stays as it is. Raises `StoreError`.
    """
    course, uploaded = prepared.course, dict.fromkeys([one.item.id for one in prepared.identified], 0.0)

    def advance(item: str, fraction: float) -> None:
        uploaded[item] = fraction
        on_progress(UPLOAD, min(1.0, sum(uploaded.values()) / len(uploaded)))

    await students.put(postgres, [*STUDENTS, TEACHER])
    if not await _edited(postgres, prepared.video):
        identified, made = prepared.identified, prepared.made
        await bring_in(course, identified, made, store, postgres, by=BY, on_progress=advance)
    enrolled = [students.Enrolment(student.id, COURSE) for student in STUDENTS]
    await students.enrol(postgres, [*enrolled, students.Enrolment(TEACHER.id, COURSE, "instructor")])
    on_progress(REGISTER, 1.0)
    return [item.id for item in course.items]


async def _edited(postgres: Postgres, video: bool) -> bool:
    """Whether somebody has edited the course since the demo wrote it; a `SetupError` with a `video`."""
    draft = await drafts.read(postgres, COURSE)
    # One without a writer, in its first revision, is from before courses had drafts.
    if draft is None or draft.updated_by == BY or (not draft.updated_by and draft.rev == 1):
        return False
    if video:
        raise SetupError(
            "the course was edited since the demo made it; upload the video in its editor, "
            "or give another --data"
        )
    return True
