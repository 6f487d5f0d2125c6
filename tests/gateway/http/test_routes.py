"""Rule 27 and A8: every route is in the table, the table says who may, and what it does not say is denied."""

import re
import uuid
from typing import Any

import pytest
from aiohttp import web as aiohttp_web

from gateway.http.routes import Route, Who
from gateway.http.server import make_app, routes
from persistence import students
from persistence.students import Enrolment, Student
from tests.gateway.http.conftest import Answer, Web

TABLE = routes()

# Written down a second time on purpose: whoever opens a route to more people has to say so here as well.
WHO_MAY = {
    "POST /v1/sign-in": Who.ANYONE,
    "POST /v1/token/refresh": Who.ANYONE,
    "GET /.well-known/jwks.json": Who.ANYONE,
    "POST /v1/tickets": Who.STUDENT,
    "GET /v1/catalogue": Who.STUDENT,
    "GET /v1/catalogue/complete": Who.STUDENT,
    "GET /v1/catalogue/{course}": Who.STUDENT,
    "GET /v1/courses": Who.STUDENT,
    "GET /v1/courses/{course}": Who.STUDENT,
    "GET /v1/courses/{course}/progress": Who.STUDENT,
    "GET /v1/me": Who.STUDENT,
    "POST /v1/courses/{course}/enrolment": Who.STUDENT,
    "DELETE /v1/courses/{course}/enrolment": Who.STUDENT,
    "GET /v1/teaching/courses": Who.STUDENT,
    "POST /v1/teaching/courses": Who.STUDENT,
    "GET /v1/teaching/courses/{course}": Who.STUDENT,
    "PUT /v1/teaching/courses/{course}": Who.STUDENT,
    "POST /v1/teaching/courses/{course}/publish": Who.STUDENT,
    "GET /v1/teaching/courses/{course}/preview": Who.STUDENT,
    "GET /v1/teaching/courses/{course}/versions": Who.STUDENT,
    "GET /v1/teaching/courses/{course}/versions/{number}": Who.STUDENT,
    "GET /v1/teaching/courses/{course}/people": Who.STUDENT,
    "POST /v1/teaching/courses/{course}/people": Who.STUDENT,
    "DELETE /v1/teaching/courses/{course}/people/{student}": Who.STUDENT,
    "GET /v1/items/{item}": Who.STUDENT,
    "GET /v1/items/{item}/document": Who.STUDENT,
    "POST /v1/teaching/courses/{course}/uploads": Who.STUDENT,
    "GET /v1/teaching/courses/{course}/uploads": Who.STUDENT,
    "GET /v1/teaching/uploads/{upload}": Who.STUDENT,
    "POST /v1/teaching/uploads/{upload}/complete": Who.STUDENT,
    "DELETE /v1/teaching/uploads/{upload}": Who.STUDENT,
    "GET /v1/items/{item}/media": Who.STUDENT,
    "GET /v1/progress/{item}": Who.STUDENT,
    "GET /v1/progress/{item}/explain": Who.STUDENT,
    "GET /v1/progress/{item}/history": Who.STUDENT,
    "POST /v1/progress/{item}/undo": Who.STUDENT,
    "POST /v1/progress/{item}/choose": Who.STUDENT,
    "POST /v1/progress/{item}/reset": Who.STUDENT,
    "GET /v1/media/{token}/master.m3u8": Who.HOLDER,
    "GET /v1/media/{token}/{rendition}.m3u8": Who.HOLDER,
    "GET /v1/media/{token}/sprite.vtt": Who.HOLDER,
    "GET /v1/edge/{token}/{key}": Who.HOLDER,
    "POST /v1/experience": Who.STUDENT,
    "GET /v1/teaching/courses/{course}/experience": Who.STUDENT,
    "GET /healthz": Who.ANYONE,
    "GET /readyz": Who.ANYONE,
    "GET /metrics": Who.OPERATOR,
    "GET /openapi.json": Who.ANYONE,
    "GET /": Who.ANYONE,
    "GET /demo": Who.ANYONE,
    "GET /shell.json": Who.ANYONE,
    "GET /service_worker.js": Who.ANYONE,
    "GET /favicon.ico": Who.ANYONE,
    "GET /client/{path}": Who.ANYONE,
    "GET /views/{path}": Who.ANYONE,
    "GET /vendor/{path}": Who.ANYONE,
}

