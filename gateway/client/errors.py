"""What can go wrong for a client."""

from persistence.errors import PlayheadError


class ClientError(PlayheadError):
    """Root of the client's errors."""


class ClosedForGood(ClientError):
    """The server closed with a final code (4500 to 4999): `code`; do not reconnect until somebody acts."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the server closed with {code}, for good: {reason or 'no reason given'}")
        self.code = code


class Sealed(ClientError):
    """The token speaks for another student than the journal belongs to; the journal stays (R9)."""


class JournalBroken(ClientError):
    """The journal on disk cannot be read, or belongs to another student or device."""
