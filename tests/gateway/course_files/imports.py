"""A whole import in one call, and what is at rest after it."""

from dataclasses import dataclass
from pathlib import Path

from gateway.course_files.importing import Outcome, already, bring_in, check_edits
from gateway.course_files.making import identify, make
from gateway.course_files.reading import CourseFolder, read_course
from persistence.objects import ObjectStore
from persistence.postgres import Postgres

_ROWS = """
SELECT jsonb_build_object(
    'course', (SELECT jsonb_agg(concat(id, xmin) ORDER BY id) FROM course),
    'draft', (SELECT jsonb_agg(concat(course, xmin) ORDER BY course) FROM course_draft),
    'published', (SELECT jsonb_agg(concat(course, number, xmin) ORDER BY course, number) FROM course_version),
    'item', (SELECT jsonb_agg(concat(id, xmin) ORDER BY id) FROM item),
    'version', (SELECT jsonb_agg(concat(item, version, xmin) ORDER BY item, version) FROM item_version),
    'secret', (SELECT jsonb_agg(concat(item, version, xmin) ORDER BY item, version) FROM item_secret))
"""


@dataclass(frozen=True)
class Place:
    """Where imports of a test go."""

    store: ObjectStore
    postgres: Postgres
    work: Path

    async def bring(
        self, course: CourseFolder | Path, *, over_draft: bool = False, by: str = "tests", again: bool = False
    ) -> Outcome:
        """Import a folder as the command does; `again`: make also what is there already."""
        read = course if isinstance(course, CourseFolder) else read_course(course)
        identified = await identify(read)
        await check_edits(self.postgres, read, identified)
        there = {} if again else await already(self.postgres, identified)
        made = await make(read, identified, self.work, there=there)
        return await bring_in(read, identified, made, self.store, self.postgres, by=by, over_draft=over_draft)

    async def rows(self) -> dict[str, list[str]]:
        """Every row of the catalogue with the transaction that wrote it: equal if nothing was written."""
        found: dict[str, list[str]] = await self.postgres.value(_ROWS)
        return found
