"""What must be true of a peer's answers: every update acknowledged, pushed and stored, and nothing else."""

from array import array
from typing import Any

from bench.checker import Faults, Samples
from bench.plan import Script, ending


class PeerCheck:
    """Judges what one student's devices hear. Acknowledgements and pushes are due once each and in order:
    a peer keeps no revision that would let it leave one out.
    """

    __slots__ = ("_acked", "_durable", "_faults", "_pushed", "_samples", "_sent", "_sent_s", "script")

    def __init__(self, script: Script, faults: Faults, samples: Samples) -> None:
        self.script = script
        self._faults = faults
        self._samples = samples
        self._sent_s = array("d", bytes(8 * len(script.steps)))
        devices = len(script.devices)
        self._sent: list[list[int]] = [[] for _ in range(devices)]
        self._acked = [0] * devices
        self._durable = [0] * devices
        self._pushed = [[0] * devices for _ in range(devices)]
        """By device that hears, then by the one that sent: how many of its places came."""

    def sent(self, step: int, at_s: float) -> int:
        """A step is being sent; gives its seq on its device."""
        sent = self._sent[self.script.steps[step].device]
        sent.append(step)
        self._sent_s[step] = at_s
        return len(sent)

    def acked(self, device: int, seq: int, at_s: float) -> None:
        """An update was taken in."""
        if seq != self._acked[device] + 1 or seq > len(self._sent[device]):
            self._wrong("acknowledgement", device, f"of seq {seq} after {self._acked[device]}")
            return
        self._acked[device] = seq
        self._samples.ack.append(at_s - self._sent_s[self._sent[device][seq - 1]])

    def durable(self, device: int, seq: int, at_s: float) -> None:
        """Everything up to `seq` is stored."""
        sent, before = self._sent[device], self._durable[device]
        if not before < seq <= len(sent):
            self._wrong("durable", device, f"seq {seq} after {before}, sent were {len(sent)}")
            return
        for step in sent[before:seq]:
            flushed = self.script.steps[step].flushed
            samples = self._samples.durable_flushed if flushed else self._samples.durable_playing
            samples.append(at_s - self._sent_s[step])
        self._durable[device] = seq

    def pushed(self, device: int, head: dict[str, Any], at_s: float) -> None:
        """A place of another device came."""
        devices, name = self.script.devices, head.get("device")
        sender = devices.index(name) if name in devices else device
        heard, places = self._pushed[device], self._places(sender)
        if sender == device or heard[sender] >= len(places):
            self._wrong("push", device, f"nothing was sent that this could be: {head}")
            return
        step = places[heard[sender]]
        expected = (self.script.item, self.script.steps[step].place_ms)
        found = (head.get("item"), head.get("position_ms"))
        if found != expected:
            self._wrong("push", device, f"{found} of {name}, expected {expected}")
        heard[sender] += 1
        self._samples.push.append(at_s - self._sent_s[step])

    @property
    def settled(self) -> bool:
        """Whether everything sent so far is acknowledged, stored and pushed."""
        return not any(self._missing(device) for device in range(len(self.script.devices)))

    def finish(self) -> None:
        """The end: whatever has not been heard by now is lost."""
        for device in range(len(self.script.devices)):
            if missing := self._missing(device):
                self._wrong("lost", device, missing)

    def _missing(self, device: int) -> str:
        sent = len(self._sent[device])
        if min(self._acked[device], self._durable[device]) < sent:
            return f"of {sent} updates {self._acked[device]} acknowledged, {self._durable[device]} durable"
        for sender, heard in enumerate(self._pushed[device]):
            places = len(self._places(sender))
            if sender != device and heard < places:
                return f"{heard} of {places} places of {self.script.devices[sender]} pushed"
        return ""

    def _places(self, device: int) -> list[int]:
        """The steps with a place which this device has sent."""
        return [step for step in self._sent[device] if self.script.steps[step].place_ms >= 0]

    def _wrong(self, kind: str, device: int, what: str) -> None:
        self._faults.add(kind, f"student {self.script.number} on {self.script.devices[device]}", what)


def check_stored(script: Script, heads: list[dict[str, Any]], faults: Faults) -> None:
    """Compare what a peer that was started anew says of a student with what was sent."""
    end, names = ending(script), ("item", "position_ms", "device", "watched_ms")
    expected = [dict(zip(names, (script.item, end.place_ms, end.device, end.content_ms), strict=True))]
    found = [{name: head.get(name) for name in names} for head in heads]
    if found != expected:
        faults.add("stored", f"student {script.number}", f"{found}, expected {expected}")
