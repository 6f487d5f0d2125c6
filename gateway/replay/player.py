"""An open player of a simulated device: where it stands, which run it is in, what a peek can go back to."""

from dataclasses import dataclass

from gateway.client.protocol import Message


@dataclass(slots=True)
class Player:
    """One tab with an item open. Places in ms of `version`; `place_ms` is where the picture is.

    `stands` says that the user named the place, so that the server does not move it; `lately` that something
    else than a play has happened since (SCHEMA 5 leaves open whether it still stands then). `ends` is when
    and where (s of the trace) the latest play ends, to tell a change of rate from a new press of play;
    `shift_ms` how far that play is from where the trace has it.
    """

    item: str
    version: str
    session: str
    intent: str
    place_ms: int = 0
    base_rev: int = 0
    stands: bool = False
    lately: bool = False
    ends: tuple[int, float] | None = None
    by: str = "user"
    shift_ms: int = 0
    started: bool = False
    playing: bool = False
    stalled: bool = False
    back_ms: int | None = None

    def stand(self, place_ms: int) -> None:
        """The user named the place."""
        self.place_ms, self.stands, self.lately, self.ends = place_ms, True, False, None

    def rest(self) -> None:
        """The player stopped, idles or stalls: it floats, or its place has become old."""
        self.playing, self.ends = False, None
        self.lately = True

    def float(self) -> None:
        """The place is the server's business again."""
        self.stands, self.lately, self.ends, self.playing = False, False, None, False

    def hear(self, head: Message, own: bool) -> None:
        """A head of this item came down; in a peek the place to go back to is the one others hold (R1)."""
        if self.intent == "bookmark" and not own:
            self.back_ms = head["position_ms"]
