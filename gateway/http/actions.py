"""What a student does to their place in an item from a page: undo, choose, reset. The shard does it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from actors.batch import Act, Acted
from actors.core.events import BadEvent, Kind, check_name
from actors.messages import Head, Position, Seq
from gateway.http.problems import Problem, not_found
from gateway.http.routes import Call, Handler, Route, Who
from persistence import items

PLACELESS = frozenset({"quiz", "assignment"})
"""Kinds of items that have no place to go back to."""

DeviceName = Annotated[str, Meta(max_length=64)]

_head = msgspec.msgpack.Decoder(Head)


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`base_rev`: the newest `rev` the page had shown, null for the newest there is (R2).

    `device_name` is what other devices call this page.
    """

    base_rev: Seq | None = None
    device_name: DeviceName = ""


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The place to go on at, in content ms of the current version; the rest as in `Wish`."""

    position_ms: Position
    base_rev: Seq | None = None
    device_name: DeviceName = ""


class Done(msgspec.Struct, frozen=True):
    """The head as all devices of the student see it now; `durable`: it is committed already."""

    head: Head
    durable: bool


def routes() -> list[Route]:
    """Actions, each once by its Idempotency-Key."""

    def action(
        name: str,
        handler: Handler,
        summary: str,
        takes: type[msgspec.Struct],
        problems: tuple[int, ...] = (404,),
    ) -> Route:
        return Route(
            "POST",
            f"/v1/progress/{{item}}/{name}",
            Who.STUDENT,
            handler,
            summary,
            Done,
            takes=takes,
            problems=problems,
            keyed=True,
        )

    return [
        action("undo", undo, "Undo the latest head change, on all devices", Wish, (404, 409)),
        action("choose", choose, "Go on at another place, on all devices", Choice),
        action("reset", reset, "Start the item afresh, on all devices", Wish),
    ]


async def undo(call: Call) -> Done:
    """Revert the latest head change the page knew of: place, done, epoch; never time or coverage (R4).

    Raises a 409 if there is none.
    """
    wish = call.body(Wish)
    return await _act(call, "undone", wish.base_rev, wish.device_name)


async def choose(call: Call) -> Done:
    """Take an offered place, or stay at one."""
    wish = call.body(Choice)
    return await _act(call, "chosen", wish.base_rev, wish.device_name, wish.position_ms)


async def reset(call: Call) -> Done:
    """Clear the place and what was seen; time stays (R7)."""
    wish = call.body(Wish)
    return await _act(call, "reset", wish.base_rev, wish.device_name)


async def _act(
    call: Call, kind: Kind, base_rev: int | None, device_name: str, position_ms: int | None = None
) -> Done:
    key, name = call.idempotency_key(), call.path_id("item")
    try:
        check_name("device_name", device_name or "-")
    except BadEvent as error:
        raise Problem(422, "invalid", str(error)) from error
    item = await items.open_for(call.deps.postgres, call.student, name)
    if item is None:
        raise not_found()
    if item.kind in PLACELESS:
        raise Problem(422, "no_place", f"{item.kind.title()} items have no place to go back to.")
    act = Act(call.student, name, kind, key, position_ms, base_rev, device_name)
    acted = await call.deps.shards.act(act)
    call.deps.metrics.actions.labels(kind, _outcome(acted)).inc()
    if not acted.head:
        raise _refusal(acted)
    return Done(_head.decode(acted.head), acted.durable)


def _refusal(acted: Acted) -> Problem:
    if acted.code == "not_found":
        return not_found()
    message = f"{acted.message[:1].upper()}{acted.message[1:]}."
    return Problem(409 if acted.code == "nothing_to_undo" else 422, acted.code, message)


def _outcome(acted: Acted) -> str:
    if not acted.head:
        return acted.code
    return "repeated" if acted.repeated else "durable" if acted.durable else "applied"
