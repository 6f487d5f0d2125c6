"""What happens in a trace: one type per action of a device or the server, as the file writes it."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Seconds = Annotated[float, Meta(ge=0, le=2_000_000)]
Rate = Annotated[float, Meta(gt=0, le=16)]
Count = Annotated[int, Meta(ge=1, le=1000)]
Order = Literal["fifo", "reverse", "last_first"]

SERVER = "server"
"""The device name under which a trace says what happens to the server."""


@lru_cache(maxsize=65536)
def instant_ms(text: str) -> int:
    """Milliseconds since 1970 of a UTC time as traces write it. Raises `ValueError`."""
    moment = datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def ms(seconds: float) -> int:
    """Whole milliseconds of a number of seconds."""
    return round(seconds * 1000)


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """One entry of the timeline: when (true time), which device, and by its type what is done."""

    at: Time
    device: Name

    @property
    def do(self) -> str:
        """The word the file has for it."""
        return str(self.__struct_config__.tag)

    @property
    def at_ms(self) -> int:
        """When it begins."""
        return instant_ms(self.at)

    @property
    def end_ms(self) -> int:
        """When it is over."""
        return self.at_ms


class PlayerAction(Action, frozen=True, kw_only=True):
    """Something done in an open player of a device."""

    tab: Count = 1


class Open(PlayerAction, frozen=True, kw_only=True, tag="open"):
    item: Name
    at_s: Seconds | None = None
    intent: Literal["resume", "bookmark", "auto", "advance"] = "resume"
    version: Name | None = None
    beyond: bool = False


class SecondTab(Action, frozen=True, kw_only=True, tag="second_tab"):
    item: Name


class Play(PlayerAction, frozen=True, kw_only=True, tag="play"):
    from_s: Seconds
    to_s: Seconds
    rate: Rate = 1.0
    by: Literal["user", "auto"] = "user"
    pieces: Count = 1
    gap_s: Seconds = 0.0
    beyond: bool = False

    @property
    def end_ms(self) -> int:
        played_s = (self.to_s - self.from_s) / self.rate
        return self.at_ms + ms(played_s + (self.pieces - 1) * self.gap_s)


class Pause(PlayerAction, frozen=True, kw_only=True, tag="pause"):
    pass


class Seek(PlayerAction, frozen=True, kw_only=True, tag="seek"):
    to_s: Seconds
    beyond: bool = False


class Idle(PlayerAction, frozen=True, kw_only=True, tag="idle"):
    until: Time

    @property
    def end_ms(self) -> int:
        return instant_ms(self.until)


class Stall(PlayerAction, frozen=True, kw_only=True, tag="stall"):
    until: Time

    @property
    def end_ms(self) -> int:
        return instant_ms(self.until)


class Close(PlayerAction, frozen=True, kw_only=True, tag="close"):
    pass


class Choose(PlayerAction, frozen=True, kw_only=True, tag="choose"):
    position_s: Seconds


class Undo(PlayerAction, frozen=True, kw_only=True, tag="undo"):
    pass


class Answer(PlayerAction, frozen=True, kw_only=True, tag="answer"):
    question: Name
    value: str


class Submit(PlayerAction, frozen=True, kw_only=True, tag="submit"):
    pass


class SetDone(Action, frozen=True, kw_only=True, tag="set_done"):
    item: Name
    done: bool


class Reset(Action, frozen=True, kw_only=True, tag="reset"):
    item: Name


class Connect(Action, frozen=True, kw_only=True, tag="connect"):
    pass


class Disconnect(Action, frozen=True, kw_only=True, tag="disconnect"):
    pass


class Kill(Action, frozen=True, kw_only=True, tag="kill"):
    journal_to_s: Seconds | None = None


class Reboot(Action, frozen=True, kw_only=True, tag="reboot"):
    pass


class Wipe(Action, frozen=True, kw_only=True, tag="wipe"):
    pass


class ClockStep(Action, frozen=True, kw_only=True, tag="clock_step"):
    by_s: float


class SignIn(Action, frozen=True, kw_only=True, tag="sign_in"):
    student: Name
    token_ttl_s: Seconds | None = None


class SignOut(Action, frozen=True, kw_only=True, tag="sign_out"):
    pass


class LinkCut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next connection: play beats that get up, durable acknowledgements of beats that get down."""

    up: Annotated[int, Meta(ge=0)]
    acks: Annotated[int, Meta(ge=0)]


class DeliverBy(Action, frozen=True, kw_only=True, tag="deliver"):
    copies: Count | None = None
    order: Order | None = None
    acks: Literal["pass", "drop"] | None = None
    hold: bool | None = None
    release: Order | None = None
    cut: LinkCut | None = None
    corrupt_s: tuple[Seconds, Seconds] | None = None


class CheckpointNow(Action, frozen=True, kw_only=True, tag="checkpoint"):
    student: Name


class CrashOwner(Action, frozen=True, kw_only=True, tag="crash_owner"):
    student: Name


class EditItem(Action, frozen=True, kw_only=True, tag="edit_item"):
    item: Name
    version: Name


ServerAction = CheckpointNow | CrashOwner | EditItem
Player = Open | Play | Pause | Seek | Idle | Stall | Close | Choose | Undo | Answer | Submit
Link = Connect | Disconnect | ClockStep | DeliverBy
Anything = (
    Player
    | SecondTab
    | SetDone
    | Reset
    | Link
    | Kill
    | Reboot
    | Wipe
    | SignIn
    | SignOut
    | CheckpointNow
    | CrashOwner
    | EditItem
)

IN_PLAYER = (Play, Pause, Seek, Idle, Stall, Close, Choose, Undo, Answer, Submit)
"""Actions that need a player which is open already."""

OF_LINK = (Connect, Disconnect, ClockStep, DeliverBy)
"""Actions that may fall inside a play, an idle or a stall of the same device."""
