"""What visitors of the catalogue ask, planned before the run: searches, completions, course pages.

What is asked for the first time in a run is cold: it is in no cache. The rest is warm.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from persistence.postgres import Postgres

SHARES = {"search": 35, "browse": 5, "complete": 25, "page": 25, "outline": 10}
"""Per cent of all requests."""

COLD = 0.5
"""Of the course pages and outlines."""

POPULAR = 300
"""Courses that are asked for again and again."""

WARM_UP = 1500
"""Visits of all kinds before those that are measured."""

TEXTS = 4000
"""Different searches; the nth most frequent is asked for an nth as often as the first (Zipf)."""

SAMPLE = "SELECT course, title, instructor, category, language FROM listing ORDER BY md5(course) LIMIT $1"
PAIRS = """
SELECT student, one.id AS course FROM (SELECT id FROM course ORDER BY md5(id) LIMIT 20000) AS one
CROSS JOIN LATERAL (SELECT student FROM enrolment WHERE enrolment.course = one.id LIMIT 1) AS theirs
"""
"""A student of each of many courses."""


class Visit(NamedTuple):
    """One request: its kind (`page cold`, `search`, ...), by whom, and the path."""

    kind: str
    student: str
    path: str


@dataclass(frozen=True, slots=True)
class Pool:
    """What may be asked for: searches by popularity, beginnings of titles, students with a course."""

    texts: Sequence[str]
    titles: Sequence[str]
    categories: Sequence[str]
    pairs: Sequence[tuple[str, str]]


async def pool(postgres: Postgres, seed: int) -> Pool:
    """Drawn from what is listed; the same for the same dataset and seed."""
    chance = random.Random(seed)
    rows = await postgres.rows(SAMPLE, TEXTS)
    pairs = [(row["student"], row["course"]) for row in await postgres.rows(PAIRS)]
    chance.shuffle(pairs)
    titles = [row["title"] for row in rows]
    texts = [_text(chance, row["title"].lower().split(), row["instructor"].lower().split()) for row in rows]
    return Pool(texts, titles, sorted({row["category"] for row in rows}), pairs)


def _text(chance: random.Random, title: list[str], instructor: list[str]) -> str:
    """What somebody types who looks for this course: some words of the title, the name, or both."""
    kind = chance.random()
    if kind < 0.15:
        return " ".join(instructor)
    words = chance.sample(title, min(len(title), chance.randint(1, 3)))
    return " ".join(words if kind < 0.9 else [*words, instructor[-1]])


class Plan:
    """Visits one after the other. Cold pages are never asked for twice."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self._pool = pool
        self._random = random.Random(seed)
        self._popular = pool.pairs[:POPULAR]
        self._fresh = iter(pool.pairs[POPULAR:])
        self._weights = list(itertools.accumulate(1 / n for n in range(1, len(pool.texts) + 1)))
        self._asked: set[str] = set()

    def warm_up(self) -> Iterator[Visit]:
        """Every popular page once, so that it is in the caches, and enough of the rest for a server that has
        been up for a while: connected, statements prepared, indexes read."""
        for student, course in self._popular:
            yield Visit("warm-up", student, f"/v1/courses/{course}")
            yield Visit("warm-up", student, f"/v1/catalogue/{course}")
        for visit in self.visits(WARM_UP):
            yield visit._replace(kind="warm-up")

    def visits(self, count: int) -> list[Visit]:
        """So many, mixed by `SHARES`."""
        kinds = self._random.choices([*SHARES], [*SHARES.values()], k=count)
        return [self._visit(kind) for kind in kinds]

    def _visit(self, kind: str) -> Visit:
        chance = self._random
        student = chance.choice(self._popular)[0]
        if kind == "search":
            (text,) = chance.choices(self._pool.texts, cum_weights=self._weights)
            return self._words(kind, student, f"/v1/catalogue?q={quote(text)}")
        if kind == "browse":
            category = quote(chance.choice(self._pool.categories))
            level = chance.choice(("", "beginner", "intermediate", "advanced"))
            return self._words(kind, student, f"/v1/catalogue?category={category}&difficulty={level}")
        if kind == "complete":
            (title,) = chance.choices(self._pool.titles, cum_weights=self._weights)
            path = f"/v1/catalogue/complete?q={quote(title[: chance.randint(2, 8)])}"
            return self._words(kind, student, path)
        return self._page(kind)

    def _words(self, kind: str, student: str, path: str) -> Visit:
        warm = path in self._asked
        self._asked.add(path)
        return Visit(f"{kind} {'warm' if warm else 'cold'}", student, path)

    def _page(self, kind: str) -> Visit:
        fresh = next(self._fresh, None) if self._random.random() < COLD else None
        student, course = fresh or self._random.choice(self._popular)
        place = "courses" if kind == "page" else "catalogue"
        return Visit(f"{kind} {'cold' if fresh else 'warm'}", student, f"/v1/{place}/{course}")
