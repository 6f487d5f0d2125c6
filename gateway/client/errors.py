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


class MediaRefused(ClientError):
    """The server does not say how to play an item: `code` is `not_found`, or `busy` or `unavailable`, after
    which it may be asked again in `retry_after_ms`."""

    def __init__(self, item: str, code: str, retry_after_ms: int) -> None:
        now = "it is not there, or not this student's" if code == "not_found" else "ask again in a moment"
        super().__init__(f"{item} cannot be played ({code}): {now}")
        self.code = code
        self.retry_after_ms = retry_after_ms
