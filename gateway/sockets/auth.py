"""Who is at the other end: an access token, or a one-time ticket for those who cannot send one (P3)."""

import asyncio
from typing import Protocol

from actors.messages import Hello
from gateway.tokens import TokenRefused, TokenVerifier
from persistence.errors import PlayheadError, StoreUnavailable
from persistence.tickets import TicketRefused, Tickets

REDEEMING_MAX = 24
"""Redemptions at once, fewer than Redis connections a process has; the others wait for their turn."""


class Admitted(Protocol):
    """Whom a token or a ticket lets in, and until when (seconds since 1970)."""

    @property
    def student(self) -> str: ...
    @property
    def expires_at_s(self) -> int: ...


class AuthRefused(PlayheadError):
    """The hello proves nobody; the socket closes with 4500 and says no more than that."""


class AuthUnavailable(PlayheadError):
    """It cannot be known now whether the ticket is good; the device fetches a new one and comes back."""


class Authenticator:
    """Checks what a `hello` brings. `ticket_s` bounds the wait for the store of tickets."""

    def __init__(self, verifier: TokenVerifier, tickets: Tickets | None, ticket_s: float) -> None:
        self._verifier = verifier
        self._tickets = tickets
        self._ticket_s = ticket_s
        self._turns = asyncio.Semaphore(REDEEMING_MAX)

    def by_token(self, hello: Hello) -> Admitted | None:
        """Whom the token lets in; None if the hello has a ticket instead. Raises `AuthRefused`."""
        if (hello.token is None) == (hello.ticket is None):
            raise AuthRefused("hello has exactly one of token and ticket")
        if hello.token is None:
            return None
        try:
            return self._verifier.verify(hello.token)
        except TokenRefused as error:
            raise AuthRefused(str(error)) from error

    async def by_ticket(self, hello: Hello) -> Admitted:
        """Whom the ticket lets in. Raises `AuthRefused`, or `AuthUnavailable` if the store is silent."""
        if hello.ticket is None or self._tickets is None:
            raise AuthRefused("tickets are not taken here; send a token")
        try:
            async with asyncio.timeout(self._ticket_s), self._turns:
                return await self._tickets.redeem(hello.ticket, hello.device.id)
        except TicketRefused as error:
            raise AuthRefused(str(error)) from error
        except (StoreUnavailable, TimeoutError) as error:
            raise AuthUnavailable(f"the tickets cannot be read ({error}); come back") from error
