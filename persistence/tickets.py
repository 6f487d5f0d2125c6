"""One-time tickets: 30 seconds in which one device of one student may open a socket (W6, A10)."""

import hashlib
import secrets
from typing import cast

import msgspec

from persistence.errors import PlayheadError
from persistence.redis import Redis, redis_errors

LIFETIME_MS = 30_000
TICKET_MAX_CHARACTERS = 128


class TicketRefused(PlayheadError):
    """The ticket is unknown, used, run out, or another device's. The peer fetches a new one."""

    def __init__(self) -> None:
        super().__init__("the ticket is refused; fetch a new one with POST /v1/tickets")


class Ticket(msgspec.Struct, frozen=True):
    """Whom a ticket lets in: a student by id and shown name, on one device, until their sign-in runs out."""

    student: str
    name: str
    device: str
    expires_at_s: int


class Tickets:
    """Tickets live in Redis only: losing them merely makes devices fetch new ones (rule 26)."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, ticket: Ticket) -> str:
        """The secret to give to the device; only its hash is kept. Raises `StoreUnavailable`."""
        secret = secrets.token_urlsafe(32)
        with redis_errors():
            await self._redis.set(_name(secret), msgspec.msgpack.encode(ticket), px=LIFETIME_MS)
        return secret

    async def redeem(self, secret: str, device: str) -> Ticket:
        """Whom it lets in. Used up by the attempt, whoever asks.

        Raises `TicketRefused`, and `StoreUnavailable` when it cannot be known (it may be used up then).
        """
        if len(secret) > TICKET_MAX_CHARACTERS:
            raise TicketRefused
        with redis_errors():
            data = cast(bytes | None, await self._redis.getdel(_name(secret)))
        if data is None:
            raise TicketRefused
        try:
            ticket = msgspec.msgpack.decode(data, type=Ticket)
        except (msgspec.MsgspecError, ValueError) as error:
            raise TicketRefused from error
        if ticket.device != device:
            raise TicketRefused
        return ticket


def _name(secret: str) -> str:
    return f"playhead1:ticket:{hashlib.sha256(secret.encode('utf-8', 'surrogatepass')).hexdigest()}"
