"""Alive, ready and the figures: three questions with three answers."""

from gateway.http.settings import WebSettings
from tests.gateway.http.conftest import Web, running


async def test_alive_and_ready(web: Web) -> None:
    assert (await web.ask("GET", "/healthz")).json == {"status": "ok"}
    ready = await web.ask("GET", "/readyz")
    assert (ready.status, ready.json) == (
        200,
        {"ready": True, "postgres": True, "redis": True, "draining": False},
    )


async def test_not_ready_while_draining_but_alive(web_settings: WebSettings) -> None:
    async with running(web_settings) as web:
        web.deps.draining = True
        ready = await web.ask("GET", "/readyz")
        assert (ready.status, ready.json["ready"], ready.json["draining"]) == (503, False, True)
        assert (await web.ask("GET", "/healthz")).status == 200


async def test_not_ready_without_postgres_but_alive(web_settings: WebSettings) -> None:
    async with running(web_settings) as web:
        await web.deps.postgres.close()
        ready = await web.ask("GET", "/readyz")
        assert (ready.status, ready.json["postgres"]) == (503, False)
        assert (await web.ask("GET", "/healthz")).status == 200
        answer = await web.ask("GET", "/v1/courses", student="mira")
        assert (answer.status, answer.json["code"]) == (503, "unavailable")


async def test_figures_name_routes_and_never_what_was_asked(web: Web) -> None:
    await web.ask("GET", "/v1/courses/systems?secret=1", student="mira")
    await web.ask("GET", "/no/such/place")
    await web.ask("BREW", "/healthz")
    text = (await web.ask("GET", "/metrics")).body.decode()
    assert 'playhead_web_requests_total{method="GET",route="/v1/courses/{course}",status="200"}' in text
    assert 'route="none",status="404"' in text
    assert "playhead_web_cache_hits" in text
    assert "playhead_web_postgres_size" in text
    assert "systems" not in text
    assert "no/such" not in text
