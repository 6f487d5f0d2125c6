"""Tickets over HTTP: how a signed-in device gets its socket without a token in a URL (W4, W6)."""

import re
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.http.routes import Call, Route, Who
from gateway.http.settings import WebSettings
from persistence.tickets import LIFETIME_MS, Ticket

SOCKET_PATH = "/v1/socket"
_HOST = re.compile(r"(?P<name>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")


class TicketWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The device that wants to connect, by the id it says in `hello`."""

    device_id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class IssuedTicket(msgspec.Struct, frozen=True):
    """Good once, for this device, for a short while: open `socket_url` and say it in `hello`."""

    ticket: str
    expires_in_ms: int
    socket_url: str


def routes() -> list[Route]:
    """Tickets are fetched, one for each connection."""
    return [
        Route(
            "POST",
            "/v1/tickets",
            Who.STUDENT,
            issue,
            "A one-time ticket for a socket",
            IssuedTicket,
            takes=TicketWish,
            problems=(503,),
        )
    ]


async def issue(call: Call) -> IssuedTicket:
    """A ticket for the student of the token and the device of the body."""
    identity = call.identity
    name = identity.name if identity else ""
    expires_at_s = identity.expires_at_s if identity else 0
    ticket = Ticket(call.student, name, call.body(TicketWish).device_id, expires_at_s)
    secret = await call.deps.tickets.issue(ticket)
    return IssuedTicket(secret, LIFETIME_MS, socket_url(call.request, call.deps.settings))


def socket_url(request: web.Request, settings: WebSettings) -> str:
    """Where sockets are: as set, else on the host the browser asked, at the socket gateways' port."""
    if settings.public_socket_url:
        return settings.public_socket_url
    asked = _HOST.fullmatch(request.headers.get("Host", ""))
    host = asked["name"] if asked else settings.host
    scheme = "wss" if request.secure else "ws"
    return f"{scheme}://{host}:{settings.socket_port}{SOCKET_PATH}"