TEACHES = {
    "GET /v1/teaching/courses/{course}": "assistant",
    "PUT /v1/teaching/courses/{course}": "instructor",
    "POST /v1/teaching/courses/{course}/publish": "instructor",
    "GET /v1/teaching/courses/{course}/preview": "assistant",
    "GET /v1/teaching/courses/{course}/versions": "assistant",
    "GET /v1/teaching/courses/{course}/experience": "instructor",
    "GET /v1/teaching/courses/{course}/versions/{number}": "assistant",
    "GET /v1/teaching/courses/{course}/people": "assistant",
    "POST /v1/teaching/courses/{course}/people": "instructor",
    "DELETE /v1/teaching/courses/{course}/people/{student}": "instructor",
    "GET /v1/teaching/courses/{course}/uploads": "instructor",
    "POST /v1/teaching/courses/{course}/uploads": "instructor",
}
"""The least one has to be in the course, likewise a second time."""

BODIES: dict[str, Any] = {
    "PUT /v1/teaching/courses/{course}": {"title": "Mine"},
    "POST /v1/teaching/courses/{course}/people": {"student": "zoe", "role": "instructor"},
    "POST /v1/teaching/courses/{course}/uploads": {
        "purpose": "poster",
        "file_name": "a.png",
        "content_type": "image/png",
        "length_bytes": 10,
    },
}
"""A body that would do, for routes that need one."""

RANKS = ["student", "assistant", "instructor"]


def name(route: Route) -> str:
    return f"{route.method} {route.template}"


def path(route: Route) -> str:
    return re.sub(r"\{\w+\}", "nothing", route.template)


def each(who: Who) -> list[object]:
    return [pytest.param(route, id=name(route)) for route in TABLE if route.who is who]


def test_rule_27_the_table_says_who_may() -> None:
    assert {name(route): route.who for route in TABLE} == WHO_MAY


