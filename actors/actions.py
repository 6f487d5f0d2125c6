"""What students do on pages without a connection, as events of a device of theirs: `api`.

The shard is the one writer, so an action goes the way of every event; only its journal is kept here: the
next seq, server time for a stamp, and as its session the key of the action, by which a repeat is known.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog

from actors.activation import Activation
from actors.batch import API_DEVICE, Act, Acted, PullHeads
from actors.core.events import Event
from actors.core.item import Item
from actors.core.session import Session
from actors.heads import encode, head_of
from actors.residents import Residents, Turn

log = structlog.get_logger()

BOOT = "server"
"""Its clock is the server's, which never restarts."""

DURABLE_WAIT_S = 2.0
"""How long an answer waits for its commit; a flush takes about one second (design 4.5)."""

RUNNING_MAX = 24
"""Actions carried out at once: calls that wait must leave the shard room for the batches of gateways."""

NOTHING_TO_UNDO = Acted(code="nothing_to_undo", message="no change that could be taken back is known here")
"""Changes nothing, and so does the same key again, unless there is something by then."""

KEY_REUSED = "this Idempotency-Key was used before, on another item or for another action"

NOT_FOUND = Acted(code="not_found", message="there is no such item for this student")


class Actions:
    """The actions of one shard."""

    def __init__(self, residents: Residents, catalogue: Mapping[str, Item]) -> None:
        self._residents = residents
        self._catalogue = catalogue
        self._commits: dict[str, list[asyncio.Future[None]]] = {}
        self._running = 0
        self.done = 0

    @property
    def full(self) -> bool:
        """Whether as many run as may."""
        return self._running >= RUNNING_MAX

    async def prepare(self, act: Act, activation: Activation) -> bool:
        """Bring the student and the item here; False if they did not come in time."""
        self._running += 1
        try:
            ready, _late = await activation.prepare([PullHeads(0, act.student, [act.item])])
        finally:
            self._running -= 1
        return bool(ready)

    def run(self, act: Act, now_ms: int) -> tuple[Turn, Acted]:
        """Carry out an action of a student who is resident: what it brings about, and the answer."""
        resident = self._residents[act.student]
        resident.used_ms = now_ms
        session, item = resident.session, self._catalogue.get(act.item)
        if item is None or item.course not in session.enrolled or not item.published:
            return Turn(), NOT_FOUND
        device = session.devices.get(API_DEVICE)
        former = device.visits.get(act.key) if device else None
        if former is not None:
            progress = session.items.get(act.item)
            run = progress.runs.get((API_DEVICE, former.run)) if progress else None
            # An undo that found nothing to revert is kept as a mark.
            other = run is not None and run.kind not in (act.kind, "marked")
            if former.item != act.item or other:
                return Turn(), Acted(code="key_reused", message=KEY_REUSED)
            return Turn(), self._answer(session, item, now_ms, repeated=True)
        if act.position_ms is not None and act.position_ms > item.duration_ms:
            message = f"{act.item} {item.version} ends at {item.duration_ms} ms"
            return Turn(), Acted(code="beyond_end", message=message)
        event = self._event(act, session, item, now_ms)
        if act.kind == "undone" and not self._can_undo(session, event, now_ms):
            return Turn(), NOTHING_TO_UNDO
        turn, folded = self._residents.act(act.student, API_DEVICE, event, now_ms)
        for _seq, code, message in folded.refused:
            return turn, Acted(code=code, message=message)
        self.done += 1
        log.info("action", kind=act.kind, student=act.student, item=act.item)
        return turn, self._answer(session, item, now_ms)

    async def durable(self, act: Act) -> bool:
        """Wait, not for long, until all that the student did here is committed; whether it is."""
        if act.student not in self._residents:
            return False
        device = self._residents[act.student].session.device(API_DEVICE)
        seq = device.applied_seq
        if device.durable_seq >= seq or self.full:
            return device.durable_seq >= seq
        commits = self._commits.setdefault(act.student, [])
        self._running += 1
        try:
            async with asyncio.timeout(DURABLE_WAIT_S):
                while device.durable_seq < seq:
                    commit = asyncio.get_running_loop().create_future()
                    commits.append(commit)
                    await commit
        except TimeoutError:
            log.warning("action_not_durable", kind=act.kind, student=act.student, item=act.item)
        finally:
            self._running -= 1
            if not [commit for commit in commits if not commit.done()]:
                self._commits.pop(act.student, None)
        return device.durable_seq >= seq

    def committed(self, student: str) -> None:
        """Something of the student has been committed: those who wait look again."""
        for commit in self._commits.get(student, ()):
            if not commit.done():
                commit.set_result(None)

    def _event(self, act: Act, session: Session, item: Item, now_ms: int) -> Event:
        device, progress = session.device(API_DEVICE), session.progress_of(item, now_ms)
        device.kind, device.name = "api", act.device_name or "Web page"
        device.clock.connect(BOOT, now_ms, now_ms, now_ms)
        newest_rev = progress.rev if progress else 0
        return Event(
            seq=device.applied_seq + 1,
            session=act.key,
            item=act.item,
            version=item.version,
            base_rev=newest_rev if act.base_rev is None else min(act.base_rev, newest_rev),
            kind=act.kind,  # type: ignore[arg-type]  # the web gateway names no other
            mono_ms=now_ms,
            boot=BOOT,
            wall=datetime.fromtimestamp(now_ms / 1000, UTC),
            position_ms=act.position_ms,
        )

    @staticmethod
    def _can_undo(session: Session, event: Event, now_ms: int) -> bool:
        progress = session.items.get(event.item)
        if progress is None:
            return False
        return progress.can_undo(API_DEVICE, event.seq, event.base_rev, session.rev_floor, now_ms)

    def _answer(self, session: Session, item: Item, now_ms: int, repeated: bool = False) -> Acted:
        return Acted(encode(head_of(session, item, now_ms)), repeated=repeated)
