"""Signing in, staying signed in, and tickets: the way of a device to its socket."""

import pytest

from gateway.tokens import TokenVerifier
from persistence.tickets import TicketRefused
from tests.gateway.http.conftest import Web


async def test_a_link_signs_in_again_and_again(web: Web) -> None:
    code = web.deps.issuer.issue("sign-in", "mira")
    for _ in range(2):
        answer = await web.ask("POST", "/v1/sign-in", json={"code": code})
        assert answer.status == 200
        student = {"id": "mira", "name": "Mira", "subscription": "free", "may_teach": False}
        assert answer.json["student"] == student
        assert answer.json["expires_in_s"] == 900
        identity = web.deps.verifier.verify(answer.json["access_token"])
        assert (identity.student, identity.name) == ("mira", "Mira")


async def test_a_refresh_token_is_exchanged(web: Web) -> None:
    refresh = web.deps.issuer.issue("refresh", "mira")
    answer = await web.ask("POST", "/v1/token/refresh", json={"refresh_token": refresh})
    assert answer.status == 200
    assert web.deps.verifier.verify(answer.json["refresh_token"], "refresh").student == "mira"


async def test_our_tokens_can_be_verified_by_others(web: Web) -> None:
    answer = await web.ask("GET", "/.well-known/jwks.json")
    assert [key["kty"] for key in answer.json["keys"]] == ["EC"]
    assert "d" not in answer.json["keys"][0]
    assert TokenVerifier(web.deps.jwks).verify(web.token("mira")).student == "mira"


@pytest.mark.parametrize(
    ("path", "field", "typ"),
    [
        ("/v1/sign-in", "code", "access"),
        ("/v1/sign-in", "code", "refresh"),
        ("/v1/token/refresh", "refresh_token", "access"),
        ("/v1/token/refresh", "refresh_token", "sign-in"),
    ],
)
async def test_a3_no_token_serves_another_use(web: Web, path: str, field: str, typ: str) -> None:
    answer = await web.ask("POST", path, json={field: web.deps.issuer.issue(typ, "mira")})  # type: ignore[arg-type]
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")


async def test_a_student_who_is_gone_is_let_in_no_more(web: Web) -> None:
    for path, field, typ in (
        ("/v1/sign-in", "code", "sign-in"),
        ("/v1/token/refresh", "refresh_token", "refresh"),
    ):
        answer = await web.ask("POST", path, json={field: web.deps.issuer.issue(typ, "nobody")})  # type: ignore[arg-type]
        assert answer.status == 401


async def test_w6_a_ticket_is_for_the_student_of_the_token_and_the_device(web: Web) -> None:
    answer = await web.ask("POST", "/v1/tickets", student="mira", json={"device_id": "phone"})
    assert (answer.status, answer.json["expires_in_ms"]) == (200, 30_000)
    assert answer.json["socket_url"] == f"ws://{web.host}:{web.deps.settings.socket_port}/v1/socket"
    ticket = await web.deps.tickets.redeem(answer.json["ticket"], "phone")
    assert (ticket.student, ticket.device) == ("mira", "phone")
    with pytest.raises(TicketRefused):
        await web.deps.tickets.redeem(answer.json["ticket"], "phone")


async def test_a3_a_ticket_is_no_token(web: Web) -> None:
    ticket = (await web.ask("POST", "/v1/tickets", student="mira", json={"device_id": "phone"})).json[
        "ticket"
    ]
    assert (await web.ask("GET", "/v1/courses", headers={"Authorization": f"Bearer {ticket}"})).status == 401
    with pytest.raises(TicketRefused):
        await web.deps.tickets.redeem(web.token("mira"), "phone")


@pytest.mark.parametrize("host", ["evil.example/x", "a b", "", "x" * 300, "evil.example\t"])
async def test_h19_a_host_that_cannot_be_is_not_repeated(web: Web, host: str) -> None:
    answer = await web.ask(
        "POST", "/v1/tickets", student="mira", json={"device_id": "phone"}, headers={"Host": host}
    )
    assert answer.status == 400 or answer.json["socket_url"].startswith(
        (f"ws://{web.host}:", "ws://evil.example:")
    )