async def test_rule_27_the_router_has_the_table_and_nothing_else(web: Web) -> None:
    app = make_app(web.deps)
    served = {
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert served == {f"{route.method} {route.template}" for route in TABLE}
    assert not any(isinstance(resource, aiohttp_web.StaticResource) for resource in app.router.resources())


@pytest.mark.parametrize("route", each(Who.STUDENT))
async def test_a8_a_student_route_denies_whoever_has_no_token(web: Web, route: Route) -> None:
    bad = web.token("mira")[:-4] + "AAAA"
    for headers in (
        {},
        {"Authorization": f"Bearer {bad}"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic bWlyYTptaXJh"},
        {"Authorization": web.token("mira")},
        {"Cookie": f"Authorization=Bearer {web.token('mira')}; token={web.token('mira')}"},
        {"X-User-ID": "mira", "X-Student": "mira"},
        {"Authorization": f"Bearer {web.deps.issuer.issue('refresh', 'mira')}"},
        [("Authorization", f"Bearer {web.token('mira')}"), ("Authorization", f"Bearer {web.token('ben')}")],
    ):
        answer = await web.ask(route.method, path(route), headers=headers)
        assert (answer.status, answer.json["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    token = web.token("mira")
    assert (await web.ask(route.method, f"{path(route)}?access_token={token}&token={token}")).status == 401


def test_a8_every_route_of_teaching_says_what_one_has_to_be() -> None:
    assert {name(route): route.teaches for route in TABLE if route.teaches} == TEACHES
    in_course = {name(route) for route in TABLE if route.template.startswith("/v1/teaching/courses/{course}")}
    assert in_course == TEACHES.keys()


async def _as(web: Web, route: Route, course: str, student: str) -> Answer:
    """A request that is right in all but who sends it."""
    sent = path(route).replace("/courses/nothing", f"/courses/{course}")
    headers = {"Idempotency-Key": uuid.uuid4().hex, "If-Match": '"99"'}
    return await web.ask(route.method, sent, student=student, json=BODIES.get(name(route)), headers=headers)


@pytest.mark.parametrize("route", [pytest.param(route, id=name(route)) for route in TABLE if route.teaches])
@pytest.mark.parametrize("course", ["systems", "hidden"])
async def test_a8_a9_teaching_is_denied_whoever_is_not_allowed(web: Web, route: Route, course: str) -> None:
    postgres = web.deps.postgres
    await students.put(postgres, [Student(f"{role}-{course}", role) for role in RANKS])
    await students.enrol(postgres, [Enrolment(f"{role}-{course}", course, role) for role in RANKS])  # type: ignore[arg-type]
    missing = await _as(web, route, "none", "zoe")
    stranger = await _as(web, route, course, "zoe")
    assert (stranger.status, stranger.body) == (404, missing.body)
    # Who is enrolled where nothing is published knows as little of it as a stranger.
    student = await _as(web, route, course, f"student-{course}")
    assert student.status == (403 if course == "systems" else 404)
    assistant = await _as(web, route, course, f"assistant-{course}")
    if route.teaches == "instructor":
        assert (assistant.status, assistant.json["code"]) == (403, "forbidden")
    else:
        assert assistant.status != 403
    elsewhere = await _as(web, route, "other", f"instructor-{course}")
    assert (elsewhere.status, elsewhere.body) == (404, missing.body)


@pytest.mark.parametrize("route", each(Who.HOLDER))
async def test_a8_a_holders_route_denies_other_tokens(web: Web, route: Route) -> None:
    for token in ("nothing", web.token("mira"), web.deps.issuer.issue("sign-in", "mira")):
        answer = await web.ask(
            route.method, route.template.replace("{token}", token).replace("{rendition}", "r")
        )
        assert answer.status == 404


@pytest.mark.parametrize("route", each(Who.OPERATOR))
async def test_a8_an_operators_route_denies_what_comes_through_a_proxy(web: Web, route: Route) -> None:
    assert (await web.ask(route.method, path(route))).status == 200
    for header in ("X-Forwarded-For", "Forwarded"):
        answer = await web.ask(route.method, path(route), headers={header: "127.0.0.1"})
        assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("route", [pytest.param(route, id=name(route)) for route in TABLE if route.takes])
async def test_h8_every_body_refuses_fields_it_does_not_know(web: Web, route: Route) -> None:
    assert route.takes is not None
    assert route.takes.__struct_config__.forbid_unknown_fields
    body = {field: "x" for field in route.takes.__struct_fields__} | {"role": "admin", "score": 100}
    answer = await web.ask(route.method, path(route), student="mira", json=body)
    assert (answer.status, answer.json["code"]) == (422, "invalid")


@pytest.mark.parametrize("route", [pytest.param(route, id=name(route)) for route in TABLE if route.takes])
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-7",
        "application/merge-patch+json",
        "",
    ],
)
async def test_h13_only_json_is_read(web: Web, route: Route, content_type: str) -> None:
    answer = await web.ask(
        route.method, path(route), student="mira", data=b"{}", headers={"Content-Type": content_type}
    )
    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("route", [pytest.param(route, id=name(route)) for route in TABLE])
async def test_h15_what_is_a_students_is_kept_by_nobody(web: Web, route: Route) -> None:
    answer = await web.ask(route.method, path(route), student="mira", json={})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Server"] == "playhead"
    if route.who is Who.STUDENT or answer.status >= 400:
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("route", [pytest.param(route, id=name(route)) for route in TABLE])
async def test_h6_other_methods_are_405(web: Web, route: Route) -> None:
    allowed = {other.method for other in TABLE if other.template == route.template}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "BREW", "PROPFIND"} - allowed:
        answer = await web.ask(method, path(route), student="mira", headers={"X-HTTP-Method-Override": "GET"})
        assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(",")) >= allowed


@pytest.mark.parametrize(
    "place",
    [
        "/v1",
        "/v1/",
        "/v1/courses/",
        "/v1//courses",
        "/V1/courses",
        "/admin",
        "/v1/students/ben/progress",
        "/.env",
        "/v1/socket",
    ],
)
async def test_what_is_not_in_the_table_does_not_exist(web: Web, place: str) -> None:
    answer = await web.ask("GET", place, student="mira")
    assert (answer.status, answer.json["code"]) == (404, "not_found")
