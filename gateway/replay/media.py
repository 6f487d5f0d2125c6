"""The media address of a simulated player: asked for in time, checked as the server checks it (S46)."""

from gateway.replay.server import Server
from gateway.tokens import TokenRefused

AHEAD_MS = 10_000
"""A player asks for a new address when the old one dies within one beat."""


class MediaDoor:
    """The addresses a device holds, by item. They are the product's media tokens, good for a limited time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._held: dict[str, tuple[str, int]] = {}

    def forget(self) -> None:
        """The device was wiped."""
        self._held.clear()

    def renew(self, student: str, item: str, version: str, ttl_ms: int) -> None:
        """On line, before playing and while it plays: fetch a new address if the old one is about to die."""
        held = self._held.get(item)
        if held is None or held[1] - self._server.now_ms <= AHEAD_MS:
            # A token is good for one to two windows from now.
            window_s = max(1, ttl_ms // 2000)
            token, ends_s = self._server.issuer.issue_media(student, item, version, window_s)
            self._held[item] = token, ends_s * 1000

    def valid(self, student: str, item: str) -> bool:
        """Whether the server would serve the address the device holds now."""
        held = self._held.get(item)
        if held is None:
            return False
        try:
            right = self._server.verifier.verify(held[0], typ="media")
        except TokenRefused:
            return False
        return (right.student, right.item) == (student, item)
