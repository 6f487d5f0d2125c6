"""ETags: what is read comes with one, and who has it already gets nothing again; it changes with the
answer.
"""

import pytest

from tests.gateway.http.conftest import Web
from tests.persistence.catalogue import write_progress

PATHS = ["/v1/courses", "/v1/courses/systems", "/v1/items/intro", "/v1/me", "/v1/progress/intro"]


@pytest.mark.parametrize("path", PATHS)
async def test_who_has_it_already_gets_304(web: Web, path: str) -> None:
    first = await web.ask("GET", path, student="mira")
    etag = first.headers["ETag"]
    assert (first.status, etag[0], etag[-1]) == (200, '"', '"')
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        again = await web.ask("GET", path, student="mira", headers={"If-None-Match": known})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
        assert again.headers["Cache-Control"] == "no-store"
    other = await web.ask("GET", path, student="mira", headers={"If-None-Match": '"x"'})
    assert (other.status, other.body) == (200, first.body)


async def test_it_changes_with_what_is_answered(web: Web) -> None:
    tags = set()
    for position_ms in (1_000, 2_000):
        await write_progress(web.deps.postgres, "mira", "intro", "systems", rev=1, position_ms=position_ms)
        tags.add((await web.ask("GET", "/v1/courses/systems", student="mira")).headers["ETag"])
    tags.add((await web.ask("GET", "/v1/courses/systems", student="ben")).headers["ETag"])
    assert len(tags) == 3


async def test_a_head_request_has_the_same_tag(web: Web) -> None:
    etag = (await web.ask("GET", "/v1/me", student="mira")).headers["ETag"]
    assert (await web.ask("HEAD", "/v1/me", student="mira")).headers["ETag"] == etag


async def test_a_page_elsewhere_may_read_it(web: Web) -> None:
    origin = {"Origin": "https://learn.example"}
    answer = await web.ask("GET", "/v1/me", student="mira", headers=origin)
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    asked = origin | {"Access-Control-Request-Method": "PUT"}
    preflight = await web.ask("OPTIONS", "/v1/teaching/courses/systems", headers=asked)
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in preflight.headers["Access-Control-Allow-Headers"]
